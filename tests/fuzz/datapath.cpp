// Descriptions of datapaths, TOML and shorthand: any text is read or refused with an InputError, and what was read is valid and has a topology.
// Input: 'T' and TOML text, or the shorthand. Main function: LLVMFuzzerTestOneInput. It aborts on a finding.
// Requirements: TOR-202, TOR-403.
#include "axecert/datapath/datapath.hpp"
#include "axecert/numeric/error.hpp"
#include "target.hpp"

using namespace axe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Datapath datapath;
  try {
    if (!text.empty() && text[0] == 'T') {
      datapath = datapath_from_toml(text.substr(1), "fuzzed");
    } else if (text.ends_with(".toml")) {
      return 0;  // a path: nothing of the file system is fuzzed
    } else {
      datapath = parse_datapath(text);
    }
  } catch (const InputError&) {
    return 0;
  }
  try {
    validate(datapath);
    (void)describe(datapath);
  } catch (const InputError& error) {
    fuzz::finding(error.what());
  }
  try {
    const Topology topology(datapath, 100);
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      if (topology.nodes(s) < 1 || topology.nodes(s) > topology.values(s)) {
        fuzz::finding("a stage without registers, or with more than values");
      }
    }
  } catch (const InputError&) {
    // a constant that several registers of this length would start from
  }
  return 0;
}
