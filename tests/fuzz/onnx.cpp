// ONNX models: any bytes are imported or refused with an InputError, and the layers that are imported can be certified or refused likewise.
// Input: the file. Main function: LLVMFuzzerTestOneInput. It aborts on a finding.
// Requirements: TOR-202, TOR-503.
#include "axecert/model/layers.hpp"
#include "axecert/onnx/import.hpp"
#include "target.hpp"

using namespace axe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Datapath datapath = parse_datapath("x86-avx2-maddubs");
  const fuzz::MemoryFile file(data, size);
  try {
    const OnnxImport model = import_onnx(file.path(), datapath);
    if (model.layers.tensors.empty()) {
      return 0;
    }
    for (StoredLayer& stored : read_integer_layers(model.layers, datapath)) {
      if (stored.layer.weights.size() < 100'000) {
        (void)make_claims(std::move(stored.layer), datapath, stored.source);
      }
    }
  } catch (const InputError&) {
  }
  return 0;
}
