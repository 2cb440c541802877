// Correctors: how the error of columns already quantized changes the candidate of the next one. Every corrector has one
// form, so that the sweep knows no cases: with columns in sweep order,
//
//     v_t = base_t + Σ_{j<t} coupling_jt · x_j,
//
// where x_j is what the corrector observed of column j. `make_corrector` builds base and coupling.
//
// | corrector | base_t                                 | coupling_jt        | x_j                            |
// | none      | w_t                                    | 0                  |                                |
// | OPTQ      | w_t or w*_t                            | −U_jt / U_jj       | v_j − s q_j (the whole error)  |
// | Qronos    | w*_t, first column as GPFQ sees it     | as OPTQ            | as OPTQ                        |
// | GPFQ      | Σ_{j≤t} G_tj w_j / H_tt                | −H_tj / H_tt       | s q_j                          |
//
// with (H + ηI)⁻¹ = UᵀU, U upper triangular, η a fraction of the mean diagonal, and W* = W Gᵀ (H + ηI)⁻¹ with an η
// of its own (QuantizeOptions::target_dampening).
// Sources: OPTQ (arXiv 2210.17323) Alg. 1; GPFQ in the memory-efficient form of AXE (arXiv 2409.17092); Qronos (arXiv
// 2505.11695): its first step minimises ‖Xw − q_0 X̃_0 − X̃_{>0} w_{>0}‖ over q_0, its later ones diffuse as OPTQ around the
// least-squares solution W*.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "axecert/quantize/quantize.hpp"

namespace axe {

struct ErrorCorrection {
  std::vector<std::int64_t> order;  ///< [K] column of each step
  std::vector<float> coupling;     ///< [K, K] in sweep order, row j: the effect of x_j on later columns; empty for none
  bool observes_integers = false;  ///< x_j = s q_j (GPFQ) rather than an error
  std::vector<std::uint8_t> dead;  ///< [K] by column: 1 when H_kk = 0; such a column is quantized to 0
  std::vector<float> target_operator;  ///< X = (H + ηI)⁻¹ G [K, K], so that W*ᵀ = X Wᵀ; empty when W* is not aimed at
  int dampening_raised = 0;            ///< times that η was raised tenfold, both factorizations together
  double dampening = 0;                ///< what the diffusion used
  double target_dampening = 0;         ///< what the corrected target used
};

/// Whether the sweep aims at W* (GPFQ has the mismatch of its inputs in its base already).
bool aims_at_corrected_target(const QuantizeOptions& options);

/// Factorizes H. When H + ηI is not positive definite to working precision, η is raised tenfold (at most 8 times) and the
/// number of raises recorded; the constraint is never given up. Throws InputError when even that does not help.
ErrorCorrection make_correction(const LayerProblem& problem, const QuantizeOptions& options);

/// What the sweep aims at, [K, rows of the block] in column order, for rows [first, first + count) of the problem: W, or W*
/// when `corrected`; dead columns 0.
std::vector<float> sweep_target(const LayerProblem& problem, const ErrorCorrection& correction, bool corrected,
                                std::int64_t first, std::int64_t count);

/// base in sweep order [K, count], from the block's target [K, count] in column order.
std::vector<float> sweep_base(const LayerProblem& problem, const ErrorCorrection& correction, Corrector corrector,
                              const std::vector<float>& target, std::int64_t first, std::int64_t count);

/// G W ᵀ of the block, [count, K]: the linear term of the calibration error.
std::vector<float> cross_term(const LayerProblem& problem, std::int64_t first, std::int64_t count);

}  // namespace axe
