// Claims about layer files: the keys mean what docs/layers.md says, what is written is read back, and every file that is not a
// layer is refused with the key and the remedy.
// Requirements: TOR-504.
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>

#include "../refusal.hpp"
#include "../scratch_folder.hpp"

using namespace axe;
using axe::test::refusal;

namespace {

using Floats = std::vector<float>;
using Integers = std::vector<std::int32_t>;

// One row of two weights, with second moments.
TensorFile small_problem() {
  TensorFile file;
  file.path = "layers.npz";
  file.tensors["a.b.weight"] = Tensor::of({1, 2}, Floats{0.5f, -0.25f});
  file.tensors["a.b.H"] = Tensor::of({2, 2}, Floats{2, 1, 1, 3});
  file.tensors["a.b.G"] = Tensor::of({2, 2}, Floats{2, 1, 0, 3});
  file.tensors["a.b.input_scale"] = Tensor::of({}, std::vector<double>{0.5});
  file.tensors["a.b.input_zero_point"] = Tensor::of({}, std::vector<std::int64_t>{128});
  file.tensors["a.b.input_bits"] = Tensor::of({1}, std::vector<std::int64_t>{8});
  return file;
}

TensorFile with(TensorFile file, const std::string& key, Tensor tensor) {
  file.tensors["a.b." + key] = std::move(tensor);
  return file;
}

TensorFile without(TensorFile file, const std::string& key) {
  file.tensors.erase("a.b." + key);
  return file;
}

void check_refused(const TensorFile& file, const std::string& key, const std::string& words) {
  const std::string told = refusal([&] { read_problems(file); });
  CAPTURE(told);
  CAPTURE(words);
  CHECK(told.find(words) != std::string::npos);
  CHECK(told.find("layers.npz") != std::string::npos);
  CHECK(told.find(key) != std::string::npos);
}

}  // namespace

TEST_CASE("a layer given by its second moments is read as it is, and its name may have dots") {
  const std::vector<LayerProblem> problems = read_problems(small_problem());
  REQUIRE(problems.size() == 1);
  const LayerProblem& p = problems[0];
  CHECK(p.name == "a.b");
  CHECK(p.rows == 1);
  CHECK(p.cols == 2);
  CHECK(p.weight == Floats{0.5f, -0.25f});
  CHECK(p.gram == Floats{2, 1, 1, 3});
  CHECK(p.cross == Floats{2, 1, 0, 3});
  CHECK(p.input.scale == 0.5);
  CHECK(p.input.zero_point == 128);
  CHECK(p.output_energy < 0);
  CHECK(p.code_min.empty());
  CHECK(read_problems(without(small_problem(), "G"))[0].cross.empty());
  CHECK(read_problems(with(small_problem(), "inputs_sample", Tensor::of({1}, Floats{1}))).size() == 1);
}

TEST_CASE("second moments, codes and energy of calibration inputs equal the plain sums") {
  // 1,025 tokens: more than two blocks, the last of one token. Values reach beyond both ends of a given grid.
  constexpr std::int64_t tokens = 1025, cols = 3, rows = 2;
  Floats x(tokens * cols), w{1.0f, -2.0f, 0.5f, 0.25f, 3.0f, -1.0f};
  std::uint32_t state = 7;
  for (float& value : x) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / 8388608.0f * 4 - 2;
  }
  TensorFile file;
  file.path = "layers.npz";
  file.tensors["l.weight"] = Tensor::of({rows, cols}, w);
  file.tensors["l.inputs"] = Tensor::of({tokens, cols}, x);
  for (const bool given : {false, true}) {
    if (given) {
      file.tensors["l.input_scale"] = Tensor::of({1}, Floats{0.25f});
      file.tensors["l.input_zero_point"] = Tensor::of({1}, Integers{3});
      file.tensors["l.input_bits"] = Tensor::of({1}, Integers{3});
    }
    const LayerProblem p = read_problems(file)[0];
    if (!given) {
      float least = 0, most = 0;
      for (const float value : x) {
        least = std::min(least, value);
        most = std::max(most, value);
      }
      CHECK(p.input.scale == (static_cast<double>(most) - least) / 255);
      CHECK(p.input.zero_point == std::lround(-least / p.input.scale));
    }
    double h[cols][cols] = {}, g[cols][cols] = {}, energy = 0;
    std::int32_t least_code[cols] = {1000, 1000, 1000}, most_code[cols] = {-1000, -1000, -1000};
    for (std::int64_t t = 0; t < tokens; ++t) {
      double q[cols];
      for (std::int64_t k = 0; k < cols; ++k) {
        const double code = std::min(
            std::max(std::nearbyint(static_cast<double>(x[static_cast<std::size_t>(t * cols + k)]) / p.input.scale) +
                         p.input.zero_point,
                     0.0),
            std::ldexp(1.0, p.input.bits) - 1);
        q[k] = (code - p.input.zero_point) * p.input.scale;
        least_code[k] = std::min(least_code[k], static_cast<std::int32_t>(code));
        most_code[k] = std::max(most_code[k], static_cast<std::int32_t>(code));
      }
      for (std::int64_t i = 0; i < cols; ++i) {
        for (std::int64_t j = 0; j < cols; ++j) {
          h[i][j] += q[i] * q[j];
          g[i][j] += q[i] * static_cast<double>(x[static_cast<std::size_t>(t * cols + j)]);
        }
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        double y = 0;
        for (std::int64_t k = 0; k < cols; ++k) {
          y += static_cast<double>(w[static_cast<std::size_t>(r * cols + k)]) *
               static_cast<double>(x[static_cast<std::size_t>(t * cols + k)]);
        }
        energy += y * y;
      }
    }
    for (std::size_t i = 0; i < cols; ++i) {
      for (std::size_t j = 0; j < cols; ++j) {
        CHECK(static_cast<double>(p.gram[i * cols + j]) == doctest::Approx(h[i][j]).epsilon(1e-6));
        CHECK(static_cast<double>(p.cross[i * cols + j]) == doctest::Approx(g[i][j]).epsilon(1e-6));
        CHECK(p.gram[i * cols + j] == p.gram[j * cols + i]);
      }
      CHECK(p.code_min[i] == least_code[i]);
      CHECK(p.code_max[i] == most_code[i]);
    }
    CHECK(p.output_energy == doctest::Approx(energy).epsilon(1e-9));
  }
}

TEST_CASE("signed inputs calibrate to a symmetric grid") {
  TensorFile file;
  file.path = "layers.npz";
  file.tensors["l.weight"] = Tensor::of({1, 2}, Floats{1, 1});
  file.tensors["l.inputs"] = Tensor::of({1, 2}, Floats{-254, 100});
  file.tensors["l.input_signed"] = Tensor::of({}, Integers{1});
  const LayerProblem p = read_problems(file)[0];
  CHECK(p.input.is_signed);
  CHECK(p.input.scale == 2.0);
  CHECK(p.input.zero_point == 0);
  CHECK(p.code_min == Integers{-127, 50});
  CHECK(p.gram == Floats{254 * 254, -254 * 100, -254 * 100, 100 * 100});
}

TEST_CASE("with a scale per token, moments are those of what the tokens' own grids leave, and a limit is kept") {
  // Expected: round(x / (max|x| / 127)) per token, coarser until no register of two products has Σ|code| above the limit.
  const Floats x{10, -20, 5, 1, 0.25f, 0.125f, -1, 0, 100, 100, -100, 100};
  constexpr std::size_t K = 4, tokens = 3;
  TensorFile file;
  file.path = "layers.npz";
  file.tensors["l.weight"] = Tensor::of({1, 4}, Floats{1, 2, 3, 4});
  file.tensors["l.inputs"] = Tensor::of({3, 4}, x);
  const Datapath datapath = parse_datapath("axe:P=11,T=2,act=s8");
  for (const bool limited : {false, true}) {
    CAPTURE(limited);
    const LayerProblem p = read_problems(file, {ActivationScaling::token, true, limited ? &datapath : nullptr, 8})[0];
    CHECK(p.input.scaling == ActivationScaling::token);
    CHECK(p.input.limit == (limited ? 127 : 0));  // ⌊1023 / 8⌋
    Floats dequantized(x.size());
    for (std::size_t t = 0; t < tokens; ++t) {
      double most = 0;
      for (std::size_t k = 0; k < K; ++k) {
        most = std::max(most, static_cast<double>(std::fabs(x[t * K + k])));
      }
      double scale = most / 127;
      const auto code = [&](std::size_t k) { return std::nearbyint(static_cast<double>(x[t * K + k]) / scale); };
      const auto worst = [&] {
        return std::max(std::fabs(code(0)) + std::fabs(code(1)), std::fabs(code(2)) + std::fabs(code(3)));
      };
      while (limited && worst() > 127) {
        scale *= std::max(1.002, worst() / 127);
      }
      for (std::size_t k = 0; k < K; ++k) {
        dequantized[t * K + k] = static_cast<float>(scale * code(k));
      }
    }
    for (std::size_t i = 0; i < K; ++i) {
      for (std::size_t j = 0; j < K; ++j) {
        double h = 0, g = 0;
        for (std::size_t t = 0; t < tokens; ++t) {
          h += static_cast<double>(dequantized[t * K + i]) * static_cast<double>(dequantized[t * K + j]);
          g += static_cast<double>(dequantized[t * K + i]) * static_cast<double>(x[t * K + j]);
        }
        CHECK(static_cast<double>(p.gram[i * K + j]) == doctest::Approx(h).epsilon(1e-6));
        CHECK(static_cast<double>(p.cross[i * K + j]) == doctest::Approx(g).epsilon(1e-6));
      }
    }
    QuantizeOptions options;
    options.constraint = limited ? Constraint::input : Constraint::axe;
    const QuantizedLayer q = quantize(p, datapath, options);
    CHECK((q.layer.input_limit > 0) == limited);
  }
}

TEST_CASE("a scale per token is found on inputs alone") {
  const auto refused = [](const TensorFile& file, const char* key, bool is_signed = false) {
    const std::string told = refusal([&] { read_problems(file, {ActivationScaling::token, is_signed}); });
    CAPTURE(told);
    CHECK(told.find(key) != std::string::npos);
  };
  refused(small_problem(), "a.b.input_scale");
  refused(without(without(small_problem(), "input_scale"), "input_zero_point"), "a.b.H");
  const TensorFile bare =
      without(without(without(without(small_problem(), "input_scale"), "input_zero_point"), "H"), "G");
  refused(bare, "a.b.inputs");
  refused(with(bare, "input_signed", Tensor::of({}, Integers{0})), "a.b.input_signed", true);
}

TEST_CASE("a misspelt or stray key is refused and the known keys are listed") {
  check_refused(with(small_problem(), "input_scales", Tensor::of({}, Floats{1})), "a.b.input_scales",
                "known keys: weight, inputs, H, G");
  TensorFile stray = small_problem();
  stray.tensors["other.H"] = Tensor::of({2, 2}, Floats{1, 0, 0, 1});
  check_refused(stray, "other.H", "no 'other.weight'");
  TensorFile bare = small_problem();
  bare.tensors["bias"] = Tensor::of({1}, Floats{1});
  check_refused(bare, "bias", "belongs to no layer");
  TensorFile name = small_problem();
  name.tensors["bad name.weight"] = Tensor::of({1, 1}, Floats{1});
  check_refused(name, "bad name", "characters other than");
  TensorFile none;
  none.path = "layers.npz";
  check_refused(none, "layers.npz", "holds no layer");
}

TEST_CASE("missing, doubled and contradicting keys are refused with the key that is wrong") {
  check_refused(without(small_problem(), "H"), "a.b.H", "is missing (a layer has NAME.inputs");
  check_refused(without(small_problem(), "input_scale"), "a.b.input_scale", "is missing");
  check_refused(without(small_problem(), "input_zero_point"), "a.b.input_zero_point", "is missing");
  check_refused(with(small_problem(), "inputs", Tensor::of({1, 2}, Floats{1, 2})), "a.b.inputs",
                "stands beside H or G");
  check_refused(with(small_problem(), "input_code_min", Tensor::of({2}, Integers{0, 0})), "a.b.input_code_max",
                "is missing");
}

TEST_CASE("wrong shapes and types are refused") {
  check_refused(with(small_problem(), "weight", Tensor::of({2}, Floats{1, 2})), "a.b.weight", "must be [rows, K]");
  check_refused(with(small_problem(), "weight", Tensor::of({0, 2}, Floats{})), "a.b.weight", "an empty layer");
  check_refused(with(small_problem(), "weight", Tensor::of({1, 0}, Floats{})), "a.b.weight", "an empty layer");
  check_refused(with(small_problem(), "weight", Tensor::of({1, 2}, std::vector<std::int8_t>{1, 2})), "a.b.weight",
                "already quantized");
  check_refused(with(small_problem(), "H", Tensor::of({1, 2}, Floats{1, 2})), "a.b.H", "must be [2, 2]");
  check_refused(with(small_problem(), "G", Tensor::of({4}, Floats{1, 2, 3, 4})), "a.b.G", "must be [2, 2]");
  check_refused(with(small_problem(), "bias", Tensor::of({2}, Floats{1, 2})), "a.b.bias", "must be [1]");
  check_refused(with(small_problem(), "input_scale", Tensor::of({2}, Floats{1, 2})), "a.b.input_scale",
                "must be one number");
  check_refused(with(small_problem(), "input_zero_point", Tensor::of({}, Floats{0.5f})), "a.b.input_zero_point",
                "must be an integer");
  TensorFile codes = with(small_problem(), "input_code_min", Tensor::of({2}, Floats{0, 0}));
  codes = with(codes, "input_code_max", Tensor::of({2}, Integers{1, 1}));
  check_refused(codes, "a.b.input_code_min", "must be an integer type");
  TensorFile inputs = without(without(small_problem(), "H"), "G");
  check_refused(with(inputs, "inputs", Tensor::of({0, 2}, Floats{})), "a.b.inputs", "must be [tokens, 2]");
  check_refused(with(inputs, "inputs", Tensor::of({2, 1}, Floats{1, 2})), "a.b.inputs", "must be [tokens, 2]");
}

TEST_CASE("numbers that are no numbers, scales that are no scales and moments that are no moments are refused") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  check_refused(with(small_problem(), "weight", Tensor::of({1, 2}, Floats{1, nan})), "a.b.weight[0, 1]",
                "not a number");
  check_refused(with(small_problem(), "weight", Tensor::of({1, 2}, Floats{-infinity, 1})), "a.b.weight[0, 0]",
                "infinite");
  check_refused(with(small_problem(), "H", Tensor::of({2, 2}, Floats{1, 0, 0, nan})), "a.b.H[1, 1]", "not a number");
  check_refused(with(small_problem(), "H", Tensor::of({2, 2}, Floats{1, 0, 0, -1})), "a.b.H",
                "diagonal is negative at [1, 1]");
  check_refused(with(small_problem(), "H", Tensor::of({2, 2}, Floats{1, 0.5f, 0, 1})), "a.b.H",
                "not symmetric at [0, 1]");
  check_refused(with(small_problem(), "input_scale", Tensor::of({}, Floats{0})), "a.b.input_scale", "is zero");
  check_refused(with(small_problem(), "input_scale", Tensor::of({}, Floats{-1})), "a.b.input_scale", "is negative");
  check_refused(with(small_problem(), "input_scale", Tensor::of({}, Floats{1e-40f})), "a.b.input_scale", "is denormal");
  check_refused(with(small_problem(), "input_scale", Tensor::of({}, Floats{nan})), "a.b.input_scale", "not a number");
  check_refused(with(small_problem(), "input_zero_point", Tensor::of({}, Integers{256})), "a.b.input_zero_point",
                "outside the codes [0, 255]");
  check_refused(with(small_problem(), "input_bits", Tensor::of({}, Integers{9})), "a.b.input_bits", "2 to 8 bits");
  check_refused(with(small_problem(), "input_signed", Tensor::of({}, Integers{2})), "a.b.input_signed",
                "0 for unsigned");
  check_refused(with(small_problem(), "output_energy", Tensor::of({}, Floats{0})), "a.b.output_energy",
                "must be positive");
  TensorFile codes = with(small_problem(), "input_code_min", Tensor::of({2}, Integers{0, 5}));
  check_refused(with(codes, "input_code_max", Tensor::of({2}, Integers{0, 4})), "a.b.input_code_min",
                "channel 1 has codes [5, 4]");
  check_refused(with(codes, "input_code_max", Tensor::of({2}, Integers{256, 5})), "a.b.input_code_min",
                "channel 0 has codes [0, 256]");
  TensorFile inputs = without(without(without(without(small_problem(), "H"), "G"), "input_scale"), "input_zero_point");
  check_refused(with(inputs, "inputs", Tensor::of({1, 2}, Floats{0, -0.0f})), "a.b.inputs",
                "every calibration input is zero");
  check_refused(with(inputs, "inputs", Tensor::of({1, 2}, Floats{1e-40f, 0})), "a.b.inputs", "denormal");
  check_refused(with(inputs, "inputs", Tensor::of({1, 2}, Floats{3e38f, 3e38f})), "a.b.inputs", "does not fit a float");
}

TEST_CASE("what the quantizer gives is written and read back to the same integer layer") {
  QuantizedLayer q;
  q.layer.name = "model.layers.5.mlp/x-y";
  q.layer.rows = 2;
  q.layer.cols = 2;
  q.layer.weights = {-8, 7, 0, 1};
  q.layer.box_lower = {-3, 0};
  q.layer.box_upper = {4, 255};
  q.layer.offset = {10 - 128, 0 - 128};
  q.layer.bias = {INT64_C(-5000000000), 7};
  q.shift = {10, 0};
  q.input.zero_point = 128;
  q.input.scale = 0.1;
  q.scales = {0.5f, 0.25f, 1.0f, 2.0f};
  q.groups = 2;
  q.weight_zero_points = {8, 8, 8, 7};
  q.float_bias = {0.5f, -2.0f};
  const test::ScratchFolder folder;
  const std::filesystem::path path = folder / "weights.safetensors";
  write_quantized(path, {q});
  const TensorFile file = read_tensors(path);
  CHECK(file.at(q.layer.name + ".scale").shape == std::vector<std::int64_t>{2, 2});
  CHECK(file.at(q.layer.name + ".input_scale").as_f64("s") == std::vector<double>{0.1});
  CHECK(file.metadata.at(q.layer.name + ".weight_bits") == "4");
  CHECK(file.at(q.layer.name + ".float_bias").as_f32("b") == q.float_bias);

  const std::vector<StoredLayer> back = read_integer_layers(file, Datapath{});
  REQUIRE(back.size() == 1);
  CHECK(back[0].source == InputSource::clamped);
  CHECK(back[0].layer.name == q.layer.name);
  CHECK(back[0].layer.weights == q.layer.weights);
  CHECK(back[0].layer.box_lower == q.layer.box_lower);
  CHECK(back[0].layer.box_upper == q.layer.box_upper);
  CHECK(back[0].layer.offset == q.layer.offset);
  CHECK(back[0].layer.bias == q.layer.bias);
  CHECK(refusal([&] { quantized_bytes({q, q}); }).find("two layers have this name") != std::string::npos);
}

TEST_CASE("the zero point of tokens is read as a range, the scale that is computed from each is not there") {
  TensorFile file;
  file.path = "weights.safetensors";
  file.tensors["l.weight"] = Tensor::of({1, 2}, std::vector<std::int8_t>{3, -4});
  file.tensors["l.input_lower"] = Tensor::of({1}, Integers{0});
  file.tensors["l.input_upper"] = Tensor::of({1}, Integers{255});
  file.tensors["l.input_shift"] = Tensor::of({1}, Integers{5});
  file.tensors["l.input_zero_point"] = Tensor::of({2}, Integers{2, 200});
  file.tensors["l.float_bias"] = Tensor::of({1}, Floats{0.5f});
  file.metadata["l.input_scaling"] = "token";
  const StoredLayer stored = read_integer_layers(file, Datapath{})[0];
  CHECK(stored.source == InputSource::clamped);
  CHECK(stored.layer.offset == Integers{3});
  CHECK(stored.layer.zero_point_spread == 198);

  QuantizedLayer q;
  q.layer = stored.layer;
  q.shift = {5};
  q.scales = {1.0f};
  q.input.zero_point = 2;
  TensorFile written;
  written.path = "weights.safetensors";
  const test::ScratchFolder folder;
  const std::filesystem::path path = folder / "weights.safetensors";
  write_quantized(path, {q});
  written = read_tensors(path);
  CHECK(written.at("l.input_zero_point").as_integers("z") == std::vector<std::int64_t>{2, 200});
  CHECK(read_integer_layers(written, Datapath{})[0].layer.zero_point_spread == 198);

  const auto refused = [&](const std::function<void(TensorFile&)>& change, const std::string& words) {
    TensorFile bad = file;
    change(bad);
    const std::string told = refusal([&] { read_integer_layers(bad, Datapath{}); });
    CAPTURE(told);
    CHECK(told.find(words) != std::string::npos);
  };
  const auto limit = [](Tensor tensor) { return [tensor](TensorFile& bad) { bad.tensors["l.input_limit"] = tensor; }; };
  using Wide = std::vector<std::int64_t>;
  refused(limit(Tensor::of({1}, Wide{0})), "1 to 2^48");
  refused(limit(Tensor::of({1}, Wide{-1})), "1 to 2^48");
  refused(limit(Tensor::of({2}, Wide{5, 5})), "must be [1]");
  refused(
      [](TensorFile& bad) {
        bad.tensors["l.input_limit"] = Tensor::of({1}, Wide{5});
        bad.tensors.erase("l.input_lower");
        bad.tensors.erase("l.input_upper");
      },
      "input_limit");
  const auto zero_point = [](Tensor tensor) {
    return [tensor](TensorFile& bad) { bad.tensors["l.input_zero_point"] = tensor; };
  };
  refused(zero_point(Tensor::of({2}, Integers{3, 2})), "the least zero point, then the greatest");
  refused(zero_point(Tensor::of({2}, Integers{-1, 1 << 24})), "at most 2^24 above it");
  refused(zero_point(Tensor::of({3}, Integers{0, 1, 2})), "must be [2]");
  refused(zero_point(Tensor::of({2}, Floats{0, 1})), "must be an integer type");
  refused([](TensorFile& bad) { bad.tensors["l.input_scale"] = Tensor::of({1}, std::vector<double>{0.1}); },
          "input_scale: stands beside input_scaling = token");
  refused([](TensorFile& bad) { bad.metadata["l.input_scaling"] = "row"; }, "tensor or token");
}

TEST_CASE(
    "a layer of mapped files, whose weights are copied from where they are mapped, is the one that is read whole") {
  const test::ScratchFolder folder;
  const std::filesystem::path path = folder / "weights.safetensors";
  const std::map<std::string, Tensor> tensors{
      {"narrow.weight", Tensor::of({2, 3}, std::vector<std::int8_t>{-128, 127, 0, 1, -1, 5})},
      {"narrow.bias", Tensor::of({2}, std::vector<std::int64_t>{3, -4})},
      {"narrow.input_lower", Tensor::of({1}, Integers{-2})},
      {"narrow.input_upper", Tensor::of({1}, Integers{9})},
      {"narrow.input_shift", Tensor::of({1}, Integers{0})},
      {"narrow.input_zero_point", Tensor::of({1}, Integers{3})},
      {"wide.weight", Tensor::of({1, 2}, Integers{-128, 127})}};
  write_safetensors(path, tensors, {});
  const WeightFiles files(path);
  const std::vector<StoredLayer> whole = read_integer_layers(read_tensors(path), Datapath{});
  REQUIRE(whole.size() == 2);
  for (const StoredLayer& expected : whole) {
    const StoredLayer found = read_integer_layer(files, expected.layer.name, Datapath{});
    CHECK(found.source == expected.source);
    CHECK(found.layer.weights == expected.layer.weights);
    CHECK(found.layer.rows == expected.layer.rows);
    CHECK(found.layer.cols == expected.layer.cols);
    CHECK(found.layer.bias == expected.layer.bias);
    CHECK(found.layer.box_lower == expected.layer.box_lower);
    CHECK(found.layer.box_upper == expected.layer.box_upper);
  }
  CHECK(files.layer_without_weights("narrow").at("narrow.weight").data.empty());

  const auto refused = [&](const std::string& key, Tensor tensor, const std::string& words) {
    std::map<std::string, Tensor> bad = tensors;
    bad["narrow." + key] = std::move(tensor);
    write_safetensors(path, bad, {});
    const WeightFiles bad_files(path);
    const std::string told = refusal([&] { read_integer_layer(bad_files, "narrow", Datapath{}); });
    CAPTURE(told);
    CHECK(told.find(words) != std::string::npos);
  };
  refused("weight", Tensor::of({1, 0}, std::vector<std::int8_t>{}), "an empty layer");
  refused("weight", Tensor::of({1, 2, 1}, std::vector<std::int8_t>{1, 2}), "[out channels, the rest]");
  refused("H", Tensor::of({2, 2}, Floats{1, 0, 0, 1}), "'H' is no key of a layer");
}

TEST_CASE("bare integer weights take the datapath's operand range, which is then given, not clamped") {
  TensorFile file;
  file.path = "layers.npz";
  file.tensors["l.weight"] = Tensor::of({1, 2}, std::vector<std::int64_t>{-128, 127});
  Datapath datapath;
  datapath.activations = {-128, 127};
  const std::vector<StoredLayer> layers = read_integer_layers(file, datapath);
  CHECK(layers[0].source == InputSource::given);
  CHECK(layers[0].layer.box_lower == Integers{-128});
  CHECK(layers[0].layer.box_upper == Integers{127});
  CHECK(layers[0].layer.offset.empty());
  CHECK(layers[0].layer.bias.empty());

  const auto refused = [&](const std::string& key, Tensor tensor, const std::string& words) {
    TensorFile bad = file;
    bad.tensors["l." + key] = std::move(tensor);
    const std::string told = refusal([&] { read_integer_layers(bad, datapath); });
    CAPTURE(told);
    CHECK(told.find(words) != std::string::npos);
  };
  refused("weight", Tensor::of({1, 2}, Floats{1, 2}), "must be integers");
  refused("weight", Tensor::of({1, 1}, std::vector<std::int64_t>{128}), "l.weight[0, 0]: 128 is outside");
  refused("weight", Tensor::of({1, 0}, std::vector<std::int8_t>{}), "an empty layer");
  refused("bias", Tensor::of({1}, Floats{1}), "must be an integer type");
  refused("bias", Tensor::of({2}, Integers{1, 2}), "must be [1]");
  refused("input_lower", Tensor::of({2}, Integers{0, 0}), "input_upper: is missing");
  refused("input_shift", Tensor::of({2}, Integers{0, 0}), "input_zero_point: is missing");
  file.tensors["l.input_lower"] = file.tensors["l.input_upper"] = Tensor::of({1}, Integers{3});
  refused("scale", Tensor::of({1}, Floats{1}), "input_shift: is missing");  // a box is a quantizer's
  refused("input_shift", Tensor::of({1}, Integers{0}), "input_zero_point: is missing");
  file.tensors.erase("l.input_lower");
  file.tensors.erase("l.input_upper");
  refused("H", Tensor::of({2, 2}, Floats{1, 0, 0, 1}), "'H' is no key of a layer");
}

// TOR-204
TEST_CASE("weights attach to a certificate only when name, shape and hash agree") {
  TensorFile file;
  file.path = "weights.safetensors";
  file.tensors["l.weight"] = Tensor::of({1, 2}, std::vector<std::int8_t>{3, -4});
  Certificate certificate;
  certificate.layers.push_back(make_claims(read_integer_layers(file, parse_datapath("axe:P=16"))[0].layer,
                                           parse_datapath("axe:P=16"), InputSource::given));
  LayerClaims& claims = certificate.layers[0];
  claims.layer.weights.clear();
  attach_weights(certificate, file);
  CHECK(claims.layer.weights == std::vector<std::int8_t>{3, -4});

  TensorFile other = file;
  other.tensors["l.weight"] = Tensor::of({1, 2}, std::vector<std::int8_t>{3, -3});
  CHECK(refusal([&] { attach_weights(certificate, other); }) != "");
  other.tensors["l.weight"] = Tensor::of({2, 1}, std::vector<std::int8_t>{3, -4});
  CHECK(refusal([&] { attach_weights(certificate, other); }).find("must be [1, 2]") != std::string::npos);
  other.tensors.clear();
  CHECK(refusal([&] { attach_weights(certificate, other); }).find("l.weight: is missing") != std::string::npos);
}

TEST_CASE("the real layers of the shared data set are read whole") {
  const char* variable = std::getenv("AXECERT_LAYER_DATA");
  const std::filesystem::path folder = variable != nullptr ? variable
                                                           : std::filesystem::path(AXECERT_SOURCE_DIR) / ".." /
                                                                 "shared" / "data" / "smollm2-135m-layer5";
  if (!std::filesystem::exists(folder / "o_proj.npz")) {
    MESSAGE("skipped: no o_proj.npz in the folder that AXECERT_LAYER_DATA names");
    return;
  }
  const std::vector<LayerProblem> problems = read_problems(read_tensors(folder / "o_proj.npz"));
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].name == "o_proj");
  CHECK(problems[0].rows == 576);
  CHECK(problems[0].cols == 576);
  CHECK(problems[0].cross.size() == 576 * 576);
  CHECK(problems[0].output_energy > 0);
  CHECK(problems[0].code_max.size() == 576);
}
