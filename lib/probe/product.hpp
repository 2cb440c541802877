// The black box that is probed: anything that multiplies two matrices of integers. Implementations: a process that is asked over
// pipes (command_product.hpp), a simulated datapath (simulated_product.hpp), a Python callable (python/src/probe.cpp).
#pragma once

#include <cstdint>
#include <vector>

namespace axe {

/// One question: activations X [rows, length] and weights W [length, columns], both row by row.
struct ProductQuestion {
  std::int64_t rows = 0;
  std::int64_t length = 0;
  std::int64_t columns = 0;
  std::vector<std::int32_t> activations;
  std::vector<std::int8_t> weights;
};

/// Multiplies on whatever is to be known.
class Product {
 public:
  Product() = default;
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  virtual ~Product() = default;

  /// X W as the black box computes it, [rows, columns] row by row. Throws InputError when the box gives no such answer.
  virtual std::vector<std::int64_t> multiply(const ProductQuestion& question) = 0;
};

}  // namespace axe
