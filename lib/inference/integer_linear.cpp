// Quantize the inputs, multiply in integers, scale the sums; see integer_linear.hpp.
#include "axecert/inference/integer_linear.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "axecert/numeric/error.hpp"
#include "axecert/numeric/target_clones.hpp"
#include "axecert/numeric/tasks.hpp"

namespace axe {
namespace {

constexpr std::int64_t tokens_per_block =
    96;  // their sums stay in the second-level cache for layers of a few thousand rows

using Product = std::variant<ExactProduct, CertifiedProduct, DatapathProduct>;

Product product_of(const IntegerLayer& layer, const Topology& topology, Arithmetic arithmetic,
                   const std::optional<Licence>& licence) {
  if (arithmetic == Arithmetic::datapath) {
    if (licence) {
      throw InputError("layer " + layer.name, "a licence for arithmetic \"datapath\"", "it is for \"exact\" only");
    }
    return Product(std::in_place_type<DatapathProduct>, layer, topology);
  }
  if (!licence) {
    return Product(std::in_place_type<ExactProduct>, layer, topology);
  }
  const bool small =
      std::all_of(layer.weights.begin(), layer.weights.end(), [](std::int8_t w) { return w >= -8 && w <= 7; });
  return Product(std::in_place_type<CertifiedProduct>, *licence, layer, topology,
                 small ? WeightPacking::nibbles : WeightPacking::bytes);
}

/// The same double as static_cast<double>(value), in operations that vectors have without AVX-512DQ: the low 32 bits as the tail of 2^52,
/// the high ones, offset by 2^31, as that of 2^84; both differences are exact, and their sum rounds once.
inline double to_double(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  const auto low = std::bit_cast<double>((bits & 0xffffffffU) | 0x4330000000000000U);
  const auto high = std::bit_cast<double>(((bits >> 32) ^ 0x80000000U) | 0x4530000000000000U);
  return (high - (0x1p84 + 0x1p63 + 0x1p52)) + low;
}

/// y_r = scale · Σ of one register per row: (scale_r · (sum_r + constant_r − z · weight_sum_r)) · s + bias_r, in double precision.
/// The arrays that may be empty are nullptr then.
AXECERT_CLONES void scale_sums(const std::int64_t* sums, const double* scales, const double* constants,
                               const double* weight_sums, double z, double s, const float* bias, std::int64_t rows,
                               double* totals) {
  constexpr std::int64_t at_once = 256;  // they stay in the first-level cache from one loop to the next
  for (std::int64_t first = 0; first < rows; first += at_once) {
    const std::int64_t end = std::min(first + at_once, rows);
    for (std::int64_t r = first; r < end; ++r) {
      totals[r] = to_double(sums[r]);
    }
    for (std::int64_t r = first; constants != nullptr && r < end; ++r) {
      totals[r] += constants[r];
    }
    for (std::int64_t r = first; weight_sums != nullptr && r < end; ++r) {
      totals[r] -= z * weight_sums[r];
    }
    for (std::int64_t r = first; r < end; ++r) {
      totals[r] = scales[r] * totals[r] * s;
    }
    for (std::int64_t r = first; bias != nullptr && r < end; ++r) {
      totals[r] += static_cast<double>(bias[r]);
    }
  }
}

}  // namespace

std::string to_text(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::exact ? "exact" : "datapath";
}

IntegerLinear::IntegerLinear(const QuantizedLayer& layer, const Datapath& datapath, Arithmetic arithmetic,
                             const std::optional<Licence>& licence)
    : place_("layer " + layer.layer.name),
      rows_(layer.layer.rows),
      cols_(layer.layer.cols),
      outputs_(0),
      arithmetic_(arithmetic),
      zero_point_per_token_(layer.layer.zero_point_spread > 0),
      quantizer_(layer.layer.cols, layer.transform, layer.input, layer.layer.box_lower, layer.layer.box_upper,
                 layer.shift.empty() ? std::vector<std::int32_t>{0} : layer.shift, place_, &datapath),
      product_(product_of(layer.layer, Topology(datapath, layer.layer.cols), arithmetic, licence)),
      float_bias_(layer.float_bias),
      outlier_columns_(layer.outlier_columns),
      outlier_weight_(layer.outlier_weight) {
  validate(layer.layer, datapath);
  if (layer.input.limit != layer.layer.input_limit) {
    throw InputError(place_,
                     "its activation quantizer keeps a limit of " + std::to_string(layer.input.limit) +
                         ", its claims rest on " + std::to_string(layer.layer.input_limit),
                     "use a layer as the quantizer or its file gives it");
  }
  validate_outliers(layer);
  const Topology topology(datapath, cols_);
  const std::size_t last = topology.stages() - 1;
  outputs_ = topology.nodes(last);
  if (layer.groups != 1 && layer.groups != outputs_) {
    throw InputError(place_,
                     std::to_string(layer.groups) + " scales per row for " + std::to_string(outputs_) +
                         " registers of the last stage",
                     "use the datapath that it was quantized for");
  }
  const auto entries = static_cast<std::size_t>(rows_ * outputs_);
  scales_.resize(entries);
  for (std::int64_t r = 0; r < rows_; ++r) {
    for (std::int64_t o = 0; o < outputs_; ++o) {
      scales_[static_cast<std::size_t>(r * outputs_ + o)] =
          static_cast<double>(layer.scales[static_cast<std::size_t>(layer.groups == 1 ? r : r * outputs_ + o)]);
    }
  }
  if (topology.starts_from_constant()) {
    return;  // the products add everything
  }
  constants_.assign(entries, 0);
  weight_sums_.assign(zero_point_per_token_ ? entries : 0, 0);
  for (std::int64_t r = 0; r < rows_; ++r) {
    std::vector<std::int64_t> constant(static_cast<std::size_t>(outputs_), 0), sum(constant);
    for (std::int64_t k = 0; k < cols_; ++k) {
      const auto o = static_cast<std::size_t>(topology.node_of_product(last, k));
      const std::int64_t w = layer.layer.row(r)[k];
      const std::vector<std::int32_t>& offset = layer.layer.offset;
      constant[o] += offset.empty() ? 0 : w * offset[offset.size() == 1 ? 0 : static_cast<std::size_t>(k)];
      sum[o] += w;
    }
    constant[0] += layer.layer.bias.empty() ? 0 : layer.layer.bias[static_cast<std::size_t>(r)];
    for (std::int64_t o = 0; o < outputs_; ++o) {
      const auto i = static_cast<std::size_t>(r * outputs_ + o);
      constants_[i] = static_cast<double>(constant[static_cast<std::size_t>(o)]);
      if (!weight_sums_.empty()) {
        weight_sums_[i] = static_cast<double>(sum[static_cast<std::size_t>(o)]);
      }
    }
  }
}

void IntegerLinear::forward_block(const float* x, std::int64_t first, std::int64_t n, float* y) const {
  std::vector<float> without_outliers;
  const float* inputs = x;
  if (!outlier_columns_.empty()) {
    without_outliers.assign(x, x + n * cols_);
    for (std::int64_t i = 0; i < n; ++i) {
      for (const std::int32_t column : outlier_columns_) {
        if (!std::isfinite(x[i * cols_ + column])) {  // the activation quantizer never sees it
          throw InputError(
              place_,
              "input channel " + std::to_string(column) + " of row " + std::to_string(first + i) + " is not finite",
              "the model's activations are not finite: run it in float32, or check its weights and inputs");
        }
        without_outliers[static_cast<std::size_t>(i * cols_ + column)] = 0;
      }
    }
    inputs = without_outliers.data();
  }
  const OperandRows operands = quantizer_.quantize(inputs, n, 1, first);
  Operands view{operands.biased, n, operands.base, {}};
  if (zero_point_per_token_) {  // a static one is part of the layer's offsets
    view.zero_points = operands.zero_point;
  }
  std::vector<std::int64_t> sums(static_cast<std::size_t>(n * rows_ * outputs_));
  if (const auto* exact = std::get_if<ExactProduct>(&product_)) {
    exact->multiply(view, sums);
  } else if (const auto* certified = std::get_if<CertifiedProduct>(&product_)) {
    certified->multiply(view, sums);
  } else {
    overflows_ += std::get<DatapathProduct>(product_).multiply(view, sums);
  }
  std::vector<double> totals(static_cast<std::size_t>(rows_));
  for (std::int64_t i = 0; i < n; ++i) {
    const double s = operands.scale[static_cast<std::size_t>(i)];
    const double z = operands.zero_point[static_cast<std::size_t>(i)];
    const std::int64_t* row_sums = sums.data() + i * rows_ * outputs_;
    if (outputs_ == 1) {
      scale_sums(row_sums, scales_.data(), constants_.empty() ? nullptr : constants_.data(),
                 weight_sums_.empty() ? nullptr : weight_sums_.data(), z, s,
                 float_bias_.empty() ? nullptr : float_bias_.data(), rows_, totals.data());
    }
    for (std::int64_t r = 0; outputs_ != 1 && r < rows_; ++r) {
      double total = 0;
      for (std::int64_t o = 0; o < outputs_; ++o) {
        const auto at = static_cast<std::size_t>(r * outputs_ + o);
        double value = static_cast<double>(row_sums[at]);
        value += constants_.empty() ? 0 : constants_[at];
        value -= weight_sums_.empty() ? 0 : z * weight_sums_[at];
        total += scales_[at] * value;
      }
      total *= s;
      total += float_bias_.empty() ? 0 : static_cast<double>(float_bias_[static_cast<std::size_t>(r)]);
      totals[static_cast<std::size_t>(r)] = total;
    }
    for (std::int64_t r = 0; r < rows_; ++r) {
      double total = totals[static_cast<std::size_t>(r)];
      for (std::size_t j = 0; j < outlier_columns_.size(); ++j) {
        total += static_cast<double>(x[i * cols_ + outlier_columns_[j]]) *
                 static_cast<double>(outlier_weight_[static_cast<std::size_t>(r) * outlier_columns_.size() + j]);
      }
      y[i * rows_ + r] = static_cast<float>(total);
    }
  }
}

std::string IntegerLinear::kernel() const {
  if (const auto* exact = std::get_if<ExactProduct>(&product_)) {
    return "exact " + axe::to_text(exact->target());
  }
  if (const auto* certified = std::get_if<CertifiedProduct>(&product_)) {
    return "certified " + axe::to_text(certified->target()) + ", tiles of " + std::to_string(certified->tile()) + ", " +
           axe::to_text(certified->packing());
  }
  return "datapath " + axe::to_text(std::get<DatapathProduct>(product_).target());
}

void IntegerLinear::forward(const float* x, std::int64_t n, float* y, int threads) const {
  for_each_block(n, tokens_per_block, threads, [&](std::int64_t first, std::int64_t count) {
    forward_block(x + first * cols_, first, count, y + first * rows_);
  });
}

}  // namespace axe
