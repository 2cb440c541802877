// From a black box that multiplies integer matrices to its datapath: the stages that its answers show, what they do not show, and the
// catalogue's presets that would have answered the same. `probe` is the main function; its side effects are those of the box.
// The method, and what it can and cannot see: docs/probe.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axecert/probe/search.hpp"

namespace axe {

struct ProbeOptions {
  std::string name = "probed";       ///< of the datapath, as in validate(Datapath)
  IntegerRange activations{0, 255};  ///< codes that the box takes, within ±2^15; 0 and ±1 among them
  IntegerRange weights{-128, 127};   ///< within int8; 0 and ±1 among them
  std::int64_t longest = 8192;       ///< terms of the longest dot product asked, 2 to 2^20
  QuestionShape shape;               ///< rows and columns of every product, 1 to 256 each
  std::size_t fresh = 200;           ///< new questions at the end, which the datapath must answer right
  std::size_t most_questions = 20000;
  std::uint64_t seed = 1;  ///< of the fresh questions
};

/// A preset that answers every question as the box did, and fresh ones as the datapath found does.
struct EquivalentPreset {
  std::string name;
  std::int64_t offset = 0;          ///< added to the box's codes to make the preset's operands
  bool undefined_overflow = false;  ///< some overflow of it is undefined, and is simulated as wrapping
};

struct ProbeResult {
  bool found = false;
  std::string reason;  ///< why not
  Datapath
      datapath;  ///< valid if found; a stage whose overflow did not show has as many bits as were reached, `undefined`
  std::int64_t offset = 0;  ///< the multiplier's operand is the code plus this; −offset · Σ w is added at the end
  std::vector<Property> properties;
  std::vector<EquivalentPreset> presets;  ///< by name
  std::size_t fresh_compared = 0;         ///< fresh questions whose answer was as the datapath says
  std::optional<Evidence> contradiction;  ///< the question that no datapath of this form answers so
  std::vector<AnsweredQuestion> asked;    ///< all, in order: with them the result can be computed again
};

/// Asks `product` until its datapath is known. Throws InputError for options out of range and when the box fails, and
/// InconsistentProduct when it contradicts itself; a box of another form is a result with found = false.
ProbeResult probe(Product& product, const ProbeOptions& options);

}  // namespace axe
