// Calibration inputs → activation grid, H = X̃ᵀX̃, G = X̃ᵀX and ‖XWᵀ‖²_F, block by block of tokens with BLAS in double
// precision. `accumulate` is the main function. No side effects.
#include "axecert/model/calibration.hpp"

#include <cblas.h>

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "axecert/numeric/error.hpp"
#include "axecert/quantize/input_quantizer.hpp"

namespace axe {

ActivationGrid calibrate_grid(const std::vector<float>& inputs, int bits, bool is_signed, const std::string& place) {
  double least = 0, most = 0;  // 0 must have a code
  for (const float x : inputs) {
    least = std::min(least, static_cast<double>(x));
    most = std::max(most, static_cast<double>(x));
  }
  ActivationGrid grid;
  grid.bits = bits;
  grid.is_signed = is_signed;
  if (is_signed) {
    grid.scale = std::max(-least, most) / grid.code_upper();
    grid.zero_point = 0;
  } else {
    grid.scale = (most - least) / grid.code_upper();
    if (grid.scale > 0) {
      grid.zero_point = static_cast<std::int32_t>(
          std::clamp(std::round(-least / grid.scale), 0.0, static_cast<double>(grid.code_upper())));
    }
  }
  if (!(grid.scale >= static_cast<double>(FLT_MIN))) {
    throw InputError(
        place,
        grid.scale > 0 ? "the inputs are so small that their scale is denormal" : "every calibration input is zero",
        "calibrate on inputs that occur, or give input_scale and input_zero_point");
  }
  return grid;
}

void accumulate(const std::vector<float>& inputs, std::int64_t tokens, LayerProblem& problem, const std::string& place,
                const Datapath* datapath) {
  const std::int64_t cols = problem.cols, rows = problem.rows;
  const auto n = static_cast<std::size_t>(cols);
  const auto r = static_cast<std::size_t>(rows);
  const ActivationGrid& grid = problem.input;
  constexpr std::int64_t block_tokens = 512;
  const bool want_energy = problem.output_energy < 0;
  const bool want_codes = problem.code_min.empty();
  if (want_codes) {
    problem.code_min.assign(n, grid.code_upper());
    problem.code_max.assign(n, grid.code_lower());
  }

  // With c = code − zero point, an integer of at most 9 bits, X̃ = scale · c. When the scale is the tensor's, it waits: CᵀC is summed
  // in double without any rounding (2^16 · tokens < 2^53), so H has one rounding per entry and does not depend on blocks. A token's
  // own scale stands beside its codes, and `grid.scale` is 1.
  const InputQuantizer quantizer(cols, {}, grid, {grid.code_lower()}, {grid.code_upper()}, {0}, place, datapath);
  std::vector<double> centred(static_cast<std::size_t>(block_tokens) * n), real(centred.size());
  std::vector<double> gram(n * n, 0.0), cross(n * n, 0.0);
  std::vector<double> weight, output;
  if (want_energy) {
    weight.assign(problem.weight.begin(), problem.weight.end());
    output.resize(static_cast<std::size_t>(block_tokens) * r);
  }
  double energy = 0;
  for (std::int64_t begin = 0; begin < tokens; begin += block_tokens) {
    const std::int64_t count = std::min(block_tokens, tokens - begin);
    const float* x = inputs.data() + static_cast<std::size_t>(begin) * n;
    const OperandRows operands = quantizer.quantize(x, count, 1, begin);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count) * n; ++i) {
      const std::size_t token = i / n, channel = i % n;
      const std::int32_t code = operands.biased[i] + operands.base;
      const double own_scale = grid.scaling == ActivationScaling::token ? operands.scale[token] : 1.0;
      real[i] = x[i];
      centred[i] = own_scale * (code - operands.zero_point[token]);
      if (want_codes) {
        problem.code_min[channel] = std::min(problem.code_min[channel], code);
        problem.code_max[channel] = std::max(problem.code_max[channel], code);
      }
    }
    const int k = static_cast<int>(cols), t = static_cast<int>(count), m = static_cast<int>(rows);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, k, t, 1.0, centred.data(), k, 1.0, gram.data(), k);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, k, t, 1.0, centred.data(), k, real.data(), k, 1.0,
                cross.data(), k);
    if (want_energy) {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, m, k, 1.0, real.data(), k, weight.data(), k, 0.0,
                  output.data(), m);
      for (std::size_t i = 0; i < static_cast<std::size_t>(count) * r; ++i) {
        energy += output[i] * output[i];
      }
    }
  }
  problem.gram.resize(n * n);
  problem.cross.resize(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const double h = gram[std::min(i, j) * n + std::max(i, j)] * grid.scale * grid.scale;
      const double g = cross[i * n + j] * grid.scale;
      if (!(std::fabs(h) <= static_cast<double>(FLT_MAX) && std::fabs(g) <= static_cast<double>(FLT_MAX))) {
        throw InputError(place, "the sum of squares of channel " + std::to_string(i) + " does not fit a float",
                         "scale the inputs");
      }
      problem.gram[i * n + j] = static_cast<float>(h);
      problem.cross[i * n + j] = static_cast<float>(g);
    }
  }
  if (want_energy) {
    problem.output_energy = energy > 0 ? energy : -1;  // all-zero outputs: no relative error
  }
}

}  // namespace axe
