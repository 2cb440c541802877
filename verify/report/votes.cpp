// Runs the C checker on two files and turns its report into a vote. See votes.hpp.
#include "axecert/report/votes.hpp"

#include <chrono>
#include <fstream>

#include "axecert/checker/checker.h"
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

std::string message_of(const axc_report& report) {
  std::string text = axc_reason_sentence(report.reason);
  if (report.reason == AXC_OVERFLOW) {
    text += ": range " + range_text(report.recomputed) + ", limits " + range_text(report.limits);
  } else if (report.reason == AXC_LOWER || report.reason == AXC_UPPER) {
    text += ": claimed " + range_text(report.claimed) + ", recomputed " + range_text(report.recomputed);
  }
  if (report.verdict == AXC_REFUSED) {
    text += std::string(" (") + axc_reason_name(report.reason) + ", " +
            (report.in_weights != 0 ? "weights file" : "certificate") + ", byte " + std::to_string(report.position) +
            ")";
  }
  return text;
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
    const auto ends_with = [&](const char* suffix) { return name.ends_with(suffix); };
    if (ends_with(".weight")) {
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

Vote checker_vote(const std::vector<std::uint8_t>& certificate, const std::vector<std::uint8_t>& weights,
                  const std::string& detail) {
  Vote vote;
  vote.voter = "checker";
  vote.detail = detail;
  axc_report report{};
  const auto start = std::chrono::steady_clock::now();
  const axc_verdict verdict =
      axc_check(certificate.data(), certificate.size(), weights.data(), weights.size(), &report);
  vote.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  vote.verdict = verdict_of(verdict);
  vote.nodes_total = report.nodes_total;
  vote.nodes_checked = report.nodes_checked;
  if (vote.verdict != Verdict::safe) {
    Finding finding;
    finding.layer = report.layer;
    finding.node = {report.row, report.stage < 0 ? 0 : static_cast<std::size_t>(report.stage), report.node};
    finding.message = message_of(report);
    vote.findings.push_back(finding);
    vote.findings_total = 1;
  }
  return vote;
}

Vote checker_vote(const std::filesystem::path& certificate, const std::filesystem::path& weights) {
  const std::vector<std::uint8_t> certificate_file = whole_file(certificate);
  std::vector<std::uint8_t> weights_file = whole_file(weights);
  const std::string what = "every range computed again from the weights";
  const bool npz = weights_file.size() >= 4 && weights_file[0] == 'P' && weights_file[1] == 'K';
  if (npz) {
    weights_file = weights_for_checker(read_tensors(weights));
  }
  return checker_vote(certificate_file, weights_file, npz ? what + "; arrays unpacked from .npz" : what);
}

}  // namespace axe
