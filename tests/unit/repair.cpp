// Claims about repairing weights: safe afterwards on every datapath, at the shipped scales never larger than they were, rows that were
// safe untouched, and the change is the smallest there is where that is promised (found by trying all of them); and about splits, whose
// sum is what was shipped.
#include "axecert/quantize/repair.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

IntegerLayer layer_of(std::int64_t cols, std::vector<std::int8_t> weights, std::int32_t lower, std::int32_t upper) {
  IntegerLayer layer;
  layer.name = "layer";
  layer.cols = cols;
  layer.rows = static_cast<std::int64_t>(weights.size()) / cols;
  layer.weights = std::move(weights);
  layer.box_lower = {lower};
  layer.box_upper = {upper};
  return layer;
}

std::int64_t unsafe_nodes(const IntegerLayer& layer, const Datapath& datapath, std::int64_t row = -1) {
  const Topology topology(datapath, layer.cols);
  const std::vector<StageRanges> ranges = layer_ranges(layer, topology);
  std::int64_t count = 0;
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    const IntegerRange limits = register_limits(topology.stage(s));
    for (std::size_t i = 0; i < ranges[s].lower.size(); ++i) {
      const bool here = row < 0 || static_cast<std::int64_t>(i) / ranges[s].nodes == row;
      count += here && (ranges[s].lower[i] < limits.lower || ranges[s].upper[i] > limits.upper);
    }
  }
  return count;
}

double squared_distance(const std::vector<std::int8_t>& a, const std::vector<std::int8_t>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += std::pow(double{static_cast<double>(a[i])} - b[i], 2);
  }
  return sum;
}

// The least squared change over all int8 weights near the shipped ones that make the one row safe.
double least_change(const IntegerLayer& layer, const Datapath& datapath, int reach) {
  double least = 1e300;
  std::vector<std::int8_t> tried = layer.weights;
  const auto search = [&](const auto& self, std::size_t k, double cost) -> void {
    if (cost >= least) {
      return;
    }
    if (k == tried.size()) {
      IntegerLayer candidate = layer;
      candidate.weights = tried;
      if (unsafe_nodes(candidate, datapath) == 0) {
        least = cost;
      }
      return;
    }
    for (int change = -reach; change <= reach; ++change) {
      const int w = layer.weights[k] + change;
      if (w >= -128 && w <= 127) {
        tried[k] = static_cast<std::int8_t>(w);
        self(self, k + 1, cost + change * change);
      }
    }
    tried[k] = layer.weights[k];
  };
  search(search, 0, 0);
  return least;
}

}  // namespace

TEST_CASE("a pair of 127s loses 63 and 63 steps on vpmaddubsw, which leaves 128 between them") {
  IntegerLayer layer = layer_of(2, {127, 127}, 0, 255);
  const Repair repair = repair_weights(layer, parse_datapath("x86-avx2-maddubs"));
  CHECK(layer.weights == std::vector<std::int8_t>{64, 64});
  CHECK(repair.unsafe_nodes == 1);
  CHECK(repair.rows_changed == 1);
  CHECK(repair.weights_changed == 2);
  CHECK(repair.largest_change == 63);
  CHECK(repair.squared_change == 2 * 63 * 63);
  CHECK(repair.energy == 2 * 127 * 127);
}

TEST_CASE("the change is the smallest there is: vpmaddubsw pairs, all of them tried") {
  const Datapath datapath = parse_datapath("x86-avx2-maddubs");
  std::mt19937 random(1);
  int changed = 0;
  for (int i = 0; i < 300; ++i) {
    const auto weight = [&] {
      const int size = 60 + static_cast<int>(random() % 12);
      return static_cast<std::int8_t>(random() % 2 == 0 ? size : -size);
    };
    IntegerLayer layer = layer_of(2, {weight(), weight()}, 0, 255);
    const IntegerLayer shipped = layer;
    const Repair repair = repair_weights(layer, datapath);
    CHECK(repair.squared_change == least_change(shipped, datapath, 12));
    CHECK(repair.squared_change == squared_distance(layer.weights, shipped.weights));
    changed += repair.weights_changed > 0;
  }
  CHECK(changed > 30);
}

TEST_CASE("the change is the smallest there is: four products in 8 bits") {
  const Datapath datapath = parse_datapath("axe:P=8");
  std::mt19937 random(2);
  for (int i = 0; i < 60; ++i) {
    std::vector<std::int8_t> weights;
    for (int k = 0; k < 4; ++k) {
      weights.push_back(static_cast<std::int8_t>(static_cast<int>(random() % 9) - 4));
    }
    IntegerLayer layer = layer_of(4, weights, 0, 15);
    const Repair repair = repair_weights(layer, datapath);
    IntegerLayer shipped = layer;
    shipped.weights = weights;
    CHECK(repair.squared_change == least_change(shipped, datapath, 4));
  }
}

// TOR-505
TEST_CASE("after a repair every register is safe, weights only shrink, and safe rows keep theirs") {
  std::mt19937 random(3);
  for (const char* name : {"x86-avx2-maddubs", "fbgemm-acc16", "axe:P=12,T=8", "axe:P=14",
                           "axe:P=10,T=4,outer=12,act=s8", "neon-mull-mlal", "gemmini-os", "x86-vnni-saturating"}) {
    const Datapath datapath = parse_datapath(name);
    for (int round = 0; round < 20; ++round) {
      const std::int64_t cols = 1 + static_cast<std::int64_t>(random() % 70);
      const int scale = 1 << random() % 8;
      std::vector<std::int8_t> weights;
      for (std::int64_t i = 0; i < 6 * cols; ++i) {
        weights.push_back(
            static_cast<std::int8_t>(std::clamp(static_cast<int>(random() % 257) - 128, -scale, scale - 1)));
      }
      IntegerLayer layer = layer_of(cols, weights, static_cast<std::int32_t>(datapath.activations.lower),
                                    static_cast<std::int32_t>(datapath.activations.upper));
      if (round % 3 == 1) {  // a box per channel, some of them without 0
        layer.box_lower.clear();
        layer.box_upper.clear();
        for (std::int64_t k = 0; k < cols; ++k) {
          std::uniform_int_distribution<std::int64_t> any(datapath.activations.lower, datapath.activations.upper);
          const std::int64_t a = any(random), b = any(random);
          layer.box_lower.push_back(static_cast<std::int32_t>(std::min(a, b)));
          layer.box_upper.push_back(static_cast<std::int32_t>(std::max(a, b)));
        }
      }
      if (round % 3 == 2) {
        layer.offset = {-static_cast<std::int32_t>(random() % 100)};
        layer.zero_point_spread = static_cast<std::int64_t>(random() % 50);
        layer.bias.assign(6, 100);
      }
      const IntegerLayer shipped = layer;
      const std::int64_t before = unsafe_nodes(layer, datapath);
      const Repair repair = repair_weights(layer, datapath);
      INFO(name << ", " << cols << " columns, scale " << scale << ", round " << round);
      CHECK(repair.unsafe_nodes == before);
      CHECK(unsafe_nodes(layer, datapath) == 0);
      CHECK((repair.weights_changed > 0) == (before > 0));
      for (std::size_t i = 0; i < weights.size(); ++i) {
        CHECK(std::abs(layer.weights[i]) <= std::abs(shipped.weights[i]));
        CHECK(static_cast<int>(layer.weights[i]) * shipped.weights[i] >= 0);
      }
      for (std::int64_t r = 0; r < 6; ++r) {
        if (unsafe_nodes(shipped, datapath, r) == 0) {
          CHECK(std::equal(layer.row(r), layer.row(r) + cols, shipped.row(r)));
        }
      }
      IntegerLayer again = layer;
      CHECK(repair_weights(again, datapath).weights_changed == 0);
    }
  }
}

// TOR-505
TEST_CASE("a bias that alone leaves its register is refused by name") {
  IntegerLayer layer = layer_of(2, {1, 1}, 0, 255);
  layer.bias = {std::int64_t{1} << 40};
  std::string message;
  try {
    repair_weights(layer, parse_datapath("x86-avx2-maddubs"));
  } catch (const InputError& error) {
    message = error.what();
  }
  CHECK(message.find("layer 'layer', row 0: its bias 1099511627776 alone leaves stage 'row'") != std::string::npos);
}

TEST_CASE(
    "with second moments the repaired row errs no more on the inputs than the smallest change, and usually less") {
  const Datapath datapath = parse_datapath("x86-avx2-maddubs");
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  const std::int64_t cols = 32, rows = 8;
  std::vector<std::int8_t> weights;
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    weights.push_back(static_cast<std::int8_t>(std::clamp(normal(random) * 60.0F, -127.0F, 127.0F)));
  }
  std::vector<float> gram(cols * cols);  // of inputs that share a large common part
  for (int token = 0; token < 400; ++token) {
    const float common = 40 * normal(random);
    std::vector<float> x;
    for (std::int64_t k = 0; k < cols; ++k) {
      x.push_back(std::round(common + 10 * normal(random)));
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        gram[i * x.size() + j] += x[i] * x[j];
      }
    }
  }
  IntegerLayer layer = layer_of(cols, weights, 0, 255);
  layer.offset = {-128};
  const IntegerLayer shipped = layer;
  ActivationGrid input;
  input.zero_point = 128;
  RepairOptions options;
  options.gram = &gram;
  options.input = input;
  const Repair repair = repair_weights(layer, datapath, options);
  CHECK(repair.unsafe_nodes == unsafe_nodes(shipped, datapath));
  CHECK(repair.unsafe_nodes > 0);
  CHECK(unsafe_nodes(layer, datapath) == 0);
  CHECK(repair.plain_error > 0);
  CHECK(repair.error < 0.7 * repair.plain_error);
  for (std::int64_t r = 0; r < rows; ++r) {
    if (unsafe_nodes(shipped, datapath, r) == 0) {
      CHECK(std::equal(layer.row(r), layer.row(r) + cols, shipped.row(r)));
    }
  }
  const std::vector<float> five(5);
  options.gram = &five;
  CHECK_THROWS_AS(repair_weights(layer, datapath, options), InputError);
}

// TOR-505
TEST_CASE("rows whose scales may move are safe, and nearer to what was shipped than at the shipped scales") {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  for (const char* name :
       {"x86-avx2-maddubs", "fbgemm-acc16", "axe:P=12,T=8", "axe:P=14", "axe:P=10,T=4,outer=12,act=s8"}) {
    const Datapath datapath = parse_datapath(name);
    const std::int64_t rows = 24, cols = 48;
    std::vector<std::int8_t> weights;
    for (std::int64_t i = 0; i < rows * cols; ++i) {  // from small rows, some safe, to large ones
      const double size = 4 * std::pow(1.25, static_cast<double>(i / cols));
      weights.push_back(static_cast<std::int8_t>(std::clamp(std::round(size * normal(random)), -127.0, 127.0)));
    }
    IntegerLayer kept = layer_of(cols, weights, static_cast<std::int32_t>(datapath.activations.lower),
                                 static_cast<std::int32_t>(datapath.activations.upper));
    IntegerLayer moved = kept;
    const IntegerLayer shipped = kept;
    RepairOptions options;
    const Repair at_shipped = repair_weights(kept, datapath, options);
    options.move_scales = true;
    const Repair repair = repair_weights(moved, datapath, options);
    INFO(std::string(name));
    CHECK(unsafe_nodes(moved, datapath) == 0);
    CHECK(repair.unsafe_nodes == at_shipped.unsafe_nodes);
    CHECK(repair.rows_changed == at_shipped.rows_changed);
    CHECK(repair.rows_rescaled > 0);
    double squared = 0, largest = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const double scale = repair.scale[static_cast<std::size_t>(r)];
      double of_row = 0, of_row_kept = 0;
      for (std::int64_t k = 0; k < cols; ++k) {
        of_row += std::pow(shipped.row(r)[k] - scale * moved.row(r)[k], 2);
        of_row_kept += std::pow(double{static_cast<double>(shipped.row(r)[k])} - kept.row(r)[k], 2);
        largest = std::max(largest, std::fabs(shipped.row(r)[k] - scale * moved.row(r)[k]));
      }
      CHECK(of_row <= of_row_kept * (1 + 1e-12));
      squared += of_row;
      if (unsafe_nodes(shipped, datapath, r) == 0) {
        CHECK(scale == 1);
        CHECK(std::equal(moved.row(r), moved.row(r) + cols, shipped.row(r)));
      }
    }
    CHECK(repair.squared_change == doctest::Approx(squared));
    CHECK(repair.largest_change == doctest::Approx(largest));
    CHECK(repair.squared_change < 0.8 * at_shipped.squared_change);
  }
}

TEST_CASE("with an integer bias, which has the unit of its row, scales stay") {
  IntegerLayer layer = layer_of(4, {127, 127, 127, 127}, 0, 255);
  layer.bias = {1000};
  RepairOptions options;
  options.move_scales = true;
  const Repair repair = repair_weights(layer, parse_datapath("x86-avx2-maddubs"), options);
  CHECK(repair.rows_rescaled == 0);
  CHECK(repair.scale == std::vector<double>{1});
  CHECK(layer.weights == std::vector<std::int8_t>{64, 64, 64, 64});
}

// TOR-505
TEST_CASE("a split is exactly what was shipped, each of its products is safe, and of each pair one input is enough") {
  std::mt19937 random(8);
  for (const char* name : {"x86-avx2-maddubs", "fbgemm-acc16", "axe:P=14,T=8"}) {
    const Datapath datapath = parse_datapath(name);
    for (const bool all_columns : {false, true}) {
      const std::int64_t rows = 16, cols = 30;
      std::vector<std::int8_t> weights;
      for (std::int64_t i = 0; i < rows * cols; ++i) {
        weights.push_back(static_cast<std::int8_t>(static_cast<int>(random() % 256) - 128));
      }
      IntegerLayer layer = layer_of(cols, weights, 0, 255);
      layer.offset = {-3};
      std::vector<int> sum(weights.size(), 0);
      const std::int64_t before = unsafe_nodes(layer, datapath);
      const Split split = split_weights(layer, datapath, all_columns, 40);
      INFO(std::string(name) << ", all columns: " << all_columns);
      CHECK(before > 0);
      CHECK(split.unsafe_nodes == before);
      CHECK(unsafe_nodes(layer, datapath) == 0);
      REQUIRE(!split.parts.empty());
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] = layer.weights[i];
      }
      for (const SplitPart& part : split.parts) {
        const auto n = static_cast<std::int64_t>(part.columns.size());
        CHECK((all_columns ? n == cols : n <= cols));
        CHECK(std::is_sorted(part.columns.begin(), part.columns.end()));
        const IntegerLayer own = layer_of(n, part.weights, 0, 255);
        CHECK(unsafe_nodes(own, datapath) == 0);
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t c = 0; c < n; ++c) {
            sum[static_cast<std::size_t>(r * cols + part.columns[static_cast<std::size_t>(c)])] += own.row(r)[c];
          }
        }
      }
      CHECK(std::equal(sum.begin(), sum.end(), weights.begin()));
      if (std::string(name) == "x86-avx2-maddubs" && !all_columns) {
        CHECK(static_cast<std::int64_t>(split.parts[0].columns.size()) <= cols / 2);
      }
      IntegerLayer again = layer;
      CHECK(split_weights(again, datapath).parts.empty());
      CHECK(again.weights == layer.weights);
    }
  }
  IntegerLayer layer = layer_of(4, {127, 127, 127, 127}, 0, 255);
  CHECK_THROWS_AS(split_weights(layer, parse_datapath("axe:P=9"), false, 2), InputError);
}

TEST_CASE(
    "with G the repaired rows err less against the output on inputs that were not quantized, on other samples too") {
  const Datapath datapath = parse_datapath("x86-avx2-maddubs");
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  const std::int64_t cols = 24, rows = 16, samples = 3000;
  std::vector<std::int8_t> weights;
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    weights.push_back(static_cast<std::int8_t>(std::clamp(normal(random) * 60.0F, -127.0F, 127.0F)));
  }
  // Inputs of unequal size in one coarse step, as a tensor with outliers is quantized: the small ones are mostly noise afterwards.
  const auto draw = [&](std::vector<float>& real, std::vector<float>& coarse) {
    for (std::int64_t k = 0; k < cols; ++k) {
      const float x = normal(random) * (k % 4 == 0 ? 10.0F : 0.4F);
      real.push_back(x);
      coarse.push_back(std::round(x));
    }
  };
  std::vector<float> gram(cols * cols), cross(cols * cols);
  for (std::int64_t t = 0; t < samples; ++t) {
    std::vector<float> real, coarse;
    draw(real, coarse);
    for (std::size_t i = 0; i < real.size(); ++i) {
      for (std::size_t j = 0; j < real.size(); ++j) {
        gram[i * real.size() + j] += coarse[i] * coarse[j];
        cross[i * real.size() + j] += coarse[i] * real[j];
      }
    }
  }
  IntegerLayer with = layer_of(cols, weights, 0, 255);
  with.offset = {-128};
  IntegerLayer without = with;
  const IntegerLayer shipped = with;
  RepairOptions options;
  options.move_scales = true;
  options.gram = &gram;
  options.input.zero_point = 128;
  const Repair plain = repair_weights(without, datapath, options);
  options.cross = &cross;
  const Repair aimed = repair_weights(with, datapath, options);
  CHECK(unsafe_nodes(with, datapath) == 0);
  CHECK(unsafe_nodes(without, datapath) == 0);
  CHECK(aimed.rows_changed == plain.rows_changed);
  double error_with = 0, error_without = 0, error_shipped = 0;
  for (int t = 0; t < 2000; ++t) {
    std::vector<float> real, coarse;
    draw(real, coarse);
    for (std::int64_t r = 0; r < rows; ++r) {
      if (unsafe_nodes(shipped, datapath, r) == 0) {
        continue;
      }
      double exact = 0, a = 0, b = 0, c = 0;
      for (std::int64_t k = 0; k < cols; ++k) {
        const auto i = static_cast<std::size_t>(k);
        exact += double{real[i]} * shipped.row(r)[k];
        a += double{coarse[i]} * aimed.scale[static_cast<std::size_t>(r)] * with.row(r)[k];
        b += double{coarse[i]} * plain.scale[static_cast<std::size_t>(r)] * without.row(r)[k];
        c += double{coarse[i]} * shipped.row(r)[k];
      }
      error_with += (exact - a) * (exact - a);
      error_without += (exact - b) * (exact - b);
      error_shipped += (exact - c) * (exact - c);
    }
  }
  CHECK(error_with < error_without);
  CHECK(error_with < error_shipped);
}
