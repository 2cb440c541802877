// See verb.hpp. Side effects: standard output and error, the files that are named.
#include "verb.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <numeric>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"

namespace axe::cli {

int exit_code(Verdict verdict) {
  switch (verdict) {
    case Verdict::safe:
      return exit_safe;
    case Verdict::unsafe:
      return exit_unsafe;
    case Verdict::incomplete:
      return exit_incomplete;
    case Verdict::refused:
      return exit_refused;
  }
  return exit_incomplete;
}

void add_common(CLI::App* command, const std::shared_ptr<Common>& common, bool long_work) {
  command->add_flag("--json", common->json, "one JSON document on standard output (docs/cli.md)");
  if (long_work) {
    command->add_flag("--progress", common->progress, "progress on standard error even when it is no terminal");
  }
}

void require_input(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw Failure(exit_no_input, path.string(), "no such file", "check the path");
  }
  if (std::filesystem::is_directory(path, error)) {
    if (is_sharded(path)) {
      return;
    }
    throw Failure(exit_no_input, path.string(), "is a folder",
                  "name a file in it, or a folder with *.safetensors.index.json");
  }
  if (!std::ifstream(path, std::ios::binary)) {
    throw Failure(exit_no_input, path.string(), "cannot be opened", "check its permissions");
  }
}

TensorFile read_input(const std::filesystem::path& path) {
  require_input(path);
  return read_tensors(path);
}

OutputFolder::OutputFolder(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::path missing = std::filesystem::absolute(folder, error).lexically_normal();
       !missing.empty() && !std::filesystem::exists(missing, error) && missing != missing.parent_path();
       missing = missing.parent_path()) {
    made_.push_back(missing);
  }
  error.clear();
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder)) {
    throw Failure(exit_cannot_create, folder.string(),
                  "cannot be made: " + (error ? error.message() : std::string("a file of that name is in the way")),
                  "choose another folder with -o");
  }
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  for (const std::filesystem::path& path : made_) {
    std::filesystem::remove(path, ignored);  // only when it is empty
  }
}

void write_all_or_none(const std::vector<Output>& files) {
  std::vector<std::filesystem::path> beside;
  const auto undo = [&] {
    std::error_code ignored;
    for (const std::filesystem::path& path : beside) {
      std::filesystem::remove(path, ignored);
    }
  };
  try {
    for (const Output& file : files) {
      std::error_code error;
      if (std::filesystem::is_directory(file.path, error)) {
        throw Failure(exit_cannot_create, file.path.string(), "is a folder", "name a file");
      }
      std::filesystem::path path = file.path;
      path += ".new." + std::to_string(::getpid());
      write_file_atomically(path, file.content());
      beside.push_back(path);
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
      std::filesystem::rename(beside[i], files[i].path);
    }
  } catch (const Failure&) {
    undo();
    throw;
  } catch (const InputError& error) {
    undo();
    throw Failure(exit_cannot_create, "output", error.what(), "nothing was written");
  } catch (const std::filesystem::filesystem_error& error) {
    undo();
    throw Failure(exit_io, error.path1().string(), error.code().message(), "check the folder");
  }
}

namespace {
bool progress_shown = false;
}

Progress progress_line(const Common& common, const std::string& what) {
  if (common.json && !common.progress) {
    return {};
  }
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  if (!terminal && !common.progress) {
    return {};
  }
  return [what, terminal](std::int64_t done, std::int64_t total) {
    const long long percent =
        total > 0 ? static_cast<long long>(100.0 * static_cast<double>(done) / static_cast<double>(total)) : 100;
    std::fprintf(stderr, terminal ? "\r\033[K%s %lld %%" : "%s %lld %%\n", what.c_str(), percent);
    std::fflush(stderr);
    progress_shown = terminal;
  };
}

void end_progress() {
  if (progress_shown) {
    std::fprintf(stderr, "\r\033[K");
    std::fflush(stderr);
    progress_shown = false;
  }
}

Json parsed(const std::string& json_text) {
  return Json::parse(json_text);
}

void print(const std::string& text) {
  end_progress();
  std::cout << text;
}

void print(const Json& document) {
  print(document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string size_in_words(std::size_t bytes) {
  char text[32];
  if (bytes < 1000) {
    std::snprintf(text, sizeof text, "%zu bytes", bytes);
  } else if (bytes < 1'000'000) {
    std::snprintf(text, sizeof text, "%.1f kB", static_cast<double>(bytes) / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  }
  return text;
}

std::string upper_case(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return word;
}

namespace {

// Levenshtein's distance: insertions, deletions and replacements of characters.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string suggestion(const std::string& name, const std::vector<std::string>& names) {
  const std::string* nearest = nullptr;
  std::size_t least = std::max<std::size_t>(2, name.size() / 2);
  for (const std::string& candidate : names) {
    constexpr std::size_t longest = 200;  // distance() takes time with the product of both lengths
    if (std::max(name.size(), candidate.size()) > longest) {
      continue;
    }
    const bool part = !name.empty() && candidate.find(name) != std::string::npos;
    const std::size_t steps = part ? 0 : distance(name, candidate);
    if (steps < least || (steps == least && nearest == nullptr)) {
      least = steps;
      nearest = &candidate;
    }
  }
  if (nearest != nullptr) {
    return "did you mean '" + *nearest + "'?";
  }
  std::string list;
  for (std::size_t i = 0; i < names.size() && i < 8; ++i) {
    list += (i == 0 ? "" : ", ") + names[i];
  }
  return "there are: " + list + (names.size() > 8 ? ", …" : "");
}

void keep_layer(TensorFile& file, const std::string& name) {
  if (name.empty()) {
    return;
  }
  const std::vector<std::string> names = layer_names(file);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw Failure(exit_usage, file.path, "no layer '" + name + "'", suggestion(name, names));
  }
  std::erase_if(file.tensors, [&](const auto& item) {
    const std::size_t dot = item.first.rfind('.');
    return dot == std::string::npos || item.first.substr(0, dot) != name;
  });
}

}  // namespace axe::cli
