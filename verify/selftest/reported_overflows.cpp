// Overflows that people reported, with the integers of their reports: the exact sum, what the machine shows instead, and the verdict on
// the weights; then what their fix computes. More of them, with what each report says: tests/unit/known_overflows.cpp. See checks.hpp.
#include <numeric>

#include "axecert/datapath/machine.hpp"
#include "axecert/selftest/checks.hpp"

namespace axe {
namespace {

struct Reported {
  const char* report;
  const char* datapath;
  std::vector<std::int8_t> weights;
  std::vector<std::int32_t> inputs;
  std::int64_t exact;
  std::int64_t machine;
  Verdict verdict;
};

const Reported table[] = {
    {"onnxruntime 16105", "mlas-u8s8-avx2", {-81, -80, 127}, {210, 198, 234}, -3132, -3050, Verdict::unsafe},
    {"onnxruntime 16105, fixed", "mlas-u8s8-vnni", {-81, -80, 127}, {210, 198, 234}, -3132, -3132, Verdict::safe},
    {"pytorch 44939, FBGEMM 125", "fbgemm-acc32", {71, 107}, {211, 171}, 33278, 32767, Verdict::unsafe},
    {"pytorch 44939, with VNNI", "fbgemm-acc32-vnni", {71, 107}, {211, 171}, 33278, 33278, Verdict::safe},
    {"FBGEMM 199 and 417", "fbgemm-acc16", {64, 64, 64, 64}, {255, 255, 255, 255}, 65280, 32767, Verdict::unsafe},
    {"oneDNN 518 and 375", "onednn-u8s8", {127, 127}, {255, 255}, 64770, 32767, Verdict::unsafe},
    {"oneDNN 518, weights halved", "onednn-u8s8", {63, 63}, {255, 255}, 32130, 32130, Verdict::safe},
    {"hls4ml 324", "hls4ml-16-wrap", {127, 127, 127}, {127, 127, 127}, 48387, -17149, Verdict::unsafe},
    {"hls4ml 68", "hls4ml-16-sat", {127, 127, 127}, {127, 127, 127}, 48387, 32767, Verdict::unsafe},
    {"relaxed SIMD, saturating",
     "wasm-relaxed-dot-unsigned-saturate",
     {127, 127},
     {255, 255},
     64770,
     32767,
     Verdict::unsafe},
    {"relaxed SIMD, wrapping", "wasm-relaxed-dot-unsigned-wrap", {127, 127}, {255, 255}, 64770, -766, Verdict::unsafe},
};

}  // namespace

void check_reported_overflows(SelftestCheck& check) {
  for (const Reported& r : table) {
    const Datapath datapath = parse_datapath(r.datapath);
    const auto length = static_cast<std::int64_t>(r.weights.size());
    const std::string what = std::string(r.report) + " on " + r.datapath;
    claim(check, std::inner_product(r.weights.begin(), r.weights.end(), r.inputs.begin(), std::int64_t{0}) == r.exact,
          what + ": exact sum");
    const std::int64_t held = run(Topology(datapath, length), r.weights, r.inputs, 0).back().at(0).value;
    claim(check, held == r.machine, what + ": the machine holds " + std::to_string(held));
    IntegerLayer layer;
    layer.name = "row";
    layer.rows = 1;
    layer.cols = length;
    layer.weights = r.weights;
    layer.box_lower = {static_cast<std::int32_t>(datapath.activations.lower)};
    layer.box_upper = {static_cast<std::int32_t>(datapath.activations.upper)};
    const Verdict verdict = make_claims(layer, datapath, InputSource::given).verdict;
    claim(check, verdict == r.verdict, what + ": " + to_text(verdict));
  }
}

}  // namespace axe
