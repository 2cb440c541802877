// What a datapath is: the operand formats that its multiplier takes, and the stages that its sums pass through, each a
// register of a given width that adds a given number of values of the stage below it. Limits and widths are defined
// here and nowhere else. `parse_datapath` reads a shorthand, a preset's name or a TOML file; `Topology` says which
// products meet in which register for a dot product of K terms; machine.hpp executes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axecert/numeric/wide.hpp"

namespace axe {

/// What layers, datapaths and certificates may be: with these no sum of a dot product reaches 2^63 (bound/integer_layer.hpp).
constexpr std::int64_t largest_length = std::int64_t{1} << 24;       ///< terms of a dot product, K
constexpr std::int64_t largest_operand = std::int64_t{1} << 24;      ///< |activation operand|, |box|, |offset|
constexpr std::int64_t largest_input_limit = std::int64_t{1} << 48;  ///< of Σ|x| in one register
constexpr std::int64_t largest_bias = std::int64_t{1} << 62;         ///< |bias|, |constant|

/// What a register does with a sum that does not fit.
enum class Overflow { wrap, saturate, undefined };

/// Which values count as inside a register of P bits: `symmetric` is ±(2^(P−1) − 1), which is valid for two's
/// complement and for sign-magnitude; `full` is two's complement, [−2^(P−1), 2^(P−1) − 1].
enum class Limits { symmetric, full };

/// What a register holds before the first addition: nothing, or the row's constant (integer bias plus the corrections
/// for zero points and re-centring, see IntegerLayer).
enum class Initial { zero, constant };

/// What is proved of a register. `every_partial_sum`: the sum over every subset of its values, in every order, fits;
/// this suffices for every overflow behaviour. `final_value`: the complete sum fits; this suffices for `wrap` only.
enum class Claim { every_partial_sum, final_value };

/// How unsigned activation codes reach the multiplier. `raw`: as they are. `recentred`: minus half the code range, the
/// same for every channel. `boxed`: clamped to the channel's own range, then minus an offset of the channel, so that
/// the operand's range is a small interval around 0. The two latter are exact: the constant Σ w·offset goes to the
/// bias.
enum class ActivationForm { raw, recentred, boxed };

/// A closed interval of integers, lower ≤ upper.
struct IntegerRange {
  std::int64_t lower = 0;
  std::int64_t upper = 0;
  friend bool operator==(const IntegerRange&, const IntegerRange&) = default;
};

/// One level of a datapath. In stage s, the values of the level below (products for s = 0) are cut into blocks of
/// group × stride consecutive values; register j of a block adds the values j, j + stride, j + 2·stride, … of it. The
/// last block may be ragged. group = 0 means: all values there are (per stride lane).
struct Stage {
  std::string name;         ///< one word, [a-z0-9_-]+, for example "pair", "tile", "outer"
  int width = 32;           ///< bits, 1 to 64
  std::int64_t group = 0;   ///< values per register, 1 to 2^31 − 1, or 0 for all
  std::int64_t stride = 1;  ///< lanes that interleave, 1 to 2^31 − 1
  Overflow overflow = Overflow::wrap;
  Limits limits = Limits::symmetric;
  Initial initial = Initial::zero;
  Claim claim = Claim::every_partial_sum;
  friend bool operator==(const Stage&, const Stage&) = default;
};

/// A datapath: operand formats and stages, lowest first. If the last stage has more than one register per dot product,
/// their contents are combined outside in floating point (`outer=float`, group-wise scales) and that sum is not
/// certified.
struct Datapath {
  std::string name;                  ///< the shorthand or the preset's name; one line
  std::string title;                 ///< one sentence for people
  std::vector<std::string> sources;  ///< where the semantics were read or measured
  std::vector<std::string> notes;    ///< what follows from the stages, and what they leave out
  IntegerRange weights{-128, 127};   ///< what the multiplier takes as a weight
  IntegerRange activations{0, 255};  ///< what it takes as an activation operand
  ActivationForm form = ActivationForm::raw;
  std::vector<Stage> stages;

  // For people only: nothing computes with these, and a certificate does not hold them.
  std::string family;                       ///< where the catalogue lists it: a name of families(), or empty
  std::string pairing;                      ///< which products share a lane, in the kernel's words
  std::vector<std::string> contracts;       ///< what is asked of the operands, and by whom it is kept
  std::vector<std::string> requantization;  ///< what becomes of the last register, beyond what is certified
  std::string
      requantizer;  ///< the same as a name of bound/requantization.hpp, whose conditions certify judges; or empty
  std::vector<std::string> bugs;  ///< known ones: where they were reported, and what went wrong
};

/// Whether two datapaths have the same operands and stages, whatever their names and what is written about them.
bool same_arithmetic(const Datapath& a, const Datapath& b);

/// A group of the catalogue of presets.
struct Family {
  std::string name;   ///< one word
  std::string title;  ///< for people
};

/// The groups of the catalogue, in the order in which they are listed.
const std::vector<Family>& families();

/// The limits of `stage`'s register; for 64 bits and `full` this is all of std::int64_t.
IntegerRange register_limits(int width, Limits limits);
inline IntegerRange register_limits(const Stage& stage) {
  return register_limits(stage.width, stage.limits);
}

/// The smallest width whose register holds every value of [lower, upper]: 1 to 64, or 65 when 64 bits do not suffice.
int minimum_width(IntegerRange range, Limits limits);

/// Reads `text` as, in this order: a shorthand `axe:P=16[,T=64][,outer=32|float][,act=u8|s8|box]`; the name of a
/// preset; the path of a TOML file (it ends in .toml). Defaults: no T is one register for the whole row; outer=32;
/// act=u8. The shorthand's stages: T products → P bits (wrap, symmetric limits) → all tiles → outer bits, which starts
/// from the row's constant. Throws InputError (numeric/error.hpp) that names the text, the position and the remedy.
Datapath parse_datapath(const std::string& text);

/// Reads a datapath from TOML text; `where` names the file in errors. Unknown keys are errors.
Datapath datapath_from_toml(const std::string& toml, const std::string& where);
constexpr std::size_t longest_toml = std::size_t{1} << 20;  ///< bytes of a document: 1 MiB

/// The TOML text that datapath_from_toml reads as `datapath`. Throws InputError when it is not valid.
std::string datapath_to_toml(const Datapath& datapath);

/// Throws InputError unless every field of `datapath` is in its valid range, at most one stage starts from the
/// constant, and no stage claims only the final value unless it wraps.
void validate(const Datapath& datapath);

/// Names of the presets that were compiled in, sorted; and the TOML text of one.
std::vector<std::string> preset_names();
std::string preset_toml(const std::string& name);

/// The stages as people draw them: "64 products → 16 bits (wrap) → 9 values + constant → 32 bits (wrap)".
std::string describe(const Datapath& datapath);

std::string to_text(Overflow);        // "wrap" | "saturate" | "undefined"
std::string to_text(Limits);          // "symmetric" | "full"
std::string to_text(Initial);         // "zero" | "constant"
std::string to_text(Claim);           // "every-partial-sum" | "final-value"
std::string to_text(ActivationForm);  // "raw" | "recentred" | "boxed"

/// Which products meet in which register: the tree of a datapath over a dot product of `length` terms.
class Topology {
 public:
  /// Throws InputError when `datapath` is not valid, length < 1, or a stage that starts from the row's constant has
  /// more than one register (the constant would be added more than once).
  Topology(const Datapath& datapath, std::int64_t length);

  std::int64_t length() const { return length_; }
  std::size_t stages() const { return counts_.size(); }
  const Stage& stage(std::size_t s) const { return stages_[s]; }

  /// Whether some stage starts from the row's constant.
  bool starts_from_constant() const;

  /// Registers per dot product in stage s.
  std::int64_t nodes(std::size_t s) const { return counts_[s]; }
  /// Values of the level below that stage s adds up in all: the length for s = 0, else nodes(s − 1).
  std::int64_t values(std::size_t s) const { return s == 0 ? length_ : counts_[s - 1]; }
  /// Values per block of stage s: group × stride, at most values(s). Only the last block may be ragged.
  std::int64_t block(std::size_t s) const;
  /// The register of stage s that value v of the level below goes to.
  std::int64_t node_of_value(std::size_t s, std::int64_t v) const;
  /// The register of stage s that product k ends up in.
  std::int64_t node_of_product(std::size_t s, std::int64_t k) const;
  /// The same of every product, [length].
  std::vector<std::int64_t> nodes_of_products(std::size_t s) const;
  /// The values of the level below that register `node` of stage s adds, in the machine's order. Never empty.
  std::vector<std::int64_t> values_of(std::size_t s, std::int64_t node) const;
  /// The products below register `node` of stage s, ascending.
  std::vector<std::int64_t> products_of(std::size_t s, std::int64_t node) const;

 private:
  std::vector<Stage> stages_;
  std::int64_t length_;
  std::vector<std::int64_t> counts_;
};

}  // namespace axe
