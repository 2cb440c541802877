// Chooses the product and hands it the epilogue; see requantized_linear.hpp. No side effects.
#include "axecert/inference/requantized_linear.hpp"

#include <algorithm>

namespace axe {
namespace {

using Product = std::variant<ExactProduct, CertifiedProduct>;

Product product_of(const IntegerLayer& layer, const std::optional<Licence>& licence) {
  const Topology topology = RequantizedLinear::topology(layer);
  if (!licence) {
    return Product(std::in_place_type<ExactProduct>, layer, topology);
  }
  const bool small =
      std::all_of(layer.weights.begin(), layer.weights.end(), [](std::int8_t w) { return w >= -8 && w <= 7; });
  return Product(std::in_place_type<CertifiedProduct>, *licence, layer, topology,
                 small ? WeightPacking::nibbles : WeightPacking::bytes);
}

}  // namespace

Topology RequantizedLinear::topology(const IntegerLayer& layer) {
  return Topology(parse_datapath("onnx-matmulinteger"), layer.cols);
}

RequantizedLinear::RequantizedLinear(const IntegerLayer& layer, std::vector<float> multipliers,
                                     std::int32_t output_zero_point, const std::optional<Licence>& licence)
    : rows_(layer.rows),
      cols_(layer.cols),
      base_(layer.box_lower.empty() ? 0 : *std::min_element(layer.box_lower.begin(), layer.box_lower.end())),
      multipliers_(std::move(multipliers)),
      zero_point_(output_zero_point),
      product_(product_of(layer, licence)) {}

std::string RequantizedLinear::kernel() const {
  if (const auto* certified = std::get_if<CertifiedProduct>(&product_)) {
    return "certified " + axe::to_text(certified->target()) + ", tiles of " + std::to_string(certified->tile()) + ", " +
           axe::to_text(certified->packing());
  }
  return "exact " + axe::to_text(std::get<ExactProduct>(product_).target());
}

}  // namespace axe
