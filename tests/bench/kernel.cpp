// How fast the integer products of lib/kernel are beside float32 BLAS, oneDNN and what the processor can do at all, on one thread:
// for each shape all contenders run in turn, round after round, and the median of each one's CPU time counts. What the processor
// can do runs among them: multiply-adds with every operand in a register, and, for one token, reading the weights.
//
//     bench_kernel [ROUNDS [--certified]]               default 15; --certified: without the stepped products, on the shapes of docs/results/kernels.md
//     bench_kernel --serve TOKENS COLS ROWS [--onednn]  measures on request, for peers.py
//
// Prints Markdown tables of GMAC/s and ratios; no files. --serve prints the contenders as one line of JSON, then reads numbers of
// contenders, one a line, and answers each with the CPU seconds of one call; --onednn: those of oneDNN alone.
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "kernel_contenders.hpp"

extern "C" void openblas_set_num_threads(int threads);

namespace {

using namespace bench;

/// Medians of CPU seconds per call, all contenders in turn.
std::vector<double> medians(const std::vector<Contender>& contenders, int rounds) {
  std::vector<std::vector<double>> seconds(contenders.size());
  for (const Contender& contender : contenders) {
    contender.once();
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t c = 0; c < contenders.size(); ++c) {
      seconds[c].push_back(seconds_per_call(contenders[c]));
    }
  }
  std::vector<double> result;
  for (std::vector<double>& of : seconds) {
    std::nth_element(of.begin(), of.begin() + rounds / 2, of.end());
    result.push_back(of[static_cast<std::size_t>(rounds / 2)]);
  }
  return result;
}

void print(const Shape& shape, const std::vector<Contender>& contenders, int rounds) {
  const std::vector<double> seconds = medians(contenders, rounds);
  const auto find = [&](const std::string& name) {
    std::size_t c = 0;
    while (c < contenders.size() && contenders[c].name != name) {
      ++c;
    }
    return c;
  };
  const std::size_t blas = find("float32 OpenBLAS");
  std::size_t reading = contenders.size();  // the fastest
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    if (contenders[c].name.starts_with("reading") && (reading == contenders.size() || seconds[c] < seconds[reading])) {
      reading = c;
    }
  }
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

void serve(const Shape& shape, Who who) {
  const KernelContenders held(shape, who);
  std::printf("[");
  for (std::size_t c = 0; c < held.contenders().size(); ++c) {
    const Contender& of = held.contenders()[c];  // no name has a quotation mark
    std::printf(R"(%s{"name": "%s", "macs": %.0f, "bytes": %.0f, "peak": "%s", "answer": "%s"})", c == 0 ? "" : ", ",
                of.name.c_str(), of.macs, of.bytes, of.peak.c_str(), of.answer.c_str());
  }
  std::printf("]\n");
  std::fflush(stdout);
  for (std::size_t c = 0; std::cin >> c;) {
    std::printf("%.9g\n", seconds_per_call(held.contenders().at(c)));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  openblas_set_num_threads(1);
  if (argc >= 5 && std::strcmp(argv[1], "--serve") == 0) {
    serve({std::atoll(argv[2]), std::atoll(argv[3]), std::atoll(argv[4])},
          argc > 5 && std::strcmp(argv[5], "--onednn") == 0 ? Who::onednn : Who::without_stepped);
    return 0;
  }
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  const bool certified = argc > 2 && std::strcmp(argv[2], "--certified") == 0;
  std::vector<Shape> shapes{{64, 2048, 2048}, {256, 4096, 4096}, {128, 576, 1536}, {1, 4096, 4096}, {1, 8192, 16384}};
  if (!certified) {
    shapes = {{512, 576, 192},   {512, 576, 1536}, {512, 1536, 576}, {64, 2048, 2048},
              {256, 4096, 4096}, {1, 576, 1536},   {1, 4096, 4096}};
  }
  for (const Shape& shape : shapes) {
    const KernelContenders held(shape, certified ? Who::without_stepped : Who::all);
    print(shape, held.contenders(), rounds);
  }
  return 0;
}
