// The width that data types alone ask for, as published and exactly, by integers only. `data_type_bound` is the main
// function. No side effects.
#include "axecert/bound/range.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

/// Bits of m in binary: the least b with m < 2^b.
int bit_length(uint128 m) {
  int bits = 0;
  for (; m != 0; m >>= 1) {
    ++bits;
  }
  return bits;
}

}  // namespace

DataTypeBound data_type_bound(std::int64_t length, int weight_bits, int activation_bits, bool activations_signed) {
  const auto refuse = [](const std::string& problem, const std::string& remedy) {
    throw InputError("data-type bound", problem, remedy);
  };
  if (length < 1) {
    refuse("a dot product of " + std::to_string(length) + " terms", "at least one term");
  }
  if (weight_bits < 1 || weight_bits > 32 || activation_bits < 1 || activation_bits > 32) {
    refuse(std::to_string(weight_bits) + "-bit weights and " + std::to_string(activation_bits) + "-bit activations",
           "1 to 32 bits");
  }
  const auto terms = static_cast<uint128>(length);
  const int signed_bit = activations_signed ? 1 : 0;
  // A2Q eqs. 9–10 with a = log2 K + N + M − 1 − 1_signed:  a + log2(1 + 2^−a) + 1 = log2(2^a + 1) + 1, and
  // 2^a = K · 2^(N+M−1−1_signed) is an integer m, so ⌈log2(m + 1)⌉ = bit_length(m). At most 2^63 · 2^63.
  const uint128 published = terms << (activation_bits + weight_bits - 1 - signed_bit);
  // The sum of largest magnitude: every weight −2^(M−1), every input 2^N − 1, or −2^(N−1) when signed. A symmetric
  // register of P bits holds it iff 2^(P−1) − 1 is no less, that is P − 1 ≥ bit_length.
  const uint128 input = activations_signed ? uint128{1} << (activation_bits - 1) : (uint128{1} << activation_bits) - 1;
  const uint128 extreme = terms * (uint128{1} << (weight_bits - 1)) * input;
  return {bit_length(published) + 1, bit_length(extreme) + 1};
}

}  // namespace axe
