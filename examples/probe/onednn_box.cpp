// oneDNN as a black box for `axecert probe`: its int8 matmul, asked over standard input (docs/probe.md).
//
//     ONEDNN_MAX_CPU_ISA=AVX2 axecert probe --activations u8 -- onednn_box u8
//
// The argument is the type of the activations, u8 or s8; --which prints the kernel that oneDNN takes and ends. `main` is the main
// function. Side effects: standard input and output.
#include <cstdint>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

namespace {

using Matrix = std::vector<std::vector<std::int32_t>>;

struct Kernel {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::memory::data_type activations;
};

dnnl::matmul::primitive_desc primitive(const Kernel& kernel, dnnl::memory::dim m, dnnl::memory::dim k, dnnl::memory::dim n) {
  using dnnl::memory;
  const memory::desc x({m, k}, kernel.activations, memory::format_tag::ab);
  const memory::desc w({k, n}, memory::data_type::s8, memory::format_tag::ab);
  const memory::desc y({m, n}, memory::data_type::s32, memory::format_tag::ab);
  return {dnnl::matmul::desc(x, w, y), kernel.engine};
}

/// The low byte of every element, row by row: both types have the same bytes for the same code.
std::vector<std::uint8_t> bytes(const Matrix& matrix) {
  std::vector<std::uint8_t> result;
  for (const auto& row : matrix) {
    for (const std::int32_t value : row) {
      result.push_back(static_cast<std::uint8_t>(value));
    }
  }
  return result;
}

Matrix multiply(Kernel& kernel, const Matrix& x, const Matrix& w) {
  const auto m = static_cast<dnnl::memory::dim>(x.size()), k = static_cast<dnnl::memory::dim>(w.size()),
             n = static_cast<dnnl::memory::dim>(w.at(0).size());
  const dnnl::matmul::primitive_desc description = primitive(kernel, m, k, n);
  std::vector<std::uint8_t> x_bytes = bytes(x), w_bytes = bytes(w);
  std::vector<std::int32_t> y(static_cast<std::size_t>(m * n));
  dnnl::memory x_memory(description.src_desc(), kernel.engine, x_bytes.data());
  dnnl::memory w_memory(description.weights_desc(), kernel.engine, w_bytes.data());
  dnnl::memory y_memory(description.dst_desc(), kernel.engine, y.data());
  dnnl::matmul(description)
      .execute(kernel.stream, {{DNNL_ARG_SRC, x_memory}, {DNNL_ARG_WEIGHTS, w_memory}, {DNNL_ARG_DST, y_memory}});
  kernel.stream.wait();
  Matrix result;
  for (std::size_t i = 0; i < x.size(); ++i) {
    result.emplace_back(y.begin() + static_cast<std::ptrdiff_t>(i) * n, y.begin() + static_cast<std::ptrdiff_t>(i + 1) * n);
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string type = argc > 1 ? argv[1] : "";
  if (type != "u8" && type != "s8") {
    std::cerr << "usage: onednn_box u8|s8 [--which]\n";
    return 64;
  }
  Kernel kernel;
  kernel.activations = type == "u8" ? dnnl::memory::data_type::u8 : dnnl::memory::data_type::s8;
  if (argc > 2 && std::strcmp(argv[2], "--which") == 0) {
    std::cout << primitive(kernel, 2, 64, 2).impl_info_str() << std::endl;
    return 0;
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    const nlohmann::json question = nlohmann::json::parse(line);
    const Matrix y = multiply(kernel, question.at("x").get<Matrix>(), question.at("w").get<Matrix>());
    std::cout << nlohmann::json{{"y", y}}.dump() << std::endl;
  }
  return 0;
}
