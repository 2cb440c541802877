// What a register does on one addition, in registers so narrow that everything can be tried, against arithmetic written down again
// here; and that every preset reads. See checks.hpp.
#include <algorithm>

#include "axecert/datapath/machine.hpp"
#include "axecert/selftest/checks.hpp"

namespace axe {

void check_steps(SelftestCheck& check) {
  for (int width = 1; width <= 5; ++width) {
    for (const Overflow overflow : {Overflow::wrap, Overflow::saturate, Overflow::undefined}) {
      for (const Limits limits : {Limits::symmetric, Limits::full}) {
        Stage stage;
        stage.width = width;
        stage.overflow = overflow;
        stage.limits = limits;
        const std::int64_t half = std::int64_t{1} << (width - 1);
        const std::int64_t least = limits == Limits::full ? -half : -(half - 1), greatest = half - 1;
        for (std::int64_t content = least; content <= greatest; ++content) {
          for (std::int64_t value = -3 * half; value <= 3 * half; ++value) {
            const std::int64_t exact = content + value;
            const bool fits = exact >= least && exact <= greatest;
            const std::int64_t modulo = ((exact + half) % (2 * half) + 2 * half) % (2 * half) - half;
            const std::int64_t expected =
                overflow == Overflow::saturate ? std::clamp(exact, least, greatest) : (fits ? exact : modulo);
            bool overflowed = false;
            const std::int64_t result = step(stage, content, value, overflowed);
            claim(check, overflowed == !fits && result == expected,
                  to_text(overflow) + ", " + std::to_string(width) + " bits, " + to_text(limits) + ": " +
                      std::to_string(content) + " + " + std::to_string(value));
          }
        }
      }
    }
  }
}

void check_presets(SelftestCheck& check) {
  const std::vector<std::string> names = preset_names();
  claim(check, !names.empty(), "no presets are built in");
  for (const std::string& name : names) {
    const Datapath datapath = parse_datapath(name);  // throws when it is not valid
    claim(check, datapath.name == name && !datapath.stages.empty() && !datapath.sources.empty(), name);
    claim(check, datapath_from_toml(preset_toml(name), name).stages == datapath.stages, name + ": its TOML text");
  }
}

}  // namespace axe
