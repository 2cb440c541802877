// Puts wanted integers into wanted registers; see fill.hpp. Main function: Registers::put. No side effects.
#include "axecert/probe/fill.hpp"

#include <algorithm>
#include <cstdlib>

#include "axecert/numeric/error.hpp"

namespace axe {

Multiplier::Multiplier(IntegerRange activations, IntegerRange weights) : activations_(activations), weights_(weights) {
  for (const std::int64_t x : {activations.lower, activations.upper}) {
    for (const std::int64_t w : {weights.lower, weights.upper}) {
      const Factors factors{static_cast<std::int32_t>(x), static_cast<std::int8_t>(w)};
      if (x * w > most_) {
        most_ = x * w;
        most_factors_ = factors;
      }
      if (x * w < least_) {
        least_ = x * w;
        least_factors_ = factors;
      }
    }
  }
  const bool zero = activations.lower <= 0 && 0 <= activations.upper && weights.lower <= 0 && 0 <= weights.upper;
  if (!zero || (!factor(1) && !factor(-1))) {
    throw InputError("operands of the black box",
                     "activations [" + std::to_string(activations.lower) + ", " + std::to_string(activations.upper) +
                         "] and weights [" + std::to_string(weights.lower) + ", " + std::to_string(weights.upper) +
                         "] have no product of 0 and of 1",
                     "both ranges must hold 0, and 1 or -1");
  }
}

std::optional<Factors> Multiplier::factor(std::int64_t product) const {
  if (product == 0) {
    return Factors{};
  }
  const std::int64_t largest = std::max(-weights_.lower, weights_.upper);
  for (std::int64_t size = largest; size >= 1; --size) {
    if (product % size != 0) {
      continue;
    }
    for (const std::int64_t w : {size, -size}) {
      const std::int64_t x = product / w;
      if (weights_.lower <= w && w <= weights_.upper && activations_.lower <= x && x <= activations_.upper) {
        return Factors{static_cast<std::int32_t>(x), static_cast<std::int8_t>(w)};
      }
    }
  }
  return std::nullopt;
}

std::optional<std::vector<Factors>> Multiplier::two(std::int64_t total) const {
  if (total / (total > 0 ? most_ : least_) > 2) {
    return std::nullopt;
  }
  for (std::int64_t w = weights_.lower; w <= weights_.upper; ++w) {
    if (w == 0) {
      continue;
    }
    const std::int64_t nearest = std::clamp(total / w, activations_.lower, activations_.upper);
    for (std::int64_t back = 0; back < 4; ++back) {
      const std::int64_t x = nearest > 0 ? nearest - back : nearest + back;
      const std::int64_t first = w * x;
      const bool same_sign = total > 0 ? 0 < first && first < total : total < first && first < 0;
      if (!same_sign || x < activations_.lower || x > activations_.upper) {
        continue;
      }
      if (const auto second = factor(total - first)) {
        return std::vector<Factors>{{static_cast<std::int32_t>(x), static_cast<std::int8_t>(w)}, *second};
      }
    }
  }
  return std::nullopt;
}

std::optional<std::vector<Factors>> Multiplier::sum(std::int64_t total, std::int64_t count) const {
  if (total == 0) {
    return std::vector<Factors>{};
  }
  const std::int64_t extreme = total > 0 ? most_ : least_;
  if (extreme == 0 || count < 1) {
    return std::nullopt;
  }
  const auto [place, fresh] = known_sums_.try_emplace({total, count});
  if (!fresh) {
    return place->second;
  }
  const std::int64_t whole = std::min(count, total / extreme);
  for (std::int64_t extremes = whole; extremes >= std::max<std::int64_t>(0, whole - 3); --extremes) {
    const std::int64_t rest = total - extremes * extreme;
    const std::int64_t left = count - extremes;
    std::optional<std::vector<Factors>> tail;
    if (rest / extreme > std::min<std::int64_t>(left, 3)) {
      continue;  // more than the tail can be
    }
    if (rest == 0) {
      tail.emplace();
    } else if (left >= 1) {
      if (const auto one = factor(rest)) {
        tail.emplace(1, *one);
      } else {
        tail = left >= 2 ? two(rest) : std::nullopt;
        const bool few =
            weights_.upper - weights_.lower <= 16;  // with many weights two products make nearly every number
        for (std::int64_t w = weights_.lower; w <= weights_.upper && few && !tail && left >= 3; ++w) {
          for (const std::int64_t x : {activations_.lower, activations_.upper}) {
            const std::int64_t first = w * x;
            if (!tail && (total > 0 ? 0 < first && first < rest : rest < first && first < 0)) {
              tail = two(rest - first);
              if (tail) {
                tail->push_back({static_cast<std::int32_t>(x), static_cast<std::int8_t>(w)});
              }
            }
          }
        }
      }
    }
    if (tail) {
      std::vector<Factors> result(static_cast<std::size_t>(extremes), total > 0 ? most_factors_ : least_factors_);
      result.insert(result.end(), tail->begin(), tail->end());
      return place->second = std::move(result);
    }
  }
  return std::nullopt;
}

Registers::Registers(const Multiplier& multiplier, const std::vector<Stage>& stages, std::int64_t length)
    : multiplier_(multiplier), length_(length) {
  most_.emplace_back(static_cast<std::size_t>(length), multiplier.most());
  least_.emplace_back(static_cast<std::size_t>(length), multiplier.least());
  if (stages.empty()) {
    return;
  }
  Datapath datapath;
  datapath.name = "probed";
  datapath.stages = stages;
  topology_.emplace(datapath, length);
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const IntegerRange limits = register_limits(stages[s]);
    std::vector<std::int64_t> most(static_cast<std::size_t>(topology_->nodes(s)), 0), least(most);
    for (std::size_t v = 0; v < most_.back().size(); ++v) {
      const auto node = static_cast<std::size_t>(topology_->node_of_value(s, static_cast<std::int64_t>(v)));
      most[node] = std::min(limits.upper, most[node] + most_.back()[v]);
      least[node] = std::max(limits.lower, least[node] + least_.back()[v]);
    }
    most_.push_back(std::move(most));
    least_.push_back(std::move(least));
    // A total that no products make is lowered until some do. Registers with the same ends are alike.
    std::map<std::pair<std::int64_t, std::int64_t>, std::pair<std::int64_t, std::int64_t>> reachable;
    for (std::size_t node = 0; node < most_.back().size(); ++node) {
      std::int64_t& high = most_.back()[node];
      std::int64_t& low = least_.back()[node];
      const auto [known, fresh] = reachable.try_emplace({high, low}, high, low);
      if (fresh) {
        for (std::int64_t* end : {&known->second.first, &known->second.second}) {
          for (DotProduct question = nothing();
               *end != 0 && !put(question, s + 1, static_cast<std::int64_t>(node), *end); question = nothing()) {
            *end -= *end > 0 ? 1 : -1;
          }
        }
      }
      high = known->second.first;
      low = known->second.second;
    }
  }
}

DotProduct Registers::nothing() const {
  const auto length = static_cast<std::size_t>(length_);
  return {std::vector<std::int32_t>(length, 0), std::vector<std::int8_t>(length, 0)};
}

bool Registers::put(DotProduct& question, std::size_t level, std::int64_t node, std::int64_t amount) const {
  if (amount == 0) {
    return true;
  }
  if (level == 0) {
    const auto factors = multiplier_.factor(amount);
    if (factors) {
      question.x[static_cast<std::size_t>(node)] = factors->x;
      question.w[static_cast<std::size_t>(node)] = factors->w;
    }
    return factors.has_value();
  }
  const std::vector<std::int64_t> values = topology_->values_of(level - 1, node);
  return put(question, level - 1, values, amount);
}

bool Registers::put(DotProduct& question, std::size_t level, std::span<const std::int64_t> nodes,
                    std::int64_t total) const {
  if (level == 0) {
    const auto factors = multiplier_.sum(total, static_cast<std::int64_t>(nodes.size()));
    for (std::size_t i = 0; factors && i < factors->size(); ++i) {
      question.x[static_cast<std::size_t>(nodes[i])] = (*factors)[i].x;
      question.w[static_cast<std::size_t>(nodes[i])] = (*factors)[i].w;
    }
    return factors.has_value();
  }
  const std::vector<std::int64_t>& ends = total > 0 ? most_[level] : least_[level];
  for (const std::int64_t node : nodes) {
    if (total == 0) {
      break;
    }
    const std::int64_t end = ends[static_cast<std::size_t>(node)];
    std::int64_t part = total > 0 ? std::min(total, end) : std::max(total, end);
    // A part that no products make is made smaller: the next registers take the rest.
    bool placed = part != 0 && put(question, level, node, part);
    for (int tries = 0; part != 0 && !placed && tries < 8; ++tries) {
      for (const std::int64_t k : topology_->products_of(level - 1, node)) {  // what the attempt left
        question.x[static_cast<std::size_t>(k)] = 0;
        question.w[static_cast<std::size_t>(k)] = 0;
      }
      part = tries < 4 ? part - (part > 0 ? 1 : -1) : part / 2;
      placed = part != 0 && put(question, level, node, part);
    }
    part = placed ? part : 0;
    total -= part;
  }
  return total == 0;
}

bool Registers::put(DotProduct& question, std::int64_t v, std::int64_t amount) const {
  return put(question, most_.size() - 1, v, amount);
}

bool Registers::put(DotProduct& question, std::span<const std::int64_t> members, std::int64_t total) const {
  return total == 0 || put(question, most_.size() - 1, members, total);
}

std::vector<std::int64_t> Registers::products_of(std::int64_t v) const {
  return topology_ ? topology_->products_of(topology_->stages() - 1, v) : std::vector<std::int64_t>{v};
}

void Registers::clear(DotProduct& question, std::int64_t v) const {
  for (const std::int64_t k : products_of(v)) {
    question.x[static_cast<std::size_t>(k)] = 0;
    question.w[static_cast<std::size_t>(k)] = 0;
  }
}

}  // namespace axe
