// Multipliers per input channel that move difficulty from activations to weights or back, without changing their product
// (input_transform.hpp): SmoothQuant's closed form, and the search of its exponent by the error of the weights (AWQ) or by
// what the accumulator's budget leaves of it. `smooth_quant` and `search_equalization` are the main functions. No side effects.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "axecert/quantize/quantize.hpp"

namespace axe {

/// m_k = max|W_k|^(1−α) / max|X_k|^α (SmoothQuant, arXiv 2211.10438, eq. 4; its s is 1/m), divided by the geometric mean of
/// all m_k, each within 2^±16 of it. `absmax`, `weight_absmax` [K] ≥ 0: largest magnitude of each input channel, and of its
/// weights over all layers that share the input. A channel where one of them is 0 gets 1. α in [0, 1].
std::vector<float> smooth_quant(std::span<const float> absmax, std::span<const float> weight_absmax, double alpha);

/// What the search minimises: `weights`, the output error of weights rounded to nearest (AWQ, arXiv 2306.00978); `budget`, the
/// output error of the weights that `quantize` finds under the datapath's constraint, plus that of the activation quantizer.
enum class EqualizationGoal { weights, budget };

/// Layers that share one input, and what is known about it before any transform.
struct EqualizationProblem {
  std::string name;                       ///< of the first layer, for errors
  std::int64_t cols = 0;                  ///< K
  std::vector<std::vector<float>> weights;  ///< per layer [rows, K]
  std::vector<float> gram;                ///< XᵀX of the quantized model's inputs, not themselves quantized [K, K]
  std::vector<float> cross;               ///< with the float model's inputs as columns [K, K]; empty: taken as gram
  std::vector<float> absmax;              ///< [K]
  std::int64_t rows = 0;                  ///< inputs that gram sums, ≥ 1
  ActivationGrid input;                   ///< bits, signedness and scaling; the step follows from the candidate
};

struct Equalization {
  double alpha = -1;              ///< the exponent chosen; −1: no multiplier at all was best
  std::vector<float> multiplier;  ///< [K], all 1 when alpha is −1
  std::vector<double> scores;     ///< of no multiplier, then of each α: the error in units of ‖X‖², less a constant
};

/// Tries no multiplier and every α: for `weights` 1/m_k = (RMS of channel k)^α, for `budget` SmoothQuant's. Throws InputError on
/// α outside [0, 1] and on what `quantize` refuses.
Equalization search_equalization(const EqualizationProblem& problem, std::span<const double> alphas,
                                 EqualizationGoal goal, const Datapath& datapath, const QuantizeOptions& options);

}  // namespace axe
