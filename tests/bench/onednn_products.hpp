// oneDNN's integer and float products of one shape, weights in the layout that it asks for: `onednn_products` is the main function.
// Empty when it was built without oneDNN. ONEDNN_MAX_CPU_ISA in the environment says which instructions it may use. No side effects.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#ifdef AXECERT_BENCH_ONEDNN
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#endif

namespace bench {

struct OnednnProduct {
  std::string name;
  std::function<void()> once;
  double weight_bytes = 1;                               // each
  std::function<std::vector<std::int32_t>()> sums = {};  // of the last call; empty for floats
  int largest_code = 255;
};

#ifdef AXECERT_BENCH_ONEDNN

/// sums [tokens, rows] of codes [tokens, cols] and weights [rows, cols]: u8 × s8 and s8 × s8 into s32, and float32.
inline std::vector<OnednnProduct> onednn_products(std::int64_t tokens, std::int64_t cols, std::int64_t rows,
                                                  const std::vector<std::uint8_t>& codes,
                                                  const std::vector<std::int8_t>& weights) {
  using namespace dnnl;
  using Type = memory::data_type;
  struct Held {
    engine cpu{engine::kind::cpu, 0};
    stream queue{cpu};
    memory source, packed, result;
    matmul product;
  };
  const auto make = [&](Type source_type, Type weight_type, Type result_type) {
    auto held = std::make_shared<Held>();
    const memory::desc source({tokens, cols}, source_type, memory::format_tag::ab);
    const memory::desc any({cols, rows}, weight_type, memory::format_tag::any);
    const memory::desc result({tokens, rows}, result_type, memory::format_tag::ab);
    const matmul::primitive_desc description(matmul::desc(source, any, result), held->cpu);
    held->source = memory(source, held->cpu);
    held->result = memory(result, held->cpu);
    held->packed = memory(description.weights_desc(), held->cpu);
    memory plain({{cols, rows}, weight_type, memory::format_tag::ba}, held->cpu);  // [rows, cols], row-major
    if (source_type == Type::f32) {
      std::copy(codes.begin(), codes.end(), static_cast<float*>(held->source.get_data_handle()));
      std::copy(weights.begin(), weights.end(), static_cast<float*>(plain.get_data_handle()));
    } else {
      std::copy(codes.begin(), codes.end(), static_cast<std::uint8_t*>(held->source.get_data_handle()));
      std::copy(weights.begin(), weights.end(), static_cast<std::int8_t*>(plain.get_data_handle()));
    }
    reorder(plain, held->packed).execute(held->queue, plain, held->packed);
    held->queue.wait();
    held->product = matmul(description);
    const auto once = [held] {
      held->product.execute(
          held->queue, {{DNNL_ARG_SRC, held->source}, {DNNL_ARG_WEIGHTS, held->packed}, {DNNL_ARG_DST, held->result}});
      held->queue.wait();
    };
    const auto sums = [held, n = tokens * rows] {
      const auto* first = static_cast<const std::int32_t*>(held->result.get_data_handle());
      return std::vector<std::int32_t>(first, first + n);
    };
    return std::pair(once, sums);
  };
  std::vector<OnednnProduct> products;
  const auto [u8, u8_sums] = make(Type::u8, Type::s8, Type::s32);
  products.push_back({"oneDNN matmul u8s8", u8, 1, u8_sums});
  const auto [s8, s8_sums] = make(Type::s8, Type::s8, Type::s32);
  products.push_back({"oneDNN matmul s8s8", s8, 1, s8_sums, 127});
  const auto [f32, f32_sums] = make(Type::f32, Type::f32, Type::f32);
  products.push_back({"float32 oneDNN", f32, 4});
  return products;
}

#else

inline std::vector<OnednnProduct> onednn_products(std::int64_t, std::int64_t, std::int64_t,
                                                  const std::vector<std::uint8_t>&, const std::vector<std::int8_t>&) {
  return {};
}

#endif

}  // namespace bench
