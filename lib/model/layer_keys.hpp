// The arrays of one layer in a file, with the file and the key in every error. `LayerKeys` is the main class. No side effects.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "axecert/model/containers.hpp"
#include "axecert/model/tensors.hpp"

namespace axe {

/// The keys of one layer of a file; lookups that fail name both.
class LayerKeys {
 public:
  LayerKeys(const TensorFile& file, const std::string& name) : file_(file), name_(name) {}

  std::string place(const std::string& key) const { return file_.path + ": " + name_ + "." + key; }
  [[noreturn]] void fail(const std::string& key, const std::string& problem, const std::string& remedy) const {
    throw InputError(place(key), problem, remedy);
  }
  const Tensor* find(const std::string& key) const { return file_.find(name_ + "." + key); }
  bool has(const std::string& key) const { return find(key) != nullptr; }
  const Tensor& need(const std::string& key, const std::string& remedy) const {
    const Tensor* tensor = find(key);
    if (tensor == nullptr) {
      fail(key, "is missing", remedy);
    }
    return *tensor;
  }
  void expect_shape(const std::string& key, const std::vector<std::int64_t>& shape) const {
    const Tensor& tensor = *find(key);
    if (tensor.shape != shape) {
      fail(key, "has shape " + shape_text(tensor.shape) + ", must be " + shape_text(shape), "");
    }
  }
  // A number stored as a scalar or as an array of one.
  double real(const std::string& key) const {
    expect_one(key);
    return find(key)->as_f64(place(key))[0];
  }
  std::int64_t integer(const std::string& key) const {
    expect_one(key);
    const double value = real(key);
    if (value != std::floor(value) || std::fabs(value) > 2147483647.0) {
      fail(key, "must be an integer of 32 bits", "");
    }
    return static_cast<std::int64_t>(value);
  }
  std::vector<std::int32_t> integers32(const std::string& key) const {
    const std::vector<std::int64_t> wide = find(key)->as_integers(place(key));
    std::vector<std::int32_t> values(wide.size());
    for (std::size_t i = 0; i < wide.size(); ++i) {
      if (wide[i] < INT32_MIN || wide[i] > INT32_MAX) {
        fail(key, "element " + std::to_string(i) + " is " + std::to_string(wide[i]) + ", which has more than 32 bits",
             "");
      }
      values[i] = static_cast<std::int32_t>(wide[i]);
    }
    return values;
  }

 private:
  void expect_one(const std::string& key) const {
    if (find(key)->elements() != 1) {
      fail(key, "has shape " + shape_text(find(key)->shape) + ", must be one number", "");
    }
  }
  const TensorFile& file_;
  const std::string& name_;
};

inline bool is_integer(DType dtype) {
  return dtype == DType::i8 || dtype == DType::u8 || dtype == DType::i16 || dtype == DType::i32 || dtype == DType::i64;
}

// An array of [1] or [K] integers of 32 bits.
inline std::vector<std::int32_t> per_channel(const LayerKeys& keys, const std::string& key, std::int64_t cols) {
  const Tensor& tensor = *keys.find(key);
  if (!tensor.shape.empty() && tensor.shape != std::vector<std::int64_t>{1} &&
      tensor.shape != std::vector<std::int64_t>{cols}) {
    keys.fail(key, "has shape " + shape_text(tensor.shape) + ", must be [1] or [" + std::to_string(cols) + "]", "");
  }
  return keys.integers32(key);
}

}  // namespace axe
