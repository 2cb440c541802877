// Puts wanted integers into wanted registers: which products sum to a total, all of one sign so that no register on the way passes
// it. `Registers::put` is the main function. No side effects.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "axecert/datapath/datapath.hpp"
#include "axecert/probe/dot_product.hpp"

namespace axe {

/// Operands of one product.
struct Factors {
  std::int32_t x = 0;
  std::int8_t w = 0;
};

/// The products that a multiplier can make.
class Multiplier {
 public:
  /// Both ranges contain 0, and some product is 1 or −1 (throws InputError otherwise).
  Multiplier(IntegerRange activations, IntegerRange weights);

  IntegerRange activations() const { return activations_; }
  IntegerRange weights() const { return weights_; }
  std::int64_t most() const { return most_; }    ///< largest product, ≥ 0
  std::int64_t least() const { return least_; }  ///< smallest product, ≤ 0
  Factors most_factors() const { return most_factors_; }
  Factors least_factors() const { return least_factors_; }

  /// w x = product, with the largest |w|; nothing when there are none.
  std::optional<Factors> factor(std::int64_t product) const;
  /// At most `count` products of the sign of `total` that sum to it; nothing when none were found.
  std::optional<std::vector<Factors>> sum(std::int64_t total, std::int64_t count) const;

 private:
  std::optional<std::vector<Factors>> two(std::int64_t total) const;

  IntegerRange activations_, weights_;
  std::int64_t most_ = 0, least_ = 0;
  Factors most_factors_, least_factors_;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, std::optional<std::vector<Factors>>> known_sums_;
};

/// The registers that `stages` leave of a dot product (the products themselves when there are none yet), and how to fill them.
class Registers {
 public:
  Registers(const Multiplier& multiplier, const std::vector<Stage>& stages, std::int64_t length);

  std::int64_t count() const { return static_cast<std::int64_t>(most_.back().size()); }
  /// What register `v` can be made to hold with no overflow below it or in it: [least, most] holds 0.
  std::int64_t most(std::int64_t v) const { return most_.back()[static_cast<std::size_t>(v)]; }
  std::int64_t least(std::int64_t v) const { return least_.back()[static_cast<std::size_t>(v)]; }
  std::int64_t far(std::int64_t v, int sign) const { return sign > 0 ? most(v) : least(v); }

  DotProduct nothing() const;
  /// Adds `amount` to register `v`, which holds nothing yet. False (and `question` is spoilt) when no such products were found.
  bool put(DotProduct& question, std::int64_t v, std::int64_t amount) const;
  /// Adds `total` to the registers `members`, the first ones as full as possible.
  bool put(DotProduct& question, std::span<const std::int64_t> members, std::int64_t total) const;
  /// Sets every product below register `v` to 0.
  void clear(DotProduct& question, std::int64_t v) const;
  /// The products below register `v`, ascending.
  std::vector<std::int64_t> products_of(std::int64_t v) const;

 private:
  bool put(DotProduct& question, std::size_t level, std::int64_t node, std::int64_t amount) const;
  bool put(DotProduct& question, std::size_t level, std::span<const std::int64_t> nodes, std::int64_t total) const;

  const Multiplier& multiplier_;
  std::int64_t length_;
  std::optional<Topology> topology_;
  std::vector<std::vector<std::int64_t>> most_, least_;  // [level][node], level 0 the products
};

}  // namespace axe
