// What the verbs share: exit codes, the errors that become them, progress on a terminal, JSON on standard output. main.cpp
// runs them; each verb adds itself to the application and says how it is run.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "axecert/certificate/vote.hpp"
#include "axecert/datapath/datapath.hpp"
#include "axecert/model/tensors.hpp"
#include "axecert/numeric/error.hpp"

namespace axe::cli {

using Json = nlohmann::ordered_json;

/// Exit codes: verdicts, then those of sysexits.h.
enum Exit : int {
  exit_safe = 0,
  exit_unsafe = 1,
  exit_incomplete = 2,
  exit_refused = 3,
  exit_usage = 64,          ///< EX_USAGE
  exit_data = 65,           ///< EX_DATAERR: the input is not what it should be
  exit_no_input = 66,       ///< EX_NOINPUT: the input cannot be opened
  exit_software = 70,       ///< EX_SOFTWARE: a defect of axecert
  exit_cannot_create = 73,  ///< EX_CANTCREAT: the output's folder or file cannot be made
  exit_io = 74,             ///< EX_IOERR: writing failed
};
int exit_code(Verdict verdict);

/// An error with its exit code. `what()` reads as InputError's.
class Failure : public InputError {
 public:
  Failure(Exit exit, const std::string& place, const std::string& problem, const std::string& remedy)
      : InputError(place, problem, remedy), code(exit) {}
  Exit code;
};

/// Options of every verb.
struct Common {
  bool json = false;
  bool progress = false;  ///< even when standard error is no terminal
};

/// A verb: a subcommand of `app`, and the function that runs it after parsing; its result is the exit code.
using Run = std::function<int()>;
struct Verb {
  CLI::App* command;
  Run run;
};
Verb quantize_verb(CLI::App& app);
Verb certify_verb(CLI::App& app);
Verb repair_verb(CLI::App& app);
Verb verify_verb(CLI::App& app);
Verb explain_verb(CLI::App& app);
Verb report_verb(CLI::App& app);
Verb export_verb(CLI::App& app);
Verb datapaths_verb(CLI::App& app);
Verb probe_verb(CLI::App& app);
Verb check_verb(CLI::App& app);
Verb selftest_verb(CLI::App& app);
Verb sbom_verb(CLI::App& app);

/// Adds --json and, where `long_work`, --progress.
void add_common(CLI::App* command, const std::shared_ptr<Common>& common, bool long_work);

/// The tensors of an input file; Failure 66 when it is not there or not readable.
void require_input(const std::filesystem::path& path);
TensorFile read_input(const std::filesystem::path& path);

/// A folder for output. Made at once, so that a place that cannot be written is an error before the work, not after it (Failure
/// 73); what it made and nobody filled is removed again.
class OutputFolder {
 public:
  explicit OutputFolder(const std::filesystem::path& folder);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();

 private:
  std::vector<std::filesystem::path> made_;  // innermost first
};

/// Writes all files or none: each beside its place first, then all are renamed, which only a concurrent change of the folder can
/// make fail. Failure 73 when one cannot be made.
struct Output {
  std::filesystem::path path;
  std::vector<std::uint8_t> bytes;
  std::span<const std::uint8_t> kept{};  ///< instead of `bytes`: somebody else keeps them
  std::span<const std::uint8_t> content() const { return kept.empty() ? std::span<const std::uint8_t>(bytes) : kept; }
};
void write_all_or_none(const std::vector<Output>& files);

/// A progress line on standard error, or nothing.
Progress progress_line(const Common& common, const std::string& what);
void end_progress();

/// The JSON text of another room as a value.
Json parsed(const std::string& json_text);
void print(const Json& document);
void print(const std::string& text);

/// "0.9 MB".
std::string size_in_words(std::size_t bytes);
std::string upper_case(std::string word);

/// The entry of `names` that is meant by a misspelt `name`: "; did you mean 'gate_proj'?", or the first few names.
std::string suggestion(const std::string& name, const std::vector<std::string>& names);

/// Keeps only the arrays of layer `name`; all when it is empty. Failure 64 for an unknown one.
void keep_layer(TensorFile& file, const std::string& name);

}  // namespace axe::cli
