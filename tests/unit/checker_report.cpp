// What the checker's report says besides the verdict, field by field, and weights that lie in several files. Main functions: the test cases. No side
// effects.
// Requirements: TOR-106, TOR-201, TOR-206.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>

#include "../golden/golden_files.hpp"
#include "axecert/checker/checker.h"

using namespace axe;

namespace {

axc_report filled_with_something() {
  axc_report report;
  std::memset(static_cast<void*>(&report), 0x5a, sizeof report);
  return report;
}

/// Exact-size copies, so that a sanitizer sees a read behind the end.
axc_report check(const tiny::Bytes& certificate, const std::vector<tiny::Bytes>& weights) {
  const tiny::Bytes c(certificate.begin(), certificate.end());
  std::vector<tiny::Bytes> copies;
  std::vector<axc_file> files;
  for (const tiny::Bytes& bytes : weights) copies.emplace_back(bytes.begin(), bytes.end());
  for (const tiny::Bytes& bytes : copies) files.push_back({bytes.data(), bytes.size()});
  axc_report report = filled_with_something();
  const axc_verdict verdict =
      axc_check_files(c.data(), c.size(), files.data(), files.size(), nullptr, nullptr, &report);
  CHECK(report.verdict == verdict);
  CHECK((report.in_weights >= 0 && report.in_weights <= static_cast<int>(std::max<std::size_t>(1, weights.size()))));
  return report;
}
axc_report check(const tiny::Pair& pair) {
  return check(pair.certificate, {pair.weights});
}

/// The same of one file, with scratch memory given: nothing is allocated, and arrays are searched one after the other.
axc_report check_with_scratch(const tiny::Bytes& certificate, const tiny::Bytes& weights) {
  const tiny::Bytes c(certificate.begin(), certificate.end()), w(weights.begin(), weights.end());
  std::vector<std::int64_t> scratch(axc_scratch_size(c.data(), c.size()) / sizeof(std::int64_t));
  axc_report report = filled_with_something();
  axc_check_with(c.data(), c.size(), w.data(), w.size(), scratch.data(), scratch.size() * sizeof(std::int64_t),
                 &report);
  return report;
}
bool same_finding(const axc_report& a, const axc_report& b) {
  return a.verdict == b.verdict && a.reason == b.reason && a.in_weights == b.in_weights && a.position == b.position &&
         std::string(a.layer) == b.layer && a.layers == b.layers && a.nodes_checked == b.nodes_checked &&
         a.uncovered == b.uncovered;
}

bool is(axc_range range, std::int64_t lower, std::int64_t upper) {
  return range.lower == lower && range.upper == upper;
}
bool no_register(const axc_report& report) {
  return report.row == -1 && report.stage == -1 && report.node == -1 && is(report.claimed, 0, 0) &&
         is(report.recomputed, 0, 0) && is(report.limits, 0, 0);
}
/// Nothing was found in the weights file number `file` (0: the certificate) but that one thing at that byte.
bool refused_at(const axc_report& report, axc_reason reason, int file, std::size_t position) {
  return report.verdict == AXC_REFUSED && report.reason == reason && report.in_weights == file &&
         report.position == position;
}

/// Where a text of the certificate's header stands, and what follows it.
std::size_t behind(const tiny::Bytes& certificate, const std::string& text) {
  const std::size_t at = tiny::header_of(certificate).find(text);
  REQUIRE(at != std::string::npos);
  return 8 + at + text.size();
}
/// Where an array's name stands in a weights file.
std::size_t name_of(const tiny::Bytes& weights, const std::string& name) {
  return behind(weights, "\"" + name + "\":") - name.size() - 2;
}

tiny::Pair good() {
  return tiny::pair_of({tiny::small_layer()}, tiny::two_stages());
}

tiny::Arrays arrays_of(const IntegerLayer& layer) {
  tiny::Arrays arrays;
  tiny::add_layer(arrays, layer, 8);
  return arrays;
}

/// Every array in a file of its own, in the order of their names; the weights' file is `weights_at`.
std::vector<tiny::Bytes> one_each(const tiny::Arrays& arrays) {
  std::vector<tiny::Bytes> files;
  for (const auto& [name, array] : arrays) files.push_back(tiny::weights_file({{name, array}}));
  return files;
}
int number_in(const tiny::Arrays& arrays, const std::string& name) {
  return static_cast<int>(std::distance(arrays.begin(), arrays.find(name))) + 1;
}

}  // namespace

TEST_CASE("refused before any layer: nothing but the reason and its place") {
  const tiny::Pair pair = good();
  for (const tiny::Bytes& certificate : {tiny::Bytes{}, tiny::Bytes(7, 0), tiny::Bytes(8, 0xff)}) {
    const axc_report report = check({certificate, pair.weights});
    CHECK(report.verdict == AXC_REFUSED);
    CHECK(report.in_weights == 0);
    CHECK(report.position == (certificate.size() < 8 ? certificate.size() : 0));
    CHECK(std::string(report.layer).empty());
    CHECK(no_register(report));
    CHECK((report.nodes_total == 0 && report.nodes_checked == 0 && report.layers == 0 && report.uncovered == 0));
  }
}

TEST_CASE("safe: every register counted, nothing else said") {
  const axc_report report = check(good());
  CHECK((report.verdict == AXC_SAFE && report.reason == AXC_PROVED));
  CHECK((report.in_weights == 0 && report.position == 0));
  CHECK(std::string(report.layer).empty());
  CHECK(no_register(report));
  CHECK((report.nodes_total == 6 && report.nodes_checked == 6 && report.layers == 1 && report.uncovered == 0));
}

TEST_CASE("unsafe: the worst register, and the byte of the end that overflows") {
  const tiny::Pair pair = tiny::pair_of({tiny::small_layer()}, tiny::two_stages(8));
  const axc_report report = check(pair);
  CHECK((report.verdict == AXC_UNSAFE && report.reason == AXC_OVERFLOW && report.in_weights == 0));
  CHECK(report.position == tiny::extent_of(pair.certificate, "0.stage.0.upper").begin + 4 * 2);
  CHECK((report.row == 1 && report.stage == 0 && report.node == 0));
  CHECK((is(report.claimed, -105, 210) && is(report.recomputed, -105, 210) && is(report.limits, -127, 127)));
  CHECK((report.nodes_total == 6 && report.nodes_checked == 6 && report.layers == 1));
}

TEST_CASE("a wrong claim: what was claimed, what it is, how many were right before it") {
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) {
    const tiny::Pair pair =
        tiny::with_claims(tiny::small_layer(), tiny::two_stages(), [&](LayerClaims& c) { c.ranges[0].lower[n] -= 2; });
    const LayerClaims claims = make_claims(tiny::small_layer(), tiny::two_stages(), InputSource::clamped);
    const axc_report report = check(pair);
    CHECK(refused_at(report, AXC_LOWER, 0, tiny::extent_of(pair.certificate, "0.stage.0.lower").begin + 4 * n));
    CHECK((report.row == static_cast<std::int64_t>(n / 2) && report.stage == 0));
    CHECK(report.node == static_cast<std::int64_t>(n % 2));
    CHECK(is(report.claimed, claims.ranges[0].lower[n] - 2, claims.ranges[0].upper[n]));
    CHECK(is(report.recomputed, claims.ranges[0].lower[n], claims.ranges[0].upper[n]));
    CHECK(is(report.limits, -1023, 1023));
    CHECK(report.nodes_checked == static_cast<std::int64_t>(n / 2 * 3 + n % 2));
    CHECK(report.layers == 0);
  }
}

TEST_CASE("claims of verdict and worst register: their places in the header") {
  const auto with = [](const std::function<void(LayerClaims&)>& change) {
    return tiny::with_claims(tiny::small_layer(), tiny::two_stages(), change);
  };
  const tiny::Pair verdict = with([](LayerClaims& c) { c.verdict = Verdict::unsafe; });
  axc_report report = check(verdict);
  CHECK(refused_at(report, AXC_VERDICT, 0, behind(verdict.certificate, "\"0.verdict\":\"")));
  CHECK((report.row == 1 && report.stage == 0 && report.node == 0 && report.nodes_checked == 6));
  CHECK((is(report.claimed, 0, 0) && is(report.recomputed, 0, 0)));
  const tiny::Pair worst = with([](LayerClaims& c) { c.worst.row = 0; });
  report = check(worst);
  CHECK(refused_at(report, AXC_WORST, 0, behind(worst.certificate, "\"0.worst\":\"")));
  CHECK((report.row == 1 && report.stage == 0 && report.node == 0));
  const tiny::Pair range = with([](LayerClaims& c) { c.weight_range = {-128, 127}; });
  tiny::Pair narrow{tiny::edit_header(range.certificate, "weights -128 127 ", "weights -127 127 "), range.weights};
  CHECK(refused_at(check(narrow), AXC_WEIGHT_RANGE, 0, behind(narrow.certificate, "\"0.weight.range\":\"")));
  narrow.certificate = tiny::edit_header(range.certificate, "weights -128 127 ", "weights -128 126 ");
  CHECK(refused_at(check(narrow), AXC_WEIGHT_RANGE, 0, behind(narrow.certificate, "\"0.weight.range\":\"")));
}

TEST_CASE("the layer that is named is the last one that something is said of") {
  Certificate certificate{"test", {}};
  tiny::Arrays arrays;
  for (const char* name : {"aaaaaaaa", "b"}) {
    const IntegerLayer layer = tiny::small_layer(name);
    certificate.layers.push_back(make_claims(layer, tiny::two_stages(*name == 'a' ? 8 : 11), InputSource::clamped));
    tiny::add_layer(arrays, layer);
  }
  CHECK(std::string(check(certificate_bytes(certificate), {tiny::weights_file(arrays)}).layer) == "aaaaaaaa");
  arrays["b.weight"].data[0] ^= 1;
  const axc_report report = check(certificate_bytes(certificate), {tiny::weights_file(arrays)});
  CHECK(report.reason == AXC_WEIGHT_HASH);
  CHECK(std::string(report.layer) == "b");
  CHECK((report.layers == 1 && report.nodes_checked == 6 && report.nodes_total == 12));
}

// TOR-205
TEST_CASE("what is wrong with an array of the weights file, at which byte of which file") {
  IntegerLayer layer = tiny::limited_layer();
  layer.box_lower.assign(5, -15);
  layer.box_upper.assign(5, 15);
  layer.offset.assign(5, -3);
  layer.zero_point_spread = 4;
  const tiny::Bytes certificate = tiny::pair_of({layer}, tiny::two_stages(12)).certificate;
  REQUIRE(check(certificate, {tiny::weights_file(arrays_of(layer))}).reason == AXC_PROVED);
  REQUIRE(check(certificate, one_each(arrays_of(layer))).reason == AXC_PROVED);
  struct Change {
    const char* array;
    axc_reason reason;
    bool at_name;  // else at the data
    std::function<void(tiny::Array&)> change;
  };
  const auto add = [](std::size_t at, int step) {
    return [at, step](tiny::Array& a) { a.data[at] = static_cast<std::uint8_t>(a.data[at] + step); };
  };
  const auto as_f32 = [](tiny::Array& a) { a.dtype = "F32"; };
  const auto of_two = [](tiny::Array& a) { a = {"I32", {2}, tiny::Bytes(8)}; };
  const Change changes[] = {
      {"limited.weight", AXC_WEIGHT_HASH, false, add(0, 1)},
      {"limited.weight", AXC_SHAPE, true,
       [](tiny::Array& a) {
         a.shape = {5, 2};
       }},
      {"limited.bias", AXC_BIAS_HASH, false, add(0, 1)},
      {"limited.bias", AXC_SHAPE, true, [](tiny::Array& a) { a.dtype = "U64"; }},
      {"limited.input_limit", AXC_SHAPE, true, [](tiny::Array& a) { a.dtype = "F64"; }},
      {"limited.input_limit", AXC_SHAPE, true,
       [](tiny::Array& a) {
         a.shape = {1, 1};
       }},
      {"limited.input_limit", AXC_SHAPE, true,
       [](tiny::Array& a) {
         a = {"I64", {2}, tiny::Bytes(16)};
       }},
      {"limited.input_limit", AXC_QUANTIZER_BOX, false, add(0, 1)},
      {"limited.input_lower", AXC_QUANTIZER_BOX, false, add(0, 1)},
      {"limited.input_lower", AXC_QUANTIZER_BOX, false, add(16, 1)},
      {"limited.input_upper", AXC_QUANTIZER_BOX, false, add(0, -1)},
      {"limited.input_upper", AXC_QUANTIZER_BOX, false, add(16, -1)},
      {"limited.input_shift", AXC_QUANTIZER_OFFSET, false, add(0, 1)},
      {"limited.input_shift", AXC_QUANTIZER_OFFSET, false, add(16, 1)},
      {"limited.input_zero_point", AXC_QUANTIZER_ZERO_POINT, false, add(4, 1)},
      {"limited.input_lower", AXC_SHAPE, true, as_f32},
      {"limited.input_upper", AXC_SHAPE, true, of_two},
      {"limited.input_shift", AXC_SHAPE, true, as_f32},
      {"limited.input_zero_point", AXC_SHAPE, true, as_f32},
  };
  for (const Change& change : changes) {
    CAPTURE(change.array);
    tiny::Arrays arrays = arrays_of(layer);
    change.change(arrays[change.array]);
    const tiny::Bytes whole = tiny::weights_file(arrays);
    const axc_report report = check(certificate, {whole});
    CHECK(refused_at(report, change.reason, 1,
                     change.at_name ? name_of(whole, change.array) : tiny::extent_of(whole, change.array).begin));
    CHECK(std::string(report.layer) == "limited");
    CHECK((report.nodes_checked == 0 && report.layers == 0 && report.nodes_total == 6));
    CHECK(no_register(report));
    const std::vector<tiny::Bytes> files = one_each(arrays);
    const int file = number_in(arrays, change.array);
    const tiny::Bytes& bytes = files[static_cast<std::size_t>(file - 1)];
    CHECK(refused_at(check(certificate, files), change.reason, file,
                     change.at_name ? name_of(bytes, change.array) : tiny::extent_of(bytes, change.array).begin));
  }
  // What is missing is missed where the weights are; the weights, in the first file; an array that is there twice, where it is again.
  for (const char* part : {"limit", "lower", "upper", "shift", "zero_point"}) {
    CAPTURE(part);
    tiny::Arrays arrays = arrays_of(layer);
    arrays.erase(std::string("limited.input_") + part);
    CHECK(refused_at(check(certificate, {tiny::weights_file(arrays)}), AXC_QUANTIZER_MISSING, 1, 0));
    CHECK(refused_at(check(certificate, one_each(arrays)), AXC_QUANTIZER_MISSING, number_in(arrays, "limited.weight"),
                     0));
  }
  tiny::Arrays arrays = arrays_of(layer);
  arrays.erase("limited.weight");
  CHECK(refused_at(check(certificate, one_each(arrays)), AXC_MISSING, 1, 0));
  for (const auto& [name, array] : arrays_of(layer)) {
    if (name == "limited.scale") continue;
    CAPTURE(name);
    std::vector<tiny::Bytes> files = one_each(arrays_of(layer));
    files.push_back(tiny::weights_file({{"other", {"F32", {1}, tiny::Bytes(4)}}, {name, array}}));
    CHECK(
        refused_at(check(certificate, files), AXC_TWICE, static_cast<int>(files.size()), name_of(files.back(), name)));
    files.back()[8] = 'x';
    CHECK(refused_at(check(certificate, files), AXC_WEIGHTS_FILE, static_cast<int>(files.size()), 8));
  }
  // Of several that are there twice, the first in the files that is there again, whatever its name or place within the layer; a third
  // copy changes nothing.
  const tiny::Arrays again = arrays_of(layer);
  for (const auto& [name, array] : again) {
    for (const auto& [other, other_array] : again) {
      if (name == "limited.scale" || other == "limited.scale") continue;
      CAPTURE(name);
      CAPTURE(other);
      std::vector<tiny::Bytes> twice = one_each(again);
      const int first = static_cast<int>(twice.size()) + 1;
      twice.push_back(tiny::weights_file({{name, array}}));
      twice.push_back(tiny::weights_file({{other, other_array}}));
      CHECK(refused_at(check(certificate, twice), AXC_TWICE, first, name_of(twice[twice.size() - 2], name)));
      if (name == other) continue;
      twice.pop_back();
      twice.back() = tiny::weights_file({{name, array}, {other, other_array}});
      CHECK(refused_at(check(certificate, twice), AXC_TWICE, first,
                       std::min(name_of(twice.back(), name), name_of(twice.back(), other))));
    }
  }
  std::vector<tiny::Bytes> files = one_each(arrays_of(layer));
  IntegerLayer bare = layer;
  bare.bias.clear();
  CHECK(refused_at(check(tiny::pair_of({bare}, tiny::two_stages(12)).certificate, files), AXC_BIAS_PRESENCE, 1,
                   tiny::extent_of(files[0], "limited.bias").begin));
  files.erase(files.begin());
  CHECK(refused_at(check(certificate, files), AXC_BIAS_PRESENCE, 1, 0));
}

// TOR-201, TOR-210
TEST_CASE("weights files that are none, and one that holds nothing") {
  const tiny::Pair pair = good();
  const auto beside = [&](const tiny::Bytes& file) { return check(pair.certificate, {pair.weights, file}); };
  for (std::size_t size = 0; size < 8; ++size) CHECK(refused_at(beside(tiny::Bytes(size, 0)), AXC_WEIGHTS_FILE, 2, 0));
  CHECK(refused_at(beside(tiny::Bytes(8, 0)), AXC_WEIGHTS_FILE, 2, 8));
  CHECK(beside(tiny::weights_file({})).reason == AXC_PROVED);
  CHECK(refused_at(check(pair.certificate, {tiny::weights_file({})}), AXC_MISSING, 1, 0));
  CHECK(beside(tiny::with_header("{}", {})).reason == AXC_PROVED);
  CHECK(beside(tiny::with_header("{ }\n", {})).reason == AXC_PROVED);
  CHECK(beside(tiny::with_header("{}", {1, 2, 3})).reason == AXC_PROVED);
  // A header that ends behind its brace is not closed.
  for (const char* header : {"{", "{ ", "{\n\t"}) {
    CHECK(refused_at(beside(tiny::with_header(header, {})), AXC_WEIGHTS_FILE, 2, 8 + std::strlen(header)));
    CHECK(refused_at(beside(tiny::with_header(header, {'}'})), AXC_WEIGHTS_FILE, 2, 8 + std::strlen(header)));
  }
  CHECK(refused_at(beside(tiny::with_header("{}}", {})), AXC_WEIGHTS_FILE, 2, 10));
  CHECK(refused_at(beside(tiny::with_header("{},", {})), AXC_WEIGHTS_FILE, 2, 10));
  for (std::size_t byte = 1; byte < 8; ++byte) {
    tiny::Bytes longer = pair.weights;
    longer[byte] = 0xff;
    CHECK(refused_at(check(pair.certificate, {longer}), AXC_WEIGHTS_FILE, 1, 0));
  }
  tiny::Bytes all = tiny::with_header("{}", {});
  all[0] = 3;  // one byte more than the file has
  CHECK(refused_at(beside(all), AXC_WEIGHTS_FILE, 2, 0));
}

// TOR-203, TOR-210
TEST_CASE("the byte at which a weights file's header departs from its form") {
  const tiny::Pair pair = good();
  const auto at = [&](const std::string& from, const std::string& to, const std::string& place) {
    CAPTURE(from);
    CAPTURE(to);
    const std::string header = tiny::replaced(tiny::header_of(pair.weights), from, to);
    const tiny::Bytes weights = tiny::with_header(header, tiny::data_of(pair.weights));
    const axc_report report = check(pair.certificate, {weights});
    CHECK(refused_at(report, AXC_WEIGHTS_FILE, 1, behind(weights, place)));
  };
  at("{\"layer.bias", "[\"layer.bias", "");
  at("{\"layer.bias", "{layer.bias", "{");
  at("\"layer.bias", "\"\\layer.bias", "{\"");
  at("\"layer.bias",
     "\"lay\x1f"
     "er.bias",
     "{\"lay");
  at("\"layer.bias", "\"lay\ter.bias", "{\"lay");
  at("bias\":{", "bias\";{", "bias\"");
  at("bias\":{", "bias\":[", "bias\":");
  at("{\"dtype\":\"I64", "{\"d\\type\":\"I64", "{\"d");
  at("{\"dtype\":\"I64", "{\"dtype\",\"I64", "{\"dtype\"");
  at("{\"dtype\":\"I64", "{\"dtype\":\"\\I64", "dtype\":\"");
  at("{\"dtype\":\"I64", "{\"kind\":\"I64", "bias\":{");
  at("\"dtype\":\"I64\",", "\"dtype\":\"I64\",\"dtype\":\"I64\",", "\"I64\",");
  at("\"shape\":[2],", "\"shape\":[2],\"shape\":[2],", "\"shape\":[2],");
  at("\"shape\":[2],", "", "bias\":{");
  at("\"shape\":[2]", "\"shape\":{2]", "\"shape\":");
  at("\"shape\":[2]", "\"shape\":[2}", "\"shape\":[2");
  at("\"shape\":[2]", "\"shape\":[x]", "\"shape\":[");
  at("\"shape\":[2]", "\"shape\":[-2]", "\"shape\":[");
  at("\"shape\":[2]", "\"shape\":[2,]", "\"shape\":[2,");
  at("\"shape\":[2]", "\"shape\":[9223372036854775808]", "\"shape\":[");
  at("\"shape\":[2]", "\"shape\":[3]", "bias\":{");
  at("[0,16]", "(0,16]", "data_offsets\":");
  at("[0,16]", "[0;16]", "data_offsets\":[0");
  at("[0,16]", "[0,16)", "data_offsets\":[0,16");
  at("[0,16]", "[0,17]", "bias\":{");
  at("[0,16]", "[16,0]", "bias\":{");
  at("[0,16]", "[100000,100016]", "bias\":{");
  at("[0,16]},", "[0,16]}", "[0,16]}");
  at("[0,16]},\"", "[0,16]},}\"", "[0,16]},");
  at("[0,16]},\"", "[0,16]};\"", "[0,16]}");
  at("{\"layer.bias", "{\"__metadata__\":[],\"layer.bias", "metadata__\":");
  at("{\"layer.bias", "{\"__metadata__\":{\"a\"},\"layer.bias", "{\"a\"");
  at("{\"layer.bias", "{\"__metadata__\":{\"a\":1},\"layer.bias", "{\"a\":");
  at("{\"layer.bias", "{\"__metadata__\":{\"a\":\"b\",},\"layer.bias", "\"b\",");
  at("{\"layer.bias", "{\"__metadata__\":{\"a\":\"b\"],\"layer.bias", "\"b\"");
  // Zero elements may be many times nothing; one element more than there are bytes is one too many.
  const auto beside = [&](const std::string& array, std::size_t bytes) {
    return check(pair.certificate, {pair.weights, tiny::with_header("{\"x\":{" + array + "}}", tiny::Bytes(bytes))})
        .reason;
  };
  CHECK(beside("\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]", 3) == AXC_PROVED);
  CHECK(beside("\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]", 2) == AXC_WEIGHTS_FILE);
  CHECK(beside("\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,2]", 3) == AXC_WEIGHTS_FILE);
  CHECK(beside("\"dtype\":\"I32\",\"shape\":[1,2,1],\"data_offsets\":[4,12]", 12) == AXC_PROVED);
  CHECK(beside("\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]", 8) == AXC_PROVED);
  CHECK(beside("\"dtype\":\"I64\",\"shape\":[ ],\"data_offsets\":[0,0]", 8) == AXC_WEIGHTS_FILE);
  CHECK(beside("\"dtype\":\"I64\",\"shape\":[0,9223372036854775807,9],\"data_offsets\":[0,0]", 0) == AXC_PROVED);
  CHECK(beside("\"dtype\":\"I8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]", 0) == AXC_WEIGHTS_FILE);
  CHECK(beside("\"dtype\":\"I8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,1]", 1) == AXC_WEIGHTS_FILE);
  CHECK(beside("\"dtype\":\"I64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]", 0) == AXC_WEIGHTS_FILE);
  CHECK(beside("\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]", 2) ==
        AXC_PROVED);  // other types: only where they lie
  CHECK(beside("\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,3]", 2) == AXC_WEIGHTS_FILE);
}

// TOR-105
TEST_CASE("the smallest offsets and spreads count") {
  for (const std::int32_t offset : {-1, 0, 1}) {
    for (const std::int64_t spread : {0, 1, 2}) {
      for (const bool each : {false, true}) {
        IntegerLayer layer = tiny::small_layer();
        layer.offset.assign(each ? 5 : 1, offset);
        layer.zero_point_spread = spread;
        CHECK(check(tiny::pair_of({layer}, tiny::two_stages())).reason == AXC_PROVED);
      }
    }
  }
}

// TOR-210
TEST_CASE("which types are integers") {
  for (const char* type : {"I", "U", "I8", "U8", "I4", "U64", "F32", "BF16", "BOOL", "X", "8", ""}) {
    tiny::Arrays arrays = arrays_of(tiny::small_layer());
    arrays["z.weight"] = {type, {0}, {}};
    CAPTURE(type);
    CHECK(check(good().certificate, {tiny::weights_file(arrays)}).verdict ==
          (*type == 'I' || *type == 'U' ? AXC_INCOMPLETE : AXC_SAFE));
  }
}

// TOR-205
TEST_CASE("a layer without a bias behind one that has a bias") {
  IntegerLayer bare = tiny::small_layer("b");
  bare.bias.clear();
  CHECK(check(tiny::pair_of({tiny::small_layer("a"), bare}, tiny::two_stages())).reason == AXC_PROVED);
}

TEST_CASE("a witness that falls short at the upper end") {
  const tiny::Pair pair = tiny::with_claims(tiny::small_layer(), tiny::two_stages(), [](LayerClaims& c) {
    REQUIRE(c.worst_side == Side::upper);
    c.worst_witness[1] -= 1;
  });
  const axc_report report = check(pair);
  CHECK(refused_at(report, AXC_WITNESS_VALUE, 0, tiny::extent_of(pair.certificate, "0.worst.witness").begin));
  CHECK((is(report.claimed, -105, 210) && is(report.recomputed, -105, 203) && is(report.limits, -1023, 1023)));
  CHECK((report.row == 1 && report.stage == 0 && report.node == 0 && report.nodes_checked == 6));
}

// TOR-205
TEST_CASE("one entry for all channels beside one for each, in any of the arrays") {
  for (int which = 0; which < 8; ++which) {
    IntegerLayer layer = tiny::small_layer();
    layer.box_lower.assign(5, -7);
    layer.box_upper.assign(5, 9);
    layer.offset.assign(5, 4);
    tiny::Arrays arrays = arrays_of(layer);
    if (which & 1) arrays["layer.input_lower"] = tiny::int32_array({-7});
    if (which & 2) arrays["layer.input_upper"] = tiny::int32_array({9});
    if (which & 4) arrays["layer.input_shift"] = tiny::int32_array({12});
    CAPTURE(which);
    CHECK(check(tiny::pair_of({layer}, tiny::two_stages()).certificate, {tiny::weights_file(arrays)}).reason ==
          AXC_PROVED);
    layer.box_lower = {-7};
    layer.box_upper = {9};
    layer.offset = {4};
    CHECK(check(tiny::pair_of({layer}, tiny::two_stages()).certificate, {tiny::weights_file(arrays)}).reason ==
          AXC_PROVED);
  }
}

// TOR-205
TEST_CASE("without an offset a quantizer that is there must be whole") {
  IntegerLayer layer = tiny::small_layer();
  layer.offset.clear();
  for (const InputSource source : {InputSource::clamped, InputSource::given}) {
    const tiny::Bytes certificate = tiny::pair_of({layer}, tiny::two_stages(), source).certificate;
    for (int parts = 0; parts < 4; ++parts) {
      tiny::Arrays arrays = arrays_of(layer);
      if (!(parts & 1)) arrays.erase("layer.input_shift");
      if (!(parts & 2)) arrays.erase("layer.input_zero_point");
      const bool whole = parts == 3 || (parts == 0 && source == InputSource::given);
      CHECK(check(certificate, {tiny::weights_file(arrays)}).reason == (whole ? AXC_PROVED : AXC_QUANTIZER_MISSING));
    }
  }
  // No quantizer, but a zero point that is claimed to vary: there is no place for it in the weights.
  layer.zero_point_spread = 3;
  tiny::Arrays arrays = arrays_of(layer);
  std::erase_if(arrays, [](const auto& entry) { return entry.first.find("input_") != std::string::npos; });
  const tiny::Bytes certificate = tiny::pair_of({layer}, tiny::two_stages(), InputSource::given).certificate;
  CHECK(refused_at(check(certificate, {tiny::weights_file(arrays)}), AXC_QUANTIZER_ZERO_POINT, 1, 0));
}

// TOR-210
TEST_CASE("the first array that no layer covers, wherever it lies") {
  const tiny::Bytes certificate = good().certificate;
  const tiny::Array extra{"I8", {1, 1}, {1}};
  for (const char* name : {"a.weight", "layer.weight.weight", "z.weight", ".weight"}) {
    CAPTURE(name);
    tiny::Arrays arrays = arrays_of(tiny::small_layer());
    arrays[name] = extra;
    const tiny::Bytes whole = tiny::weights_file(arrays);
    const axc_report report = check(certificate, {whole});
    CHECK((report.verdict == AXC_INCOMPLETE && report.reason == AXC_UNCOVERED && report.in_weights == 1));
    CHECK(report.position == name_of(whole, name));
    CHECK(std::string(report.layer) == name);
    CHECK((report.uncovered == 1 && report.layers == 1 && report.nodes_checked == 6));
    CHECK(same_finding(check_with_scratch(certificate, whole), report));
    const std::vector<tiny::Bytes> files = one_each(arrays);
    const axc_report apart = check(certificate, files);
    CHECK((apart.reason == AXC_UNCOVERED && apart.in_weights == number_in(arrays, name) && apart.uncovered == 1));
  }
  for (const char* name : {"weight", "xweight", "t.weigh", "t.weights", "t.bias", ".bias", "t.weight2"}) {
    tiny::Arrays arrays = arrays_of(tiny::small_layer());
    arrays[name] = extra;
    CAPTURE(name);
    CHECK(check(certificate, {tiny::weights_file(arrays)}).verdict == AXC_SAFE);
    CHECK(check_with_scratch(certificate, tiny::weights_file(arrays)).verdict == AXC_SAFE);
  }
  tiny::Arrays arrays = arrays_of(tiny::small_layer());
  arrays["b.weight"] = arrays["c.weight"] = arrays["x.weight"] = extra;
  const axc_report report = check(certificate, {tiny::weights_file(arrays)});
  CHECK((report.uncovered == 3 && std::string(report.layer) == "b.weight"));
  CHECK(same_finding(check_with_scratch(certificate, tiny::weights_file(arrays)), report));
  // In several files the first of them, whichever name comes first.
  for (const char* name : {"a.weight", "z.weight"}) {
    CAPTURE(name);
    const axc_report first = check(certificate, {tiny::weights_file({{name, extra}}), tiny::weights_file(arrays)});
    CHECK((first.reason == AXC_UNCOVERED && first.in_weights == 1 && first.uncovered == 4));
    CHECK(std::string(first.layer) == name);
  }
  // Of several layers that are covered each, and before or behind them one that is not.
  std::vector<IntegerLayer> layers(3, tiny::small_layer());
  tiny::Arrays several;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].name = "layer" + std::to_string(i);
    tiny::add_layer(several, layers[i], 4);
  }
  const tiny::Bytes claims = tiny::pair_of(layers, tiny::two_stages()).certificate;
  CHECK(check_with_scratch(claims, tiny::weights_file(several)).verdict == AXC_SAFE);
  for (const char* name : {"layer.weight", "layer1a.weight", "layer3.weight"}) {
    CAPTURE(name);
    tiny::Arrays more = several;
    more[name] = extra;
    const axc_report searched = check_with_scratch(claims, tiny::weights_file(more));
    CHECK((searched.reason == AXC_UNCOVERED && std::string(searched.layer) == name));
    CHECK(same_finding(searched, check(claims, {tiny::weights_file(more)})));
  }
}

// TOR-202
TEST_CASE("arrays that together take more bytes than their file has are refused at the first that does not fit") {
  const tiny::Pair pair = tiny::pair_of({tiny::small_layer()}, tiny::two_stages());
  tiny::Arrays arrays = arrays_of(tiny::small_layer());
  arrays["large"] = {"F8", {1000}, tiny::Bytes(1000)};
  const tiny::Bytes weights = tiny::weights_file(arrays);
  const std::string header = tiny::header_of(weights);
  const std::size_t data = tiny::data_of(weights).size();
  // Arrays of the whole data, of a type that nobody looks into: as many as the file's size has room for, and one more.
  const auto with = [&](std::size_t count, const std::string& last = "") {
    std::string more = header.substr(0, header.rfind('}'));
    for (std::size_t i = 0; i < count; ++i) {
      more += ",\"" + std::to_string(i) + "\":{\"dtype\":\"F8\",\"shape\":[],\"data_offsets\":[0," +
              std::to_string(data) + "]}";
    }
    return tiny::with_header(more + last + "}", tiny::data_of(weights));
  };
  std::size_t count = 0;
  while (with(count).size() >= (count + 1) * data) ++count;  // all arrays take (count + 1) · data bytes
  CHECK(check(pair.certificate, {with(count - 1)}).verdict == AXC_SAFE);
  const tiny::Bytes whole = with(count);
  const axc_report report = check(pair.certificate, {whole});
  CHECK((report.verdict == AXC_REFUSED && report.reason == AXC_WEIGHTS_FILE && report.in_weights == 1));
  CHECK((report.position == name_of(whole, std::to_string(count - 1)) && report.layers == 0));
  CHECK(same_finding(check_with_scratch(pair.certificate, whole), report));
  const tiny::Bytes other = tiny::weights_file({{"other", {"F8", {9000}, tiny::Bytes(9000)}}});
  CHECK(refused_at(check(pair.certificate, {other, whole}), AXC_WEIGHTS_FILE, 2, report.position));
  // One more that takes exactly what is left, and one byte more.
  const auto filled = [&](std::size_t rest) {
    return with(count - 1,
                ",\"rest\":{\"dtype\":\"F8\",\"shape\":[],\"data_offsets\":[0," + std::to_string(rest) + "]}");
  };
  std::size_t rest = 0;
  for (int i = 0; i < 5; ++i) rest = filled(rest).size() - count * data;
  REQUIRE((filled(rest).size() == count * data + rest && filled(rest + 1).size() == filled(rest).size()));
  CHECK(check(pair.certificate, {filled(rest)}).verdict == AXC_SAFE);
  const tiny::Bytes beyond = filled(rest + 1);
  CHECK(refused_at(check(pair.certificate, {beyond}), AXC_WEIGHTS_FILE, 1, name_of(beyond, "rest")));
}

// TOR-210
TEST_CASE("of several layers and arrays the one that is not covered") {
  const tiny::Bytes certificate =
      tiny::pair_of({tiny::small_layer("a"), tiny::small_layer("b"), tiny::small_layer("d")}, tiny::two_stages())
          .certificate;
  tiny::Arrays arrays;
  for (const char* name : {"a", "b", "d"}) tiny::add_layer(arrays, tiny::small_layer(name), 8);
  CHECK(check(certificate, {tiny::weights_file(arrays)}).verdict == AXC_SAFE);
  for (const char* name : {"c.weight", "e.weight"}) {
    tiny::Arrays more = arrays;
    more[name] = {"I8", {1, 1}, {1}};
    const axc_report report = check(certificate, {tiny::weights_file(more)});
    CHECK((report.verdict == AXC_INCOMPLETE && std::string(report.layer) == name && report.uncovered == 1));
    CHECK((report.layers == 3 && report.nodes_checked == 18));
  }
}

namespace {
void note_call(void* context, std::size_t read) {
  static_cast<std::vector<std::size_t>*>(context)->push_back(read);
}
}  // namespace

TEST_CASE("files: none, and the callback between layers, which is told how much was read") {
  const tiny::Pair pair = tiny::pair_of({tiny::small_layer("a"), tiny::boxed_layer()}, tiny::two_stages(16));
  axc_report report = filled_with_something();
  CHECK(axc_check_files(pair.certificate.data(), pair.certificate.size(), nullptr, 0, nullptr, nullptr, &report) ==
        AXC_REFUSED);
  CHECK(refused_at(report, AXC_WEIGHTS_FILE, 1, 0));
  const axc_file file{pair.weights.data(), pair.weights.size()};
  std::vector<std::size_t> calls;
  CHECK(axc_check_files(pair.certificate.data(), pair.certificate.size(), &file, 1, note_call, &calls, &report) ==
        AXC_SAFE);
  const std::size_t first =
      tiny::extent_of(pair.certificate, "0.worst.witness").end - tiny::extent_of(pair.certificate, "0.box.lower").begin;
  const std::size_t second =
      tiny::extent_of(pair.certificate, "1.worst.witness").end - tiny::extent_of(pair.certificate, "1.box.lower").begin;
  // The certificate behind its digest; each layer as it was read; each layer as it was proved, with its 2 · 5 weights.
  CHECK(calls == std::vector<std::size_t>{pair.certificate.size() - 53 - 64, first, second, first + 10, second + 10});
}

// ---- where the certificate's text is wrong ----

namespace {

/// The good certificate with other text; it is refused for `reason` right behind the text `place`.
void refused_behind(const tiny::Pair& pair, const std::string& from, const std::string& to, axc_reason reason,
                    const std::string& place) {
  CAPTURE(from);
  CAPTURE(to);
  const tiny::Bytes certificate = tiny::edit_header(pair.certificate, from, to);
  const axc_report report = check(certificate, {pair.weights});
  CHECK(report.reason == reason);
  CHECK(report.in_weights == 0);
  CHECK(report.position == behind(certificate, place));
  CHECK(std::string(report.layer).empty());
}

}  // namespace

// TOR-201
TEST_CASE("numbers of 19 and 20 digits, at every end of what 64 bits hold") {
  const tiny::Pair pair = good();
  const auto lower = [&](const std::string& number, axc_reason reason) {
    refused_behind(pair, "range\":\"-7 7", "range\":\"" + number + " 7", reason, "range\":\"");
  };
  const auto upper = [&](const std::string& number, axc_reason reason) {
    refused_behind(pair, "range\":\"-7 7", "range\":\"-7 " + number, reason,
                   reason == AXC_NUMBER ? "range\":\"-7 " : "range\":\"");
  };
  for (const char* number :
       {"-9223372036854775808", "-9223372036854775807", "-9223372036854775799", "-1000000000000000000"}) {
    lower(number, AXC_WEIGHT_RANGE);
  }
  for (const char* number : {"-9223372036854775809", "-9223372036854775810", "-9223372036854775818",
                             "-9223372036854775900", "-10000000000000000000", "-18446744073709551616",
                             "-18446744073709551623", "-100000000000000000000", "-0", "-07", "-", "", "--7", "+7"}) {
    lower(number, AXC_NUMBER);
  }
  for (const char* number : {"9223372036854775807", "9223372036854775799", "1000000000000000000", "128"}) {
    upper(number, AXC_WEIGHT_RANGE);
  }
  for (const char* number : {"9223372036854775808", "9223372036854775809", "9223372036854775810",
                             "10000000000000000000", "18446744073709551615", "18446744073709551616",
                             "18446744073709551623", "99999999999999999999", "07", "00", "", "x"}) {
    upper(number, AXC_NUMBER);
  }
}

// TOR-201
TEST_CASE("every number at its limit is read, and one beyond is not") {
  const tiny::Pair pair = good();
  struct Limit {
    std::string before;
    const char *from, *last, *beyond;
  };
  const Limit limits[] = {
      {"layers\":\"", "1\"", "100000000\"", "100000001\""},
      {"shape\":\"", "2 5", "2147483648 5", "2147483649 5"},
      {"shape\":\"2 ", "5", "16777216", "16777217"},
      {"spread\":\"", "0", "16777216", "16777217"},
      {"stages\":\"", "2", "16", "17"},
      {"stages\":\"", "2", "1", "0"},
      {"width=", "11", "64", "65"},
      {"width=", "11", "1 ", "0 "},
      {"group=", "3", "2147483647", "2147483648"},
      {"group=", "3", "0 ", "-1 "},
      {"stride=", "1", "2147483647", "2147483648"},
      {"stride=", "1", "1 ", "0 "},
  };
  for (const Limit& limit : limits) {
    const auto with = [&](const char* number) {
      return check(tiny::edit_header(pair.certificate, limit.before + limit.from, limit.before + number),
                   {pair.weights})
          .reason;
    };
    CAPTURE(limit.before);
    CHECK(with(limit.last) != AXC_NUMBER);
    CHECK(with(limit.beyond) == AXC_NUMBER);
  }
  const auto operands = [&](const char* to) {
    return check(tiny::edit_header(pair.certificate, "-255 255", to), {pair.weights}).reason;
  };
  CHECK(operands("-16777216 16777216") == AXC_PROVED);
  const tiny::Pair limited = tiny::pair_of({tiny::limited_layer()}, tiny::two_stages());
  for (const std::int64_t limit : {std::int64_t{1} << 48, (std::int64_t{1} << 48) + 1}) {
    const tiny::Bytes other =
        tiny::edit_header(limited.certificate, "limit\":\"20", "limit\":\"" + std::to_string(limit));
    CHECK(check(other, {limited.weights}).reason == (limit == std::int64_t{1} << 48 ? AXC_QUANTIZER_BOX : AXC_NUMBER));
  }
}

// TOR-201
TEST_CASE("the length of the header") {
  const tiny::Pair pair = good();
  const auto with_length = [&](std::uint64_t length) {
    tiny::Bytes bytes = pair.certificate;
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(length >> (8 * i));
    return check(tiny::redigest(bytes), {pair.weights});
  };
  const std::size_t size = pair.certificate.size();
  const std::uint64_t length = tiny::header_size(pair.certificate);
  CHECK(with_length(length).reason == AXC_PROVED);
  for (std::size_t byte = 4; byte < 8; ++byte) {
    CHECK(refused_at(with_length(length | std::uint64_t{8} << (8 * byte)), AXC_HEADER_LENGTH, 0, 0));
  }
  CHECK(refused_at(with_length(100'000'008), AXC_HEADER_LENGTH, 0, 0));
  CHECK(refused_at(with_length(100'000'000), AXC_TRUNCATED, 0, size));
  CHECK(refused_at(with_length(length + 4), AXC_HEADER_LENGTH, 0, 0));
  CHECK(refused_at(check(tiny::Bytes(8, 0), {pair.weights}), AXC_SYNTAX, 0, 8));
  const tiny::Bytes spaces = tiny::with_header(std::string(16, ' '), {});
  CHECK(refused_at(check(spaces, {pair.weights}), AXC_SYNTAX, 0,
                   8));  // a header and nothing else is a header all the same
  CHECK(refused_at(check(tiny::Bytes(spaces.begin(), spaces.end() - 1), {pair.weights}), AXC_TRUNCATED, 0, 23));
}

TEST_CASE("padding up to the next multiple of 8, and no more") {
  int full = 0;
  for (std::size_t more = 0; more < 8; ++more) {
    IntegerLayer layer = tiny::small_layer(std::string(1 + more, 'x'));
    const tiny::Pair pair = tiny::pair_of({layer}, tiny::two_stages());
    CHECK(check(pair).reason == AXC_PROVED);
    const std::string header = tiny::header_of(pair.certificate);
    full += header.back() == '}';
    const tiny::Bytes padded =
        tiny::redigest(tiny::with_header(header + std::string(8, ' '), tiny::data_of(pair.certificate)));
    const std::size_t padding = header.size() - 1 - header.find_last_of('}');
    CHECK(refused_at(check(padded, {pair.weights}), AXC_SYNTAX, 0, 8 + header.size() - padding + 7));
  }
  CHECK(full == 1);  // one of eight lengths needs none
}

TEST_CASE("scratch memory: for the layer with the most registers in its lowest stage, whichever it is") {
  IntegerLayer longer = tiny::small_layer("b");
  longer.cols = 10;
  longer.weights.insert(longer.weights.end(), 10, std::int8_t{1});
  for (const char* other : {"a", "c"}) {
    const tiny::Pair pair = tiny::pair_of(
        {*other == 'a' ? tiny::small_layer("a") : longer, *other == 'a' ? longer : tiny::small_layer("c")},
        tiny::two_stages());
    CHECK(axc_scratch_size(pair.certificate.data(), pair.certificate.size()) == 4 * 4 * sizeof(std::int64_t));
    CHECK(check(pair).reason == AXC_PROVED);
  }
}

// TOR-201, TOR-203
TEST_CASE("the byte at which a certificate departs from its form") {
  const tiny::Pair pair = good();
  const auto at = [&](const std::string& from, const std::string& to, axc_reason reason, const std::string& place) {
    refused_behind(pair, from, to, reason, place);
  };
  at("{\"dtype\"", "{\"dtypes\"", AXC_LAYOUT, "\"0.box.lower");
  at("golden\",\"assumptions", "gol\\den\",\"assumptions", AXC_SYNTAX, "tool\":\"gol");
  at("golden\",\"assumptions", "gol\x1f\",\"assumptions", AXC_SYNTAX, "tool\":\"gol");
  at("assumptions\":\"input-clamped", "assumptions\":\"input-given", AXC_ASSUMPTIONS, "assumptions\":\"");
  at("collision-free", "collision-freed", AXC_ASSUMPTIONS, "assumptions\":\"");
  at("layers\":\"1\"", "layers\":\"0\"", AXC_NUMBER, "layers\":\"");
  at("layers\":\"1\"", "layers\":\"2\"", AXC_SYNTAX, "1 0 0 upper\"");
  at("\"0.name", "\"1.name", AXC_SYNTAX, "layers\":\"1\",\"");
  at("\"0.name\":\"layer\"", "\"0.name\":\"\"", AXC_SYNTAX, "0.name\":\"");
  at("\"0.name\":\"layer\"", "\"0.name\":\"la yer\"", AXC_SYNTAX, "0.name\":\"la");
  at("shape\":\"2 5", "shape\":\"0 5", AXC_NUMBER, "shape\":\"");
  at("shape\":\"2 5", "shape\":\"2  5", AXC_NUMBER, "shape\":\"2 ");
  at("shape\":\"2 5", "shape\":\"2,5", AXC_SYNTAX, "shape\":\"2");
  at("shape\":\"2 5\"", "shape\":\"2 5 \"", AXC_SYNTAX, "shape\":\"2 5");
  for (const char* digit : {"/", ":", "`", "g", "A", "F", "@", "G", " ", "\""}) {
    at("weight.sha256\":\"d5", std::string("weight.sha256\":\"") + digit + "5", AXC_SYNTAX, "weight.sha256\":\"");
    at("weight.sha256\":\"d5", std::string("weight.sha256\":\"d") + digit, AXC_SYNTAX, "weight.sha256\":\"d");
  }
  at("source\":\"clamped", "source\":\"clamp", AXC_SYNTAX, "source\":\"");
  at("source\":\"clamped", "source\":\"", AXC_SYNTAX, "source\":\"");
  at("spread\":\"0", "spread\":\"16777217", AXC_NUMBER, "spread\":\"");
  at("datapath\":\"golden", "datapath\":\"", AXC_SYNTAX, "datapath\":\"");
  at("weights -128 127 act", "weights -129 127 act", AXC_OPERANDS, "weights ");
  at("weights -128 127 act", "weights -128 128 act", AXC_OPERANDS, "weights ");
  at("weights -128 127 act", "weights 5 4 act", AXC_OPERANDS, "weights ");
  at("activations -255 255", "activations -255 16777217", AXC_OPERANDS, "activations ");
  at("activations -255 255", "activations -16777217 255", AXC_OPERANDS, "activations ");
  at("255 raw", "255 rew", AXC_SYNTAX, "-255 255 ");
  at("stages\":\"2", "stages\":\"17", AXC_NUMBER, "stages\":\"");
  at("stages\":\"2", "stages\":\"3", AXC_SYNTAX, "initial=constant claim=every-partial-sum\",\"0.");
  at("\"0.stage.1\":", "\"0.stage.2\":", AXC_SYNTAX, "zero claim=every-partial-sum\",\"0.stage.");
  at("width=11", "width=0", AXC_NUMBER, "width=");
  at("width=11", std::string("width=") + '\0', AXC_NUMBER, "width=");
  at("group=3", "group=-1", AXC_NUMBER, "group=");
  at("stride=1", "stride=0", AXC_NUMBER, "stride=");
  at("overflow=wrap limits=symmetric initial=zero", "overflow=wrong limits=symmetric initial=zero", AXC_SYNTAX,
     "overflow=");
  at("overflow=wrap limits=symmetric initial=zero", "overflow=wrap limits=odd initial=zero", AXC_SYNTAX, "limits=");
  at("limits=symmetric initial=zero", "limits=symmetric initial=two", AXC_SYNTAX, "initial=");
  at("initial=zero claim=every-partial-sum", "initial=zero claim=none", AXC_SYNTAX, "claim=");
  at("overflow=wrap limits=symmetric initial=zero claim=every-partial-sum",
     "overflow=saturate limits=symmetric initial=zero claim=final-value", AXC_FINAL_VALUE, "\"0.stages\":\"2\"");
  at("initial=zero", "initial=constant", AXC_MANY_CONSTANTS, "\"0.stages\":\"2\"");
  at("group=3 stride=1 overflow=wrap limits=symmetric initial=zero",
     "group=0 stride=1 overflow=wrap limits=symmetric initial=constant", AXC_TWO_CONSTANTS,
     "initial=constant claim=every-partial-sum\"");
  at("verdict\":\"safe", "verdict\":\"sure", AXC_SYNTAX, "verdict\":\"");
  at("1 0 0 upper", "2 0 0 upper", AXC_NUMBER, "worst\":\"");
  at("1 0 0 upper", "1 2 0 upper", AXC_NUMBER, "worst\":\"1 ");
  at("1 0 0 upper", "1 0 2 upper", AXC_NUMBER, "worst\":\"1 0 ");
  at("1 0 0 upper", "1 1 1 upper", AXC_NUMBER, "worst\":\"1 1 ");
  at("1 0 0 upper", "1 0 0 up", AXC_SYNTAX, "worst\":\"1 0 0 ");
  at("0.box.lower", "1.box.lower", AXC_LAYOUT, "upper\"},\"");
  at("\"0.box.upper\":{\"dtype\":\"I32\"", "\"0.box.upper\":{\"dtype\":\"I64\"", AXC_LAYOUT,
     "0.box.upper\":{\"dtype\":\"");
  at("shape\":[2,2],\"data_offsets\":[12,28]", "shape\":[2,3],\"data_offsets\":[12,28]", AXC_LAYOUT, "shape\":[2,");
  at("shape\":[2,2],\"data_offsets\":[12,28]", "shape\":[3,2],\"data_offsets\":[12,28]", AXC_LAYOUT,
     "0.stage.0.lower\":{\"dtype\":\"I32\",\"shape\":[");
  at("[12,28]", "[8,28]", AXC_LAYOUT, "2,2],\"data_offsets\":[");
  at("[12,28]", "[12,24]", AXC_LAYOUT, "2,2],\"data_offsets\":[12,");
  at("[12,28]}", "[12,28]]", AXC_LAYOUT, "2,2],\"data_offsets\":[12,28");
  at("\"0.stage.1.lower", "\"0.stage.0.lower", AXC_LAYOUT, "[28,44]},\"0.stage.");
  at("[60,80]}}", "[60,80]},}", AXC_SYNTAX, "[60,80]}");
  at("[60,80]}}", "[60,80]}} x", AXC_SYNTAX, "[60,80]}} ");

  const tiny::Pair two = tiny::pair_of({tiny::small_layer("a"), tiny::small_layer("b")}, tiny::two_stages());
  refused_behind(two, "1.name\":\"b", "1.name\":\"a", AXC_ORDER, "1 0 0 upper\"");
  const tiny::Pair calibrated = tiny::pair_of({tiny::small_layer()}, tiny::two_stages(), InputSource::calibrated);
  refused_behind(calibrated, "source\":\"calibrated", "source\":\"", AXC_SYNTAX, "source\":\"");
  const tiny::Pair limited = tiny::pair_of({tiny::limited_layer()}, tiny::two_stages());
  refused_behind(limited, "limit\":\"20", "limit\":\"0", AXC_NUMBER, "limit\":\"");
  refused_behind(limited, "limit\":\"20", "limit\":\"281474976710657", AXC_NUMBER, "limit\":\"");
  refused_behind(limited, "limit\":\"20\"", "limit\":\"20\",\"x", AXC_NUMBER, "limit\":\"20\",\"");
}

// TOR-201
TEST_CASE("the byte of an array's entry that is not allowed, and of an array that is stored too wide") {
  IntegerLayer layer = tiny::boxed_layer();
  const auto claimed = [&](const std::function<void(LayerClaims&)>& change) {
    return tiny::with_claims(layer, tiny::two_stages(16), change);
  };
  for (const std::size_t k : {std::size_t{0}, std::size_t{3}, std::size_t{4}}) {
    const tiny::Pair empty = claimed([&](LayerClaims& c) { c.layer.box_upper[k] = c.layer.box_lower[k] - 1; });
    CHECK(refused_at(check(empty), AXC_BOX, 0, tiny::extent_of(empty.certificate, "0.box.lower").begin + 4 * k));
    for (const std::int32_t offset : {(1 << 24) + 1, -(1 << 24) - 1}) {
      const tiny::Pair far = claimed([&](LayerClaims& c) { c.layer.offset[k] = offset; });
      CHECK(refused_at(check(far), AXC_OFFSET, 0, tiny::extent_of(far.certificate, "0.offset").begin + 4 * k));
    }
  }
  for (const std::int32_t offset : {1 << 24, -(1 << 24)}) {  // allowed: it is the quantizer that has another
    CHECK(check(claimed([&](LayerClaims& c) { c.layer.offset[4] = offset; })).reason == AXC_QUANTIZER_OFFSET);
  }
  // A box of the activation operand's very ends, and one beyond either.
  layer.box_lower.assign(5, -255);
  layer.box_upper.assign(5, 255);
  CHECK(check(tiny::pair_of({layer}, tiny::two_stages(16))).reason == AXC_PROVED);
  for (const bool upper : {false, true}) {
    const tiny::Pair beyond =
        claimed([&](LayerClaims& c) { (upper ? c.layer.box_upper : c.layer.box_lower)[2] = upper ? 256 : -256; });
    CHECK(refused_at(check(beyond), AXC_BOX, 0, tiny::extent_of(beyond.certificate, "0.box.lower").begin + 8));
  }
  // Under a limit 0 may be either end of a box, but not outside.
  IntegerLayer limited = tiny::limited_layer();
  for (const std::int32_t end : {0, 1}) {
    for (const bool upper : {false, true}) {
      const tiny::Pair pair = tiny::with_claims(limited, tiny::two_stages(), [&](LayerClaims& c) {
        (upper ? c.layer.box_upper : c.layer.box_lower)[0] = upper ? -end : end;
      });
      CHECK(check(pair).reason == (end == 0 ? AXC_QUANTIZER_BOX : AXC_BOX));
    }
  }
  limited.input_limit = 1;
  CHECK(check(tiny::with_claims(limited, tiny::two_stages(), [](LayerClaims& c) { c.layer.box_lower = {1}; })).reason ==
        AXC_BOX);
  // Offsets are none, one, or one for each column.
  for (const std::size_t count : {std::size_t{2}, std::size_t{3}, std::size_t{4}, std::size_t{6}}) {
    CHECK(check(claimed([&](LayerClaims& c) { c.layer.offset.assign(count, 1); })).reason == AXC_LAYOUT);
  }
  // I64 where I32 would do: every entry of both arrays of the stage is looked at.
  const tiny::Pair wide = tiny::with_claims(tiny::small_layer(), tiny::two_stages(),
                                            [](LayerClaims& c) { c.ranges[0].upper[3] = std::int64_t{1} << 40; });
  tiny::Bytes narrow = wide.certificate;
  const auto write = [&](const std::string& array, std::size_t index, std::int64_t value) {
    const std::size_t at = tiny::extent_of(narrow, array).begin + 8 * index;
    for (std::size_t i = 0; i < 8; ++i) narrow[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  };
  for (const char* array : {"0.stage.0.lower", "0.stage.0.upper"}) {
    for (const std::size_t index : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) {
      for (const std::int64_t end : {std::int64_t{0}, std::int64_t{INT32_MAX}, std::int64_t{INT32_MIN},
                                     std::int64_t{INT32_MAX} + 1, std::int64_t{INT32_MIN} - 1}) {
        narrow = wide.certificate;
        write("0.stage.0.upper", 3, 5);
        write(array, index, end);
        narrow = tiny::redigest(narrow);
        const axc_report report = check(narrow, {wide.weights});
        if (end >= INT32_MIN && end <= INT32_MAX) {
          CHECK(refused_at(report, AXC_WIDER_THAN_NEEDED, 0, behind(narrow, "[8,12]}")));
        } else {
          const std::string wrong = report.reason == AXC_UPPER ? "0.stage.0.upper" : "0.stage.0.lower";
          CHECK((report.reason == AXC_UPPER || report.reason == AXC_LOWER));
          CHECK(report.position ==
                tiny::extent_of(narrow, wrong).begin + 8 * static_cast<std::size_t>(2 * report.row + report.node));
        }
      }
    }
  }
  // A wide stage whose arrays cannot be read is not looked at.
  for (const char* key : {"\"0.stage.0.upper\"", "\"0.stage.0.lower\""}) {
    const tiny::Bytes broken = tiny::edit_header(wide.certificate, std::string(key) + ":{", std::string(key) + ":[");
    CHECK(check(broken, {wide.weights}).reason == AXC_LAYOUT);
  }
}

// TOR-203
TEST_CASE("names with capitals, and every character that a name may have") {
  for (const char* name : {"A", "Z", "Layer.0/weight-Q_1", "az09AZ_./-"}) {
    CHECK(check(tiny::pair_of({tiny::small_layer(name)}, tiny::two_stages())).reason == AXC_PROVED);
  }
}

// TOR-201
TEST_CASE("files that end with their headers, wherever that is: nothing behind the end is read") {
  const tiny::Pair pair = good();
  const std::string header = tiny::header_of(pair.certificate), weights = tiny::header_of(pair.weights);
  for (std::size_t size = 120; size < header.size(); ++size) {  // padding makes the length right
    std::string cut = header.substr(0, size);
    for (const char* filler : {"", "0", "}"}) {
      std::string whole = cut;
      while (*filler != 0 && whole.size() % 8 != 0) whole += *filler;
      if (whole.size() % 8 != 0) continue;
      const tiny::Bytes bytes = tiny::redigest(tiny::with_header(whole, {}));
      CHECK(check(bytes, {pair.weights}).verdict == AXC_REFUSED);
    }
  }
  for (std::size_t size = 0; size < weights.size(); ++size) {
    CHECK(check(pair.certificate, {tiny::with_header(weights.substr(0, size), {})}).verdict == AXC_REFUSED);
  }
  tiny::Bytes cut = pair.certificate;
  for (const std::size_t size : {cut.size() - 1, cut.size() - 20, cut.size() - 80, 8 + header.size()}) {
    cut.resize(size);
    const axc_report report = check(tiny::redigest(cut), {pair.weights});
    CHECK(refused_at(report, AXC_TRUNCATED, 0, size));
  }
  cut.resize(7 + header.size());
  CHECK(refused_at(check(cut, {pair.weights}), AXC_TRUNCATED, 0, cut.size()));
  tiny::Bytes longer = pair.certificate;
  longer.push_back(0);
  CHECK(refused_at(check(tiny::redigest(longer), {pair.weights}), AXC_TRAILING, 0, pair.certificate.size()));
  for (std::size_t at = 53; at < 53 + 64; at += 9) {
    tiny::Bytes other = pair.certificate;
    other[at] = other[at] == '0' ? '1' : '0';
    CHECK(refused_at(check(other, {pair.weights}), AXC_DIGEST, 0, 53));
  }
}

TEST_CASE("a certificate of several MiB: hashed in pieces, with a call of the caller's function between them") {
  IntegerLayer layer;
  layer.name = "long";
  layer.rows = 1;
  layer.cols = 600'000;
  layer.weights.assign(600'000, 1);
  layer.box_lower = {0};
  layer.box_upper = {1};
  Datapath datapath = tiny::two_stages();
  datapath.stages = {tiny::stage("all", 32, 0)};
  const tiny::Pair pair = tiny::pair_of({layer}, datapath);
  REQUIRE(pair.certificate.size() > 1u << 21);
  std::vector<std::size_t> calls;
  axc_report report = filled_with_something();
  const axc_file file{pair.weights.data(), pair.weights.size()};
  CHECK(axc_check_files(pair.certificate.data(), pair.certificate.size(), &file, 1, note_call, &calls, &report) ==
        AXC_SAFE);
  // Each MiB of the certificate and what is left of it; the layer as it was read, and as it was proved.
  const std::size_t mib = std::size_t{1} << 20;
  const std::size_t arrays = pair.certificate.size() - 8 - tiny::header_size(pair.certificate);
  CHECK(calls ==
        std::vector<std::size_t>{mib, mib, pair.certificate.size() - 53 - 64 - 2 * mib, arrays, arrays + 600'000});
  CHECK(check(pair).verdict == AXC_SAFE);
  tiny::Bytes other = pair.certificate;
  other.back() ^= 1;
  CHECK(refused_at(check(other, {pair.weights}), AXC_DIGEST, 0, 53));
}
