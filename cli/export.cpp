// axecert export: what a certificate claims, in formats that other people's checkers read, one folder of files.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "axecert/certificate/shape.hpp"
#include "axecert/foreign/foreign.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "onnx_input.hpp"
#include "voters.hpp"

namespace axe::cli {
namespace {

constexpr std::int64_t most_files = 100'000;

struct Arguments {
  std::string certificate, weights, format, folder, convolution_order = "kernel";
  ForeignSelection selection;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

ForeignFormat format_of(const std::string& name) {
  for (const ForeignFormat format :
       {ForeignFormat::vipr, ForeignFormat::smt2, ForeignFormat::alethe, ForeignFormat::acceptance}) {
    if (name == to_text(format)) {
      return format;
    }
  }
  throw Failure(exit_usage, "--format", "no format '" + name + "'", "vipr, smt2, alethe or acceptance");
}

/// A folder that appears whole or not at all: made beside its place and renamed by `keep`.
class PendingFolder {
 public:
  explicit PendingFolder(const std::filesystem::path& target)
      : target_(not_there(target)),
        parent_(target.has_parent_path() ? target.parent_path() : "."),
        place_(target.string() + ".new." + std::to_string(::getpid())) {
    std::error_code error;
    if (!std::filesystem::create_directory(place_, error)) {
      throw Failure(exit_cannot_create, target.string(),
                    "cannot be made: " + (error ? error.message() : std::string("its temporary folder is in the way")),
                    "choose another folder with -o");
    }
  }
  PendingFolder(const PendingFolder&) = delete;
  PendingFolder& operator=(const PendingFolder&) = delete;
  ~PendingFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(place_, ignored);  // nothing is there once it was kept
  }

  const std::filesystem::path& place() const { return place_; }
  void keep() {
    // Thousands of small files: one sync for all of them, before the name that promises they are there.
    const int descriptor = ::open(place_.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::syncfs(descriptor) == 0;
    if (descriptor >= 0) {
      ::close(descriptor);
    }
    if (!synced) {
      throw Failure(exit_io, target_.string(), "cannot be synced", "check the disk");
    }
    std::error_code error;
    std::filesystem::rename(place_, target_, error);
    if (error) {
      throw Failure(exit_io, target_.string(), error.message(), "check the folder");
    }
  }

 private:
  static const std::filesystem::path& not_there(const std::filesystem::path& target) {
    std::error_code error;
    if (std::filesystem::exists(target, error) &&
        !(std::filesystem::is_directory(target, error) && std::filesystem::is_empty(target, error))) {
      throw Failure(exit_cannot_create, target.string(), "is there already", "choose a folder that is new or empty");
    }
    return target;
  }

  std::filesystem::path target_;
  OutputFolder parent_;
  std::filesystem::path place_;
};

/// The certificate with its weights, as the readers take them, and the checker not asked: for the acceptance formula, whose answer is
/// worth most where nobody has answered before. Failure 3 for what the readers refuse.
Certificate unchecked_certificate(const Arguments& a) {
  require_input(a.certificate);
  require_input(a.weights);
  try {
    Certificate certificate = read_certificate(a.certificate);
    if (is_onnx(a.weights)) {
      const Datapath& datapath = certificate.layers.at(0).datapath;
      attach_weights(certificate, read_onnx_input(a.weights, datapath, a.convolution_order).layers);
    } else if (is_safetensors(a.weights)) {
      const WeightFiles files(a.weights);
      for (LayerClaims& claims : certificate.layers) {
        attach_weights(claims, files.layer(claims.layer.name));
      }
    } else {
      attach_weights(certificate, read_tensors(a.weights));
    }
    const std::vector<Finding> findings = shape_findings(certificate);
    if (!findings.empty()) {
      throw Failure(exit_refused, "refused", findings[0].message, "");
    }
    return certificate;
  } catch (const Failure&) {
    throw;
  } catch (const InputError& error) {
    throw Failure(exit_refused, "refused", error.what(), "");
  }
}

int run(const Arguments& a) {
  const ForeignFormat format = format_of(a.format);
  const bool checked = format != ForeignFormat::acceptance;
  std::optional<Verdict> verdict;  // of the checker's election, which also knows of weights that no layer covers
  Certificate certificate;
  if (checked) {
    Election election = checked_election(a.certificate, a.weights, a.convolution_order);
    verdict = election.verdict;
    certificate = std::move(election.certificate);
  } else {
    certificate = unchecked_certificate(a);
  }
  std::int64_t files = 0;
  try {
    files = count_files(certificate, format, a.selection);
  } catch (const InputError& error) {
    throw Failure(exit_usage, a.certificate, error.what(), "");
  }
  if (files > most_files) {
    throw Failure(exit_usage, a.certificate, std::to_string(files) + " files",
                  "choose registers with --layer, --row, --stage and --node: at most " + std::to_string(most_files));
  }
  PendingFolder folder(std::filesystem::path(a.folder).lexically_normal());
  const Progress progress = progress_line(*a.common, "export");
  std::int64_t done = 0;
  std::size_t bytes = 0;
  export_claims(certificate, format, a.selection, [&](const ForeignFile& file) {
    std::ofstream stream(folder.place() / file.name, std::ios::binary);
    stream << file.text;
    stream.close();
    if (!stream) {
      throw Failure(exit_io, a.folder, file.name + " cannot be written", "check the folder's room: nothing was kept");
    }
    bytes += file.text.size();
    if (progress) {
      progress(++done, files);
    }
  });
  folder.keep();
  if (a.common->json) {
    print(Json{{"verdict", verdict ? Json(to_text(*verdict)) : Json(nullptr)},
               {"certificate", a.certificate},
               {"weights", a.weights},
               {"format", a.format},
               {"folder", a.folder},
               {"files", files}});
  } else {
    print("wrote " + std::to_string(files) + (files == 1 ? " file" : " files") + " to " + a.folder + " (" +
          size_in_words(bytes) + ")\n" +
          (verdict ? upper_case(to_text(*verdict)) : "not checked: unsat is acceptance of the claimed verdict") + "\n");
  }
  return verdict ? exit_code(*verdict) : exit_safe;
}

}  // namespace

Verb export_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "export", "a certificate's claims for other checkers: VIPR, SMT-LIB, Alethe (docs/foreign_formats.md)");
  command->add_option("CERTIFICATE", a->certificate, "the .axec file")->required();
  command->add_option("WEIGHTS", a->weights, "the weights it speaks about")->required();
  command
      ->add_option("--format", a->format,
                   "vipr: each register's ends as integer programs with their proofs; smt2: each row's obligations; "
                   "alethe: each "
                   "end's obligation and proof; acceptance: the acceptance predicate of each layer")
      ->required()
      ->check(CLI::IsMember({"vipr", "smt2", "alethe", "acceptance"}));
  command->add_option("-o,--output", a->folder, "folder of the files, new or empty")->required();
  command->add_option("--layer", a->selection.layer, "this layer only");
  command->add_option("--row", a->selection.row, "this row only")->check(CLI::NonNegativeNumber);
  command->add_option("--stage", a->selection.stage, "this stage only; 0 is the lowest")->check(CLI::NonNegativeNumber);
  command->add_option("--node", a->selection.node, "this register of each stage only")->check(CLI::NonNegativeNumber);
  add_convolution_order(command, a->convolution_order);
  add_common(command, a->common, true);
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli
