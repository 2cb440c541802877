// Finds the stages of a black box, lowest first, by questions whose answers decide: how far a set of products can be driven before
// the answer is not the integer any more, which products share the register that failed, and how it failed. `Search::run` is the
// main function; its side effects are those of the box. The method is described in docs/probe.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "axecert/datapath/datapath.hpp"
#include "axecert/probe/asker.hpp"
#include "axecert/probe/fill.hpp"

namespace axe {

/// A question by its index among those asked, and what its answer shows.
struct Evidence {
  std::size_t question = 0;
  std::string shows;
};

/// One thing that is known of the datapath, or is not.
struct Property {
  std::string stage;  ///< the stage's name; empty for the operands
  std::string name;   ///< width, overflow, limits, grouping, inner grouping, form
  std::string value;  ///< in words
  bool decided = true;
  std::vector<Evidence> evidence;
};

/// The box under an assumed offset: it is asked in the multiplier's operands x + offset, and offset · Σ w is added to its answers, so
/// that what is left is the sum of the registers.
class OffsetBox {
 public:
  OffsetBox(Asker& asker, std::int64_t offset) : asker_(asker), offset_(offset) {}
  std::int64_t ask(const DotProduct& question);
  std::size_t last_question() const { return asker_.asked().size() - 1; }

 private:
  Asker& asker_;
  std::int64_t offset_;
};

/// The answers fit no datapath of the form that is searched for; `what()` says what does not.
class NoDatapath : public std::runtime_error {
 public:
  NoDatapath(const std::string& reason, std::optional<Evidence> question)
      : std::runtime_error(reason), evidence(std::move(question)) {}
  std::optional<Evidence> evidence;
};

/// A first register that failed: what tells a raw operand from one with an offset.
struct FirstLimit {
  std::vector<std::int64_t> products;  ///< those that it adds
  std::int64_t total = 0;              ///< the last that it holds; the next integer away from 0 fails
};

class Search {
 public:
  Search(OffsetBox box, const Multiplier& multiplier, std::int64_t length)
      : box_(box), multiplier_(multiplier), length_(length) {}

  /// Throws NoDatapath.
  void run();

  const std::vector<Stage>& stages() const { return stages_; }
  const std::vector<Property>& properties() const { return properties_; }
  const std::optional<FirstLimit>& first_limit() const { return first_limit_; }

 private:
  struct Limit;
  struct Progressions;

  std::int64_t ask(const DotProduct& question) { return box_.ask(question); }
  bool deviates(const DotProduct& question);
  Evidence evidence(const std::string& shows) const { return {box_.last_question(), shows}; }
  [[noreturn]] void refuse(const std::string& reason) const;

  bool climb();
  std::optional<Limit> first_failure(const Registers& registers, int sign);
  std::vector<std::int64_t> members(const Registers& registers, Limit& limit, Progressions& found);
  bool is_register(const Registers& registers, Limit& limit, std::span<const std::int64_t> members, Property& grouping);
  void measure(const Registers& registers, Limit& limit, std::span<const std::int64_t> members, Stage& stage,
               std::vector<Property>& found);
  void measure_other_side(const Registers& registers, std::span<const std::int64_t> members, Stage& stage,
                          Property& limits);
  bool split(const Registers& registers, const Limit& limit, std::span<const std::int64_t> members, Stage& outer,
             Stage& inner, Property& grouping);
  void measure_hidden(std::size_t s);
  void finish();
  std::int64_t by_model(const DotProduct& question) const;

  OffsetBox box_;
  const Multiplier& multiplier_;
  std::int64_t length_;
  std::vector<Stage> stages_;
  std::vector<Property> properties_;
  std::optional<FirstLimit> first_limit_;
};

}  // namespace axe
