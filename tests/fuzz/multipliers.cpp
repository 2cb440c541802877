// The multipliers that --requantize judges with: any file is read or refused with an InputError, and judging a layer by what was read gives a vote on every
// one of its rows. Input: a byte that chooses the requantizer; the file, .safetensors or .npz. Main function: LLVMFuzzerTestOneInput. It aborts
// on a finding.
// Requirements: TOR-202.
#include "../../cli/requantization.hpp"
#include "target.hpp"

using namespace axe;

namespace {

LayerClaims two_rows() {
  IntegerLayer layer;
  layer.name = "layer";
  layer.rows = 2;
  layer.cols = 3;
  layer.weights = {1, -2, 3, 100, 100, 100};
  layer.box_lower = {0};
  layer.box_upper = {255};
  return make_claims(std::move(layer), parse_datapath("axe:P=32"), InputSource::given);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const LayerClaims claims = two_rows();
  if (size < 1) {
    return 0;
  }
  const fuzz::MemoryFile file(data + 1, size - 1);
  cli::RequantizationArguments arguments;
  arguments.requantizer = to_text(requantizers()[data[0] % requantizers().size()]);
  arguments.multipliers = file.path();
  try {
    const cli::RequantizationJudge judge(arguments, claims.datapath);
    judge.demand_layers({claims.layer.name});
    const Vote vote = judge.vote(claims);
    if (vote.nodes_total != claims.layer.rows || vote.nodes_checked > vote.nodes_total ||
        (vote.verdict == Verdict::safe && (vote.findings_total > 0 || vote.nodes_checked != vote.nodes_total))) {
      fuzz::finding("a vote that does not hang together");
    }
  } catch (const InputError&) {
  }
  return 0;
}
