// A register as a bit vector; see bit_stage.hpp. Main function: BitStage::settle. No side effects beyond those of the solver.
#include "axecert/smt/bit_stage.hpp"

#include <stdexcept>

namespace axe::smt {

unsigned bits_for(int128 magnitude) {
  unsigned bits = 1;
  for (int128 rest = magnitude < 0 ? -(magnitude + 1) : magnitude; rest > 0; rest >>= 1) {
    ++bits;
  }
  return bits;
}

BitStage::BitStage(Solver& solver, const Stage& stage, unsigned working_bits)
    : stage_(stage),
      bits_(working_bits),
      limits_(register_limits(stage)),
      lower_(solver.bits(limits_.lower, bits_)),
      upper_(solver.bits(limits_.upper, bits_)) {
  if (static_cast<unsigned>(stage.width) >= working_bits) {
    throw std::logic_error("bit vectors too narrow for the stage");
  }
}

Register BitStage::settle(const z3::expr& exact, const z3::expr& overflowed) const {
  const z3::expr out = outside(exact);
  if (stage_.overflow == Overflow::saturate) {
    return {z3::ite(signed_greater(exact, upper_), upper_, z3::ite(signed_less(exact, lower_), lower_, exact)),
            overflowed || out};
  }
  const auto width = static_cast<unsigned>(stage_.width);
  const z3::expr wrapped = z3::sext(exact.extract(width - 1, 0), bits_ - width);
  // Inside (symmetric or full) limits, wrapping changes nothing.
  return {wrapped, overflowed || out};
}

}  // namespace axe::smt
