// How fast the integer products of lib/kernel are beside float32 BLAS, on one thread: for each shape all contenders run in turn,
// round after round, and the median of each one's CPU time counts. First the most that the processor's multipliers give with
// everything in registers.
//
//     bench_kernel [ROUNDS]      default 15
//
// Prints a Markdown table of GMAC/s and ratios to float32; no files.
#include <cblas.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "axecert/kernel/datapath_product.hpp"
#include "axecert/kernel/exact_product.hpp"
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

/// Weights of `bits` bits, so that tiles of 128 with codes of 8 bits sometimes leave 16 bits.
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
    w = static_cast<std::int8_t>(static_cast<std::int32_t>(state) >> (32 - bits));
  }
  return layer;
}

void measure(const Shape& shape, int rounds) {
  const auto count = [](std::int64_t a, std::int64_t b) { return static_cast<std::size_t>(a * b); };
  const IntegerLayer layer = make_layer(shape, 4);
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

  std::vector<Contender> contenders;
  contenders.push_back({"float32 BLAS", [&] {
                          if (n == 1) {
                            cblas_sgemv(CblasRowMajor, CblasNoTrans, m, k, 1.0F, w.data(), k, x.data(), 1, 0.0F,
                                        y.data(), 1);
                          } else {
                            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, k, 1.0F, x.data(), k, w.data(),
                                        k, 0.0F, y.data(), m);
                          }
                        }});
  std::vector<ExactProduct> exact;
  std::vector<DatapathProduct> stepped;
  exact.reserve(targets().size());
  stepped.reserve(4);
  for (const Target target : targets()) {
    if (target != Target::portable) {
      exact.emplace_back(layer, Topology(parse_datapath("axe:P=32"), shape.cols), target);
      const ExactProduct& product = exact.back();
      contenders.push_back({"exact " + to_text(target), [&] { product.multiply(operands, sums); }});
    }
  }
  std::int64_t overflows = 0;
  std::vector<std::string> notes;
  const auto add_stepped = [&](const char* text, const Operands& of) {
    Datapath datapath = parse_datapath(text);
    stepped.emplace_back(layer, Topology(datapath, shape.cols));
    const DatapathProduct& product = stepped.back();
    overflows = product.multiply(of, sums);
    char share[64];
    std::snprintf(share, sizeof share, "%.3g%% of additions overflow",
                  100.0 * static_cast<double>(overflows) /
                      (static_cast<double>(shape.tokens) * static_cast<double>(shape.rows * shape.cols)));
    contenders.push_back({std::string("stepped ") + text + ", " + share, [&] { product.multiply(of, sums); }});
  };
  add_stepped("axe:P=20,T=128", operands);
  add_stepped("axe:P=16,T=128,act=s8", centred);
  add_stepped("axe:P=16,T=128", operands);
  add_stepped("axe:P=12", operands);

  const std::vector<double> seconds = medians(contenders, rounds);
  std::printf("\n%lld tokens × %lld × %lld rows\n\n| | GMAC/s | of float32 |\n| --- | --- | --- |\n",
              static_cast<long long>(shape.tokens), static_cast<long long>(shape.cols),
              static_cast<long long>(shape.rows));
  const double macs = static_cast<double>(shape.tokens) * static_cast<double>(shape.cols * shape.rows);
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    std::printf("| %s | %.1f | %.2f |\n", contenders[c].name.c_str(), 1e-9 * macs / seconds[c],
                seconds[0] / seconds[c]);
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  openblas_set_num_threads(1);
  std::printf("Multipliers alone, operands in registers\n\n| | GMAC/s |\n| --- | --- |\n");
  std::vector<Contender> peaks;
  std::vector<double> macs;
  for (const bench::Peak& peak : bench::peaks()) {
    peaks.push_back({peak.name, peak.once});
    macs.push_back(peak.macs);
  }
  const std::vector<double> seconds = medians(peaks, rounds);
  for (std::size_t p = 0; p < peaks.size(); ++p) {
    std::printf("| %s | %.1f |\n", peaks[p].name.c_str(), 1e-9 * macs[p] / seconds[p]);
  }
  for (const Shape& shape : {Shape{512, 576, 192}, Shape{512, 576, 1536}, Shape{512, 1536, 576}, Shape{64, 2048, 2048},
                             Shape{256, 4096, 4096}, Shape{1, 576, 1536}, Shape{1, 4096, 4096}}) {
    measure(shape, rounds);
  }
  return 0;
}
