// Runs the machine of datapath/machine.hpp on whole matrices: an exact test per register, and steps where it fails.
// `DatapathProduct::multiply` is the main function. Side effects: threads.
#include "axecert/kernel/datapath_product.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "axecert/bound/layer_shape.hpp"
#include "axecert/datapath/machine.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/numeric/tasks.hpp"

namespace axe {
namespace {

using namespace kernel;

constexpr std::size_t value_entries = std::size_t{1} << 16;  // of the lowest stage's registers, held at once: 512 KiB
constexpr int widest_lane = 62;                              // an addition of two such values stays inside 64 bits
constexpr std::int64_t byte_limit = 255;  // |operand| up to which the exact test and 16-bit products work
constexpr std::size_t short_run = 8;      // the exact test costs about as much as so many steps

StepRegister step_register(const Stage& stage) {
  const IntegerRange limits = register_limits(stage);
  return {stage.width, stage.overflow == Overflow::saturate, limits.lower, limits.upper};
}

/// The initial value of a register, and whether it fits.
std::int64_t settled_initial(const Stage& stage, std::int64_t initial, std::int64_t& overflows) {
  bool overflowed = false;
  const std::int64_t held = step(stage, 0, initial, overflowed);
  overflows += overflowed ? 1 : 0;
  return held;
}

}  // namespace

/// What one thread needs for one block of tokens.
struct DatapathProduct::Scratch {
  Aligned<std::uint8_t> biased;               // [chunk][token][line], an operand as wide as the loops take it
  Aligned<std::uint8_t> absolute;             // |x|, likewise; only when it fits a byte
  Aligned<std::int16_t> words;                // x, [token][packed]; only when it fits
  Aligned<std::int32_t> operands;             // x, [token][packed]; otherwise
  std::vector<std::int64_t> absolute_sums;    // Σ |x| below each register of the lowest stage, [token][node]
  std::vector<std::int64_t> constants;        // of the panel's rows, [token][32]
  std::vector<std::int64_t> values;           // registers of the lowest stage, [token][node][32]
  std::vector<std::int64_t> stage_values[2];  // of two upper stages, [node][32]
  std::vector<std::int64_t> sums;             // [token][32]
  std::vector<std::int64_t> magnitudes;       // [token][32]
};

DatapathProduct::DatapathProduct(const IntegerLayer& layer, const Topology& topology, Target target)
    : name_(layer.name),
      rows_(layer.rows),
      topology_(topology),
      target_(target),
      order_((validate_shape(layer), validate_topology(layer, topology), topology), 0),
      weights_(order_.quad_panels(layer, [](std::int8_t w) { return w; })),
      magnitudes_(order_.quad_panels(layer, [](std::int8_t w) { return static_cast<std::int8_t>(std::abs(w) - 128); })),
      lines_(order_.line_panels(layer)),
      constants_(row_constants(layer)),
      row_sums_(static_cast<std::size_t>(rows_), 0) {
  const std::size_t panels = PackedOrder::panels_of(layer);
  const std::size_t nodes = order_.runs().size();
  node_sums_.assign(panels * nodes * panel_rows, 0);
  largest_l1_.assign(panels * nodes, 0);
  for (std::size_t panel = 0; panel < panels; ++panel) {
    for (std::size_t node = 0; node < nodes; ++node) {
      std::int64_t* sums = node_sums_.data() + (panel * nodes + node) * panel_rows;
      std::int64_t l1[panel_rows] = {};
      const Run& run = order_.runs()[node];
      for (std::size_t p = run.begin; p < run.begin + run.length; ++p) {
        const std::int8_t* w = lines_.data() + (panel * order_.length() + p) * panel_rows;
        for (std::size_t r = 0; r < panel_rows; ++r) {
          sums[r] += w[r];
          l1[r] += std::abs(w[r]);
        }
      }
      largest_l1_[panel * nodes + node] = *std::max_element(l1, l1 + panel_rows);
      for (std::size_t r = 0; r < panel_rows && panel * panel_rows + r < static_cast<std::size_t>(rows_); ++r) {
        row_sums_[panel * panel_rows + r] += sums[r];
      }
    }
  }
  for (std::size_t s = 1; s < topology_.stages(); ++s) {
    std::vector<std::int64_t>& values = values_.emplace_back();
    std::vector<std::size_t>& begins = value_begins_.emplace_back(1, 0);
    for (std::int64_t node = 0; node < topology_.nodes(s); ++node) {
      const std::vector<std::int64_t> added = topology_.values_of(s, node);
      values.insert(values.end(), added.begin(), added.end());
      begins.push_back(values.size());
    }
  }
}

std::int64_t DatapathProduct::multiply(const Operands& operands, std::span<std::int64_t> contents, int threads) const {
  validate(operands, name_, cols());
  validate_result(contents.size(), operands.tokens, rows_, outputs(), name_);
  validate_threads(threads, name_);
  const auto tokens = static_cast<std::size_t>(operands.tokens);
  const std::size_t nodes = order_.runs().size();
  const std::size_t block =
      std::clamp<std::size_t>(value_entries / (nodes * panel_rows) / step_tokens * step_tokens, 1, most_tokens);
  const Tasks tasks(tokens, static_cast<std::size_t>(rows_), block, threads, 1);
  std::atomic<std::int64_t> overflows{0};
  for_each_task(tasks.count(), threads, [&](const auto& take) {
    Scratch scratch;
    for (std::size_t task = 0; take(task);) {
      overflows += multiply_task(operands, contents.data(), tasks[task], scratch);
    }
  });
  return overflows;
}

std::int64_t DatapathProduct::multiply_task(const Operands& operands, std::int64_t* contents, const Tasks::Task& task,
                                            Scratch& scratch) const {
  const std::size_t first_token = task.first_token;
  const std::size_t count = task.end_token - first_token;
  const std::size_t nodes = order_.runs().size();
  const std::size_t length = order_.length();
  const std::size_t chunks = order_.chunks().size();
  const auto rows = static_cast<std::size_t>(rows_);
  const bool bytes = operands.base <= 0 && operands.base + byte_limit >= 0;  // then |x| ≤ 255

  const std::size_t operand_bytes = loops_of(target_).dot.operand_bytes;
  const std::size_t stride = line_stride * operand_bytes;
  std::uint8_t packed[chunk_length];
  scratch.biased.resize(chunks * count * stride);
  scratch.absolute.resize(bytes ? chunks * count * stride : 0);
  scratch.absolute_sums.assign(bytes ? count * nodes : 0, 0);
  scratch.words.resize(bytes ? count * length : 0);
  scratch.operands.resize(count * length);
  for (std::size_t t = 0; t < count; ++t) {
    const std::uint8_t* token = operands.biased.data() + (first_token + t) * static_cast<std::size_t>(cols());
    for (std::size_t c = 0; c < chunks; ++c) {
      const Chunk& chunk = order_.chunks()[c];
      order_.pack(token, chunk.begin, chunk.end, packed);
      to_line(packed, chunk.end - chunk.begin, operand_bytes, scratch.biased.data() + (c * count + t) * stride);
      for (std::size_t p = chunk.begin; p < chunk.end; ++p) {
        scratch.operands[t * length + p] = packed[p - chunk.begin] + operands.base;
      }
    }
    if (!bytes) {
      continue;
    }
    for (std::size_t p = 0; p < length; ++p) {
      scratch.words[t * length + p] = static_cast<std::int16_t>(scratch.operands[t * length + p]);
    }
    for (std::size_t c = 0; c < chunks; ++c) {
      const Chunk& chunk = order_.chunks()[c];
      for (std::size_t p = chunk.begin; p < chunk.end; ++p) {
        packed[p - chunk.begin] = static_cast<std::uint8_t>(std::abs(scratch.operands[t * length + p]));
      }
      to_line(packed, chunk.end - chunk.begin, operand_bytes, scratch.absolute.data() + (c * count + t) * stride);
    }
    for (std::size_t node = 0; node < nodes; ++node) {
      // Padding has |w| − 128 = 0 where w = 0 would give −128, so whatever |x| it has counts nothing; it is left out here.
      const Run& run = order_.runs()[node];
      std::int64_t sum = 0;
      for (std::size_t p = run.begin; p < run.begin + run.length; ++p) {
        sum += std::abs(scratch.operands[t * length + p]);
      }
      scratch.absolute_sums[t * nodes + node] = sum;
    }
  }
  scratch.values.resize(count * nodes * panel_rows);
  scratch.constants.assign(count * panel_rows, 0);
  scratch.sums.resize(most_tokens * panel_rows);
  scratch.magnitudes.resize(most_tokens * panel_rows);

  std::int64_t overflows = 0;
  for (std::size_t panel = task.first_panel; panel < task.end_panel; ++panel) {
    const std::size_t first_row = panel * panel_rows;
    const std::size_t present = std::min(panel_rows, rows - first_row);
    for (std::size_t t = 0; t < count; ++t) {
      const std::int64_t zero_point = operands.zero_points.empty() ? 0 : operands.zero_points[first_token + t];
      for (std::size_t r = 0; r < present; ++r) {
        scratch.constants[t * panel_rows + r] = constants_[first_row + r] - zero_point * row_sums_[first_row + r];
      }
      std::fill(scratch.constants.begin() + static_cast<std::ptrdiff_t>(t * panel_rows + present),
                scratch.constants.begin() + static_cast<std::ptrdiff_t>((t + 1) * panel_rows), 0);
    }
    overflows += lowest_stage(operands, count, panel, scratch);
    for (std::size_t t = 0; t < count; ++t) {
      const std::int64_t* below = scratch.values.data() + t * nodes * panel_rows;
      for (std::size_t s = 1; s < topology_.stages(); ++s) {
        std::vector<std::int64_t>& registers = scratch.stage_values[s % 2];
        registers.resize(static_cast<std::size_t>(topology_.nodes(s)) * panel_rows);
        overflows += upper_stage(s, below, scratch.constants.data() + t * panel_rows, registers.data());
        below = registers.data();
      }
      const auto last = static_cast<std::size_t>(outputs());
      std::int64_t* out = contents + ((first_token + t) * rows + first_row) * last;
      for (std::size_t r = 0; r < present; ++r) {
        for (std::size_t o = 0; o < last; ++o) {
          out[r * last + o] = below[o * panel_rows + r];
        }
      }
    }
  }
  return overflows;
}

std::int64_t DatapathProduct::lowest_stage(const Operands& operands, std::size_t count, std::size_t panel,
                                           Scratch& scratch) const {
  const Loops& loops = loops_of(target_);
  const Stage& stage = topology_.stage(0);
  const StepRegister limits = step_register(stage);
  const std::size_t nodes = order_.runs().size();
  const std::size_t length = order_.length();
  const std::int64_t base = operands.base;
  const bool bytes = base <= 0 && base + byte_limit >= 0;
  const std::int64_t largest = std::max(std::abs(base), std::abs(base + byte_limit));
  const std::int8_t* weights = weights_.data() + panel * panel_rows * length;
  const std::int8_t* magnitudes = magnitudes_.data() + panel * panel_rows * length;
  const std::int8_t* lines = lines_.data() + panel * panel_rows * length;
  const bool starts_from_constant = stage.initial == Initial::constant;
  static constexpr std::int64_t zeros[panel_rows] = {};
  const auto initial_of = [&](std::size_t t) {
    return starts_from_constant ? scratch.constants.data() + t * panel_rows : zeros;
  };

  // Which way the registers are stepped; see loops.hpp for what each needs.
  const auto step_all = [&](const std::size_t* stepped, const Run& run, std::int64_t* content, std::int64_t* left) {
    const std::int8_t* w = lines + run.begin * panel_rows;
    if (bytes && stage.width <= 16) {
      const std::int16_t* x[step_tokens];
      for (std::size_t j = 0; j < step_tokens; ++j) {
        x[j] = scratch.words.data() + stepped[j] * length + run.begin;
      }
      loops.step_words(limits, x, w, run.length, content, left);
      return;
    }
    const std::int32_t* x[step_tokens];
    for (std::size_t j = 0; j < step_tokens; ++j) {
      x[j] = scratch.operands.data() + stepped[j] * length + run.begin;
    }
    if (stage.width <= 30 && largest <= std::int64_t{1} << 21) {
      loops.step_int32(limits, x, w, run.length, content, left);
      return;
    }
    if (stage.width <= widest_lane) {
      loops.step_int64(limits, x, w, run.length, content, left);
      return;
    }
    for (std::size_t i = 0; i < step_tokens * panel_rows; ++i) {
      for (std::size_t k = 0; k < run.length; ++k) {
        bool overflowed = false;
        content[i] = step(stage, content[i], std::int64_t{w[k * panel_rows + i % panel_rows]} * x[i / panel_rows][k],
                          overflowed);
        left[i / panel_rows] += overflowed ? 1 : 0;
      }
    }
  };

  std::int64_t overflows = 0;
  std::int32_t added[most_tokens * panel_rows];
  std::int64_t* sums = scratch.sums.data();
  std::int64_t* absolute = scratch.magnitudes.data();
  for (std::size_t c = 0, node = 0; node < nodes; ++node) {
    const Run& run = order_.runs()[node];
    while (order_.chunks()[c].end <= run.begin) {
      ++c;
    }
    const std::int64_t* node_sums = node_sums_.data() + (panel * nodes + node) * panel_rows;
    // Σ |w| · max |x| inside the limits: no operand can make it overflow, apart from what it starts from.
    const std::int64_t reach = largest_l1_[panel * nodes + node] * largest;
    const bool always_fits = !starts_from_constant && reach <= limits.upper && -reach >= limits.lower;
    const bool tested = bytes && run.length > short_run;

    if (always_fits || tested) {
      std::fill_n(sums, count * panel_rows, 0);
      std::fill_n(absolute, count * panel_rows, 0);
      for (std::size_t chunk = c, done = 0; done < run.length; ++chunk) {
        const std::size_t begin = run.begin + done;
        const std::size_t part = std::min((run.length - done + 3) / 4 * 4, order_.chunks()[chunk].end - begin);
        const std::size_t at =
            (chunk * count * line_stride + (begin - order_.chunks()[chunk].begin)) * loops.dot.operand_bytes;
        loops.dot.run(scratch.biased.data() + at, count, weights + begin * panel_rows, part / 4, added);
        for (std::size_t i = 0; i < count * panel_rows; ++i) {
          sums[i] += added[i];
        }
        if (!always_fits) {
          loops.dot.run(scratch.absolute.data() + at, count, magnitudes + begin * panel_rows, part / 4, added);
          for (std::size_t i = 0; i < count * panel_rows; ++i) {
            absolute[i] += added[i];
          }
        }
        done += part;
      }
    }

    std::size_t stepped[most_tokens + step_tokens];
    std::size_t waiting = 0;
    for (std::size_t t = 0; t < count; ++t) {
      bool exact = always_fits || tested;
      if (exact) {
        std::int64_t* s = sums + t * panel_rows;
        for (std::size_t r = 0; r < panel_rows; ++r) {
          s[r] += base * node_sums[r];
        }
      }
      if (exact && !always_fits) {
        std::int64_t* a = absolute + t * panel_rows;
        const std::int64_t correction = 128 * scratch.absolute_sums[t * nodes + node];  // Σ |x| (|w| − 128) + 128 Σ |x|
        for (std::size_t r = 0; r < panel_rows; ++r) {
          a[r] += correction;
        }
        exact = loops.cannot_overflow(limits, initial_of(t), sums + t * panel_rows, a);
      }
      if (!exact) {
        stepped[waiting++] = t;
        continue;
      }
      std::int64_t* value = scratch.values.data() + (t * nodes + node) * panel_rows;
      const std::int64_t* initial = initial_of(t);
      for (std::size_t r = 0; r < panel_rows; ++r) {
        value[r] = initial[r] + sums[t * panel_rows + r];
      }
    }

    for (std::size_t first = 0; first < waiting; first += step_tokens) {
      std::int64_t content[step_tokens * panel_rows];
      std::int64_t left[step_tokens] = {};
      const std::size_t real = std::min(step_tokens, waiting - first);
      for (std::size_t j = 0; j < step_tokens; ++j) {
        stepped[first + j] = stepped[first + (j < real ? j : 0)];  // lanes with nothing to do repeat the first
        const std::int64_t* initial = initial_of(stepped[first + j]);
        for (std::size_t r = 0; r < panel_rows; ++r) {
          content[j * panel_rows + r] = settled_initial(stage, initial[r], left[j]);
        }
      }
      step_all(stepped + first, run, content, left);
      for (std::size_t j = 0; j < real; ++j) {
        overflows += left[j];
        std::copy_n(content + j * panel_rows, panel_rows,
                    scratch.values.data() + (stepped[first + j] * nodes + node) * panel_rows);
      }
    }
  }
  return overflows;
}

std::int64_t DatapathProduct::upper_stage(std::size_t s, const std::int64_t* values, const std::int64_t* constants,
                                          std::int64_t* contents) const {
  const Loops& loops = loops_of(target_);
  const Stage& stage = topology_.stage(s);
  const StepRegister limits = step_register(stage);
  const bool lanes = stage.width <= widest_lane && topology_.stage(s - 1).width <= widest_lane;
  const std::vector<std::int64_t>& added = values_[s - 1];
  const std::vector<std::size_t>& begins = value_begins_[s - 1];
  std::int64_t overflows = 0;
  std::int64_t left[panel_rows] = {};
  for (std::size_t node = 0; node + 1 < begins.size(); ++node) {
    std::int64_t* content = contents + node * panel_rows;
    for (std::size_t r = 0; r < panel_rows; ++r) {
      content[r] = settled_initial(stage, stage.initial == Initial::constant ? constants[r] : 0, overflows);
    }
    for (std::size_t j = begins[node]; j < begins[node + 1]; ++j) {
      const std::int64_t* value = values + static_cast<std::size_t>(added[j]) * panel_rows;
      if (lanes) {
        loops.step_values(limits, value, content, left);
        continue;
      }
      for (std::size_t r = 0; r < panel_rows; ++r) {
        bool overflowed = false;
        content[r] = step(stage, content[r], value[r], overflowed);
        overflows += overflowed ? 1 : 0;
      }
    }
  }
  for (const std::int64_t n : left) {
    overflows += n;
  }
  return overflows;
}

}  // namespace axe
