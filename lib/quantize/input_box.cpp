// What the multiplier sees of an input channel: raw, re-centred and boxed activation codes; see input_box.hpp.
#include "axecert/quantize/input_box.hpp"

#include <algorithm>
#include <cmath>

#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

InputBox boxed(const LayerProblem& problem, double headroom) {
  const auto K = static_cast<std::size_t>(problem.cols);
  if (problem.code_min.size() != K || problem.code_max.size() != K) {
    throw InputError("layer " + problem.name, "boxes per channel need calibrated code ranges",
                     "give NAME.input_code_min and NAME.input_code_max, or NAME.inputs, or use act=u8 or act=s8");
  }
  InputBox box;
  for (std::size_t k = 0; k < K; ++k) {
    const std::int32_t least = problem.code_min[k], most = problem.code_max[k];
    if (least > most || least < problem.input.code_lower() || most > problem.input.code_upper()) {
      throw InputError("layer " + problem.name,
                       "input " + std::to_string(k) + " has calibrated codes [" + std::to_string(least) + ", " +
                           std::to_string(most) + "]",
                       "smallest ≤ largest, within [" + std::to_string(problem.input.code_lower()) + ", " +
                           std::to_string(problem.input.code_upper()) + "]");
    }
    const auto room = static_cast<std::int32_t>(std::ceil(headroom * (most - least))) + 1;
    const std::int32_t low = std::max(problem.input.code_lower(), least - room);
    const std::int32_t high = std::min(problem.input.code_upper(), most + room);
    // (low + high) / 2 rounded up: upper ≤ |lower| ≤ upper + 1, and the widest box, 256 codes, is [−128, 127].
    const std::int32_t middle = static_cast<std::int32_t>(floor_div(low + high + 1, 2));
    box.lower.push_back(low - middle);
    box.upper.push_back(high - middle);
    box.shift.push_back(middle);
  }
  return box;
}

}  // namespace

InputBox make_input_box(const LayerProblem& problem, const Datapath& datapath, double headroom) {
  const std::int32_t low = problem.input.code_lower(), high = problem.input.code_upper();
  InputBox box;
  switch (datapath.form) {
    case ActivationForm::raw:
      box = {{low}, {high}, {0}, 0};
      break;
    case ActivationForm::recentred: {
      const std::int32_t centre = problem.input.is_signed ? 0 : 1 << (problem.input.bits - 1);
      box = {{low - centre}, {high - centre}, {centre}, 0};
      break;
    }
    case ActivationForm::boxed:
      box = boxed(problem, headroom);
      break;
  }
  box.zero_point_spread = problem.input.zero_point_spread();
  for (std::size_t k = 0; k < box.lower.size(); ++k) {
    if (box.lower[k] < datapath.activations.lower || box.upper[k] > datapath.activations.upper) {
      throw InputError("layer " + problem.name,
                       "operands [" + std::to_string(box.lower[k]) + ", " + std::to_string(box.upper[k]) +
                           "] do not fit the datapath's activations [" + std::to_string(datapath.activations.lower) +
                           ", " + std::to_string(datapath.activations.upper) + "]",
                       "choose another operand form (act=u8, s8 or box) or activation quantizer");
    }
  }
  return box;
}

}  // namespace axe
