// Voter 3: the bit-accurate machine on concrete inputs; see replay.hpp. Main functions: replay_vote, replay_node. No side effects.
#include "axecert/replay/replay.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <span>
#include <string>

#include "axecert/certificate/shape.hpp"
#include "axecert/datapath/machine.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

std::string interval(std::int64_t lower, std::int64_t upper) {
  return "[" + std::to_string(lower) + ", " + std::to_string(upper) + "]";
}

/// What a register did on the way, with exact values beside what the machine holds.
struct Account {
  std::int64_t content = 0;
  int128 exact = 0;
  int128 lowest = 0;  ///< of the exact partial sums, initial value included
  int128 highest = 0;
  bool overflowed = false;
  bool fed_exactly = true;  ///< every value it was fed was the exact sum of its register
};

/// A row's constant at every zero point of a token.
struct RowConstant {
  int128 at_least = 0;    ///< at the least zero point
  int128 weight_sum = 0;  ///< what each step of the zero point takes off
  std::int64_t spread = 0;

  std::int64_t at(std::int64_t z) const { return narrow(at_least - weight_sum * z, "row constant"); }
  /// The zero point that drives the constant to `side`.
  std::int64_t driving(Side side) const { return (side == Side::upper) == (weight_sum < 0) ? spread : 0; }
  std::int64_t towards(Side side) const { return at(driving(side)); }
};

/// Nobody listens to the steps. (A named type: a lambda here would instantiate `account` without end.)
struct Silence {
  void operator()(std::int64_t, int128, const Account&, bool) const {}
};

/// Runs single registers, each with the tree below it and nothing else.
class Replayer {
 public:
  explicit Replayer(const LayerClaims& claims) : claims_(claims), topology_(claims.datapath, claims.layer.cols) {
    for (std::size_t s = 0; s < topology_.stages(); ++s) {
      values_.emplace_back();
      for (std::int64_t j = 0; j < topology_.nodes(s); ++j) {
        values_.back().push_back(topology_.values_of(s, j));
      }
    }
  }

  const Topology& topology() const { return topology_; }
  const std::vector<std::int64_t>& values(std::size_t s, std::int64_t j) const {
    return values_[s][static_cast<std::size_t>(j)];
  }

  /// bias_r + Σ w_rk · offset_k − z Σ w_rk, z = 0 … spread above the least zero point.
  RowConstant constant(std::int64_t row) const {
    const IntegerLayer& layer = claims_.layer;
    RowConstant constant{.at_least = layer.bias.empty() ? 0 : layer.bias[static_cast<std::size_t>(row)],
                         .weight_sum = 0,
                         .spread = layer.zero_point_spread};
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      const int128 w = layer.row(row)[k];
      constant.weight_sum += w;
      if (!layer.offset.empty()) {
        constant.at_least += w * layer.offset[layer.offset.size() == 1 ? 0 : static_cast<std::size_t>(k)];
      }
    }
    return constant;
  }

  /// The inputs that drive every product to one end: w x is largest at the box's upper end for w > 0, lower end for w < 0. Under
  /// an input limit, in each register of the lowest stage, the largest |w| are driven first, as far as the limit lets them.
  void drive(NodeId id, Side side, std::vector<std::int32_t>& inputs) const {
    const std::int8_t* weights = claims_.layer.row(id.row);
    if (claims_.layer.input_limit != 0) {
      for_lowest(id.stage, id.node, [&](std::int64_t j) { drive_limited(weights, j, side, inputs); });
      return;
    }
    for_products(id.stage, id.node, [&](std::int64_t k) {
      if (weights[k] != 0) {
        const bool high = (weights[k] > 0) == (side == Side::upper);
        inputs[static_cast<std::size_t>(k)] = high ? claims_.layer.upper(k) : claims_.layer.lower(k);
      }
    });
  }

  /// Inputs [cols], each the value of its box that is nearest to 0.
  std::vector<std::int32_t> quiet() const {
    std::vector<std::int32_t> inputs(static_cast<std::size_t>(claims_.layer.cols));
    for (std::int64_t k = 0; k < claims_.layer.cols; ++k) {
      inputs[static_cast<std::size_t>(k)] = std::clamp(0, claims_.layer.lower(k), claims_.layer.upper(k));
    }
    return inputs;
  }

  /// The register's run on `inputs` [cols] when it and all below it add first the values that drive to `side`. Each step is also
  /// handed to `tell`(value index, value, account, step overflowed).
  template <class Tell>
  Account account(NodeId id, Side side, std::span<const std::int32_t> inputs, std::int64_t constant,
                  const Tell& tell) const {
    const Stage& stage = topology_.stage(id.stage);
    Account result;
    const std::int64_t initial = stage.initial == Initial::constant ? constant : 0;
    result.exact = result.lowest = result.highest = initial;
    result.content = step(stage, 0, initial, result.overflowed);
    const auto add = [&](std::int64_t index, std::int64_t held, int128 exact) {
      bool overflowed = false;
      result.content = step(stage, result.content, held, overflowed);
      result.overflowed = result.overflowed || overflowed;
      result.exact += exact;
      result.lowest = std::min(result.lowest, result.exact);
      result.highest = std::max(result.highest, result.exact);
      tell(index, exact, result, overflowed);
    };
    const auto first = [&](int128 value) { return side == Side::upper ? value > 0 : value < 0; };
    const std::vector<std::int64_t>& list = values(id.stage, id.node);
    if (id.stage == 0) {
      const std::int8_t* weights = claims_.layer.row(id.row);
      for (const bool now : {true, false}) {
        for (const std::int64_t k : list) {
          const std::int64_t product = std::int64_t{weights[k]} * inputs[static_cast<std::size_t>(k)];
          if (first(product) == now) {
            add(k, product, product);
          }
        }
      }
      return result;
    }
    std::vector<Account> below;
    below.reserve(list.size());
    for (const std::int64_t v : list) {
      below.push_back(account({.row = id.row, .stage = id.stage - 1, .node = v}, side, inputs, constant, Silence{}));
      result.fed_exactly = result.fed_exactly && below.back().fed_exactly && below.back().content == below.back().exact;
    }
    for (const bool now : {true, false}) {
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (first(below[i].exact) == now) {
          add(list[i], below[i].content, below[i].exact);
        }
      }
    }
    return result;
  }
  Account account(NodeId id, Side side, std::span<const std::int32_t> inputs, std::int64_t constant) const {
    return account(id, side, inputs, constant, Silence{});
  }

  /// What the claim is about: the extreme partial sum, or the final sum.
  int128 reached(NodeId id, Side side, const Account& account) const {
    if (topology_.stage(id.stage).claim == Claim::final_value) {
      return account.exact;
    }
    return side == Side::upper ? account.highest : account.lowest;
  }

  IntegerRange claimed(NodeId id) const {
    const StageRanges& ranges = claims_.ranges[id.stage];
    const auto i = static_cast<std::size_t>(id.row * ranges.nodes + id.node);
    return {.lower = ranges.lower[i], .upper = ranges.upper[i]};
  }

  /// Scales the inputs of every register of the lowest stage that exceeds the limit by limit / Σ|x|, towards 0.
  void keep_limit(std::vector<std::int32_t>& inputs) const {
    const std::int64_t limit = claims_.layer.input_limit;
    for (std::int64_t j = 0; limit != 0 && j < topology_.nodes(0); ++j) {
      std::int64_t sum = 0;
      for (const std::int64_t k : values(0, j)) {
        sum += std::abs(std::int64_t{inputs[static_cast<std::size_t>(k)]});
      }
      if (sum <= limit) {
        continue;
      }
      for (const std::int64_t k : values(0, j)) {
        std::int32_t& x = inputs[static_cast<std::size_t>(k)];
        x = static_cast<std::int32_t>(x * limit / sum);  // 2^24 · 2^24 at most: the limit is below the sum
      }
    }
  }

 private:
  void drive_limited(const std::int8_t* weights, std::int64_t register_number, Side side,
                     std::vector<std::int32_t>& inputs) const {
    std::vector<std::int64_t> by_magnitude = values(0, register_number);
    std::stable_sort(by_magnitude.begin(), by_magnitude.end(),
                     [&](std::int64_t a, std::int64_t b) { return std::abs(weights[a]) > std::abs(weights[b]); });
    std::int64_t left = claims_.layer.input_limit;
    for (const std::int64_t k : by_magnitude) {
      const bool high = (weights[k] > 0) == (side == Side::upper);
      const std::int64_t end = high ? claims_.layer.upper(k) : claims_.layer.lower(k);
      const std::int64_t x = weights[k] == 0 ? 0 : std::clamp(end, -left, left);
      left -= std::abs(x);
      inputs[static_cast<std::size_t>(k)] = static_cast<std::int32_t>(x);
    }
  }

  /// Registers of the lowest stage below one.
  template <class Use>
  void for_lowest(std::size_t stage, std::int64_t node, const Use& use) const {
    if (stage == 0) {
      use(node);
      return;
    }
    for (const std::int64_t v : values(stage, node)) {
      for_lowest(stage - 1, v, use);
    }
  }

  template <class Use>
  void for_products(std::size_t stage, std::int64_t node, const Use& use) const {
    for (const std::int64_t v : values(stage, node)) {
      if (stage == 0) {
        use(v);
      } else {
        for_products(stage - 1, v, use);
      }
    }
  }

  const LayerClaims& claims_;
  Topology topology_;
  std::vector<std::vector<std::vector<std::int64_t>>> values_;
};

/// One layer's replay; collects what contradicts the claims, and the overflows that the claims admit.
class LayerReplay {
 public:
  LayerReplay(const LayerClaims& claims, const ReplayOptions& options, Vote& vote)
      : claims_(claims),
        options_(options),
        vote_(vote),
        replayer_(claims),
        random_(options.seed),
        quiet_(replayer_.quiet()) {}

  bool contradicted() const { return contradicted_; }
  bool overflowed() const { return overflowed_; }

  void row(std::int64_t r) {
    const RowConstant constant = replayer_.constant(r);
    for (std::size_t s = 0; s < replayer_.topology().stages(); ++s) {
      for (std::int64_t j = 0; j < replayer_.topology().nodes(s); ++j) {
        node({.row = r, .stage = s, .node = j}, constant);
      }
    }
    whole_row(r, constant);
  }

  /// The stated worst node has the smallest margin, and its stated witness reaches the claimed end.
  void worst() {
    const NodeId id = claims_.worst;
    const auto margin_of = [&](NodeId of, Side side) {
      const IntegerRange limits = register_limits(replayer_.topology().stage(of.stage));
      const IntegerRange claimed = replayer_.claimed(of);
      return side == Side::upper ? int128{limits.upper} - claimed.upper : int128{claimed.lower} - limits.lower;
    };
    const int128 stated = margin_of(id, claims_.worst_side);
    for (std::int64_t r = 0; r < claims_.layer.rows; ++r) {
      for (std::size_t s = 0; s < replayer_.topology().stages(); ++s) {
        for (std::int64_t j = 0; j < replayer_.topology().nodes(s); ++j) {
          for (const Side side : {Side::lower, Side::upper}) {
            const NodeId other{.row = r, .stage = s, .node = j};
            if (margin_of(other, side) < stated) {
              contradict(other, "its margin " + to_string(margin_of(other, side)) +
                                    " is smaller than the stated worst node's " + to_string(stated));
              return;
            }
          }
        }
      }
    }
    const Account account = replayer_.account(id, claims_.worst_side, claims_.worst_witness,
                                              replayer_.constant(id.row).towards(claims_.worst_side));
    const int128 reached = replayer_.reached(id, claims_.worst_side, account);
    const IntegerRange claimed = replayer_.claimed(id);
    const std::int64_t end = claims_.worst_side == Side::upper ? claimed.upper : claimed.lower;
    if (reached != end) {
      contradict(id, "the certificate's witness reaches " + to_string(reached) + ", it claims " + std::to_string(end));
    }
  }

 private:
  void node(NodeId id, const RowConstant& constant) {
    const Stage& stage = replayer_.topology().stage(id.stage);
    const IntegerRange limits = register_limits(stage);
    const IntegerRange claimed = replayer_.claimed(id);
    bool contradicted = false;
    std::string overflow;
    for (const Side side : {Side::lower, Side::upper}) {
      replayer_.drive(id, side,
                      quiet_);  // only this node's channels are read, so what an earlier node left does not matter
      const Account account = replayer_.account(id, side, quiet_, constant.towards(side));
      const int128 reached = replayer_.reached(id, side, account);
      const std::int64_t end = side == Side::upper ? claimed.upper : claimed.lower;
      const char* name = side == Side::upper ? "upper" : "lower";
      if (reached != end) {
        contradict(id, std::string("the claimed ") + name + " end is " + std::to_string(end) + ", its inputs reach " +
                           to_string(reached));
        contradicted = true;
        continue;
      }
      const bool claims_overflow = side == Side::upper ? end > limits.upper : end < limits.lower;
      const bool either = claimed.upper > limits.upper || claimed.lower < limits.lower;
      if (claims_overflow && overflow.empty()) {
        overflow =
            "inputs reach " + to_string(reached) + ", the register holds " + interval(limits.lower, limits.upper);
      }
      if (!account.fed_exactly) {
        continue;  // a register below overflows: that is its own finding
      }
      const bool seen =
          stage.claim == Claim::final_value ? reached > limits.upper || reached < limits.lower : account.overflowed;
      if (claims_overflow && !seen) {
        contradict(id, std::string("the claimed overflow at the ") + name + " end was not seen");
        contradicted = true;
      } else if (!either && (seen || account.content != account.exact)) {
        contradict(id, "claimed to fit, but at its " + std::string(name) + " end the register holds " +
                           std::to_string(account.content) + " instead of " + to_string(account.exact));
        contradicted = true;
      }
    }
    ++vote_.nodes_checked;
    if (!overflow.empty() && !contradicted) {
      overflowed_ = true;
      add(id, overflow);
    }
  }

  /// The kernel's order on extreme and random inputs of the whole row, each with an extreme or random zero point.
  void whole_row(std::int64_t r, const RowConstant& constant) {
    const IntegerLayer& layer = claims_.layer;
    const auto cols = static_cast<std::size_t>(layer.cols);
    std::vector<std::int32_t> inputs(cols);
    const auto fill = [&](std::int64_t zero_point, const auto& choose) {
      for (std::int64_t k = 0; k < layer.cols; ++k) {
        inputs[static_cast<std::size_t>(k)] = choose(k);
      }
      replayer_.keep_limit(inputs);
      run_row(r, constant.at(zero_point), inputs);
    };
    fill(0, [&](std::int64_t k) { return layer.lower(k); });
    fill(constant.spread, [&](std::int64_t k) { return layer.upper(k); });
    fill(constant.driving(Side::upper),
         [&](std::int64_t k) { return layer.row(r)[k] > 0 ? layer.upper(k) : layer.lower(k); });
    fill(constant.driving(Side::lower),
         [&](std::int64_t k) { return layer.row(r)[k] > 0 ? layer.lower(k) : layer.upper(k); });
    // A static zero point draws no numbers.
    const auto any_zero_point = [&] {
      const auto points = static_cast<std::uint64_t>(constant.spread) + 1;
      return points == 1 ? 0 : static_cast<std::int64_t>(random_() % points);
    };
    for (int i = 0; i < options_.random_inputs_per_row; ++i) {
      fill(any_zero_point(), [&](std::int64_t k) {
        // Any distribution with every value possible will do; reduction of 64 random bits is the same on every platform.
        const auto width = static_cast<std::uint64_t>(std::int64_t{layer.upper(k)} - layer.lower(k)) + 1;
        return static_cast<std::int32_t>(layer.lower(k) + static_cast<std::int64_t>(random_() % width));
      });
      std::uint64_t bits = 0;
      fill(any_zero_point(), [&](std::int64_t k) {
        bits = k % 64 == 0 ? random_() : bits >> 1;
        return (bits & 1) != 0 ? layer.upper(k) : layer.lower(k);
      });
    }
  }

  void run_row(std::int64_t r, std::int64_t constant, std::span<const std::int32_t> inputs) {
    const IntegerLayer& layer = claims_.layer;
    const Topology& topology = replayer_.topology();
    const auto trace = run(topology, {layer.row(r), static_cast<std::size_t>(layer.cols)}, inputs, constant);
    exact_.resize(topology.stages());
    sound_.resize(topology.stages());
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      const Stage& stage = topology.stage(s);
      const IntegerRange limits = register_limits(stage);
      exact_[s].assign(static_cast<std::size_t>(topology.nodes(s)), 0);
      sound_[s].assign(static_cast<std::size_t>(topology.nodes(s)), 1);
      for (std::int64_t j = 0; j < topology.nodes(s); ++j) {
        const auto at = static_cast<std::size_t>(j);
        const NodeId id{.row = r, .stage = s, .node = j};
        int128 exact = stage.initial == Initial::constant ? constant : 0;
        bool sound = true;
        for (const std::int64_t v : replayer_.values(s, j)) {
          const auto value = static_cast<std::size_t>(v);
          exact += s == 0 ? int128{std::int64_t{layer.row(r)[v]} * inputs[value]} : exact_[s - 1][value];
          sound = sound && (s == 0 || sound_[s - 1][value] != 0);
        }
        const IntegerRange claimed = replayer_.claimed(id);
        const RegisterTrace& seen = trace[s][at];
        exact_[s][at] = exact;
        const bool fits = limits.lower <= claimed.lower && claimed.upper <= limits.upper;
        sound_[s][at] = sound && fits ? 1 : 0;
        const bool partial = stage.claim == Claim::every_partial_sum;
        if (exact < claimed.lower || exact > claimed.upper) {
          contradict(id, "an input of the box gives the sum " + to_string(exact) + ", outside the claimed " +
                             interval(claimed.lower, claimed.upper));
        } else if (sound && fits && (seen.value != exact || (partial && seen.overflowed))) {
          contradict(id, "claimed to fit, but on an input of the box the machine holds " + std::to_string(seen.value) +
                             ", the integers " + to_string(exact));
        } else if (sound && fits && partial && (seen.lowest < claimed.lower || seen.highest > claimed.upper)) {
          contradict(id, "an input of the box has partial sums [" + to_string(seen.lowest) + ", " +
                             to_string(seen.highest) + "], outside the claimed " +
                             interval(claimed.lower, claimed.upper));
        }
      }
    }
  }

  void contradict(NodeId id, std::string message) {
    contradicted_ = true;
    add(id, std::move(message));
  }

  void add(NodeId id, std::string message) {
    ++vote_.findings_total;
    if (vote_.findings.size() < findings_kept) {
      vote_.findings.push_back({.layer = claims_.layer.name, .node = id, .message = std::move(message)});
    }
  }

  const LayerClaims& claims_;
  const ReplayOptions& options_;
  Vote& vote_;
  Replayer replayer_;
  std::mt19937_64 random_;
  std::vector<std::int32_t> quiet_;
  std::vector<std::vector<int128>> exact_;
  std::vector<std::vector<char>> sound_;  ///< this register and all below it are claimed to fit
  bool contradicted_ = false;
  bool overflowed_ = false;
};

}  // namespace

std::string replay_detail(std::int64_t nodes_checked, const ReplayOptions& options) {
  return std::to_string(2 * nodes_checked) + " witnesses, " + std::to_string(4 + 2 * options.random_inputs_per_row) +
         " inputs per row in kernel order, seed " + std::to_string(options.seed);
}

Vote replay_vote(const Certificate& certificate, const ReplayOptions& options) {
  if (options.random_inputs_per_row < 0) {
    throw InputError("replay options", "random_inputs_per_row = " + std::to_string(options.random_inputs_per_row),
                     "0 or more");
  }
  const auto start = std::chrono::steady_clock::now();
  Vote vote;
  vote.voter = "replay";
  const auto finish = [&] {
    vote.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return vote;
  };
  if (refuse_by_shape(certificate, vote)) {
    return finish();
  }
  if (certificate.layers.empty()) {
    vote.detail = "the certificate has no layer";
    return finish();
  }
  vote.nodes_total = nodes_total(certificate);
  bool contradicted = false;
  bool overflowed = false;
  for (const LayerClaims& claims : certificate.layers) {
    LayerReplay replay(claims, options, vote);
    for (std::int64_t r = 0; r < claims.layer.rows; ++r) {
      replay.row(r);
      if (options.progress && r % 16 == 15) {
        options.progress(vote.nodes_checked, vote.nodes_total);
      }
    }
    replay.worst();
    contradicted = contradicted || replay.contradicted();
    overflowed = overflowed || replay.overflowed();
  }
  if (options.progress) {
    options.progress(vote.nodes_checked, vote.nodes_total);
  }
  vote.detail = replay_detail(vote.nodes_checked, options);
  vote.verdict = contradicted ? Verdict::refused : overflowed ? Verdict::unsafe : Verdict::safe;
  return finish();
}

NodeReplay replay_node(const LayerClaims& claims, NodeId node, Side side) {
  if (const std::optional<Finding> shape = shape_finding(claims)) {
    throw InputError("layer '" + claims.layer.name + "'", shape->message, "certify it again");
  }
  const Replayer replayer(claims);
  if (node.row < 0 || node.row >= claims.layer.rows || node.stage >= replayer.topology().stages() || node.node < 0 ||
      node.node >= replayer.topology().nodes(node.stage)) {
    throw InputError("layer '" + claims.layer.name + "'", "there is no such register",
                     "see the layer's rows and stages");
  }
  NodeReplay story;
  story.node = node;
  story.side = side;
  story.inputs = replayer.quiet();
  replayer.drive(node, side, story.inputs);
  const std::int64_t constant = replayer.constant(node.row).towards(side);
  story.initial = replayer.topology().stage(node.stage).initial == Initial::constant ? constant : 0;
  const Account account = replayer.account(node, side, story.inputs, constant,
                                           [&](std::int64_t index, int128 value, const Account& now, bool overflowed) {
                                             ReplayStep step{.value_index = index,
                                                             .weight = 0,
                                                             .input = 0,
                                                             .value = value,
                                                             .exact = now.exact,
                                                             .content = now.content,
                                                             .overflowed = overflowed};
                                             if (node.stage == 0) {
                                               step.weight = claims.layer.row(node.row)[index];
                                               step.input = story.inputs[static_cast<std::size_t>(index)];
                                             }
                                             story.steps.push_back(step);
                                           });
  const IntegerRange claimed = replayer.claimed(node);
  story.limits = register_limits(replayer.topology().stage(node.stage));
  story.claimed = side == Side::upper ? claimed.upper : claimed.lower;
  story.reached = replayer.reached(node, side, account);
  story.overflowed = account.overflowed;
  story.content = account.content;
  return story;
}

}  // namespace axe
