// Policies (axecert.toml): any text is read or refused with an InputError, and what was read can be asked for: there is a model, and each has a datapath
// that is valid. Input: the file. Main function: LLVMFuzzerTestOneInput. It aborts on a finding.
// Requirements: TOR-202.
#include "../../cli/policy.hpp"

#include "axecert/numeric/error.hpp"
#include "target.hpp"

using namespace axe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file(data, size);
  cli::Policy policy;
  try {
    policy = cli::read_policy(file.path());
  } catch (const InputError&) {
    return 0;
  }
  if (policy.models.empty() || policy.minimum_margin_percent < 0 || policy.minimum_margin_percent > 99 ||
      policy.replay.value_or(0) < 0) {
    fuzz::finding("a policy without a model, or with a number that is none");
  }
  for (const cli::ModelPolicy& model : policy.models) {
    if (model.parsed.empty() || model.parsed.size() != model.datapaths.size() || model.file.empty() ||
        (model.inputs && model.inputs->lower > model.inputs->upper)) {
      fuzz::finding("a model of which nothing can be asked");
    }
    try {
      for (const Datapath& datapath : model.parsed) {
        validate(datapath);
      }
    } catch (const InputError& error) {
      fuzz::finding(error.what());
    }
  }
  return 0;
}
