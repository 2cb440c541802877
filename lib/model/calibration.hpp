// From calibration inputs to what the quantizer needs: the activation grid, and the two second-moment matrices of the
// quantized inputs. Only lib/model includes this.
#pragma once

#include <string>
#include <vector>

#include "axecert/quantize/quantize.hpp"

namespace axe {

/// The grid that spans [min(0, min x), max(0, max x)]: scale = span / (2^bits − 1), the zero point its code for 0. For signed
/// codes symmetric: scale = max|x| / (2^(bits−1) − 1), zero point 0. Throws InputError when every input is 0.
ActivationGrid calibrate_grid(const std::vector<float>& inputs, int bits, bool is_signed, const std::string& place);

/// From inputs X [tokens, problem.cols] and problem.input: fills gram (X̃ᵀX̃) and cross (X̃ᵀX), and, where they are not given,
/// output_energy (‖XWᵀ‖²_F), code_min and code_max. A grid with a limit speaks of the lowest registers of `datapath`, which may be
/// null without one. Throws InputError when a sum does not fit a float.
void accumulate(const std::vector<float>& inputs, std::int64_t tokens, LayerProblem& problem, const std::string& place,
                const Datapath* datapath = nullptr);

}  // namespace axe
