// The border between the parser, which is tested, and the core, which is proved: no certificate and no weights file, valid or with any byte
// changed, its digest made right again, brings to axc_prove_layer a layer that breaks a precondition of its proof. The demands
// are border.c's. Main functions: the test cases. No side effects.
// Requirements: TOR-106, TOR-201.
#include "border.h"

#include <doctest/doctest.h>

#include "../golden/golden_files.hpp"
#include "axecert/checker/checker.h"

using namespace axe;

namespace {

/// How many layers came to the core.
long check(const tiny::Bytes& certificate, const tiny::Bytes& weights, const std::string& what) {
  const std::size_t needed = axc_scratch_size(certificate.data(), certificate.size());
  std::vector<std::int64_t> scratch(needed / 8 + 1);
  border_files = {certificate.data(), certificate.size(), weights.data(), weights.size(), scratch.data(), needed};
  border_layers = 0;
  border_violated = nullptr;
  axc_report report;
  (void)axc_check_with(certificate.data(), certificate.size(), weights.data(), weights.size(), scratch.data(), needed,
                       &report);
  REQUIRE_MESSAGE(border_violated == nullptr, what << ": " << border_violated);
  return border_layers;
}

/// Every byte of the certificate behind its header's length, changed: a digit to every other, else by some masks. How many came to the core.
long tamper_certificate(const tiny::Pair& pair) {
  const std::vector<std::uint8_t> masks{0x01, 0x02, 0x08, 0x80, 0xff};
  long reached = 0;
  for (std::size_t i = 8; i < pair.certificate.size(); ++i) {
    const std::uint8_t old = pair.certificate[i];
    std::vector<std::uint8_t> others;
    if (old >= '0' && old <= '9') {
      for (std::uint8_t digit = '0'; digit <= '9'; ++digit) others.push_back(digit);
    } else {
      for (const std::uint8_t mask : masks) others.push_back(static_cast<std::uint8_t>(old ^ mask));
    }
    for (const std::uint8_t other : others) {
      tiny::Bytes changed = pair.certificate;
      changed[i] = other;
      reached += check(tiny::redigest(changed), pair.weights, "byte " + std::to_string(i));
    }
  }
  return reached;
}

long tamper_weights(const tiny::Pair& pair) {
  long reached = 0;
  for (std::size_t i = 0; i < pair.weights.size(); ++i) {
    for (const int mask : {0x01, 0x02, 0x08, 0x80, 0xff}) {
      tiny::Bytes changed = pair.weights;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ mask);
      reached += check(pair.certificate, changed, "weights, byte " + std::to_string(i));
    }
  }
  return reached;
}

}  // namespace

TEST_CASE("no golden pair breaks a precondition of the proof") {
  long reached = 0;
  for (const auto& [name, pair] : tiny::golden_files()) reached += check(pair.certificate, pair.weights, name);
  CHECK(reached > 40);
}

TEST_CASE("no changed byte does") {
  IntegerLayer boxed = tiny::boxed_layer();
  boxed.zero_point_spread = 15;
  const tiny::Pair two = tiny::pair_of({boxed, tiny::small_layer()}, tiny::two_stages(16));
  CHECK(tamper_certificate(two) > 1000);
  CHECK(tamper_weights(two) > 100);
  // A box that only the certificate knows: no quantizer in the weights file stands before a change of it.
  IntegerLayer limited = tiny::limited_layer();
  limited.box_lower = {0};
  CHECK(tamper_certificate(tiny::pair_of({limited}, tiny::two_stages(16), InputSource::given)) > 100);
  IntegerLayer narrow = tiny::small_layer();
  narrow.box_lower = {7};
  narrow.box_upper = {8};
  CHECK(tamper_certificate(tiny::pair_of({narrow}, tiny::two_stages(16), InputSource::given)) > 100);
}

TEST_CASE("no offset beyond 2^24 does, though the quantizer has it too") {
  IntegerLayer layer = tiny::small_layer();
  for (const int beyond : {0, 1}) {
    layer.offset = {-(1 << 24)};
    tiny::Pair pair =
        tiny::with_claims(layer, tiny::two_stages(16), [&](LayerClaims& c) { c.layer.offset[0] -= beyond; });
    pair.weights = tiny::with_arrays(layer, [&](tiny::Arrays& a) {
                     a["layer.input_shift"] = tiny::int32_array({-(1 << 24) - beyond});
                     a["layer.input_zero_point"] = tiny::int32_array({0});
                   }).weights;
    CHECK(check(pair.certificate, pair.weights, "offset") == 1 - beyond);
  }
}

TEST_CASE("no second constant and none of many registers does") {
  Datapath once = tiny::two_stages(16);
  once.stages = {tiny::stage("all", 16, 0, Initial::constant), tiny::stage("outer", 32, 0)};
  Datapath outer = tiny::two_stages(16);
  outer.stages = {tiny::stage("tile", 16, 3), tiny::stage("outer", 32, 0)};
  for (const Datapath& datapath : {once, outer}) {
    IntegerLayer layer = tiny::small_layer();  // without a constant: its assumptions are the same wherever one enters
    layer.bias.clear();
    layer.offset.clear();
    tiny::Pair pair = tiny::pair_of({layer}, datapath);
    CHECK(check(pair.certificate, pair.weights, "as it was") == 1);
    pair.certificate = tiny::edit_header(pair.certificate, "initial=zero", "initial=constant");
    CHECK(check(pair.certificate, pair.weights, "one constant more") == 0);
  }
}
