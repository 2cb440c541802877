// Certificate and verdict for a network; see verify_network.hpp.
#include "verify_network.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "axecert/certificate/vote.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/replay/replay.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/votes.hpp"
#include "axecert/smt/smt.hpp"

namespace digits {

std::int64_t verify_network(const IntegerNetwork& network, const axe::Datapath& datapath,
                            const std::filesystem::path& path) {
  std::vector<axe::QuantizedLayer> layers;
  axe::Certificate claimed;
  claimed.tool = "axecert digits example";
  for (const IntegerLayerStep& step : network) {
    layers.push_back(step.quantized);
    claimed.layers.push_back(axe::make_claims(step.quantized.layer, datapath, axe::InputSource::clamped));
  }
  const std::filesystem::path weights = path.string() + ".safetensors", certificate = path.string() + ".axec";
  axe::write_quantized(weights, layers);
  axe::write_certificate(certificate, claimed);

  // From here on only what is in the two files counts.
  axe::Certificate read = axe::read_certificate(certificate);
  axe::attach_weights(read, axe::read_tensors(weights));
  axe::SmtOptions smt;
  smt.depth = axe::SmtDepth::box;
  smt.workers = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const std::vector<axe::Vote> votes{axe::checker_vote(certificate, weights), axe::smt_vote(read, smt),
                                     axe::replay_vote(read, {})};
  if (axe::combine(votes) != axe::Verdict::safe) {
    throw std::runtime_error(certificate.string() + " is not safe:\n" + axe::votes_text(votes));
  }
  return votes.front().nodes_total;
}

}  // namespace digits
