// Tampering: no changed byte of a certificate, and none of a weights file that carries a claim, leaves the verdict safe; nor does
// cutting either file short. With the digest made right again, safe is said only of claims that lib/certificate computes
// itself. Main functions: the test cases. No side effects.
// Requirements: TOR-207.
#include <doctest/doctest.h>

#include "../golden/golden_files.hpp"
#include "axecert/checker/checker.h"

using namespace axe;

namespace {

// Exact-size copies, so that a sanitizer sees a read behind the end.
axc_verdict check(const tiny::Bytes& certificate, const tiny::Bytes& weights) {
  const tiny::Bytes c(certificate.begin(), certificate.end()), w(weights.begin(), weights.end());
  axc_report report;
  const axc_verdict verdict = axc_check(c.data(), c.size(), w.data(), w.size(), &report);
  CHECK(report.verdict == verdict);
  CHECK(report.position <= (report.in_weights ? w.size() : c.size()));
  return verdict;
}

const std::vector<std::uint8_t> masks{0x01, 0x02, 0x10, 0x20, 0x80, 0xff};

tiny::Pair sample() {
  IntegerLayer boxed = tiny::boxed_layer();
  boxed.zero_point_spread = 15;
  return tiny::pair_of({boxed, tiny::small_layer()}, tiny::two_stages(16));
}

/// True when lib/bound, too, says that these inputs drive the worst register to the end that is claimed of it. Any witness that
/// does is a true claim; make_claims chooses one of them.
bool attains(const LayerClaims& claims, const std::vector<std::int32_t>& inputs) {
  IntegerLayer pinned = claims.layer;
  pinned.box_lower = pinned.box_upper = inputs;
  const Topology topology(claims.datapath, pinned.cols);
  const IntegerRange reached = node_range(pinned, topology, claims.worst);
  const IntegerRange claimed = node_range(claims.layer, topology, claims.worst);
  return claims.worst_side == Side::upper ? reached.upper == claimed.upper : reached.lower == claimed.lower;
}

/// True when lib/certificate, from these claims' datapath, box and source, computes the very same certificate.
bool is_what_the_library_claims(const tiny::Bytes& bytes) {
  Certificate certificate = parse_certificate(bytes, "tampered");
  for (LayerClaims& claims : certificate.layers) {
    IntegerLayer original = claims.layer.name == "boxed" ? tiny::boxed_layer() : tiny::small_layer();
    original.zero_point_spread = claims.layer.name == "boxed" ? 15 : 0;
    attach_weights(claims, original.weights, original.bias);
    const std::vector<std::int32_t> inputs = claims.worst_witness;
    const IntegerRange range = claims.weight_range;  // any range around the weights is a true claim
    if (claims.layer.box_lower != original.box_lower || claims.layer.box_upper != original.box_upper ||
        claims.layer.offset != original.offset || claims.layer.zero_point_spread != original.zero_point_spread)
      return false;
    claims = make_claims(claims.layer, claims.datapath, claims.input_source);
    if (range.lower > claims.weight_range.lower || range.upper < claims.weight_range.upper) return false;
    claims.weight_range = range;
    for (std::int64_t k = 0; k < claims.layer.cols; ++k) {
      const std::int32_t x = inputs[static_cast<std::size_t>(k)];
      if (x < claims.layer.lower(k) || x > claims.layer.upper(k)) return false;
    }
    if (!attains(claims, inputs)) return false;
    claims.worst_witness = inputs;
  }
  return certificate_bytes(certificate) == bytes && certificate.verdict() == Verdict::safe;
}

}  // namespace

TEST_CASE("a change of any byte of the certificate is noticed") {
  const tiny::Pair pair = sample();
  REQUIRE(check(pair.certificate, pair.weights) == AXC_SAFE);
  for (std::size_t i = 0; i < pair.certificate.size(); ++i) {
    for (const std::uint8_t mask : masks) {
      tiny::Bytes changed = pair.certificate;
      changed[i] ^= mask;
      REQUIRE_MESSAGE(check(changed, pair.weights) == AXC_REFUSED, i);
    }
  }
}

TEST_CASE("with the digest made right again, safe is said only of claims that the library computes itself") {
  const tiny::Pair pair = sample();
  int still_safe = 0;
  const std::size_t digest_end = 8 + std::string("{\"__metadata__\":{\"format\":\"axec 1\",\"digest\":\"").size() + 64;
  for (std::size_t i = digest_end; i < pair.certificate.size(); ++i) {
    for (const std::uint8_t mask : masks) {
      tiny::Bytes changed = pair.certificate;
      changed[i] ^= mask;
      changed = tiny::redigest(changed);
      if (check(changed, pair.weights) != AXC_SAFE) continue;
      ++still_safe;
      REQUIRE_MESSAGE(is_what_the_library_claims(changed), i);
    }
  }
  CHECK(still_safe > 0);  // the tool's name, the datapath's, a stage's: they claim nothing
  CHECK(still_safe < 400);
}

// What a weights file holds and no claim speaks of: float scales, any metadata, and white space. All else is bound.
TEST_CASE("a change of any byte of the weights file is noticed, but for scales, metadata and white space") {
  const tiny::Pair pair = sample();
  const std::size_t data = 8 + tiny::header_size(pair.weights);
  std::vector<tiny::Extent> scales;
  for (const char* name : {"boxed.scale", "layer.scale"}) scales.push_back(tiny::extent_of(pair.weights, name));
  for (std::size_t i = data; i < pair.weights.size(); ++i) {
    if (std::any_of(scales.begin(), scales.end(), [i](tiny::Extent e) { return i >= e.begin && i < e.end; })) continue;
    for (const std::uint8_t mask : masks) {
      tiny::Bytes changed = pair.weights;
      changed[i] ^= mask;
      REQUIRE_MESSAGE(check(pair.certificate, changed) == AXC_REFUSED, i);
    }
  }
}

// The header of a weights file names arrays; a change there may rename, retype or move what carries no claim (a scale), and
// must otherwise be noticed. Whatever stays safe must bind the same bytes under the same names.
TEST_CASE("a changed byte in the weights file's header leaves safe only what concerns the scales") {
  const tiny::Pair pair = sample();
  const std::string header = tiny::header_of(pair.weights);
  const auto is_scale = [&](std::size_t at) {
    for (const char* name : {"\"boxed.scale\"", "\"layer.scale\""}) {
      const std::size_t begin = header.find(name);
      if (at >= begin && at < header.find('}', begin)) return true;
    }
    return false;
  };
  for (std::size_t i = 0; i < 8 + header.size(); ++i) {
    for (const std::uint8_t mask : masks) {
      tiny::Bytes changed = pair.weights;
      changed[i] ^= mask;
      const bool may_pass = i >= 8 && (is_scale(i - 8) || header[i - 8] == ' ');
      const axc_verdict verdict = check(pair.certificate, changed);
      if (!may_pass) REQUIRE_MESSAGE(verdict != AXC_SAFE, i);
    }
  }
}

// What docs/assurance/hostile_files.md lists as not covered, and no more: the data and entries of arrays that no claim speaks of, the insides of metadata, and
// white space. Read with a header as another program writes it, which has all of these.
TEST_CASE("in a weights file from elsewhere, too, what stays safe is a scale, metadata or white space") {
  const tiny::Pair pair = sample();
  tiny::Arrays arrays;
  IntegerLayer boxed = tiny::boxed_layer();
  boxed.zero_point_spread = 15;
  tiny::add_layer(arrays, boxed, 8);
  tiny::add_layer(arrays, tiny::small_layer(), 8);
  const tiny::Bytes weights = tiny::weights_file(arrays, true);
  REQUIRE(check(pair.certificate, weights) == AXC_SAFE);
  const std::string header = tiny::header_of(weights);
  const std::size_t metadata = header.find("\"__metadata__\"");
  const auto is_free = [&](std::size_t at) {
    for (const char* name : {"\"boxed.scale\"", "\"layer.scale\""}) {
      const std::size_t begin = header.find(name);
      if (at >= begin && at < header.find('}', begin)) return true;
    }
    return at >= metadata || header[at] == ' ' || header[at] == '\n' || header[at] == '\t';
  };
  std::size_t passed = 0;
  for (std::size_t i = 8; i < 8 + header.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      tiny::Bytes changed = weights;
      changed[i] = static_cast<std::uint8_t>(value);
      if (changed == weights || check(pair.certificate, changed) != AXC_SAFE) continue;
      ++passed;
      REQUIRE_MESSAGE(is_free(i - 8), i);
    }
  }
  CHECK(passed > 0);
}

// Not covered is what the verdict does not depend on: no change of a weights file, of such a byte or of any other, makes unsafe claims safe.
TEST_CASE("no changed byte of a weights file turns unsafe into safe") {
  IntegerLayer boxed = tiny::boxed_layer();
  boxed.zero_point_spread = 15;
  for (const bool foreign : {false, true}) {
    const tiny::Pair pair = tiny::pair_of({boxed, tiny::small_layer()}, tiny::two_stages(8));
    tiny::Arrays arrays;
    tiny::add_layer(arrays, boxed, 8);
    tiny::add_layer(arrays, tiny::small_layer(), 8);
    const tiny::Bytes weights = tiny::weights_file(arrays, foreign);
    REQUIRE(check(pair.certificate, weights) == AXC_UNSAFE);
    std::size_t still_unsafe = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      for (const std::uint8_t mask : masks) {
        tiny::Bytes changed = weights;
        changed[i] ^= mask;
        const axc_verdict verdict = check(pair.certificate, changed);
        still_unsafe += verdict == AXC_UNSAFE ? 1 : 0;
        REQUIRE_MESSAGE((verdict == AXC_UNSAFE || verdict == AXC_REFUSED), i);
      }
    }
    CHECK(still_unsafe > 0);
  }
}

// TOR-201
TEST_CASE("either file cut short anywhere is refused") {
  const tiny::Pair pair = sample();
  for (std::size_t size = 0; size < pair.certificate.size(); ++size) {
    const tiny::Bytes cut(pair.certificate.begin(), pair.certificate.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE(check(cut, pair.weights) == AXC_REFUSED);
    if (size > 200) REQUIRE(check(tiny::redigest(cut), pair.weights) == AXC_REFUSED);
  }
  for (std::size_t size = 0; size < pair.weights.size(); ++size) {
    const tiny::Bytes cut(pair.weights.begin(), pair.weights.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE(check(pair.certificate, cut) == AXC_REFUSED);
  }
}

// TOR-202
TEST_CASE("a header length of any size is refused, not obeyed") {
  const tiny::Pair pair = sample();
  for (int bit = 0; bit < 64; ++bit) {
    for (const bool in_weights : {false, true}) {
      tiny::Pair bomb = pair;
      tiny::Bytes& bytes = in_weights ? bomb.weights : bomb.certificate;
      const std::uint64_t length = std::uint64_t{1} << bit;
      for (int i = 0; i < 8; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(length >> (8 * i));
      REQUIRE(check(bomb.certificate, bomb.weights) == AXC_REFUSED);
    }
  }
}
