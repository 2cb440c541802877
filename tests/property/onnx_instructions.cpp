// ONNX models on the instructions themselves: vpmaddubsw, vpmaddwd, vpaddd over the operands that the reader takes out of a model, as
// onnxruntime's kernel for CPUs without VNNI runs them. A row that is certified safe comes out exact on its extreme inputs and on
// random ones; a row that is not comes out wrong on its witness; after a repair all are exact. onnxruntime itself uses exact
// instructions where the CPU has them, so this is where saturation can be seen on any x86 CPU with AVX2.
// Requirements: TOR-404.
#include <doctest/doctest.h>

#if defined(__x86_64__) && defined(__GNUC__) && __has_include("axecert/onnx/import.hpp")

#include <immintrin.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "axecert/bound/range.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/onnx/import.hpp"
#include "axecert/quantize/repair.hpp"

using namespace axe;

namespace {

// Σ w x by the kernel's instructions, 32 products a step, zero-padded.
__attribute__((target("avx2"))) std::int32_t by_instructions(const std::int8_t* w, const std::vector<std::int32_t>& x) {
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t k = 0; k < x.size(); k += 32) {
    alignas(32) std::uint8_t codes[32] = {};
    alignas(32) std::int8_t weights[32] = {};
    for (std::size_t i = 0; i < 32 && k + i < x.size(); ++i) {
      codes[i] = static_cast<std::uint8_t>(x[k + i]);
      weights[i] = w[k + i];
    }
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(codes)),
                                               _mm256_load_si256(reinterpret_cast<const __m256i*>(weights)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  alignas(32) std::int32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), sum);
  std::int32_t total = 0;
  for (const std::int32_t lane : lanes) {
    total += lane;
  }
  return total;
}

std::int64_t exactly(const std::int8_t* w, const std::vector<std::int32_t>& x) {
  std::int64_t sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    sum += std::int64_t{w[k]} * x[k];
  }
  return sum;
}

struct Seen {
  int exact_rows = 0, wrong_rows = 0;
};

// Each row of `layer`: witnesses of every pair, extremes of the row, random inputs.
Seen look(const IntegerLayer& layer, const Datapath& datapath) {
  const Topology topology(datapath, layer.cols);
  const std::vector<StageRanges> ranges = layer_ranges(layer, topology);
  const IntegerRange limits = register_limits(topology.stage(0));
  std::mt19937 random(4);
  Seen seen;
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    bool safe = true, wrong = false;
    for (std::int64_t n = 0; n < ranges[0].nodes; ++n) {
      const auto i = static_cast<std::size_t>(r * ranges[0].nodes + n);
      for (const Side side : {Side::lower, Side::upper}) {
        const std::vector<std::int32_t> x = witness(layer, topology, {r, 0, n}, side);
        const bool fits = side == Side::lower ? ranges[0].lower[i] >= limits.lower : ranges[0].upper[i] <= limits.upper;
        const bool exact = by_instructions(layer.row(r), x) == exactly(layer.row(r), x);
        safe = safe && fits;
        wrong = wrong || !exact;
        if (layer.lower(0) == 0) {  // elsewhere the inputs outside this pair are not 0, and may overflow other pairs
          CHECK(exact == fits);
        }
      }
    }
    CHECK(safe == !wrong);
    for (int i = 0; safe && i < 200; ++i) {
      std::vector<std::int32_t> x;
      for (std::int64_t k = 0; k < layer.cols; ++k) {
        const std::int32_t span = layer.upper(k) - layer.lower(k);
        const bool positive = layer.row(r)[k] > 0;
        x.push_back(i == 0   ? (positive ? layer.upper(k) : layer.lower(k))
                    : i == 1 ? (positive ? layer.lower(k) : layer.upper(k))
                             : layer.lower(k) + static_cast<std::int32_t>(random() % static_cast<unsigned>(span + 1)));
      }
      CHECK(by_instructions(layer.row(r), x) == exactly(layer.row(r), x));
    }
    (safe ? seen.exact_rows : seen.wrong_rows) += 1;
  }
  return seen;
}

}  // namespace

TEST_CASE(
    "rows certified safe are exact on vpmaddubsw, the others are wrong on their witness, and none is after a repair") {
  if (!__builtin_cpu_supports("avx2")) {
    MESSAGE("this CPU has no AVX2: nothing was checked");
    return;
  }
  const Datapath datapath = parse_datapath("x86-avx2-maddubs");
  Seen before, after;
  for (const char* name :
       {"matmul_integer", "matmul_integer_s8_activations", "matmul_integer_u8_weights", "dynamic_quantize",
        "conv_integer", "qlinear_conv", "qlinear_matmul", "qgemm", "qdq_matmul", "qdq_matmul_relu", "qdq_matmul_clip",
        "qdq_gemm_transposed", "int4_blocks", "matmul_nbits", "qonnx"}) {
    INFO(std::string(name));
    const OnnxImport model =
        import_onnx(std::string(AXECERT_SOURCE_DIR "/tests/onnx/fixtures/") + name + ".onnx", datapath);
    for (StoredLayer& stored : read_integer_layers(model.layers, datapath)) {
      const Seen shipped = look(stored.layer, datapath);
      before.exact_rows += shipped.exact_rows;
      before.wrong_rows += shipped.wrong_rows;
      const IntegerLayer whole = stored.layer;
      repair_weights(stored.layer, datapath);
      const Seen repaired = look(stored.layer, datapath);
      CHECK(repaired.wrong_rows == 0);
      after.exact_rows += repaired.exact_rows;

      IntegerLayer rescaled = whole;
      RepairOptions options;
      options.move_scales = true;
      repair_weights(rescaled, datapath, options);
      CHECK(look(rescaled, datapath).wrong_rows == 0);

      IntegerLayer main = whole;
      const Split split = split_weights(main, datapath);
      CHECK(look(main, datapath).wrong_rows == 0);
      for (const SplitPart& part : split.parts) {
        IntegerLayer added = whole;
        added.cols = static_cast<std::int64_t>(part.columns.size());
        added.weights = part.weights;
        added.bias.clear();
        CHECK(look(added, datapath).wrong_rows == 0);
      }
    }
  }
  CHECK(before.wrong_rows > 20);
  CHECK(before.exact_rows > 20);
  CHECK(after.exact_rows == before.exact_rows + before.wrong_rows);
}

#endif
