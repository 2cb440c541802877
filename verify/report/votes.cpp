// Runs the C checker on a certificate and its weights and turns its report into a vote. See votes.hpp; `checker_vote` is the main
// function. Side effects: reads files.
#include "axecert/report/votes.hpp"

#include <chrono>
#include <fstream>

#include "axecert/checker/checker.h"
#include "axecert/model/weight_files.hpp"
#include "axecert/report/words.hpp"

namespace axe {
namespace {

Verdict verdict_of(axc_verdict verdict) {
  switch (verdict) {
    case AXC_SAFE:
      return Verdict::safe;
    case AXC_UNSAFE:
      return Verdict::unsafe;
    case AXC_INCOMPLETE:
      return Verdict::incomplete;
    case AXC_REFUSED:
      return Verdict::refused;
  }
  return Verdict::incomplete;
}

std::string range_text(axc_range range) {
  return in_words(IntegerRange{range.lower, range.upper});
}

/// What the checker is shown.
struct Shown {
  axc_file certificate;
  std::vector<axc_file> weights;
  std::vector<std::string> names;  ///< of the weights files, when there are several
  std::vector<const MappedFile*> mapped;
};

axc_file file_of(std::span<const std::uint8_t> bytes) {
  static const std::uint8_t nothing = 0;
  return {bytes.empty() ? &nothing : bytes.data(), bytes.size()};
}

std::string message_of(const axc_report& report, const Shown& shown) {
  std::string text = axc_reason_sentence(report.reason);
  if (report.reason == AXC_OVERFLOW) {
    text += ": range " + range_text(report.recomputed) + ", limits " + range_text(report.limits);
  } else if (report.reason == AXC_LOWER || report.reason == AXC_UPPER) {
    text += ": claimed " + range_text(report.claimed) + ", recomputed " + range_text(report.recomputed);
  }
  if (report.verdict == AXC_REFUSED) {
    text += std::string(" (") + axc_reason_name(report.reason) + ", " +
            (report.in_weights == 0   ? "certificate"
             : shown.names.size() > 1 ? shown.names[static_cast<std::size_t>(report.in_weights) - 1]
                                      : "weights file") +
            ", byte " + std::to_string(report.position) + ")";
  }
  return text;
}

Vote vote_on(const Shown& shown, const std::string& detail) {
  Vote vote;
  vote.voter = "checker";
  vote.detail = detail;
  axc_report report{};
  const auto let_go = [](void* context, std::size_t read) {
    for (const MappedFile* file : static_cast<const Shown*>(context)->mapped) {
      file->has_read(read);  // or another did: then it gives back sooner than it must
    }
  };
  const auto start = std::chrono::steady_clock::now();
  const axc_verdict verdict = axc_check_files(shown.certificate.bytes, shown.certificate.size, shown.weights.data(),
                                              shown.weights.size(), let_go, const_cast<Shown*>(&shown), &report);
  vote.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  vote.verdict = verdict_of(verdict);
  vote.nodes_total = report.nodes_total;
  vote.nodes_checked = report.nodes_checked;
  if (vote.verdict != Verdict::safe) {
    Finding finding;
    finding.layer = report.layer;
    finding.node = {report.row, report.stage < 0 ? 0 : static_cast<std::size_t>(report.stage), report.node};
    finding.message = message_of(report, shown);
    vote.findings.push_back(finding);
    vote.findings_total = 1;
  }
  return vote;
}

}  // namespace

std::vector<std::uint8_t> whole_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) {
    throw InputError(path.string(), "cannot be opened", "check the path and its permissions");
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(stream.tellg()));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!stream) {
    throw InputError(path.string(), "cannot be read", "the file changed, or the disk fails");
  }
  return bytes;
}

std::vector<std::uint8_t> weights_for_checker(TensorFile file) {
  for (auto& [name, tensor] : file.tensors) {
    const std::string place = file.path + ": " + name;
    const auto ends_with = [&word = name](const char* suffix) { return word.ends_with(suffix); };
    if (ends_with(".weight") && tensor.dtype != DType::i8) {
      tensor = Tensor::of(tensor.shape, tensor.as_i8(place));
    } else if (ends_with(".bias")) {
      tensor = Tensor::of(tensor.shape, tensor.as_integers(place));
    } else if (ends_with(".input_lower") || ends_with(".input_upper") || ends_with(".input_shift") ||
               ends_with(".input_zero_point")) {
      const std::vector<std::int64_t> wide = tensor.as_integers(place);
      std::vector<std::int32_t> narrowed;
      for (const std::int64_t value : wide) {
        if (value < INT32_MIN || value > INT32_MAX) {
          throw InputError(place, std::to_string(value) + " has more than 32 bits", "");
        }
        narrowed.push_back(static_cast<std::int32_t>(value));
      }
      tensor = Tensor::of(tensor.shape.empty() ? std::vector<std::int64_t>{1} : tensor.shape, narrowed);
    }
  }
  return safetensors_bytes(file.tensors, file.metadata);
}

Vote checker_vote(std::span<const std::uint8_t> certificate, std::span<const std::uint8_t> weights,
                  const std::string& detail) {
  return vote_on({file_of(certificate), {file_of(weights)}, {}, {}}, detail);
}

Vote checker_vote(const MappedFile& certificate, const std::vector<MappedFile>& weights, const std::string& detail) {
  Shown shown{file_of(certificate.bytes()), {}, {}, {&certificate}};
  for (const MappedFile& file : weights) {
    shown.weights.push_back(file_of(file.bytes()));
    shown.names.push_back(file.path().filename().string());
    shown.mapped.push_back(&file);
  }
  return vote_on(shown, detail);
}

Vote checker_vote(const std::filesystem::path& certificate, const std::filesystem::path& weights) {
  const std::string what = what_the_checker_did;
  const MappedFile claims(certificate);
  if (is_sharded(weights)) {
    const WeightFiles files(weights);
    return checker_vote(claims, files.shards(), what + "; " + std::to_string(files.shards().size()) + " weights files");
  }
  std::vector<MappedFile> files;
  files.emplace_back(weights);
  const std::span<const std::uint8_t> head = files[0].bytes();
  if (head.size() >= 4 && head[0] == 'P' && head[1] == 'K') {
    return checker_vote(claims.bytes(), weights_for_checker(read_tensors(weights)),
                        what + "; arrays unpacked from .npz");
  }
  return checker_vote(claims, files, what);
}

}  // namespace axe
