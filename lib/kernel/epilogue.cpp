// Scales, rounds and narrows sums while they are near: `finish`. Side effects: writes where an epilogue says.
#include "axecert/kernel/epilogue.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "axecert/numeric/error.hpp"
#include "axecert/numeric/target_clones.hpp"

namespace axe {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

void require(bool holds, const std::string& layer, const std::string& problem, const std::string& remedy) {
  if (!holds) {
    throw InputError("product of layer '" + layer + "'", problem, remedy);
  }
}

void require_size(std::size_t size, std::int64_t wanted, const std::string& layer, const char* what) {
  require(size == static_cast<std::size_t>(wanted), layer, std::string(what) + ": " + std::to_string(size) + " entries",
          "give " + std::to_string(wanted));
}

}  // namespace

void validate(const Epilogue& epilogue, std::int64_t tokens, std::int64_t rows, std::int64_t outputs,
              std::int64_t reach, const std::string& layer) {
  const auto requantized = [&]<class Code>(const Requantized<Code>& to) {
    constexpr std::int32_t least = std::numeric_limits<Code>::min(), most = std::numeric_limits<Code>::max();
    require_size(to.out.size(), tokens * rows, layer, "room for results");
    require_size(to.multipliers.size(), to.multipliers.size() == 1 ? 1 : rows, layer, "multipliers");
    const auto bad = std::find_if_not(to.multipliers.begin(), to.multipliers.end(),
                                      [](float multiplier) { return std::isfinite(multiplier) && multiplier > 0; });
    if (bad != to.multipliers.end()) {
      require(false, layer, "multiplier " + std::to_string(*bad), "finite and greater than 0");
    }
    require(to.zero_point >= least && to.zero_point <= most, layer,
            "output zero point " + std::to_string(to.zero_point),
            "within [" + std::to_string(least) + ", " + std::to_string(most) + "]");
  };
  std::visit(
      Overloaded{
          [&](const Sums& to) { validate_result(to.out.size(), tokens, rows, outputs, layer); },
          [&](const Sums32& to) {
            validate_result(to.out.size(), tokens, rows, outputs, layer);
            require(reach <= std::numeric_limits<std::int32_t>::max(), layer,
                    "sums of magnitudes up to " + std::to_string(reach) + " do not fit 32 bits", "ask for 64 bits");
          },
          [&](const Scaled& to) {
            require_size(to.out.size(), tokens * rows, layer, "room for results");
            require_size(to.token_scales.size(), tokens, layer, "scales of tokens");
            require_size(to.scales.size(), rows * outputs, layer, "scales of rows");
            require_size(to.constants.size(), to.constants.empty() ? 0 : rows * outputs, layer, "constants");
            require_size(to.weight_sums.size(), to.weight_sums.empty() ? 0 : rows * outputs, layer, "sums of weights");
            require_size(to.zero_points.size(), to.weight_sums.empty() && to.zero_points.empty() ? 0 : tokens, layer,
                         "zero points");
            require_size(to.bias.size(), to.bias.empty() ? 0 : rows, layer, "bias");
            const auto outliers = static_cast<std::int64_t>(to.outliers);
            require_size(to.outlier_inputs.size(), tokens * outliers, layer, "outlying inputs");
            require_size(to.outlier_weights.size(), rows * outliers, layer, "weights of outlying inputs");
          },
          requantized},
      epilogue);
}

namespace kernel {
namespace {

/// The same double as static_cast<double>(value), in operations that vectors have without AVX-512DQ: the low 32 bits as the tail of 2^52,
/// the high ones, offset by 2^31, as that of 2^84; both differences are exact, and their sum rounds once.
inline double to_double(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  const auto low = std::bit_cast<double>((bits & 0xffffffffU) | 0x4330000000000000U);
  const auto high = std::bit_cast<double>(((bits >> 32) ^ 0x80000000U) | 0x4530000000000000U);
  return (high - (0x1p84 + 0x1p63 + 0x1p52)) + low;
}

/// The nearest integer, halves to the even one, for |v| ≤ 2^22: 1.5 · 2^23 + v has no bits below the ones.
inline std::int32_t round_to_even(float v) {
  constexpr float shift = 0x1.8p23F;
  return static_cast<std::int32_t>((v + shift) - shift);
}

/// Where the sums of a block are and where its results go.
struct Places {
  const std::int64_t* sums;
  std::size_t stride;  // from one token's sums to the next
  std::size_t tokens, rows;
  std::size_t out_stride;
};

/// Scaled, where all is part of the sums but perhaps the bias: one register per row, no outliers.
AXECERT_CLONES void scale_block(const Places& at, const double* __restrict scales, const double* token_scales,
                                const float* __restrict bias, float* __restrict out) {
  for (std::size_t t = 0; t < at.tokens; ++t) {
    const std::int64_t* sums = at.sums + t * at.stride;
    float* y = out + t * at.out_stride;
    const double s = token_scales[t];
    for (std::size_t r = 0; bias == nullptr && r < at.rows; ++r) {
      y[r] = static_cast<float>(scales[r] * to_double(sums[r]) * s);
    }
    for (std::size_t r = 0; bias != nullptr && r < at.rows; ++r) {
      y[r] = static_cast<float>(scales[r] * to_double(sums[r]) * s + static_cast<double>(bias[r]));
    }
  }
}

/// Likewise with what no register has added, before it is rounded to float32. The arrays that may be empty are nullptr then.
AXECERT_CLONES void scale_rows(const std::int64_t* __restrict sums, const double* scales, const double* constants,
                               const double* weight_sums, double z, double s, const float* bias, std::size_t rows,
                               double* __restrict totals) {
  for (std::size_t r = 0; r < rows; ++r) {
    totals[r] = to_double(sums[r]);
  }
  for (std::size_t r = 0; constants != nullptr && r < rows; ++r) {
    totals[r] += constants[r];
  }
  for (std::size_t r = 0; weight_sums != nullptr && r < rows; ++r) {
    totals[r] -= z * weight_sums[r];
  }
  for (std::size_t r = 0; r < rows; ++r) {
    totals[r] = scales[r] * totals[r] * s;
  }
  for (std::size_t r = 0; bias != nullptr && r < rows; ++r) {
    totals[r] += static_cast<double>(bias[r]);
  }
}

AXECERT_CLONES void to_floats(const double* __restrict totals, std::size_t rows, float* __restrict y) {
  for (std::size_t r = 0; r < rows; ++r) {
    y[r] = static_cast<float>(totals[r]);
  }
}

/// code_r = clamp(round(float(sum_r) · m_r), lower, upper) + zero_point modulo 2^8, which is int8 and uint8 alike. Clamped before it is
/// rounded, to integers: the same. At most panel_rows rows. (A loop per width of numbers is what GCC 12 makes vectors of.)
AXECERT_CLONES void requantize_block(const Places& at, const float* __restrict multipliers, float lower, float upper,
                                     std::int32_t zero_point, std::uint8_t* __restrict out) {
  float scaled[panel_rows];
  std::int32_t codes[panel_rows];
  for (std::size_t t = 0; t < at.tokens; ++t) {
    const std::int64_t* sums = at.sums + t * at.stride;
    std::uint8_t* y = out + t * at.out_stride;
    for (std::size_t r = 0; r < at.rows; ++r) {
      scaled[r] = static_cast<float>(to_double(sums[r]));
    }
    for (std::size_t r = 0; r < at.rows; ++r) {
      const float product = scaled[r] * multipliers[r];
      const float low = product < lower ? lower : product;
      codes[r] = round_to_even(low > upper ? upper : low) + zero_point;
    }
    for (std::size_t r = 0; r < at.rows; ++r) {
      y[r] = static_cast<std::uint8_t>(codes[r]);
    }
  }
}

const double* of_rows(std::span<const double> values, std::size_t at) {
  return values.empty() ? nullptr : values.data() + at;
}

void finish_scaled(const Scaled& to, const SumBlock& block) {
  const std::size_t first = block.first_row, outputs = block.outputs;
  const double* scales = to.scales.data() + first * outputs;
  const double* constants = of_rows(to.constants, first * outputs);
  const double* weight_sums = of_rows(to.weight_sums, first * outputs);
  const float* bias = to.bias.empty() ? nullptr : to.bias.data() + first;
  float* out = to.out.data() + block.first_token * block.all_rows + first;
  if (outputs == 1 && constants == nullptr && weight_sums == nullptr && to.outliers == 0) {
    scale_block({block.sums, block.token_stride, block.tokens, block.rows, block.all_rows}, scales,
                to.token_scales.data() + block.first_token, bias, out);
    return;
  }
  double totals[panel_rows];
  for (std::size_t t = 0; t < block.tokens; ++t) {
    const std::size_t token = block.first_token + t;
    const std::int64_t* sums = block.sums + t * block.token_stride;
    const double s = to.token_scales[token];
    const double z = weight_sums == nullptr ? 0 : static_cast<double>(to.zero_points[token]);
    if (outputs == 1) {
      scale_rows(sums, scales, constants, weight_sums, z, s, bias, block.rows, totals);
    }
    for (std::size_t r = 0; outputs != 1 && r < block.rows; ++r) {
      double total = 0;
      for (std::size_t o = r * outputs; o < (r + 1) * outputs; ++o) {
        double value = static_cast<double>(sums[o]);
        value += constants == nullptr ? 0 : constants[o];
        value -= weight_sums == nullptr ? 0 : z * weight_sums[o];
        total += scales[o] * value;
      }
      total *= s;
      total += bias == nullptr ? 0 : static_cast<double>(bias[r]);
      totals[r] = total;
    }
    const float* inputs = to.outlier_inputs.data() + token * to.outliers;
    for (std::size_t r = 0; to.outliers > 0 && r < block.rows; ++r) {
      const float* weights = to.outlier_weights.data() + (first + r) * to.outliers;
      for (std::size_t j = 0; j < to.outliers; ++j) {
        totals[r] += static_cast<double>(inputs[j]) * static_cast<double>(weights[j]);
      }
    }
    to_floats(totals, block.rows, out + t * block.all_rows);
  }
}

template <class Code>
void finish_requantized(const Requantized<Code>& to, const SumBlock& block) {
  const auto lower = static_cast<float>(std::numeric_limits<Code>::min() - to.zero_point);
  const auto upper = static_cast<float>(std::numeric_limits<Code>::max() - to.zero_point);
  const std::size_t first = block.first_row, outputs = block.outputs;
  float same[panel_rows];
  if (to.multipliers.size() == 1) {
    std::fill_n(same, block.rows, to.multipliers[0]);
  }
  const float* multipliers = to.multipliers.size() == 1 ? same : to.multipliers.data() + first;
  auto* out = reinterpret_cast<std::uint8_t*>(to.out.data() + block.first_token * block.all_rows + first);
  if (outputs == 1) {
    requantize_block({block.sums, block.token_stride, block.tokens, block.rows, block.all_rows}, multipliers, lower,
                     upper, to.zero_point, out);
    return;
  }
  std::int64_t whole[panel_rows];
  for (std::size_t t = 0; t < block.tokens; ++t) {
    const std::int64_t* sums = block.sums + t * block.token_stride;
    for (std::size_t r = 0; r < block.rows; ++r) {
      whole[r] = std::accumulate(sums + r * outputs, sums + (r + 1) * outputs, std::int64_t{0});
    }
    requantize_block({whole, 0, 1, block.rows, 0}, multipliers, lower, upper, to.zero_point, out + t * block.all_rows);
  }
}

}  // namespace

void finish(const Epilogue& epilogue, const SumBlock& block) {
  std::visit(Overloaded{[](const Sums&) {},
                        [&](const Sums32& to) {
                          for (std::size_t t = 0; t < block.tokens; ++t) {
                            const std::int64_t* sums = block.sums + t * block.token_stride;
                            std::int32_t* out =
                                to.out.data() +
                                ((block.first_token + t) * block.all_rows + block.first_row) * block.outputs;
                            for (std::size_t i = 0; i < block.rows * block.outputs; ++i) {
                              out[i] = static_cast<std::int32_t>(sums[i]);
                            }
                          }
                        },
                        [&](const Scaled& to) { finish_scaled(to, block); },
                        [&]<class Code>(const Requantized<Code>& to) { finish_requantized(to, block); }},
             epilogue);
}

TaskSums::TaskSums(const Epilogue& epilogue, const Tasks::Task& task, std::size_t rows, std::size_t outputs,
                   bool all_chunks, Aligned<std::int64_t>& scratch)
    : first_panel_(task.first_panel),
      outputs_(outputs),
      in_place_(false),
      reused_(false),
      token_stride_(rows * outputs),
      first_(nullptr) {
  if (const auto* sums = std::get_if<Sums>(&epilogue)) {
    in_place_ = true;
    first_ = sums->out.data() + task.first_token * token_stride_ + task.first_panel * panel_rows * outputs;
    return;
  }
  reused_ = all_chunks;
  token_stride_ = (all_chunks ? 1 : task.end_panel - task.first_panel) * panel_rows * outputs;
  scratch.resize(
      std::max(scratch.size(), (all_chunks ? most_tokens : task.end_token - task.first_token) * token_stride_));
  first_ = scratch.data();
}

}  // namespace kernel
}  // namespace axe
