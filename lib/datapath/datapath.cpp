// Register limits, the width a range needs, the families of the catalogue, and the rules that a datapath must obey. `validate` is the main function.
// No side effects.
#include "axecert/datapath/datapath.hpp"

#include <algorithm>

#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

constexpr std::int64_t largest_count = INT32_MAX;  // of values per register, and of lanes

bool is_one_of(char c, const char* others) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string(others).find(c) != std::string::npos;
}

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 200 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_one_of(c, "_.:=,/-") || (c >= 'A' && c <= 'Z');
  });
}

bool is_stage_name(const std::string& text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_one_of(c, "_-"); });
}

void validate_operand(const std::string& place, const char* what, IntegerRange range, IntegerRange widest) {
  if (range.lower > range.upper) {
    throw InputError(
        place,
        std::string(what) + ": lower " + std::to_string(range.lower) + " exceeds upper " + std::to_string(range.upper),
        "write [lower, upper]");
  }
  if (range.lower < widest.lower || range.upper > widest.upper) {
    throw InputError(place,
                     std::string(what) + " [" + std::to_string(range.lower) + ", " + std::to_string(range.upper) +
                         "] is not supported",
                     "stay within [" + std::to_string(widest.lower) + ", " + std::to_string(widest.upper) + "]");
  }
}

}  // namespace

bool same_arithmetic(const Datapath& a, const Datapath& b) {
  return a.weights == b.weights && a.activations == b.activations && a.form == b.form && a.stages == b.stages;
}

IntegerRange register_limits(int width, Limits limits) {
  if (width < 1 || width > 64) {
    throw InputError("register width " + std::to_string(width), "out of range", "1 to 64 bits");
  }
  // 2^(P−1) − 1; for P = 64 the shift is of an unsigned one, and the difference fits.
  const auto upper = static_cast<std::int64_t>((std::uint64_t{1} << (width - 1)) - 1);
  return {limits == Limits::symmetric ? -upper : -upper - 1, upper};
}

int minimum_width(IntegerRange range, Limits limits) {
  for (int width = 1; width <= 64; ++width) {
    const IntegerRange held = register_limits(width, limits);
    if (held.lower <= range.lower && range.upper <= held.upper) {
      return width;
    }
  }
  return 65;
}

const std::vector<Family>& families() {
  static const std::vector<Family> all{
      {"axe", "AXE's own accumulators"},
      {"x86", "x86 processors and their libraries"},
      {"ggml", "ggml, llama.cpp and BitNet"},
      {"arm", "ARM and Hexagon processors and their libraries"},
      {"mcu", "microcontrollers and RISC-V"},
      {"wasm", "WebAssembly"},
      {"gpu", "graphics processors"},
      {"accelerator", "accelerators"},
      {"fpga", "FPGA flows"},
      {"specification", "specifications and reference kernels"},
  };
  return all;
}

void validate(const Datapath& datapath) {
  const std::string place = "datapath '" + datapath.name + "'";
  if (!is_name(datapath.name)) {
    throw InputError(place, "its name is not a word", "1 to 200 of A-Z a-z 0-9 _ . : = , / -");
  }
  const auto is_family = [&](const Family& family) { return family.name == datapath.family; };
  if (!datapath.family.empty() && std::none_of(families().begin(), families().end(), is_family)) {
    std::string known;
    for (const Family& family : families()) {
      known += (known.empty() ? "" : ", ") + family.name;
    }
    throw InputError(place, "there is no family '" + datapath.family + "'", "one of " + known + ", or none");
  }
  validate_operand(place, "weights", datapath.weights, {INT8_MIN, INT8_MAX});
  validate_operand(place, "activations", datapath.activations, {-largest_operand, largest_operand});
  if (datapath.stages.empty()) {
    throw InputError(place, "it has no stage", "add at least one [[stage]]");
  }
  int constants = 0;
  for (std::size_t s = 0; s < datapath.stages.size(); ++s) {
    const Stage& stage = datapath.stages[s];
    const std::string where = place + ", stage " + std::to_string(s) + " '" + stage.name + "'";
    if (!is_stage_name(stage.name)) {
      throw InputError(where, "its name is not a word", "1 to 64 of a-z 0-9 _ -");
    }
    for (std::size_t t = 0; t < s; ++t) {
      if (datapath.stages[t].name == stage.name) {
        throw InputError(where, "stage " + std::to_string(t) + " has the same name", "name every stage differently");
      }
    }
    if (stage.width < 1 || stage.width > 64) {
      throw InputError(where, "width " + std::to_string(stage.width) + " is out of range", "1 to 64 bits");
    }
    if (stage.group < 0 || stage.group > largest_count) {
      throw InputError(where, "group " + std::to_string(stage.group) + " is out of range", "1 to 2147483647, or all");
    }
    if (stage.stride < 1 || stage.stride > largest_count) {
      throw InputError(where, "stride " + std::to_string(stage.stride) + " is out of range", "1 to 2147483647");
    }
    if (stage.claim == Claim::final_value && stage.overflow != Overflow::wrap) {
      throw InputError(where, "claims only the final value, but " + to_text(stage.overflow) + " loses what overflowed",
                       "claim every-partial-sum, or let the register wrap");
    }
    if (stage.initial == Initial::constant && ++constants > 1) {
      throw InputError(where, "a second stage starts from the constant", "give every other stage initial = \"zero\"");
    }
  }
}

}  // namespace axe
