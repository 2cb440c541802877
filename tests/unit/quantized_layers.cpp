// Claims about weights files: every part of a quantized layer comes back, with and without each optional key; written again the bytes
// are the same; and a file from which a key is missing, or in which one is wrong, is refused with the file and the key.
// Requirements: TOR-504.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>

#include "../scratch_folder.hpp"
#include "axecert/model/layers.hpp"

using namespace axe;

namespace {

using Floats = std::vector<float>;
using Integers = std::vector<std::int32_t>;

const test::ScratchFolder folder;
const std::filesystem::path path = folder / "weights.safetensors";

TensorFile written(const std::vector<QuantizedLayer>& layers) {
  write_quantized(path, layers);
  TensorFile file = read_tensors(path);
  std::filesystem::remove(path);
  file.path = "w.safetensors";
  return file;
}

/// Two rows of four channels, nothing optional.
QuantizedLayer plain(const std::string& name = "a.b") {
  QuantizedLayer q;
  q.layer.name = name;
  q.layer.rows = 2;
  q.layer.cols = 4;
  q.layer.weights = {-8, 7, 0, 1, 3, -128, 127, 5};
  q.layer.box_lower = {0};
  q.layer.box_upper = {255};
  q.layer.offset = {-7};
  q.scales = {0.5F, 0.1F};
  q.shift = {0};
  q.input = {0.1, 7, 8, false, ActivationScaling::tensor};
  q.weight_bits = 8;
  return q;
}

QuantizedLayer everything() {
  QuantizedLayer q = plain("model.layers.3.mlp/x-y_z");
  q.layer.weights[2] = q.layer.weights[6] = 0;
  q.layer.box_lower = {-3, 0, -1, -128};
  q.layer.box_upper = {4, 127, 0, -128};
  q.shift = {10, 0, -5, 130};
  q.layer.offset = {10, 0, -5, 130};
  q.layer.zero_point_spread = 63;
  q.layer.bias = {INT64_C(-4611686018427387903), 7};
  q.scales = {0.5F, 0.25F, 1e-20F, 1e20F};
  q.groups = 2;
  q.weight_zero_points = {8, -8, 0, 7};
  q.float_bias = {-0.0F, 1e-38F};
  q.input = {1, 0, 6, false, ActivationScaling::token};
  q.transform.multiplier = {0.5F, 2, 1e-5F, 1e5F};
  q.transform.hadamard = 2;
  q.transform.sign = {1, -1, -1, 1};
  q.outlier_columns = {2};
  q.outlier_weight = {1.5F, -2.5F};
  q.weight_bits = 5;
  return q;
}

void check_same(const QuantizedLayer& a, const QuantizedLayer& b) {
  CHECK(a.layer.name == b.layer.name);
  CHECK(a.layer.rows == b.layer.rows);
  CHECK(a.layer.cols == b.layer.cols);
  CHECK(a.layer.weights == b.layer.weights);
  CHECK(a.layer.box_lower == b.layer.box_lower);
  CHECK(a.layer.box_upper == b.layer.box_upper);
  CHECK(a.layer.offset == b.layer.offset);
  CHECK(a.layer.bias == b.layer.bias);
  CHECK(a.layer.zero_point_spread == b.layer.zero_point_spread);
  CHECK(a.scales == b.scales);
  CHECK(a.groups == b.groups);
  CHECK(a.shift == b.shift);
  CHECK(a.weight_zero_points == b.weight_zero_points);
  REQUIRE(a.float_bias.size() == b.float_bias.size());
  for (std::size_t r = 0; r < a.float_bias.size(); ++r) {
    CHECK(a.float_bias[r] == b.float_bias[r]);
    CHECK(std::signbit(a.float_bias[r]) == std::signbit(b.float_bias[r]));
  }
  CHECK(a.input.scale == b.input.scale);
  CHECK(a.input.zero_point == b.input.zero_point);
  CHECK(a.input.bits == b.input.bits);
  CHECK(a.input.is_signed == b.input.is_signed);
  CHECK(a.input.scaling == b.input.scaling);
  CHECK(a.transform == b.transform);
  CHECK(a.outlier_columns == b.outlier_columns);
  CHECK(a.outlier_weight == b.outlier_weight);
  CHECK(a.weight_bits == b.weight_bits);
}

std::string told(const std::function<void(TensorFile&)>& change, const QuantizedLayer& q = everything()) {
  TensorFile file = written({q});
  change(file);
  try {
    read_quantized(file);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

void refused(const std::string& key, Tensor tensor) {
  const std::string name = everything().layer.name;
  const std::string text = told([&](TensorFile& file) { file.tensors[name + "." + key] = std::move(tensor); });
  CAPTURE(key);
  CAPTURE(text);
  CHECK(text.find("w.safetensors") != std::string::npos);
  CHECK(text.find(name) != std::string::npos);
}

}  // namespace

TEST_CASE("a layer with every optional part, and one with none, come back; written again the bytes are equal") {
  const std::vector<QuantizedLayer> layers{everything(), plain()};
  const std::vector<QuantizedLayer> back = read_quantized(written(layers));
  REQUIRE(back.size() == 2);
  check_same(back[0], plain());  // sorted by name
  check_same(back[1], everything());
  CHECK(quantized_bytes(back) == quantized_bytes(layers));
}

TEST_CASE("each optional part comes back alone") {
  const QuantizedLayer all = everything();
  const std::vector<std::function<void(QuantizedLayer&)>> changes{
      [&](QuantizedLayer& q) { q.layer.bias = all.layer.bias; },
      [&](QuantizedLayer& q) { q.float_bias = all.float_bias; },
      [&](QuantizedLayer& q) {
        q.weight_zero_points = {1, -1};
      },
      [&](QuantizedLayer& q) { q.transform.multiplier = all.transform.multiplier; },
      [&](QuantizedLayer& q) {
        q.transform = {{}, 4, {1, 1, -1, 1}};
      },
      [&](QuantizedLayer& q) {
        q.layer.weights[1] = q.layer.weights[5] = 0;
        q.outlier_columns = {1};
        q.outlier_weight = {3, 4};
      },
      [&](QuantizedLayer& q) {
        q.scales = {1, 2, 3, 4, 5, 6};
        q.groups = 3;
      },
      [&](QuantizedLayer& q) {
        q.layer.box_lower = {-128, 0, 0, 1};
        q.layer.box_upper = {127, 0, 255, 1};
      },
      [&](QuantizedLayer& q) {
        q.input = {1, 0, 8, true, ActivationScaling::token};
        q.layer.offset = {0};
      },
      [&](QuantizedLayer& q) {
        q.input = {0.25, -3, 4, true, ActivationScaling::tensor};
        q.layer.offset = {3};
      },
      [&](QuantizedLayer& q) { q.weight_bits = 2; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CAPTURE(i);
    QuantizedLayer q = plain();
    changes[i](q);
    const std::vector<QuantizedLayer> back = read_quantized(written({q}));
    REQUIRE(back.size() == 1);
    check_same(back[0], q);
  }
}

TEST_CASE("a key that a quantized layer needs is missed by name") {
  const std::string name = plain().layer.name;
  for (const char* key : {"scale", "input_lower", "input_upper", "input_shift", "input_zero_point", "input_scale"}) {
    const std::string text = told([&](TensorFile& file) { file.tensors.erase(name + "." + key); }, plain());
    CAPTURE(text);
    CHECK(text.find(key) != std::string::npos);
    CHECK(text.find("w.safetensors") != std::string::npos);
  }
  const std::string bare = told(
      [&](TensorFile& file) {
        for (const char* key : {"input_lower", "input_upper", "input_shift", "input_zero_point", "input_scale"}) {
          file.tensors.erase(name + "." + key);
        }
      },
      plain());  // integers that certify takes, but nothing that could be run
  CHECK(bare.find("input_lower") != std::string::npos);
  for (const char* key : {"input_sign", "outlier_columns", "outlier_weight"}) {
    CHECK_FALSE(told([&](TensorFile& file) { file.tensors.erase(everything().layer.name + "." + key); }).empty());
  }
  CHECK_FALSE(told([](TensorFile& file) { file.metadata.erase(everything().layer.name + ".input_hadamard"); }).empty());
}

TEST_CASE("keys with the wrong shape, type or numbers are refused with file and layer") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  refused("scale", Tensor::of({3}, Floats{1, 1, 1}));
  refused("scale", Tensor::of({2, 2}, Floats{1, 1, 0, 1}));
  refused("scale", Tensor::of({2, 2}, Floats{1, 1, -1, 1}));
  refused("scale", Tensor::of({2, 2}, Floats{1, nan, 1, 1}));
  refused("scale", Tensor::of({2, 2}, Floats{1, infinity, 1, 1}));
  refused("weight_zero_point", Tensor::of({2}, Integers{1, 1}));
  refused("weight_zero_point", Tensor::of({2, 2}, Floats{1, 1, 1, 1}));
  refused("float_bias", Tensor::of({3}, Floats{1, 1, 1}));
  refused("float_bias", Tensor::of({2}, Floats{1, nan}));
  refused("input_multiplier", Tensor::of({3}, Floats{1, 1, 1}));
  refused("input_multiplier", Tensor::of({4}, Floats{1, 0, 1, 1}));
  refused("input_multiplier", Tensor::of({4}, Floats{1, nan, 1, 1}));
  refused("input_sign", Tensor::of({4}, std::vector<std::int8_t>{1, 0, 1, 1}));
  refused("input_sign", Tensor::of({2}, std::vector<std::int8_t>{1, 1}));
  refused("outlier_columns", Tensor::of({1}, Integers{4}));
  refused("outlier_columns", Tensor::of({1}, Integers{-1}));
  refused("outlier_columns", Tensor::of({1}, Integers{0}));  // has integer weights
  refused("outlier_columns", Tensor::of({2}, Integers{2, 2}));
  refused("outlier_weight", Tensor::of({2, 2}, Floats{1, 1, 1, 1}));
  refused("outlier_weight", Tensor::of({2, 1}, Floats{nan, 1}));
  refused("input_shift", Tensor::of({2}, Integers{0, 0}));
  refused("input_zero_point", Tensor::of({1}, Integers{0}));  // this layer's zero point varies
  refused("input_zero_point", Tensor::of({2}, Integers{0, 62}));
  refused("unknown", Tensor::of({1}, Integers{0}));
}

TEST_CASE("metadata that say nothing sensible are refused") {
  const std::string name = everything().layer.name;
  for (const auto& [key, values] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"weight_bits", {"", "1", "9", "x", "4 ", "-4", "00000000004"}},
           {"input_bits", {"0", "9", "8"}},  // 8: the zero point spans 63 codes
           {"input_signed", {"2", "true", "1"}},
           {"input_scaling", {"row", "", "tensor"}},
           {"input_hadamard", {"3", "8", "-2", "x"}}}) {
    for (const std::string& value : values) {
      CAPTURE(key);
      CAPTURE(value);
      CHECK_FALSE(told([&](TensorFile& file) { file.metadata[name + "." + key] = value; }).empty());
    }
  }
}

TEST_CASE("nothing is written when there is nothing to write, or two layers share a name") {
  CHECK_THROWS_AS(write_quantized(path, {}), InputError);
  CHECK_THROWS_AS(write_quantized(path, {plain(), plain()}), InputError);
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK_THROWS_AS(write_quantized(path / "below", {plain()}), InputError);
}
