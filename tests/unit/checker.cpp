// The checker's own edges: scratch memory, several layers, foreign weights files, the report, its SHA-256. Main functions: the
// test cases. No side effects.
#include "axecert/checker/checker.h"

#include <doctest/doctest.h>

#include "../golden/golden_files.hpp"

using namespace axe;

namespace {

axc_verdict check(const tiny::Pair& pair, axc_report& report) {
  return axc_check(pair.certificate.data(), pair.certificate.size(), pair.weights.data(), pair.weights.size(), &report);
}

std::string hash_of(const std::string& text, std::size_t piece, bool in_plain_c = false) {
  axc_sha256 hash;
  unsigned char digest[32];
  axc_sha256_start(&hash);
  if (in_plain_c) {
    hash.instructions = 0;
  }
  for (std::size_t i = 0; i < text.size(); i += piece) {
    axc_sha256_add(&hash, reinterpret_cast<const unsigned char*>(text.data()) + i, std::min(piece, text.size() - i));
  }
  axc_sha256_finish(&hash, digest);
  Sha256 result;
  std::copy(digest, digest + 32, result.begin());
  return to_hex(result);
}

}  // namespace

// TOR-106
TEST_CASE("with one byte of scratch less than it needs the checker says incomplete, never safe") {
  const tiny::Pair pair = tiny::pair_of({tiny::small_layer()}, tiny::two_stages());
  const std::size_t needed = axc_scratch_size(pair.certificate.data(), pair.certificate.size());
  CHECK(needed == 2 * 2 * sizeof(axc_range));  // two tiles
  CHECK(needed <= 4 * pair.certificate.size());
  std::vector<std::int64_t> scratch(needed / 8);
  axc_report report;
  const auto with = [&](void* memory, std::size_t size) {
    return axc_check_with(pair.certificate.data(), pair.certificate.size(), pair.weights.data(), pair.weights.size(),
                          memory, size, &report);
  };
  CHECK(with(scratch.data(), needed) == AXC_SAFE);
  CHECK(with(scratch.data(), needed - 1) == AXC_INCOMPLETE);
  CHECK(report.reason == AXC_NO_SCRATCH);
  CHECK((report.in_weights == 0 && report.position == 0 && report.nodes_checked == 0 && report.nodes_total == 6));
  CHECK(with(nullptr, needed) == AXC_INCOMPLETE);
}

namespace {
/// The report, which is the same whether arrays are found by an index or one after the other.
axc_report same(const tiny::Pair& pair) {
  axc_report indexed, searched;
  check(pair, indexed);
  std::vector<std::int64_t> scratch(axc_scratch_size(pair.certificate.data(), pair.certificate.size()) / 8 + 1);
  axc_check_with(pair.certificate.data(), pair.certificate.size(), pair.weights.data(), pair.weights.size(),
                 scratch.data(), scratch.size() * 8, &searched);
  CHECK(indexed.verdict == searched.verdict);
  CHECK(indexed.reason == searched.reason);
  CHECK(indexed.in_weights == searched.in_weights);
  CHECK(indexed.position == searched.position);
  CHECK(std::string(indexed.layer) == searched.layer);
  CHECK(indexed.nodes_checked == searched.nodes_checked);
  CHECK(indexed.uncovered == searched.uncovered);
  return indexed;
}
}  // namespace

// TOR-107, TOR-206
TEST_CASE("whether arrays are found by an index or one after the other, the report is the same") {
  Certificate certificate{"test", {}};
  tiny::Arrays arrays;
  for (const char* name : {"a", "a.b", "ab", "b", "b.weight"}) {  // one is the beginning of another
    const IntegerLayer layer = tiny::small_layer(name);
    certificate.layers.push_back(make_claims(layer, tiny::two_stages(), InputSource::clamped));
    tiny::add_layer(arrays, layer);
  }
  const tiny::Pair good{certificate_bytes(certificate), tiny::weights_file(arrays)};
  CHECK(same(good).verdict == AXC_SAFE);
  for (const auto& [name, array] : arrays) {
    tiny::Arrays without = arrays;
    without.erase(name);
    const axc_report report = same({good.certificate, tiny::weights_file(without)});
    CHECK(report.verdict == (name.ends_with(".scale") ? AXC_SAFE : AXC_REFUSED));
  }
  // Any name made equal to any other of its length: arrays that are there twice, and ones that are missing.
  std::int64_t twice = 0;
  for (const auto& [name, array] : arrays) {
    for (const auto& [other, same_length] : arrays) {
      if (name == other || name.size() != other.size()) {
        continue;
      }
      tiny::Pair pair = good;
      const std::string text(pair.weights.begin(), pair.weights.end());
      const std::size_t at = text.find("\"" + name + "\"");
      REQUIRE(at != std::string::npos);
      std::copy(other.begin(), other.end(), pair.weights.begin() + static_cast<std::ptrdiff_t>(at) + 1);
      twice += same(pair).reason == AXC_TWICE ? 1 : 0;
    }
  }
  CHECK(twice > 10);
  for (std::size_t i = 8; i < 400; ++i) {  // a header in which something is wrong
    tiny::Pair pair = good;
    pair.weights[i] ^= 4;
    same(pair);
  }
}

// TOR-107, TOR-206
TEST_CASE(
    "names of arrays nobody owns may have any bytes, those that stand before a quote too, and be beginnings of "
    "others") {
  Certificate certificate{"test", {}};
  tiny::Arrays arrays;
  for (const char* name : {"a", "a.b", "a-b", "a/", "a.b.c"}) {
    const IntegerLayer layer = tiny::small_layer(name);
    certificate.layers.push_back(make_claims(layer, tiny::two_stages(11), InputSource::clamped));
    tiny::add_layer(arrays, layer);
  }
  tiny::Arrays more = arrays;
  for (const auto& [name, array] : arrays) {
    for (const char* tail : {" ", "!", " !", "!!", "#", ".weight"}) {
      more[name + tail] = {"F32", {1}, tiny::Bytes(4)};
    }
    for (std::size_t length = 1; length < name.size(); ++length) {
      more.try_emplace(name.substr(0, length), tiny::Array{"F32", {1}, tiny::Bytes(4)});
    }
  }
  CHECK(same({certificate_bytes(certificate), tiny::weights_file(more)}).verdict == AXC_SAFE);
  for (const auto& [name, array] : arrays) {
    CAPTURE(name);
    tiny::Arrays without = more;
    without.erase(name);
    const axc_verdict verdict = same({certificate_bytes(certificate), tiny::weights_file(without)}).verdict;
    CHECK(verdict == (name.ends_with(".scale") ? AXC_SAFE : AXC_REFUSED));
  }
}

// TOR-106
TEST_CASE("between layers the checker says how much it read: a caller that counts to a limit lets go in time") {
  Certificate certificate{"test", {}};
  tiny::Arrays arrays;
  std::size_t weights = 0;
  for (const char* name : {"a", "b", "c"}) {
    const IntegerLayer layer = tiny::small_layer(name);
    certificate.layers.push_back(make_claims(layer, tiny::two_stages(11), InputSource::clamped));
    tiny::add_layer(arrays, layer);
    weights += layer.weights.size();
  }
  const tiny::Pair pair{certificate_bytes(certificate), tiny::weights_file(arrays)};
  const axc_file file{pair.weights.data(), pair.weights.size()};
  std::vector<std::size_t> reads;
  const auto note = [](void* context, std::size_t read) {
    static_cast<std::vector<std::size_t>*>(context)->push_back(read);
  };
  axc_report report;
  CHECK(axc_check_files(pair.certificate.data(), pair.certificate.size(), &file, 1, note, &reads, &report) == AXC_SAFE);
  // First the certificate's content as its digest is computed, then the arrays of its three layers as they are opened, then the same
  // arrays with the weights as they are checked.
  std::size_t header = 0;
  for (std::size_t i = 8; i-- > 0;) {
    header = header << 8 | pair.certificate[i];
  }
  const std::size_t claims = pair.certificate.size() - 8 - header;
  REQUIRE(reads.size() == 1 + 3 + 3);
  CHECK(reads[0] > claims);
  CHECK(reads[0] < pair.certificate.size());
  CHECK(reads[1] + reads[2] + reads[3] == claims);
  CHECK(reads[4] + reads[5] + reads[6] == claims + weights);
}

// TOR-106, TOR-206
TEST_CASE("of two layers the unsafe one is reported, and a wrong claim behind it still refuses the whole") {
  Certificate certificate{"test", {}};
  tiny::Arrays arrays;
  for (const char* name : {"a", "b", "c"}) {
    const IntegerLayer layer = tiny::small_layer(name);
    certificate.layers.push_back(make_claims(layer, tiny::two_stages(*name == 'b' ? 8 : 11), InputSource::clamped));
    tiny::add_layer(arrays, layer);
  }
  axc_report report;
  CHECK(check({certificate_bytes(certificate), tiny::weights_file(arrays)}, report) == AXC_UNSAFE);
  CHECK(std::string(report.layer) == "b");
  CHECK(report.layers == 3);
  CHECK(report.nodes_checked == report.nodes_total);
  ++certificate.layers[2].ranges[0].upper[1];
  CHECK(check({certificate_bytes(certificate), tiny::weights_file(arrays)}, report) == AXC_REFUSED);
  CHECK(std::string(report.layer) == "c");
  CHECK(report.reason == AXC_UPPER);
}

// TOR-205
TEST_CASE("a certificate that does not claim a clamp does not need the box's arrays, but its offsets are the file's") {
  const IntegerLayer layer = tiny::small_layer();
  IntegerLayer unshifted = layer;
  unshifted.offset.clear();
  const auto erase = [](tiny::Arrays arrays, const std::string& part) {
    std::erase_if(arrays, [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
    return tiny::weights_file(arrays);
  };
  tiny::Arrays arrays;
  tiny::add_layer(arrays, layer);
  axc_report report;
  for (const InputSource source : {InputSource::given, InputSource::calibrated}) {
    tiny::Pair pair = tiny::pair_of({layer}, tiny::two_stages(), source);
    CHECK(check(pair, report) == AXC_SAFE);
    pair.weights = erase(arrays, "input_lower");
    CHECK(check(pair, report) == AXC_SAFE);
    // The row's constant is made of the offsets: with the quantizer's arrays gone they can only be 0 …
    pair.weights = erase(arrays, "input_");
    CHECK(check(pair, report) == AXC_REFUSED);
    CHECK(report.reason == AXC_QUANTIZER_OFFSET);
    pair.weights = erase(arrays, "input_shift");
    CHECK(check(pair, report) == AXC_REFUSED);
    CHECK(report.reason == AXC_QUANTIZER_MISSING);
    // … and a certificate for other offsets belongs to another file.
    pair = tiny::pair_of({unshifted}, tiny::two_stages(), source);
    pair.weights = tiny::weights_file(arrays);
    CHECK(check(pair, report) == AXC_REFUSED);
    CHECK(report.reason == AXC_QUANTIZER_OFFSET);
    pair.weights = erase(arrays, "input_");
    CHECK(check(pair, report) == AXC_SAFE);
  }
}

// TOR-210
TEST_CASE("integer weights that no layer of the certificate covers are noticed, whatever their type") {
  const tiny::Pair pair = tiny::pair_of({tiny::small_layer()}, tiny::two_stages());
  const auto with_array = [&](const std::string& dtype) {
    // An empty array needs no bytes: only the header changes.
    const std::string text(pair.weights.begin() + 8, pair.weights.end());
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | pair.weights[static_cast<std::size_t>(i)];
    std::string json = text.substr(0, length);
    json = json.substr(0, json.find_last_of('}')) + ",\"z.weight\":{\"dtype\":\"" + dtype +
           "\",\"shape\":[0],\"data_offsets\":[0,0]}}";
    tiny::Pair changed = pair;
    changed.weights.assign(8, 0);
    for (std::size_t i = 0; i < 8; ++i) changed.weights[i] = static_cast<std::uint8_t>(json.size() >> (8 * i));
    changed.weights.insert(changed.weights.end(), json.begin(), json.end());
    changed.weights.insert(changed.weights.end(), text.begin() + static_cast<std::ptrdiff_t>(length), text.end());
    axc_report report;
    return check(changed, report);
  };
  for (const char* dtype : {"I8", "U8", "I16", "U16", "I32", "I64"}) {
    CAPTURE(dtype);
    CHECK(with_array(dtype) == AXC_INCOMPLETE);
  }
  CHECK(with_array("F32") == AXC_SAFE);  // float layers are nobody's claim
}

// TOR-108
TEST_CASE("a margin that only 65 bits hold is compared, not overflowed") {
  Datapath datapath = tiny::two_stages();
  datapath.stages = {tiny::stage("all", 64, 0)};
  datapath.stages[0].limits = Limits::full;
  IntegerLayer layer = tiny::small_layer();
  for (const int weight : {0, 1, -1}) {
    std::fill(layer.weights.begin(), layer.weights.end(), static_cast<std::int8_t>(weight));
    for (const std::int32_t input : {-1, 0, 1}) {
      layer.box_lower = layer.box_upper = {input};
      axc_report report;
      CHECK(check(tiny::pair_of({layer}, datapath), report) == AXC_SAFE);
    }
  }
}

// TOR-201
TEST_CASE("every reason and verdict has a name and a sentence, and a number outside has none") {
  for (int reason = 0; reason < AXC_REASON_COUNT; ++reason) {
    CHECK(std::string(axc_reason_name(static_cast<axc_reason>(reason))) != "unknown");
    CHECK(std::string(axc_reason_sentence(static_cast<axc_reason>(reason))).size() > 10);
  }
  CHECK(std::string(axc_reason_name(AXC_REASON_COUNT)) == "unknown");
}

// TOR-208
TEST_CASE(
    "the checker's SHA-256, by instructions or in plain C, equals lib/certificate's at every length around a block, in "
    "pieces of any size") {
  for (std::size_t length : {0u, 1u, 54u, 55u, 56u, 57u, 63u, 64u, 65u, 119u, 120u, 128u, 1000u}) {
    const std::string text(length, 'q');
    for (std::size_t piece : {1u, 7u, 63u, 64u, 65u, 5000u}) {
      CHECK(hash_of(text, piece) == to_hex(sha256(text.data(), length)));
      CHECK(hash_of(text, piece, true) == to_hex(sha256(text.data(), length)));
    }
  }
  for (const bool in_plain_c : {false, true}) {
    CHECK(hash_of("abc", 3, in_plain_c) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }
}
