// What an integer layer must satisfy before anything is claimed of it, and the constants of its rows. `validate` is the
// main function. No side effects.
#include "axecert/bound/integer_layer.hpp"

#include <algorithm>
#include <cstdlib>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/bound/weight_range.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/numeric/target_clones.hpp"

namespace axe {
namespace {

bool is_layer_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '/' || c == '-';
  });
}

std::string text_of(IntegerRange range) {
  return "[" + std::to_string(range.lower) + ", " + std::to_string(range.upper) + "]";
}

void validate_channels(const std::string& place, const char* what, std::size_t size, std::int64_t cols,
                       bool may_be_empty) {
  if (size != 1 && size != static_cast<std::size_t>(cols) && !(may_be_empty && size == 0)) {
    throw InputError(
        place,
        std::string(what) + " has " + std::to_string(size) + " entries for " + std::to_string(cols) + " channels",
        "give one for all channels, or one per channel");
  }
}

/// Σ w of a row: at least −2^24 · 2^7.
AXECERT_CLONES std::int64_t sum_of(const std::int8_t* w, std::int64_t count) {
  std::int32_t sum = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    sum += w[k];
  }
  return sum;
}

}  // namespace

void validate_shape(const IntegerLayer& layer) {
  const std::string place = "layer '" + layer.name + "'";
  if (!is_layer_name(layer.name)) {
    throw InputError(place, "its name is not a word", "one or more of A-Z a-z 0-9 _ . / -");
  }
  if (layer.rows < 1 || layer.cols < 1 || layer.cols > largest_length) {
    throw InputError(place, "shape " + std::to_string(layer.rows) + " × " + std::to_string(layer.cols),
                     "at least one row, and 1 to " + std::to_string(largest_length) + " columns");
  }
  if (static_cast<int128>(layer.rows) * layer.cols != static_cast<int128>(layer.weights.size())) {
    throw InputError(place,
                     std::to_string(layer.weights.size()) + " weights for a shape of " + std::to_string(layer.rows) +
                         " × " + std::to_string(layer.cols),
                     "give rows × cols");
  }
  validate_channels(place, "box_lower", layer.box_lower.size(), layer.cols, false);
  validate_channels(place, "box_upper", layer.box_upper.size(), layer.cols, false);
  validate_channels(place, "offset", layer.offset.size(), layer.cols, true);
  if (layer.box_lower.size() != layer.box_upper.size()) {
    throw InputError(place, "box_lower and box_upper differ in size", "give both per channel, or both for all");
  }
  for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
    const IntegerRange box{layer.box_lower[k], layer.box_upper[k]};
    if (box.lower > box.upper || box.lower < -largest_operand || box.upper > largest_operand) {
      throw InputError(place, "box " + text_of(box) + " of channel " + std::to_string(k),
                       "lower ≤ upper, within ±" + std::to_string(largest_operand));
    }
  }
  for (std::size_t k = 0; k < layer.offset.size(); ++k) {
    if (std::abs(std::int64_t{layer.offset[k]}) > largest_operand) {
      throw InputError(place, "offset " + std::to_string(layer.offset[k]) + " of channel " + std::to_string(k),
                       "within ±" + std::to_string(largest_operand));
    }
  }
  if (layer.input_limit < 0 || layer.input_limit > largest_input_limit) {
    throw InputError(place, "an input limit of " + std::to_string(layer.input_limit), "1 to 2^48, or 0 for no limit");
  }
  for (std::size_t k = 0; layer.input_limit != 0 && k < layer.box_lower.size(); ++k) {
    if (layer.box_lower[k] > 0 || layer.box_upper[k] < 0) {
      throw InputError(place,
                       "box " + text_of({layer.box_lower[k], layer.box_upper[k]}) + " of channel " + std::to_string(k) +
                           " excludes 0, and the inputs' magnitudes are limited",
                       "use signed or re-centred activations");
    }
  }
  if (layer.zero_point_spread < 0 || layer.zero_point_spread > largest_operand) {
    throw InputError(place, "a spread of zero points of " + std::to_string(layer.zero_point_spread),
                     "0 to " + std::to_string(largest_operand));
  }
  if (!layer.bias.empty() && layer.bias.size() != static_cast<std::size_t>(layer.rows)) {
    throw InputError(place, std::to_string(layer.bias.size()) + " biases for " + std::to_string(layer.rows) + " rows",
                     "give one per row, or none");
  }
  for (std::size_t r = 0; r < layer.bias.size(); ++r) {
    if (layer.bias[r] < -largest_bias || layer.bias[r] > largest_bias) {
      throw InputError(place, "bias " + std::to_string(layer.bias[r]) + " of row " + std::to_string(r), "within ±2^62");
    }
  }
}

void validate(const IntegerLayer& layer, const Datapath& datapath) {
  validate(datapath);
  validate_shape(layer);
  const std::string place = "layer '" + layer.name + "' on datapath '" + datapath.name + "'";
  for (std::size_t k = 0; k < layer.box_lower.size(); ++k) {
    const IntegerRange box{layer.box_lower[k], layer.box_upper[k]};
    if (box.lower < datapath.activations.lower || box.upper > datapath.activations.upper) {
      throw InputError(place,
                       "box " + text_of(box) + " of channel " + std::to_string(k) + " exceeds the activation operand " +
                           text_of(datapath.activations),
                       "re-centre or clamp the activations, or choose another datapath");
    }
  }
  const IntegerRange weights = weight_range(layer.weights);
  if (weights.lower >= datapath.weights.lower && weights.upper <= datapath.weights.upper) {
    return;
  }
  for (std::size_t i = 0; i < layer.weights.size(); ++i) {
    if (layer.weights[i] < datapath.weights.lower || layer.weights[i] > datapath.weights.upper) {
      const auto at = static_cast<std::int64_t>(i);
      throw InputError(place,
                       "weight " + std::to_string(layer.weights[i]) + " at row " + std::to_string(at / layer.cols) +
                           ", column " + std::to_string(at % layer.cols) + " exceeds the weight operand " +
                           text_of(datapath.weights),
                       "clip the weights, or choose another datapath");
    }
  }
}

std::vector<std::int64_t> row_constants(const IntegerLayer& layer) {
  validate_shape(layer);
  std::vector<std::int64_t> constants = layer.bias;
  constants.resize(static_cast<std::size_t>(layer.rows), 0);
  if (layer.offset.empty()) {
    return constants;
  }
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    const std::int8_t* w = layer.row(r);
    std::int64_t sum = 0;  // Σ_k w_rk · offset_k: |Σ| ≤ 2^24 · 2^7 · 2^24
    if (layer.offset.size() == 1) {
      sum = sum_of(w, layer.cols) * layer.offset[0];
    } else {
      for (std::int64_t k = 0; k < layer.cols; ++k) {
        sum += std::int64_t{w[k]} * layer.offset[static_cast<std::size_t>(k)];
      }
    }
    constants[static_cast<std::size_t>(r)] += sum;
  }
  return constants;
}

std::vector<IntegerRange> row_constant_ranges(const IntegerLayer& layer) {
  const std::vector<std::int64_t> constants = row_constants(layer);
  std::vector<IntegerRange> ranges;
  ranges.reserve(constants.size());
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    const std::int64_t at_least = constants[static_cast<std::size_t>(r)];
    // At z the constant is at_least − z Σ_k w_rk, monotone in z.
    const std::int64_t sum = layer.zero_point_spread == 0 ? 0 : sum_of(layer.row(r), layer.cols);
    const std::int64_t at_greatest = at_least - layer.zero_point_spread * sum;
    ranges.push_back({std::min(at_least, at_greatest), std::max(at_least, at_greatest)});
  }
  return ranges;
}

}  // namespace axe
