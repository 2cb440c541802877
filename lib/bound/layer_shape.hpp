// What every function of this room asks of a layer before it touches it: sizes and magnitudes, but not whether the
// operands suit a datapath (that is `validate` in integer_layer.hpp, which looks at every weight).
#pragma once

#include "axecert/bound/integer_layer.hpp"

namespace axe {

/// Throws InputError (naming the layer) unless the sizes agree and every limit of IntegerLayer holds. O(rows + cols).
void validate_shape(const IntegerLayer& layer);

/// Throws InputError unless `topology` is of layer.cols terms.
void validate_topology(const IntegerLayer& layer, const Topology& topology);

}  // namespace axe
