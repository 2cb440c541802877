// Finds the stages of a black box; see search.hpp. Main function: Search::run, which climbs from the products to the last register.
// Side effects: those of the box.
//
// A level's values are the registers found so far (the products at first). They can be filled one by one, so at every level the
// same four things are asked:
//   1. first_failure: the smallest n such that the first n values, each as full as it gets, do not add up any more;
//   2. members: with that register exactly full, one unit more in any value of it shows, in any other value it does not;
//   3. measure: how far it goes, and what one unit more, and two, make of it;
//   4. split: in a saturating register, +1 then −1 loses a unit unless the two were added to one another before.
#include "axecert/probe/search.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "axecert/probe/simulated_product.hpp"

namespace axe {
namespace {

using Members = std::vector<std::int64_t>;

std::string number(std::int64_t value) {
  return std::to_string(value);
}

bool is_power_of_two(std::int64_t value) {
  return value > 0 && std::has_single_bit(static_cast<std::uint64_t>(value));
}

/// log2 of a power of two.
int exponent(std::int64_t power) {
  return std::countr_zero(static_cast<std::uint64_t>(power));
}

std::string values_in_words(std::int64_t count, bool products) {
  return number(count) + (products ? " product" : " value") + (count == 1 ? "" : "s");
}

/// The width of a two's complement (or symmetric) register whose largest size on the side of `sign` is `most`; 0: there is none.
int width_of(std::int64_t most, int sign) {
  if (is_power_of_two(most + 1)) {  // 2^(P−1) − 1
    return exponent(most + 1) + 1;
  }
  return sign < 0 && is_power_of_two(most) ? exponent(most) + 1 : 0;
}

}  // namespace

std::int64_t OffsetBox::ask(const DotProduct& question) {
  return asker_.ask(in_codes(question, offset_)) + offset_ * weight_sum(question);
}

/// The first register of a level that fails.
struct Search::Limit {
  int sign = 1;
  std::int64_t prefix = 0;  ///< values 0 … prefix − 1 at their far ends fail, one fewer do not
  bool alone = false;       ///< value 0 alone fails
  /// Values 0 … prefix − 1 at their far ends, those of `keep` only; but the first and the last hold `amount` between them.
  std::function<std::optional<DotProduct>(std::int64_t amount, const std::vector<bool>* keep)> state;
  std::int64_t exact_amount = 0;    ///< the largest that does not fail, as a size
  std::int64_t failing_amount = 0;  ///< the next that was found to fail
  std::int64_t step = 1;            ///< an increase that fails, and is itself a product
  std::int64_t most = 0;            ///< the largest size that the register holds
  std::int64_t bracket = 1;         ///< most + bracket is the next that was asked
  Overflow overflow = Overflow::undefined;
};

/// Members of a register: i·inner_step + j·outer_step, i < inner_count, j < outer_count.
struct Search::Progressions {
  std::int64_t inner_step = 1, inner_count = 1, outer_step = 0, outer_count = 1;

  Members list() const {
    Members result;
    for (std::int64_t j = 0; j < outer_count; ++j) {
      for (std::int64_t i = 0; i < inner_count; ++i) {
        result.push_back(j * outer_step + i * inner_step);
      }
    }
    return result;
  }
};

bool Search::deviates(const DotProduct& question) {
  return ask(question) != exact_value(question);
}

void Search::refuse(const std::string& reason) const {
  throw NoDatapath(reason, Evidence{box_.last_question(), reason});
}

std::int64_t Search::by_model(const DotProduct& question) const {
  Datapath datapath;
  datapath.name = "probed";
  datapath.stages = stages_;
  return Simulator(datapath).value(question).value;
}

void Search::run() {
  const Factors unit = multiplier_.factor(1) ? *multiplier_.factor(1) : multiplier_.factor(-1).value();
  for (const Factors factors : {multiplier_.most_factors(), multiplier_.least_factors(), unit}) {
    DotProduct single{{factors.x}, {factors.w}};
    ask(single);  // a register may be narrower than one product, so a wrong answer is not an error yet
  }
  while (climb()) {
  }
}

bool Search::climb() {
  const Registers registers(multiplier_, stages_, length_);
  if (!stages_.empty() && registers.count() == 1) {
    return false;
  }
  std::optional<Limit> limit = first_failure(registers, 1);
  if (!limit) {
    limit = first_failure(registers, -1);
  }
  if (!limit) {
    finish();
    return false;
  }
  Progressions found;
  const Members list = members(registers, *limit, found);

  const bool chain = found.outer_count > 1 && found.inner_count > 1;
  const std::int64_t step = found.inner_count > 1 ? found.inner_step : 1;
  const std::int64_t count = found.inner_count;
  Stage stage;
  stage.limits = Limits::full;
  stage.name = "s" + number(static_cast<std::int64_t>(stages_.size()) + 1);
  const std::int64_t block = chain ? found.outer_step * found.outer_count : step * count;
  const bool all = block >= registers.count();
  stage.group = all ? 0 : (chain ? found.outer_count : count);
  stage.stride = chain ? found.outer_step / found.inner_count : step;
  Property grouping;
  grouping.name = "grouping";
  if (!is_register(registers, *limit, list, grouping)) {
    refuse("the products that share a register are not found to be the same twice");
  }
  std::vector<Property> properties;
  measure(registers, *limit, list, stage, properties);

  if (chain) {  // what is added before has no limit of its own that showed: a stage all the same
    Stage inner;
    inner.name = stage.name;
    inner.group = found.inner_count;
    inner.stride = found.inner_step;
    if (found.outer_step % (inner.group * inner.stride) != 0) {
      refuse("the values that share a register are no stages of equal groups");
    }
    grouping.value = values_in_words(inner.group, stages_.empty()) +
                     (inner.stride > 1 ? ", " + number(inner.stride) + " apart" : "");
    grouping.stage = inner.name;
    stages_.push_back(inner);
    stages_.push_back(stage);
    stages_.back().name = "outer";
    properties_.push_back(grouping);
    measure_hidden(stages_.size() - 2);
    stages_.pop_back();
    return true;
  }

  if (limit->overflow == Overflow::saturate) {
    Stage outer = stage, inner;
    Property inside;
    if (split(registers, *limit, list, outer, inner, inside)) {
      inner.name = stage.name;
      inside.stage = inner.name;
      outer.name = "outer";
      stages_.push_back(inner);
      stages_.push_back(outer);
      properties_.push_back(inside);
      measure_hidden(stages_.size() - 2);
      stages_.pop_back();
      return true;
    }
    if (!inside.name.empty()) {
      properties.push_back(inside);
    }
  }

  if (stage.group == 0 && stage.stride == 1) {
    stage.name = "row";
  }
  grouping.value = (all ? "all values" + std::string(stages_.empty() ? " (products)" : "")
                        : values_in_words(stage.group, stages_.empty())) +
                   (stage.stride > 1 ? ", " + number(stage.stride) + " apart" : "");
  if (all) {
    grouping.value += "; at least " + number(count) + ", as many as a dot product of " + number(length_) + " has";
  }
  properties.insert(properties.begin(), grouping);
  for (Property& property : properties) {
    property.stage = stage.name;
    properties_.push_back(property);
  }
  stages_.push_back(stage);
  if (!first_limit_) {
    FirstLimit first;
    first.total = limit->sign * limit->most;
    for (const std::int64_t v : list) {
      const std::vector<std::int64_t> products = registers.products_of(v);
      first.products.insert(first.products.end(), products.begin(), products.end());
    }
    std::sort(first.products.begin(), first.products.end());
    first_limit_ = first;
  }
  return true;
}

std::optional<Search::Limit> Search::first_failure(const Registers& registers, int sign) {
  const std::int64_t count = registers.count();
  if (registers.far(0, sign) == 0) {
    return std::nullopt;
  }
  // Values 0 … end − 1 but those in [hole, hole_end) at their far ends.
  const auto prefix = [&registers, sign](std::int64_t end, std::int64_t hole, std::int64_t hole_end) {
    DotProduct question = registers.nothing();
    for (std::int64_t v = 0; v < end; ++v) {
      if (v < hole || v >= hole_end) {
        registers.put(question, v, registers.far(v, sign));
      }
    }
    return question;
  };
  std::int64_t fits = 0, fails = 1;
  while (!deviates(prefix(fails, 0, 0))) {
    fits = fails;
    if (fits == count) {
      return std::nullopt;
    }
    fails = std::min(2 * fails, count);
  }
  while (fails - fits > 1) {
    const std::int64_t middle = fits + (fails - fits) / 2;
    (deviates(prefix(middle, 0, 0)) ? fails : fits) = middle;
  }
  Limit limit;
  limit.sign = sign;
  limit.prefix = fails;
  limit.alone = fails == 1;
  const std::int64_t last = fails - 1;
  if (!limit.alone && deviates(prefix(fails, 0, 1))) {
    refuse("the first register that fails does not hold the first value");
  }
  // Where the first and the last suffice, the others hold nothing: they might fill registers of their own to the brim.
  DotProduct two = registers.nothing();
  registers.put(two, 0, registers.far(0, sign));
  registers.put(two, last, registers.far(last, sign));
  const std::int64_t others = last <= 1 || deviates(two) ? 1 : last;
  limit.state = [&registers, sign, last, others](std::int64_t amount,
                                                 const std::vector<bool>* keep) -> std::optional<DotProduct> {
    DotProduct question = registers.nothing();
    for (std::int64_t v = 1; v < others; ++v) {
      if (keep == nullptr || (*keep)[static_cast<std::size_t>(v)]) {
        registers.put(question, v, registers.far(v, sign));
      }
    }
    const Members ends = last == 0 ? Members{0} : Members{0, last};
    if (!registers.put(question, ends, sign * amount)) {
      return std::nullopt;
    }
    return question;
  };
  const auto size = [](std::int64_t value) { return value < 0 ? -value : value; };
  std::int64_t low = limit.alone ? 0 : size(registers.far(0, sign));
  std::int64_t high = size(registers.far(0, sign)) + (limit.alone ? 0 : size(registers.far(last, sign)));
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    // The nearest amount between that some products make.
    std::optional<DotProduct> question;
    std::int64_t amount = middle;
    for (std::int64_t away = 0; !question && (middle - away > low || middle + away < high); ++away) {
      for (const std::int64_t tried : {middle - away, middle + away}) {
        if (!question && tried > low && tried < high) {
          question = limit.state(tried, nullptr);
          amount = tried;
        }
      }
    }
    if (!question) {
      break;
    }
    (deviates(*question) ? high : low) = amount;
  }
  limit.exact_amount = low;
  limit.failing_amount = high;
  limit.step = high - low;
  DotProduct scratch = registers.nothing();
  while (!registers.put(scratch, count - 1, sign * limit.step)) {
    scratch = registers.nothing();
    if (++limit.step > 4 * (high - low) + 64) {
      refuse("no products were found that come near the register's limit");
    }
  }
  return limit;
}

std::vector<std::int64_t> Search::members(const Registers& registers, Limit& limit, Progressions& found) {
  const std::int64_t count = registers.count();
  const std::int64_t last = limit.prefix - 1;
  const DotProduct full = *limit.state(limit.exact_amount, nullptr);
  // Whether a value of [begin, end], end < prefix − 1, is in the register: without it, it does not fail.
  const auto within = [&](std::int64_t begin, std::int64_t end) {
    DotProduct question = registers.nothing();
    for (std::int64_t v = 0; v <= last; ++v) {
      if (v < begin || v > end) {
        registers.put(question, v, registers.far(v, limit.sign));
      }
    }
    return !deviates(question);
  };
  // Whether a value of [begin, end], begin ≥ prefix, is: the register is full, and one unit more fails.
  const auto beyond = [&](std::int64_t begin, std::int64_t end) {
    DotProduct question = full;
    for (std::int64_t v = begin; v <= end; ++v) {
      registers.put(question, v, limit.sign * limit.step);
    }
    return deviates(question);
  };
  const auto any = [&](std::int64_t begin, std::int64_t end) {
    if (begin <= last && last <= end) {
      return true;
    }
    return end < last ? within(begin, end) : beyond(begin, end);
  };
  const auto next = [&](std::int64_t after) -> std::optional<std::int64_t> {
    std::int64_t begin = after + 1, end = begin;
    for (std::int64_t width = 1; begin < count; width *= 2) {
      end = std::min(begin + width, count) - 1;
      if (begin < last) {
        end = std::min(end, last);
      }
      if (any(begin, end)) {
        break;
      }
      begin = end + 1;
    }
    if (begin >= count) {
      return std::nullopt;
    }
    while (begin < end) {
      const std::int64_t middle = begin + (end - begin) / 2;
      if (any(begin, middle)) {
        end = middle;
      } else {
        begin = middle + 1;
      }
    }
    return begin;
  };

  std::int64_t largest = last;
  if (limit.prefix < count && beyond(limit.prefix, count - 1)) {
    std::int64_t end = count;  // beyond(largest, count − 1), not beyond(end, count − 1)
    largest = limit.prefix;
    while (end - largest > 1) {
      const std::int64_t middle = largest + (end - largest) / 2;
      (beyond(middle, count - 1) ? largest : end) = middle;
    }
  }
  Members first{0};
  const auto more = [&] {
    const std::optional<std::int64_t> member = first.back() < largest ? next(first.back()) : std::nullopt;
    if (member) {
      first.push_back(*member);
    }
    return member.has_value();
  };
  while (first.size() < 3 && more()) {
  }
  if (first.size() == 1) {
    found = {};
    return found.list();
  }
  const std::int64_t step = first[1];
  Property unused;
  const bool even = first.size() < 3 || first[2] == 2 * step;
  if (even && largest % step == 0) {
    found = {step, largest / step + 1, 0, 1};
    if (is_register(registers, limit, found.list(), unused)) {
      return found.list();
    }
  }
  constexpr std::size_t most_listed = 160;  // longer inner runs are not searched for
  std::size_t run = 1;
  while (true) {
    run = 1;
    while (run < first.size() && first[run] == static_cast<std::int64_t>(run) * step) {
      ++run;
    }
    if (run < first.size() || first.size() >= most_listed || !more()) {
      break;
    }
  }
  if (run < first.size()) {
    const auto inner = static_cast<std::int64_t>(run);
    const std::int64_t outer_step = first[run];
    const std::int64_t end = largest - (inner - 1) * step;
    if (end > 0 && end % outer_step == 0) {
      found = {step, inner, outer_step, end / outer_step + 1};
      if (is_register(registers, limit, found.list(), unused)) {
        return found.list();
      }
    }
  }
  refuse("the values that share a register are at no regular distances");
}

bool Search::is_register(const Registers& registers, Limit& limit, std::span<const std::int64_t> list,
                         Property& grouping) {
  const auto count = static_cast<std::size_t>(registers.count());
  std::vector<bool> member(count, false);
  for (const std::int64_t v : list) {
    member[static_cast<std::size_t>(v)] = true;
  }
  if (!member[0] || !member[static_cast<std::size_t>(limit.prefix - 1)]) {
    return false;
  }
  const std::optional<DotProduct> full = limit.state(limit.exact_amount, &member);
  const std::optional<DotProduct> over = limit.state(limit.failing_amount, &member);
  if (!full || !over || deviates(*full) || !deviates(*over)) {
    return false;
  }
  // The others are not in it: one step more in each of them does not show.
  DotProduct others = *full;
  std::int64_t outside = 0;
  for (std::size_t v = 0; v < count; ++v) {
    if (!member[v]) {
      ++outside;
      registers.put(others, static_cast<std::int64_t>(v), limit.sign * limit.step);
    }
  }
  if (outside > 0) {
    if (deviates(others)) {
      return false;
    }
    grouping.evidence.push_back(
        evidence("the register is full, and none of the other " + number(outside) + " values adds to it"));
  }
  const std::int64_t total = exact_value(*full);
  limit.most = total < 0 ? -total : total;
  limit.bracket = limit.failing_amount - limit.exact_amount;
  const auto pack = [&](std::int64_t size) -> std::optional<DotProduct> {
    DotProduct question = registers.nothing();
    if (!registers.put(question, list, limit.sign * size)) {
      return std::nullopt;
    }
    return question;
  };
  if (list.size() == 1) {
    grouping.evidence.push_back(evidence("value 0 has a register of its own"));
    return true;
  }
  // Between the two amounts that were asked, the ends that a register may have: 2^j − 1 and 2^j.
  for (int j = 1; j < 62 && limit.bracket > 1; ++j) {
    for (const std::int64_t size : {(std::int64_t{1} << j) - 1, std::int64_t{1} << j}) {
      if (size <= limit.most || size >= limit.most + limit.bracket) {
        continue;
      }
      const std::optional<DotProduct> question = pack(size);
      if (question && deviates(*question)) {
        limit.bracket = size - limit.most;
      } else if (question) {
        limit.bracket -= size - limit.most;
        limit.most = size;
      }
    }
  }
  // All members are in it: one unit more than it holds fails however it is spread over them, each holding some of it.
  const auto spread = [&](std::int64_t size) {
    std::vector<DotProduct> questions;
    const auto members_count = static_cast<std::int64_t>(list.size());
    if (size < members_count) {
      for (std::int64_t begin = 0; begin < members_count; begin += size) {
        DotProduct question = registers.nothing();
        const std::int64_t from = std::min(begin, members_count - size);
        for (std::int64_t i = from; i < from + size; ++i) {
          registers.put(question, list[static_cast<std::size_t>(i)], limit.sign);
        }
        questions.push_back(std::move(question));
      }
      return questions;
    }
    DotProduct question = registers.nothing();
    const std::int64_t even = size / members_count;
    bool made = true;
    if (registers.products_of(list[0]).size() > 1) {  // registers take any amount
      for (std::int64_t i = 0; i < members_count && made; ++i) {
        made = registers.put(question, list[static_cast<std::size_t>(i)],
                             limit.sign * (even + (i < size % members_count ? 1 : 0)));
      }
    } else {  // a product does not: some large ones that sum to what is wanted, and ones
      const std::int64_t largest = std::max(multiplier_.most(), -multiplier_.least());
      made = false;
      for (std::int64_t heavy = std::max<std::int64_t>(1, (size - members_count) / largest);
           heavy <= members_count && !made; ++heavy) {
        auto factors = multiplier_.sum(limit.sign * (size - (members_count - heavy)), heavy);
        if (!factors) {
          continue;
        }
        // Fewer than wanted: take a unit off one of them, as often as needed.
        for (std::size_t i = 0; i < factors->size() && static_cast<std::int64_t>(factors->size()) < heavy; ++i) {
          const std::int64_t product = std::int64_t{(*factors)[i].x} * (*factors)[i].w - limit.sign;
          const std::optional<Factors> less = product == 0 ? std::nullopt : multiplier_.factor(product);
          if (less) {
            (*factors)[i] = *less;
            factors->push_back(*multiplier_.factor(limit.sign));
          }
        }
        made = static_cast<std::int64_t>(factors->size()) == heavy;
        for (std::int64_t i = 0; i < members_count && made; ++i) {
          const auto k = static_cast<std::size_t>(list[static_cast<std::size_t>(i)]);
          const Factors f = i < heavy ? (*factors)[static_cast<std::size_t>(i)] : *multiplier_.factor(limit.sign);
          question.x[k] = f.x;
          question.w[k] = f.w;
        }
      }
    }
    if (made) {
      questions.push_back(std::move(question));
    }
    return questions;
  };
  for (const std::int64_t size : {limit.most, limit.most + limit.bracket}) {
    const std::vector<DotProduct> questions = spread(size);
    if (questions.empty() && size != limit.most) {
      return false;
    }
    for (const DotProduct& question : questions) {
      if (deviates(question) != (size != limit.most)) {
        return false;
      }
      if (size != limit.most) {
        grouping.evidence.push_back(evidence("more than it holds, spread over " +
                                             number(std::min(size, static_cast<std::int64_t>(list.size()))) +
                                             " values, fails: they share it"));
      }
    }
  }
  return true;
}

void Search::measure(const Registers& registers, Limit& limit, std::span<const std::int64_t> list, Stage& stage,
                     std::vector<Property>& found) {
  const int sign = limit.sign;
  Property width, overflow, limits;
  width.name = "width";
  overflow.name = "overflow";
  limits.name = "limits";
  const auto pack = [&](std::int64_t size) -> std::optional<DotProduct> {
    DotProduct question = registers.nothing();
    if (!registers.put(question, list, sign * size)) {
      return std::nullopt;
    }
    return question;
  };
  if (const auto question = pack(limit.most)) {
    if (deviates(*question)) {
      refuse("a register does not hold the same again");
    }
    width.evidence.push_back(evidence("holds " + number(sign * limit.most)));
  }
  // The two next larger totals that products make.
  std::vector<std::int64_t> sizes, answers;
  std::vector<Evidence> beyond;
  for (std::int64_t size = limit.most + limit.bracket; sizes.size() < 2 && size < limit.most + limit.bracket + 64;
       ++size) {
    if (const auto question = pack(size)) {
      sizes.push_back(size);
      answers.push_back(sign * ask(*question));
      beyond.push_back(evidence("for " + number(sign * size) + " gives " + number(sign * answers.back())));
    }
  }
  if (sizes.empty()) {
    refuse("no products were found that go just beyond the register's limit");
  }
  width.evidence.push_back(beyond[0]);
  overflow.evidence = beyond;
  const std::int64_t lost = sizes[0] - answers[0];
  // Where the products reach one integer beyond the limit and no more, the second question is the first.
  if (answers[0] == answers.back() && limit.most <= answers[0] && answers[0] < limit.most + limit.bracket) {
    limit.overflow = Overflow::saturate;
    limit.most = answers[0];
  } else if (lost == sizes.back() - answers.back() && is_power_of_two(lost) && lost > 1) {
    limit.overflow = Overflow::wrap;
    const std::int64_t most = lost / 2 - (sign > 0 ? 1 : 0);
    if (most < limit.most || most >= limit.most + limit.bracket) {
      refuse("a register holds " + number(sign * limit.most) + ", and beyond it loses " + number(lost) +
             ": no two's complement");
    }
    limit.most = most;
  } else {
    limit.overflow = Overflow::undefined;
  }
  stage.overflow = limit.overflow;
  stage.width = width_of(limit.most, sign);
  if (stage.width == 0) {
    refuse("a register holds " + number(sign * limit.most) + ", and not the next integer: that is no width");
  }
  width.value = number(stage.width) + " bits";
  overflow.value = limit.overflow == Overflow::undefined ? "neither wraps nor saturates" : to_text(limit.overflow);
  if (limit.overflow == Overflow::wrap) {
    stage.limits = Limits::full;
    limits.value = "two's complement";
    limits.evidence.push_back(beyond[0]);
  } else if (sign < 0) {
    stage.limits = is_power_of_two(limit.most) ? Limits::full : Limits::symmetric;
    limits.value = to_text(stage.limits);
    limits.evidence = width.evidence;
  } else {
    measure_other_side(registers, list, stage, limits);
  }
  found.push_back(width);
  found.push_back(overflow);
  found.push_back(limits);
}

void Search::measure_other_side(const Registers& registers, std::span<const std::int64_t> list, Stage& stage,
                                Property& limits) {
  // A saturating register of P bits goes down to −2^(P−1) or −(2^(P−1) − 1).
  const std::int64_t power = -register_limits(stage.width, Limits::full).lower;
  const auto holds = [&](std::int64_t size) -> std::optional<bool> {
    DotProduct question = registers.nothing();
    if (!registers.put(question, list, -size)) {
      return std::nullopt;
    }
    const bool held = !deviates(question);
    limits.evidence.push_back(evidence((held ? "holds " : "does not hold ") + number(-size)));
    return held;
  };
  const std::optional<bool> symmetric = holds(power - 1);
  const std::optional<bool> full = symmetric ? holds(power) : std::nullopt;
  if (!symmetric || !full) {
    stage.limits = Limits::symmetric;  // the smaller of the two
    limits.value = "symmetric or full: the products asked do not reach " + number(-power);
    limits.decided = false;
    return;
  }
  if (!*symmetric) {
    refuse("a register that holds " + number(power - 1) + " does not hold " + number(1 - power));
  }
  stage.limits = *full ? Limits::full : Limits::symmetric;
  limits.value = to_text(stage.limits);
  const std::optional<bool> more = *full ? holds(power + 1) : std::nullopt;
  if (more && *more) {
    refuse("a register that holds no more than " + number(power - 1) + " holds " + number(-power - 1));
  }
}

bool Search::split(const Registers& registers, const Limit& limit, std::span<const std::int64_t> list, Stage& outer,
                   Stage& inner, Property& grouping) {
  // The register is full. Then +1 is lost, and −1 after it is not: the answer is one short, unless the two are added to one another
  // before they come to this register.
  const auto size = static_cast<std::int64_t>(list.size());
  const int sign = limit.sign;
  DotProduct full = registers.nothing();
  DotProduct back = registers.nothing();
  if (size < 3 || registers.far(list[0], -sign) == 0 || !registers.put(full, list, sign * limit.most) ||
      !registers.put(back, list[0], -sign)) {
    return false;
  }
  std::int64_t filled = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    const std::vector<std::int64_t> products = registers.products_of(list[static_cast<std::size_t>(i)]);
    if (std::any_of(products.begin(), products.end(),
                    [&](std::int64_t k) { return full.w[static_cast<std::size_t>(k)] != 0; })) {
      filled = i + 1;
    }
  }
  std::int64_t first = -1;  // the roundest index that leaves one behind it, so that a group begins there
  for (std::int64_t unit = std::int64_t{1} << 40; unit >= 1 && first < 0; unit /= 2) {
    const std::int64_t index = (filled + unit - 1) / unit * unit;
    first = index <= size - 2 ? index : -1;
  }
  if (first < 0) {
    grouping.name = "inner grouping";
    grouping.value = "not known: a full register leaves no room to look";
    grouping.decided = false;
    return false;
  }
  // Whether one of list[begin … end] is added to list[at] before.
  const auto joins = [&](std::int64_t at, std::int64_t begin, std::int64_t end) {
    DotProduct question = full;
    registers.put(question, list[static_cast<std::size_t>(at)], sign);
    for (std::int64_t i = begin; i <= end; ++i) {
      registers.put(question, list[static_cast<std::size_t>(i)], -sign);
    }
    return !deviates(question);
  };
  grouping.name = "inner grouping";
  const auto group_from =
      [&](std::int64_t at) -> std::pair<std::int64_t, std::int64_t> {  // step and count, from `at` on
    if (at > size - 2 || !joins(at, at + 1, size - 1)) {
      return {1, 1};
    }
    std::int64_t low = at + 1, high = size - 1;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      joins(at, at + 1, middle) ? high = middle : low = middle + 1;
    }
    const std::int64_t step = low - at;
    std::int64_t end = size;
    while (end - low > 1) {
      const std::int64_t middle = low + (end - low) / 2;
      (joins(at, middle, size - 1) ? low : end) = middle;
    }
    if ((low - at) % step != 0) {
      refuse("values that are added before they reach a saturating register are at no regular distances");
    }
    return {step, (low - at) / step + 1};
  };
  std::int64_t at = first;
  auto [step, count] = group_from(at);
  if (count == 1) {  // perhaps the last of its group
    at = first + 1;
    std::tie(step, count) = group_from(at);
  }
  if (count == 1) {
    joins(first, first + 1, first + 1);
    grouping.value = "none: every value is added by itself";
    grouping.evidence.push_back(evidence("the register is full; +1 is lost and the next value's −1 is not"));
    return false;
  }
  if (step == 1 && at % count != 0) {  // perhaps from the middle of a group: the next begins behind it
    const auto [next_step, next_count] = group_from(at + count);
    if (next_count > 1) {
      at += count;
      step = next_step;
      count = next_count;
    }
  }
  if (at % (step * count) != 0) {
    refuse("values that are added before they reach a saturating register are in no groups of equal size");
  }
  // All of the group, and nothing else: + (count − 1) against −1 in each other member is lost nowhere.
  DotProduct question = full;
  DotProduct other = full;
  bool made = registers.put(question, list[static_cast<std::size_t>(at)], sign * (count - 1));
  made = made && registers.put(other, list[static_cast<std::size_t>(at)], sign);
  for (std::int64_t i = at + 1; i < size; ++i) {
    const bool member = (i - at) % step == 0 && (i - at) / step < count;
    registers.put(member ? question : other, list[static_cast<std::size_t>(i)], -sign);
  }
  if (!made || deviates(question)) {
    refuse("values that are added before they reach a saturating register are in no groups of equal size");
  }
  grouping.evidence.push_back(evidence("the register is full; +" + number(count - 1) + " and " + number(count - 1) +
                                       " times −1 in its group are not lost"));
  if (at + step * count < size || step > 1) {
    if (!deviates(other)) {
      refuse("values that are added before they reach a saturating register are in no groups of equal size");
    }
    grouping.evidence.push_back(evidence("the register is full; +1 is lost against −1 in values outside its group"));
  }
  inner.group = count;
  inner.stride = step * outer.stride;
  if (outer.group % count != 0) {
    refuse("a saturating register does not hold whole groups");
  }
  outer.group /= count;
  grouping.name = "grouping";
  grouping.value = values_in_words(count, stages_.empty()) +
                   (inner.stride > 1 ? ", " + number(inner.stride) + " apart" : "") +
                   ", added before they reach the next register";
  return true;
}

void Search::measure_hidden(std::size_t s) {
  // stages_[s + 1] adds what stages_[s] holds. Is there anything that the upper register would still hold, and the lower does not?
  Stage& inner = stages_[s];
  const std::vector<Stage> below(stages_.begin(), stages_.begin() + static_cast<std::ptrdiff_t>(s));
  inner.limits = Limits::full;
  inner.overflow = Overflow::undefined;
  inner.width = 60;
  std::vector<Stage> lower = below;
  lower.push_back(inner);
  const Registers registers(multiplier_, lower, length_);
  inner.width = minimum_width({registers.least(0), registers.most(0)}, Limits::full);
  Datapath shape;
  shape.name = "probed";
  shape.stages = stages_;
  const std::vector<std::int64_t> list = Topology(shape, length_).values_of(s + 1, 0);
  const IntegerRange upper = register_limits(stages_[s + 1]);

  Property width, overflow, limits;
  width.stage = overflow.stage = limits.stage = inner.name;
  width.name = "width";
  overflow.name = "overflow";
  limits.name = "limits";
  std::optional<int> first_side;
  for (const int side : {1, -1}) {
    if (registers.far(0, side) == 0) {
      continue;
    }
    // The upper register as far on the other side as it goes, one product's worth per value so that none of these overflows itself;
    // then this one.
    DotProduct before = registers.nothing();
    const std::int64_t wanted = side > 0 ? upper.lower : upper.upper;
    std::int64_t start = 0;
    std::size_t at = 0;
    for (; at + 1 < list.size() && start != wanted; ++at) {
      const std::int64_t share = side > 0 ? multiplier_.least() : multiplier_.most();
      const std::int64_t part = side > 0 ? std::max(wanted - start, share) : std::min(wanted - start, share);
      if (part == 0 || !registers.put(before, list[at], part)) {
        registers.clear(before, list[at]);
        break;
      }
      start += part;
    }
    const auto question_of = [&](std::int64_t size) -> std::optional<DotProduct> {
      DotProduct question = before;
      if (!registers.put(question, list[at], side * size)) {
        return std::nullopt;
      }
      return question;
    };
    const auto wrong = [&](const DotProduct& question) { return ask(question) != by_model(question); };
    std::int64_t high = side * registers.far(list[at], side);
    const std::int64_t room = side > 0 ? upper.upper - start : start - upper.lower;
    high = std::min(high, room);
    std::optional<DotProduct> question = question_of(high);
    while (!question && high > 1) {
      question = question_of(--high);
    }
    if (!question) {
      continue;
    }
    if (first_side && inner.overflow == Overflow::saturate) {  // the width is known: full or symmetric?
      const std::int64_t power = -register_limits(inner.width, Limits::full).lower;
      const std::optional<DotProduct> end = power <= high ? question_of(power) : std::nullopt;
      if (end) {
        if (wrong(*end)) {
          inner.limits = Limits::symmetric;
          if (wrong(*end)) {
            refuse("a register that holds " + number(power - 1) + " does not hold " + number(1 - power));
          }
        }
        limits.value = to_text(inner.limits);
        limits.evidence.push_back(
            evidence((inner.limits == Limits::full ? "holds " : "does not hold ") + number(side * power)));
        if (wrong(*question)) {
          refuse("a register fails in another way on its other side");
        }
      }
      continue;
    }
    if (!wrong(*question)) {
      width.evidence.push_back(evidence("holds " + number(side * high)));
      continue;
    }
    std::int64_t low = 0;
    while (high - low > 1) {
      std::int64_t middle = low + (high - low) / 2;
      std::optional<DotProduct> between;
      std::int64_t amount = middle;
      for (std::int64_t away = 0; !between && (middle - away > low || middle + away < high); ++away) {
        for (const std::int64_t tried : {middle - away, middle + away}) {
          if (!between && tried > low && tried < high) {
            between = question_of(tried);
            amount = tried;
          }
        }
      }
      if (!between) {
        break;
      }
      (wrong(*between) ? high : low) = amount;
    }
    const auto shown = [&](std::int64_t size, Property& property, const std::string& words) {
      const std::int64_t held = side * (ask(question_of(size).value()) - start);
      property.evidence.push_back(
          evidence(words + number(side * size) + (words == "holds " ? "" : " holds " + number(side * held))));
      return held;
    };
    shown(low, side > 0 ? width : limits, "holds ");
    const std::int64_t held = shown(high, overflow, "for ");
    std::int64_t next = high + 1;
    while (!question_of(next) && next < high + 64) {
      ++next;
    }
    if (!question_of(
            next)) {  // where the products reach one integer beyond the limit and no more, the second question is the first
      next = high;
    }
    const std::int64_t held_next = next == high ? held : shown(next, overflow, "for ");
    Overflow kind = Overflow::undefined;
    std::int64_t most = low;
    if (held == held_next && low <= held && held < high) {
      kind = Overflow::saturate;
      most = held;
    } else if (high - held == next - held_next && is_power_of_two(high - held)) {
      kind = Overflow::wrap;
      most = (high - held) / 2 - (side > 0 ? 1 : 0);
    }
    const int bits = width_of(most, side);
    if (bits == 0 || most < low || most >= high) {
      refuse("a register holds " + number(side * low) + ", and not " + number(side * high) + ": that is no width");
    }
    if (first_side) {
      if (bits != inner.width || kind != inner.overflow) {
        refuse("a register has another width, or fails in another way, on its other side");
      }
      inner.limits = is_power_of_two(most) ? Limits::full : Limits::symmetric;
      limits.value = to_text(inner.limits);
    } else {
      first_side = side;
      inner.width = bits;
      inner.overflow = kind;
      if (side < 0) {
        inner.limits = is_power_of_two(most) ? Limits::full : Limits::symmetric;
        limits.value = to_text(inner.limits);
      }
    }
  }
  if (!first_side) {
    width.value = "at least " + number(inner.width) + " bits: the products asked reach no more";
    width.decided = false;
    overflow.value = "not known: no question makes it overflow";
    overflow.decided = false;
    properties_.push_back(width);
    properties_.push_back(overflow);
    return;
  }
  width.value = number(inner.width) + " bits";
  overflow.value = inner.overflow == Overflow::undefined ? "neither wraps nor saturates" : to_text(inner.overflow);
  if (inner.overflow == Overflow::wrap) {
    inner.limits = Limits::full;
    limits.value = "two's complement";
  } else if (limits.value.empty()) {
    inner.limits = Limits::symmetric;
    limits.value = "symmetric or full: the products asked do not reach the other end";
    limits.decided = false;
  }
  properties_.push_back(width);
  properties_.push_back(overflow);
  properties_.push_back(limits);
}

void Search::finish() {
  // Nothing fails at this level: all values in one register that is wide enough for what was asked.
  const Registers registers(multiplier_, stages_, length_);
  Property width, overflow, grouping;
  Stage row;
  row.name = "row";
  row.group = 0;
  row.limits = Limits::full;
  row.overflow = Overflow::undefined;
  std::int64_t ends[2] = {0, 0};
  for (const int sign : {-1, 1}) {
    if (registers.far(0, sign) == 0) {
      continue;
    }
    DotProduct question = registers.nothing();
    for (std::int64_t v = 0; v < registers.count(); ++v) {
      registers.put(question, v, registers.far(v, sign));
    }
    ends[sign > 0] = exact_value(question);
    if (deviates(question)) {
      refuse("an answer differs from an earlier one");
    }
    width.evidence.push_back(evidence("holds " + number(ends[sign > 0])));
  }
  row.width = minimum_width({ends[0], ends[1]}, Limits::full);
  width.stage = overflow.stage = grouping.stage = row.name;
  width.name = "width";
  width.value = "at least " + number(row.width) + " bits: the longest dot product asked, " + number(length_) +
                " terms, reaches no more";
  width.decided = false;
  overflow.name = "overflow";
  overflow.value = "not known: no question makes it overflow";
  overflow.decided = false;
  grouping.name = "grouping";
  grouping.value = "not known: whatever adds the " + number(registers.count()) +
                   (stages_.empty() ? " products" : " values") + " never overflows";
  grouping.decided = false;
  stages_.push_back(row);
  properties_.push_back(grouping);
  properties_.push_back(width);
  properties_.push_back(overflow);
}

}  // namespace axe
