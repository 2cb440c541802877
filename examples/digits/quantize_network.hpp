// Quantizes the float network layer by layer: every layer is calibrated on what the quantized layers before it really
// put out for the training images. `quantize_network` is the main function. No side effects.
#pragma once

#include "integer_network.hpp"

namespace digits {

/// What every quantization is made from; made once.
struct Calibration {
  FloatNetwork network;
  Images train;
  std::vector<std::vector<float>> inputs;  ///< of every float layer on the training images, logits last
};

/// Weights of `options.weight_bits`, hidden activations of `activation_bits` (2 to 8, unsigned, zero point 0), pixels of
/// at most 5 bits. Throws axe::InputError as axe::quantize does.
IntegerNetwork quantize_network(const Calibration& calibration, const axe::Datapath& datapath,
                                const axe::QuantizeOptions& options, int activation_bits);

/// ‖quantized − float‖ / ‖float‖ of the logits on the training images, in integers without width limits.
double logit_error(const IntegerNetwork& network, const Calibration& calibration);

/// The grid of the pixels: their own integers 0..16 when `activation_bits` is 5 or more, else as many levels as fit.
axe::ActivationGrid pixel_grid(int activation_bits);

}  // namespace digits
