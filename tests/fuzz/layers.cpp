// A weights file as `certify` reads it, and a calibration file as `quantize` does: any arrays become layers or are refused with an InputError; and of what is
// certified of integer layers the checker says safe or unsafe, never that something is malformed. Input: the file, .safetensors or .npz.
// Main function: LLVMFuzzerTestOneInput. It aborts on a finding.
// Requirements: TOR-202, TOR-504.
#include "axecert/model/layers.hpp"
#include "axecert/checker/checker.h"
#include "axecert/report/votes.hpp"
#include "target.hpp"

using namespace axe;

namespace {

constexpr std::int64_t most_elements = 20'000;  // what is computed is no part of what is tested here

bool is_small(const TensorFile& file) {
  for (const auto& [name, tensor] : file.tensors) {
    for (const std::int64_t extent : tensor.shape) {
      if (extent > 256) {
        return false;
      }
    }
    if (tensor.elements() > most_elements) {
      return false;
    }
  }
  return true;
}

void certify(const TensorFile& file, const Datapath& datapath) {
  Certificate certificate{"fuzzed", {}};
  std::vector<std::uint8_t> claims, weights;
  try {
    for (StoredLayer& stored : read_integer_layers(file, datapath)) {
      certificate.layers.push_back(make_claims(std::move(stored.layer), datapath, stored.source));
    }
    claims = certificate_bytes(certificate);
    weights = weights_for_checker(file);
  } catch (const InputError&) {
    return;
  }
  axc_report report;
  const axc_verdict verdict = axc_check(claims.data(), claims.size(), weights.data(), weights.size(), &report);
  if (verdict != AXC_SAFE && verdict != AXC_UNSAFE) {
    fuzz::finding(axc_reason_sentence(report.reason));
  }
}

template <class Read>
void read(const Read& reader) {
  try {
    (void)reader();
  } catch (const InputError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Datapath tiled = parse_datapath("axe:P=16,T=4,outer=24"), raw = parse_datapath("x86-avx2-maddubs");
  const fuzz::MemoryFile bytes(data, size);
  TensorFile file;
  try {
    file = read_tensors(bytes.path());
  } catch (const InputError&) {
    return 0;
  }
  if (!is_small(file)) {
    return 0;
  }
  certify(file, tiled);
  certify(file, raw);
  read([&] { return read_quantized(file); });
  read([&] { return read_problems(file); });
  read([&] {
    InputCalibration calibration;
    calibration.scaling = ActivationScaling::token;
    calibration.is_signed = true;
    calibration.limited_on = &tiled;
    calibration.largest_weight = 7;
    return read_problems(file, calibration);
  });
  return 0;
}
