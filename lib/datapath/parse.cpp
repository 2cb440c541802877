// From the text that a user writes to a datapath: a shorthand, a preset's name, or a TOML file. `parse_datapath` is the
// main function; it reads a file when the text ends in .toml, and has no other side effect.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "axecert/datapath/datapath.hpp"
#include "axecert/datapath/preset_table.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

constexpr const char* shorthand_form = "axe:P=16[,T=64][,outer=32|float][,act=u8|s8|box]";

/// Reads `axe:KEY=VALUE,…`; positions in errors count characters from 1.
class Shorthand {
 public:
  explicit Shorthand(const std::string& text) : text_(text) {}

  Datapath read() {
    position_ = std::strlen("axe:");
    do {
      read_setting();
    } while (accept(','));
    if (position_ != text_.size()) {
      refuse(position_, "unexpected '" + text_.substr(position_) + "'", "settings are separated by commas");
    }
    if (!width_) {
      refuse(text_.size(), "P is missing", "P is the width of the tile's register in bits");
    }
    return build();
  }

 private:
  [[noreturn]] void refuse(std::size_t position, const std::string& problem, const std::string& remedy) const {
    throw InputError("datapath '" + text_ + "', character " + std::to_string(position + 1), problem,
                     remedy + "; the form is " + shorthand_form);
  }

  bool accept(char c) {
    const bool is_next = position_ < text_.size() && text_[position_] == c;
    position_ += is_next ? 1 : 0;
    return is_next;
  }

  std::string word() {
    const std::size_t end = std::min(text_.find_first_of("=,", position_), text_.size());
    const std::string result = text_.substr(position_, end - position_);
    position_ = end;
    return result;
  }

  /// A decimal number in [lower, upper] without sign or leading zero.
  std::int64_t number(const std::string& key, std::size_t begin, const std::string& digits, std::int64_t lower,
                      std::int64_t upper) const {
    const std::string limits = key + " is " + std::to_string(lower) + " to " + std::to_string(upper);
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
      refuse(begin, "'" + digits + "' is not a number", limits);
    }
    std::int64_t value = 0;
    for (const char c : digits) {
      value = 10 * value + (c - '0');
      if (value > upper) {
        refuse(begin, key + "=" + digits + " is too large", limits);
      }
    }
    if (value < lower || (digits.size() > 1 && digits[0] == '0')) {
      refuse(begin, key + "=" + digits + " is not valid", limits);
    }
    return value;
  }

  template <class Value>
  void set(std::optional<Value>& setting, const std::string& key, std::size_t begin, Value value) const {
    if (setting) {
      refuse(begin, key + " is given twice", "give it once");
    }
    setting = value;
  }

  void read_setting() {
    const std::size_t begin = position_;
    const std::string key = word();
    if (key != "P" && key != "T" && key != "outer" && key != "act") {
      refuse(begin, key.empty() ? "a setting is missing" : "unknown key '" + key + "'", "keys are P, T, outer, act");
    }
    if (!accept('=')) {
      refuse(position_, key + " has no value", "write " + key + "=…");
    }
    const std::size_t start = position_;
    const std::string value = word();
    if (key == "P") {
      set(width_, key, begin, number(key, start, value, 1, 64));
    } else if (key == "T") {
      set(tile_, key, begin, number(key, start, value, 1, INT32_MAX));
    } else if (key == "outer") {
      set(outer_, key, begin, value == "float" ? std::int64_t{0} : number(key, start, value, 1, 64));
    } else if (value == "u8") {
      set(form_, key, begin, ActivationForm::raw);
    } else if (value == "s8") {
      set(form_, key, begin, ActivationForm::recentred);
    } else if (value == "box") {
      set(form_, key, begin, ActivationForm::boxed);
    } else {
      refuse(start, "unknown form '" + value + "'", "act is u8, s8 or box");
    }
  }

  Datapath build() const {
    Datapath datapath;
    const std::int64_t outer = outer_.value_or(32);
    datapath.form = form_.value_or(ActivationForm::raw);
    datapath.name = "axe:P=" + std::to_string(*width_) + (tile_ ? ",T=" + std::to_string(*tile_) : "") +
                    (outer == 0    ? ",outer=float"
                     : outer != 32 ? ",outer=" + std::to_string(outer)
                                   : "") +
                    (datapath.form == ActivationForm::recentred ? ",act=s8"
                     : datapath.form == ActivationForm::boxed   ? ",act=box"
                                                                : "");
    datapath.title = "AXE accumulation: " + (tile_ ? "tiles of " + std::to_string(*tile_) : std::string("whole rows")) +
                     " in " + std::to_string(*width_) + " bits";
    datapath.sources = {"AXE, arXiv 2409.17092"};
    if (datapath.form != ActivationForm::raw) {
      datapath.activations = {-128, 127};
    }
    Stage tile;
    tile.name = "tile";
    tile.width = static_cast<int>(*width_);
    tile.group = tile_.value_or(0);
    datapath.stages.push_back(tile);
    if (outer != 0) {
      Stage sum;
      sum.name = "outer";
      sum.width = static_cast<int>(outer);
      sum.initial = Initial::constant;
      datapath.stages.push_back(sum);
    }
    validate(datapath);
    return datapath;
  }

  const std::string& text_;
  std::size_t position_ = 0;
  std::optional<std::int64_t> width_;
  std::optional<std::int64_t> tile_;
  std::optional<std::int64_t> outer_;  // 0 is float
  std::optional<ActivationForm> form_;
};

const PresetText* find_preset(const std::string& name) {
  for (std::size_t i = 0; i < preset_table_size; ++i) {
    if (preset_table[i].name == name) {
      return &preset_table[i];
    }
  }
  return nullptr;
}

std::string known_presets() {
  std::string text;
  for (const std::string& name : preset_names()) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

std::string read_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw InputError(path, "no such file", "name an existing .toml file, or one of " + known_presets());
  }
  if (std::filesystem::file_size(path, error) > longest_toml || error) {
    throw InputError(path, "too large for a datapath", "at most 1 MiB");
  }
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.good() && !file.eof()) {
    throw InputError(path, "cannot be read", "check its permissions");
  }
  return text;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < preset_table_size; ++i) {
    names.emplace_back(preset_table[i].name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string preset_toml(const std::string& name) {
  const PresetText* preset = find_preset(name);
  if (preset == nullptr) {
    throw InputError("preset '" + name + "'", "no such preset", "presets are " + known_presets());
  }
  return preset->toml;
}

Datapath parse_datapath(const std::string& text) {
  if (text.starts_with("axe:")) {
    return Shorthand(text).read();
  }
  if (const PresetText* preset = find_preset(text)) {
    return datapath_from_toml(preset->toml, "preset " + text);
  }
  if (text.ends_with(".toml")) {
    return datapath_from_toml(read_file(text), text);
  }
  throw InputError("datapath '" + text + "'", "not a shorthand, a preset or a .toml file",
                   "write " + std::string(shorthand_form) + ", or one of " + known_presets() + ", or FILE.toml");
}

}  // namespace axe
