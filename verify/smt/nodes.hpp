// The registers of a certificate, numbered by layer, row, stage, node, and what each adds up, as this voter sees it: products,
// values of the level below, initial value, final range. `Nodes` is the main class. No side effects. Nothing of lib/bound's
// ranges is used: sums are formed here, in 128 bits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "axecert/certificate/certificate.hpp"

namespace axe::smt {

struct WideRange {
  int128 lower = 0;
  int128 upper = 0;
};

/// A list of lists in two arrays.
struct Lists {
  std::vector<std::int64_t> items;
  std::vector<std::size_t> begins{0};
  std::span<const std::int64_t> operator[](std::int64_t i) const {
    const std::size_t begin = begins[static_cast<std::size_t>(i)];
    return {items.data() + begin, begins[static_cast<std::size_t>(i) + 1] - begin};
  }
  void add(const std::vector<std::int64_t>& list) {
    items.insert(items.end(), list.begin(), list.end());
    begins.push_back(items.size());
  }
};

/// One layer's registers.
class LayerNodes {
 public:
  explicit LayerNodes(const LayerClaims& claims);

  const LayerClaims& claims() const { return *claims_; }
  const IntegerLayer& layer() const { return claims_->layer; }
  const Topology& topology() const { return topology_; }
  std::int64_t per_row() const { return per_row_; }
  std::int64_t count() const { return per_row_ * claims_->layer.rows; }
  NodeId place(std::int64_t index) const;

  IntegerRange claimed(NodeId id) const;
  IntegerRange limits(std::size_t stage) const { return register_limits(topology_.stage(stage)); }
  /// The claimed range lies within the register's limits.
  bool fits(NodeId id) const {
    const IntegerRange range = claimed(id), most = limits(id.stage);
    return most.lower <= range.lower && range.upper <= most.upper;
  }
  Claim claim(std::size_t stage) const { return topology_.stage(stage).claim; }

  /// Products below a register, and the values that it adds (products for stage 0, else registers of stage − 1).
  std::span<const std::int64_t> products(std::size_t stage, std::int64_t node) const { return products_[stage][node]; }
  std::span<const std::int64_t> values(std::size_t stage, std::int64_t node) const { return values_[stage][node]; }

  bool uniform_box() const { return claims_->layer.box_lower.size() == 1 && claims_->layer.box_upper.size() == 1; }
  /// Every channel's box holds 0.
  bool box_holds_zero() const { return box_holds_zero_; }

  /// What a row's constant is at every zero point z above the least: at_least + slope · z, 0 ≤ z ≤ spread().
  struct Constant {
    int128 at_least = 0;  ///< bias_r + Σ_k w_rk · offset_k, exactly
    int128 slope = 0;     ///< −Σ_k w_rk; 0 when the zero point cannot vary
    friend bool operator==(const Constant&, const Constant&) = default;
    Constant operator*(std::int64_t times) const { return {at_least * times, slope * times}; }
  };
  Constant constant(std::int64_t row) const { return constants_[static_cast<std::size_t>(row)]; }
  std::int64_t spread() const { return claims_->layer.zero_point_spread; }
  /// Both ends of a constant over z.
  WideRange ends(Constant constant) const;
  /// What the register itself starts from, and the sum of that over all registers below it and itself.
  Constant initial(NodeId id) const;
  Constant initial_below(NodeId id) const;

  /// The complete sum's range: initial values + [Σ min(w l, w h), Σ max(w l, w h)] over the products below; under an input
  /// limit, the limited sums of the registers of the lowest stage below.
  WideRange final_range(NodeId id) const;

  /// Under an input limit L, the end of a register of the lowest stage as linear duality states it, initial value apart: with
  /// caps c_k (how far |x_k| can go in the direction that helps), θ L + Σ (|w_k| − θ)⁺ c_k for the θ that makes it least.
  /// Every θ ≥ 0 gives an upper bound of Σ w x, because w x ≤ (|w| − θ)⁺ c + θ |x|.
  struct Dual {
    std::int64_t theta = 0;
    int128 excess = 0;  ///< Σ (|w_k| − θ)⁺ c_k
    int128 bound(std::int64_t limit) const { return int128{theta} * limit + excess; }
    friend bool operator==(const Dual&, const Dual&) = default;
  };
  /// For −Σ w x with Side::lower.
  Dual dual(std::int64_t row, std::int64_t node, Side side) const;

  /// Registers of the lowest stage below a register, itself in stage 0.
  std::span<const std::int64_t> lowest(std::size_t stage, std::int64_t node) const { return lowest_[stage][node]; }

 private:
  const LayerClaims* claims_;
  Topology topology_;
  std::int64_t per_row_ = 0;
  std::vector<std::int64_t> first_;  ///< [stage]: number of a row's first register of that stage
  std::vector<Lists> products_;
  std::vector<Lists> values_;
  std::vector<Lists> lowest_;                               ///< like products_, of registers of stage 0
  std::vector<std::vector<std::int64_t>> constants_below_;  ///< [stage][node]: registers that start from the constant
  std::vector<Constant> constants_;
  bool box_holds_zero_ = true;
};

/// All layers of a certificate. Only for certificates without shape findings.
class Nodes {
 public:
  explicit Nodes(const Certificate& certificate);
  std::int64_t count() const { return first_.back(); }
  std::size_t layers() const { return layers_.size(); }
  std::size_t layer_of(std::int64_t job) const;
  /// The number of layer i's first node.
  std::int64_t first(std::size_t i) const { return first_[i]; }
  const LayerNodes& layer(std::size_t i) const { return layers_[i]; }
  NodeId place(std::int64_t job) const;

 private:
  std::vector<LayerNodes> layers_;
  std::vector<std::int64_t> first_{0};
};

std::string to_text(WideRange range);  // "[-3, 4]"

/// What a file about a layer, or about one of its registers, is called before the first word of its own.
std::string file_stem(const std::string& layer);
std::string file_stem(const LayerNodes& of, NodeId id);

}  // namespace axe::smt
