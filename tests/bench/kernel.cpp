// How fast the integer products of lib/kernel are beside float32 BLAS and beside what the processor can do at all, on one thread:
// for each shape all contenders run in turn, round after round, and the median of each one's CPU time counts. What the processor
// can do runs among them: multiply-adds with every operand in a register, and, for one token, reading the weights.
//
//     bench_kernel [ROUNDS [--certified]]      default 15; --certified: without the stepped products, on the shapes of docs/kernels.md
//
// Prints Markdown tables of GMAC/s and ratios; no files.
#include <cblas.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "axecert/kernel/certified_product.hpp"
#include "axecert/kernel/datapath_product.hpp"
#include "axecert/kernel/exact_product.hpp"
#include "axecert/licence/licence_office.hpp"
#include "register_peaks.hpp"

extern "C" void openblas_set_num_threads(int threads);

namespace {

using namespace axe;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Contender {
  std::string name;
  std::function<void()> once;
  double macs = 0;     // per call
  double bytes = 0;    // of weights, per call; 0: not worth a word
  std::string peak{};  // the contender that is the most it can reach
  std::vector<double> seconds{};
};

/// Medians of CPU seconds per call, all contenders in turn.
std::vector<double> medians(std::vector<Contender>& contenders, int rounds) {
  std::vector<int> calls;
  for (Contender& contender : contenders) {
    contender.once();
    const double begin = cpu_seconds();
    contender.once();
    calls.push_back(std::max(1, static_cast<int>(0.01 / std::max(1e-7, cpu_seconds() - begin))));
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t c = 0; c < contenders.size(); ++c) {
      const double begin = cpu_seconds();
      for (int call = 0; call < calls[c]; ++call) {
        contenders[c].once();
      }
      contenders[c].seconds.push_back((cpu_seconds() - begin) / calls[c]);
    }
  }
  std::vector<double> result;
  for (Contender& contender : contenders) {
    std::nth_element(contender.seconds.begin(), contender.seconds.begin() + rounds / 2, contender.seconds.end());
    result.push_back(contender.seconds[static_cast<std::size_t>(rounds / 2)]);
  }
  return result;
}

struct Shape {
  std::int64_t tokens;
  std::int64_t cols;
  std::int64_t rows;
};

/// Symmetric weights of `bits` bits: with 4, tiles of 128 with codes of 8 bits sometimes leave 16 bits; with 3 they do not.
IntegerLayer make_layer(const Shape& shape, int bits) {
  IntegerLayer layer;
  layer.name = "bench";
  layer.rows = shape.rows;
  layer.cols = shape.cols;
  layer.box_lower = {0};
  layer.box_upper = {255};
  layer.weights.resize(static_cast<std::size_t>(shape.rows * shape.cols));
  std::uint32_t state = 1;
  for (std::int8_t& w : layer.weights) {
    state = state * 1664525U + 1013904223U;
    w = static_cast<std::int8_t>(std::max(static_cast<std::int32_t>(state) >> (32 - bits), 1 - (1 << (bits - 1))));
  }
  return layer;
}

/// The peak that a target's instructions give, as register_peaks.hpp names it.
std::string peak_of(Target target, bool in_16_bits) {
  const bool wide = target == Target::avx512 || target == Target::avx512_vnni;
  if (in_16_bits) {
    return wide ? "vpmaddubsw + vpaddw, 512 bits" : "vpmaddubsw + vpaddw, 256 bits";
  }
  switch (target) {
    case Target::avx2:
      return "vpmaddwd + vpaddd, 256 bits";
    case Target::avx_vnni:
      return "vpdpbusd, 256 bits";
    case Target::avx512:
      return "vpmaddwd + vpaddd, 512 bits";
    case Target::avx512_vnni:
      return "vpdpbusd, 512 bits";
    case Target::portable:
      break;
  }
  return "";
}

void print(const Shape& shape, std::vector<Contender>& contenders, int rounds) {
  const std::vector<double> seconds = medians(contenders, rounds);
  const auto find = [&](const std::string& name) {
    std::size_t c = 0;
    while (c < contenders.size() && contenders[c].name != name) {
      ++c;
    }
    return c;
  };
  const std::size_t blas = find("float32 BLAS");
  const std::size_t reading = find("reading the weights");
  const bool memory = reading < contenders.size();
  std::printf(
      "\n%lld tokens × %lld × %lld rows\n\n| | GMAC/s | of float32 | of its peak |%s\n| --- | --- | --- | --- |%s\n",
      static_cast<long long>(shape.tokens), static_cast<long long>(shape.cols), static_cast<long long>(shape.rows),
      memory ? " weights, GB/s | of reading |" : "", memory ? " --- | --- |" : "");
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    const Contender& of = contenders[c];
    const double rate = of.macs / seconds[c];
    const std::size_t peak = of.peak.empty() ? contenders.size() : find(of.peak);
    const auto cell = [](bool present, const char* format, double value) {
      char text[32] = "";
      if (present) {
        std::snprintf(text, sizeof text, format, value);
      }
      std::printf(" %s |", text);
    };
    std::printf("| %s |", of.name.c_str());
    cell(of.macs > 0, "%.1f", 1e-9 * rate);
    cell(of.macs > 0, "%.2f", rate / (contenders[blas].macs / seconds[blas]));
    cell(peak < contenders.size(), "%.0f %%",
         peak < contenders.size() ? 100 * rate / (contenders[peak].macs / seconds[peak]) : 0);
    if (memory) {
      cell(of.bytes > 0, "%.1f", 1e-9 * of.bytes / seconds[c]);
      cell(of.bytes > 0, "%.0f %%", 100 * of.bytes / seconds[c] / (contenders[reading].bytes / seconds[reading]));
    }
    std::printf("\n");
  }
  std::fflush(stdout);
}

/// Reads every byte once and does as little as possible with it.
std::uint64_t read_all(const std::vector<std::int8_t>& bytes) {
  std::uint64_t sums[8] = {};
  for (std::size_t i = 0; i + 64 <= bytes.size(); i += 64) {
    std::uint64_t words[8];
    std::memcpy(words, bytes.data() + i, 64);
    for (std::size_t j = 0; j < 8; ++j) {
      sums[j] ^= words[j];
    }
  }
  return sums[0] ^ sums[1] ^ sums[2] ^ sums[3] ^ sums[4] ^ sums[5] ^ sums[6] ^ sums[7];
}

void measure(const Shape& shape, int rounds, bool with_stepped) {
  const auto count = [](std::int64_t a, std::int64_t b) { return static_cast<std::size_t>(a * b); };
  const IntegerLayer layer = make_layer(shape, 3);
  std::vector<std::uint8_t> codes(count(shape.tokens, shape.cols));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
  }
  std::vector<float> x(codes.begin(), codes.end());
  std::vector<float> w(layer.weights.begin(), layer.weights.end());
  std::vector<float> y(count(shape.tokens, shape.rows));
  std::vector<std::int64_t> sums(count(shape.tokens, shape.rows));
  const Operands operands{codes, shape.tokens, 0, {}};
  const Operands centred{codes, shape.tokens, -128, {}};
  const auto n = static_cast<int>(shape.tokens);
  const auto k = static_cast<int>(shape.cols);
  const auto m = static_cast<int>(shape.rows);
  const double macs = static_cast<double>(shape.tokens) * static_cast<double>(shape.cols * shape.rows);
  const double weights = static_cast<double>(shape.cols * shape.rows);

  std::vector<Contender> contenders;
  for (const bench::Peak& peak : bench::peaks()) {
    contenders.push_back({peak.name, peak.once, peak.macs});
  }
  volatile std::uint64_t sink = 0;
  if (shape.tokens == 1) {
    contenders.push_back({"reading the weights", [&] { sink = sink + read_all(layer.weights); }, 0, weights});
  }
  const std::string float_peak = std::find(targets().begin(), targets().end(), Target::avx512) != targets().end()
                                     ? "vfmadd float32, 512 bits"
                                     : "vfmadd float32, 256 bits";
  contenders.push_back({"float32 BLAS",
                        [&] {
                          if (n == 1) {
                            cblas_sgemv(CblasRowMajor, CblasNoTrans, m, k, 1.0F, w.data(), k, x.data(), 1, 0.0F,
                                        y.data(), 1);
                          } else {
                            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, k, 1.0F, x.data(), k, w.data(),
                                        k, 0.0F, y.data(), m);
                          }
                        },
                        macs, 4 * weights, float_peak});
  const Topology wide(parse_datapath("axe:P=32"), shape.cols);
  std::vector<ExactProduct> exact;
  std::vector<CertifiedProduct> certified;
  std::vector<DatapathProduct> stepped;
  exact.reserve(targets().size());
  certified.reserve(64);
  stepped.reserve(4);
  for (const Target target : targets()) {
    if (target != Target::portable) {
      const ExactProduct& product = exact.emplace_back(layer, wide, target);
      contenders.push_back({"safe: " + to_text(target), [&] { product.multiply(operands, sums); }, macs, weights,
                            peak_of(target, false)});
    }
  }
  const auto add_certified = [&](Target target, std::int64_t tile, WeightPacking packing, const Operands& of) {
    IntegerLayer boxed = layer;
    boxed.box_lower = {of.base};
    boxed.box_upper = {of.base + 255};
    const auto licence = LicenceOffice::issue(boxed, wide, of.base, tile).licence;
    if (!licence) {
      throw std::runtime_error("no licence for tiles of " + std::to_string(tile));
    }
    const CertifiedProduct& product = certified.emplace_back(*licence, boxed, wide, packing, target);
    const bool nibbles = packing == WeightPacking::nibbles;
    contenders.push_back({"certified: " + to_text(target) + ", T = " + std::to_string(tile) +
                              (nibbles ? ", int4" : ", int8") + (of.base != 0 ? ", re-centred" : ""),
                          [&] { product.multiply(of, sums); }, macs, nibbles ? weights / 2 : weights,
                          peak_of(target, true)});
  };
  for (const Target target : targets()) {
    if (target == Target::avx2 || target == Target::avx512) {
      for (const std::int64_t tile : {32, 64, 128}) {
        add_certified(target, tile, WeightPacking::bytes, operands);
      }
      add_certified(target, 64, WeightPacking::bytes, centred);
      add_certified(target, 64, WeightPacking::nibbles, operands);
      add_certified(target, 128, WeightPacking::nibbles, centred);
    }
  }
  const IntegerLayer overflowing = with_stepped ? make_layer(shape, 4) : IntegerLayer{};
  const auto add_stepped = [&](const char* text, const Operands& of) {
    const DatapathProduct& product = stepped.emplace_back(overflowing, Topology(parse_datapath(text), shape.cols));
    const std::int64_t overflows = product.multiply(of, sums);
    char share[64];
    std::snprintf(share, sizeof share, "%.3g%% of additions overflow", 100.0 * static_cast<double>(overflows) / macs);
    contenders.push_back({std::string("stepped ") + text + ", " + share, [&] { product.multiply(of, sums); }, macs});
  };
  if (with_stepped) {
    add_stepped("axe:P=20,T=128", operands);
    add_stepped("axe:P=16,T=128,act=s8", centred);
    add_stepped("axe:P=16,T=128", operands);
    add_stepped("axe:P=12", operands);
  }
  print(shape, contenders, rounds);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  const bool certified = argc > 2 && std::strcmp(argv[2], "--certified") == 0;
  openblas_set_num_threads(1);
  std::vector<Shape> shapes{{64, 2048, 2048}, {256, 4096, 4096}, {128, 576, 1536}, {1, 4096, 4096}, {1, 8192, 16384}};
  if (!certified) {
    shapes = {{512, 576, 192},   {512, 576, 1536}, {512, 1536, 576}, {64, 2048, 2048},
              {256, 4096, 4096}, {1, 576, 1536},   {1, 4096, 4096}};
  }
  for (const Shape& shape : shapes) {
    measure(shape, rounds, !certified);
  }
  return 0;
}
