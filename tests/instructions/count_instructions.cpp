// Fixed work for valgrind to count: one task per path of the product that has to be fast, on inputs that never change. Under
// `valgrind --tool=callgrind --collect-atstart=no` only the tasks themselves are counted, and each leaves its own dump, named after it;
// without valgrind the program runs them all the same. instructions.py runs it and compares. Standard output has a line per task.
//
//     count_instructions
//
// The processor that valgrind 3.19 shows has AVX2 and neither AVX-512 nor VNNI nor SHA extensions, on every machine: so the counts do not
// depend on the machine, and the wider loops are not among them.
#include <valgrind/callgrind.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "../golden/tiny_files.hpp"
#include "../synthetic_layer.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/checker/checker.h"
#include "axecert/inference/integer_linear.hpp"
#include "axecert/kernel/certified_product.hpp"
#include "axecert/kernel/datapath_product.hpp"
#include "axecert/kernel/exact_product.hpp"
#include "axecert/licence/licence_office.hpp"
#include "axecert/quantize/quantize.hpp"
#include "axecert/replay/replay.hpp"

namespace {

using namespace axe;

class Numbers {
 public:
  std::uint32_t next() { return state_ = state_ * 1664525U + 1013904223U; }

 private:
  std::uint32_t state_ = 1;
};

IntegerLayer layer_of(std::int64_t rows, std::int64_t cols) {
  IntegerLayer layer;
  layer.name = "counted";
  layer.rows = rows;
  layer.cols = cols;
  layer.box_lower = {0};
  layer.box_upper = {255};
  Numbers numbers;
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    layer.weights.push_back(static_cast<std::int8_t>(static_cast<std::int32_t>(numbers.next() >> 29) - 3));
  }
  return layer;
}

std::vector<std::uint8_t> codes_of(std::int64_t count) {
  std::vector<std::uint8_t> codes;
  Numbers numbers;
  for (std::int64_t i = 0; i < count; ++i) {
    codes.push_back(static_cast<std::uint8_t>(numbers.next() >> 24));
  }
  return codes;
}

void demand(bool held, const char* what) {
  if (!held) {
    throw std::logic_error(what);
  }
}

/// Counts `task` under its name, and nothing else.
void count(const char* name, const std::function<void()>& task) {
  CALLGRIND_TOGGLE_COLLECT;
  task();
  CALLGRIND_TOGGLE_COLLECT;
  CALLGRIND_DUMP_STATS_AT(name);
  std::printf("%s\n", name);
  std::fflush(stdout);
}

void claims_and_checker() {
  const IntegerLayer layer = layer_of(256, 1024);
  const Datapath datapath = parse_datapath("axe:P=16,T=64");
  tiny::Bytes certificate;
  count("certify", [&] {
    const LayerClaims claims = make_claims(layer, datapath, InputSource::clamped);
    certificate = certificate_bytes({"test", {claims}});
  });
  IntegerLayer boxed = layer;
  boxed.box_lower.assign(1024, 0);
  boxed.box_upper.assign(1024, 0);
  Numbers numbers;
  for (std::int32_t& upper : boxed.box_upper) {
    upper = static_cast<std::int32_t>(numbers.next() >> 24);
  }
  count("certify, a box per channel", [&] { make_claims(boxed, datapath, InputSource::clamped); });
  tiny::Arrays arrays;
  tiny::add_layer(arrays, layer);
  const tiny::Bytes weights = tiny::weights_file(arrays);
  count("check", [&] {
    axc_report report;
    demand(axc_check(certificate.data(), certificate.size(), weights.data(), weights.size(), &report) == AXC_SAFE,
           "the checker does not say safe");
  });
  const std::vector<std::uint8_t> bytes = codes_of(1 << 18);
  count("sha-256", [&] { sha256(bytes.data(), bytes.size()); });
  const IntegerLayer few = layer_of(16, 256);
  const Certificate replayed{"test", {make_claims(few, datapath, InputSource::given)}};
  count("replay", [&] { demand(replay_vote(replayed, {}).verdict == Verdict::safe, "the replay does not say safe"); });
}

void products() {
  const std::int64_t rows = 96, cols = 1024, tokens = 24;
  const IntegerLayer layer = layer_of(rows, cols);
  const std::vector<std::uint8_t> codes = codes_of(tokens * cols);
  std::vector<std::int64_t> sums(static_cast<std::size_t>(tokens * rows));
  const Topology wide(parse_datapath("axe:P=32"), cols);
  const Operands operands{codes, tokens, 0, {}};
  const Operands one{std::span(codes).first(static_cast<std::size_t>(cols)), 1, 0, {}};
  const std::span<std::int64_t> of_one = std::span(sums).first(static_cast<std::size_t>(rows));

  const ExactProduct exact(layer, wide, Target::avx2);
  count("exact product, avx2", [&] { exact.multiply(operands, sums); });
  count("exact product, avx2, one token", [&] { exact.multiply(one, of_one); });
  const auto licence = LicenceOffice::issue(layer, wide, 0, 64).licence;
  demand(licence.has_value(), "no licence");
  for (const WeightPacking packing : {WeightPacking::bytes, WeightPacking::nibbles}) {
    const CertifiedProduct certified(*licence, layer, wide, packing, Target::avx2);
    const std::string name = "certified product, avx2, " + to_text(packing);
    count(name.c_str(), [&] { certified.multiply(operands, sums); });
    count((name + ", one token").c_str(), [&] { certified.multiply(one, of_one); });
  }
  const DatapathProduct fits(layer, Topology(parse_datapath("axe:P=20,T=128"), cols), Target::avx2);
  count("stepped product, avx2, nothing overflows",
        [&] { demand(fits.multiply(operands, sums) == 0, "an overflow that cannot be"); });
  const DatapathProduct narrow(layer, Topology(parse_datapath("axe:P=12"), cols), Target::avx2);
  count("stepped product, avx2, most rows overflow", [&] { demand(narrow.multiply(one, of_one) > 0, "no overflow"); });
}

void quantizing() {
  const test::SyntheticLayer synthetic = test::synthetic_layer({.rows = 16, .cols = 128, .tokens = 160, .seed = 5});
  const Datapath datapath = parse_datapath("axe:P=14,T=64,act=s8");
  QuantizedLayer quantized;
  count("quantize", [&] { quantized = quantize(synthetic.problem, datapath, {}); });
  QuantizeOptions published = QuantizeOptions::published();
  count("quantize, as published", [&] { quantize(synthetic.problem, datapath, published); });
  const IntegerLinear linear(quantized, datapath, Arithmetic::exact);
  std::vector<float> x;
  Numbers numbers;
  for (int i = 0; i < 64 * 128; ++i) {
    x.push_back(static_cast<float>(static_cast<std::int32_t>(numbers.next())) * 0x1p-30F);
  }
  std::vector<float> y(64 * 16);
  count("integer linear layer", [&] { linear.forward(x.data(), 64, y.data(), 1); });
}

}  // namespace

int main() {
  claims_and_checker();
  products();
  quantizing();
  return 0;
}
