// A register as a bit vector: P bits are held as the sign extension of themselves in W > P bits; one addition is exact in W bits and then
// wraps, saturates, or (undefined) wraps, with a flag when the exact sum left the limits: the meaning of axe::step, written once more.
// `BitStage::step` is the main function. No side effects beyond those of the solver that it is given.
#pragma once

#include "axecert/datapath/datapath.hpp"
#include "axecert/smt/solver.hpp"

namespace axe::smt {

/// Bits of two's complement that hold every value of magnitude up to `magnitude`.
unsigned bits_for(int128 magnitude);

/// Signed comparisons under names that say so: z3's operators on bit vectors are signed too, but do not look it.
inline z3::expr signed_greater(const z3::expr& a, const z3::expr& b) {
  return z3::sgt(a, b);
}
inline z3::expr signed_less(const z3::expr& a, const z3::expr& b) {
  return z3::slt(a, b);
}

/// A register after some additions.
struct Register {
  z3::expr content;     ///< W bits
  z3::expr overflowed;  ///< some step left the limits
};

/// The bit-vector meaning of registers of one stage, in W-bit arithmetic that never overflows itself.
class BitStage {
 public:
  /// `working_bits` is W. Throws std::logic_error unless W > P.
  BitStage(Solver& solver, const Stage& stage, unsigned working_bits);

  Register start(const z3::expr& initial) const { return settle(initial, initial.ctx().bool_val(false)); }
  Register step(const Register& before, const z3::expr& value) const {
    return settle(before.content + value, before.overflowed);
  }
  z3::expr outside(const z3::expr& exact) const { return signed_greater(exact, upper_) || signed_less(exact, lower_); }
  const z3::expr& lower() const { return lower_; }
  const z3::expr& upper() const { return upper_; }

 private:
  Register settle(const z3::expr& exact, const z3::expr& overflowed) const;

  Stage stage_;
  unsigned bits_;
  IntegerRange limits_;
  z3::expr lower_;
  z3::expr upper_;
};

}  // namespace axe::smt
