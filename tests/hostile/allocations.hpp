// How much memory the program holds at most: every malloc, new and their kin is counted. Main functions: watch, most_held. Side effects: those of
// malloc, which is replaced (under AddressSanitizer its hooks are used).
#pragma once

#include <cstddef>

namespace axe::hostile {

/// From now on the greatest is that of what is held beyond what is held now.
void watch();
/// The greatest since then, in bytes.
std::size_t most_held();

}  // namespace axe::hostile
