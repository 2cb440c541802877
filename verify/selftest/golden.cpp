// The checker on the certificates that are built in: the verdict and reason that each name says, and every byte of one certificate
// changed. See checks.hpp.
#include <vector>

#include "axecert/checker/checker.h"
#include "axecert/selftest/checks.hpp"

namespace axe {
namespace {

using Bytes = std::vector<std::uint8_t>;

axc_report report_on(const Bytes& certificate, const Bytes& weights) {
  axc_report report{};
  (void)axc_check(certificate.data(), certificate.size(), weights.data(), weights.size(), &report);
  return report;
}

Bytes certificate_of(const GoldenPair& pair) {
  return {pair.certificate, pair.certificate + pair.certificate_size};
}
Bytes weights_of(const GoldenPair& pair) {
  return {pair.weights, pair.weights + pair.weights_size};
}

// The verdict that a reason means.
axc_verdict verdict_of(const std::string& reason) {
  return reason == "proved"              ? AXC_SAFE
         : reason == "overflow"          ? AXC_UNSAFE
         : reason == "uncovered-weights" ? AXC_INCOMPLETE
                                         : AXC_REFUSED;
}

}  // namespace

void check_golden_certificates(SelftestCheck& check) {
  bool seen[4] = {};
  for (std::size_t i = 0; i < golden_pair_count; ++i) {
    const std::string name = golden_pairs[i].name;
    const std::string file = name.substr(name.find('/') + 1);
    const std::string reason = file.substr(0, file.find('.'));
    const axc_report report = report_on(certificate_of(golden_pairs[i]), weights_of(golden_pairs[i]));
    claim(check, report.verdict == verdict_of(reason) && axc_reason_name(report.reason) == reason,
          name + ": " + axc_verdict_name(report.verdict) + ", " + axc_reason_name(report.reason));
    claim(check,
          report.position <= (report.in_weights ? golden_pairs[i].weights_size : golden_pairs[i].certificate_size),
          name + ": the place lies outside the file");
    seen[static_cast<unsigned>(report.verdict) % 4] = true;
  }
  claim(check, seen[AXC_SAFE] && seen[AXC_UNSAFE] && seen[AXC_INCOMPLETE] && seen[AXC_REFUSED],
        "not every verdict was met");
}

void check_changed_bytes(SelftestCheck& check) {
  const GoldenPair* pair = nullptr;
  for (std::size_t i = 0; i < golden_pair_count; ++i) {
    if (std::string(golden_pairs[i].name) == "accept/proved.two-stages") {
      pair = &golden_pairs[i];
    }
  }
  claim(check, pair != nullptr, "accept/proved.two-stages is not built in");
  if (pair == nullptr) {
    return;
  }
  const Bytes certificate = certificate_of(*pair), weights = weights_of(*pair);
  for (std::size_t at = 0; at < certificate.size(); ++at) {
    for (const int mask : {0x01, 0x20, 0x80}) {
      Bytes changed = certificate;
      changed[at] = static_cast<std::uint8_t>(changed[at] ^ mask);
      claim(check, report_on(changed, weights).verdict == AXC_REFUSED, "certificate, byte " + std::to_string(at));
    }
  }
  for (std::size_t size = 0; size < weights.size(); ++size) {
    const Bytes cut(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(size));
    claim(check, report_on(certificate, cut).verdict == AXC_REFUSED, "weights cut to " + std::to_string(size));
  }
}

}  // namespace axe
