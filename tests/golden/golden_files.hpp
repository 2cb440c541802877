// Every golden file, made from nothing: a certificate and a weights file each, named FOLDER/REASON.DETAIL where REASON is the
// checker's reason (axc_reason_name) and FOLDER is accept (proved safe), reject (well-formed, but not a proof of safety for
// these weights) or malformed (not a certificate or not a weights file at all). Main function: golden_files. No side effects.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "tiny_files.hpp"

namespace axe::tiny {

struct Pair {
  Bytes certificate;
  Bytes weights;
};

inline Stage stage(std::string name, int width, std::int64_t group, Initial initial = Initial::zero) {
  Stage s;
  s.name = std::move(name);
  s.width = width;
  s.group = group;
  s.initial = initial;
  return s;
}

inline Datapath two_stages(int inner_width = 11) {
  Datapath datapath;
  datapath.name = "golden";
  datapath.activations = {-255, 255};
  datapath.stages = {stage("tile", inner_width, 3), stage("outer", 32, 0, Initial::constant)};
  return datapath;
}

/// 2 rows, 5 inputs in [0, 15], the second tile ragged; bias and one offset for all.
inline IntegerLayer small_layer(const std::string& name = "layer") {
  IntegerLayer layer;
  layer.name = name;
  layer.rows = 2;
  layer.cols = 5;
  layer.weights = {1, -2, 3, 4, -5, -7, 7, 7, 0, 6};
  layer.box_lower = {0};
  layer.box_upper = {15};
  layer.offset = {-8};
  layer.bias = {1000, -2000};
  return layer;
}

/// The zero point of every token is any of 8 to 23, which moves the first row's constant up and the second's down.
inline IntegerLayer token_layer() {
  IntegerLayer layer = small_layer("token");
  layer.weights[4] = -7;
  layer.zero_point_spread = 15;
  return layer;
}

/// Every input in [-15, 15], and Σ|x| ≤ 20 in each register of the lowest stage.
inline IntegerLayer limited_layer() {
  IntegerLayer layer = small_layer("limited");
  layer.box_lower = {-15};
  layer.input_limit = 20;
  return layer;
}

inline IntegerLayer boxed_layer() {
  IntegerLayer layer = small_layer("boxed");
  layer.box_lower = {-3, 2, -8, 1, -255};
  layer.box_upper = {4, 9, -2, 1, 255};
  layer.offset = {1, -2, 3, -4, 5};
  return layer;
}

inline Pair pair_of(const std::vector<IntegerLayer>& layers, const Datapath& datapath,
                    InputSource source = InputSource::clamped) {
  Certificate certificate{"golden", {}};
  Arrays arrays;
  for (const IntegerLayer& layer : layers) {
    certificate.layers.push_back(make_claims(layer, datapath, source));
    add_layer(arrays, layer, 8);
  }
  return {certificate_bytes(certificate), weights_file(arrays)};
}

/// The pair after `change` of its claims, weights left as they are.
inline Pair with_claims(const IntegerLayer& layer, const Datapath& datapath,
                        const std::function<void(LayerClaims&)>& change) {
  Pair pair = pair_of({layer}, datapath);
  Certificate certificate{"golden", {make_claims(layer, datapath, InputSource::clamped)}};
  change(certificate.layers[0]);
  pair.certificate = certificate_bytes(certificate);
  return pair;
}

/// The pair with other arrays beside it.
inline Pair with_arrays(const IntegerLayer& layer, const std::function<void(Arrays&)>& change) {
  Pair pair = pair_of({layer}, two_stages());
  Arrays arrays;
  add_layer(arrays, layer, 8);
  change(arrays);
  pair.weights = weights_file(arrays);
  return pair;
}

inline Pair edited(const std::string& from, const std::string& to) {
  Pair pair = pair_of({small_layer()}, two_stages());
  pair.certificate = edit_header(pair.certificate, from, to);
  return pair;
}

inline Pair edited_weights(const std::string& from, const std::string& to) {
  Pair pair = pair_of({small_layer()}, two_stages());
  std::string header = replaced(header_of(pair.weights), from, to);
  pair.weights = with_header(header, data_of(pair.weights));
  return pair;
}

inline void add_accepted(std::map<std::string, Pair>& files) {
  const IntegerLayer layer = small_layer();
  files["accept/proved.two-stages"] = pair_of({layer}, two_stages());
  Datapath boxed = two_stages(16);
  files["accept/proved.boxes-that-exclude-zero"] = pair_of({boxed_layer()}, boxed);
  files["accept/proved.two-layers"] = pair_of({boxed_layer(), layer}, boxed);
  Datapath lanes = two_stages();
  lanes.stages[0] = stage("lane", 16, 2);
  lanes.stages[0].stride = 2;
  lanes.stages[0].overflow = Overflow::saturate;
  lanes.stages[0].limits = Limits::full;
  files["accept/proved.ragged-lanes"] = pair_of({layer}, lanes);
  Datapath last = two_stages();
  last.stages[1].claim = Claim::final_value;
  files["accept/proved.final-value"] = pair_of({layer}, last);
  Datapath open = two_stages();
  open.stages.pop_back();
  files["accept/proved.sum-outside"] = pair_of({layer}, open);
  Datapath wide = two_stages();
  wide.stages[1].width = 64;
  IntegerLayer heavy = layer;
  heavy.bias = {std::int64_t{1} << 62, -(std::int64_t{1} << 62)};
  files["accept/proved.sixty-four-bits"] = pair_of({heavy}, wide);
  IntegerLayer zero = layer;
  std::fill(zero.weights.begin(), zero.weights.end(), std::int8_t{0});
  zero.bias.clear();
  zero.offset.clear();
  Pair given = pair_of({zero}, two_stages(1), InputSource::given);
  files["accept/proved.zero-weights-one-bit"] = given;
  Arrays arrays;
  add_layer(arrays, layer, 8);
  files["accept/proved.foreign-writer"] = {files["accept/proved.two-stages"].certificate, weights_file(arrays, true)};
  IntegerLayer one = layer;
  one.rows = one.cols = 1;
  one.weights = {-128};
  one.bias = {7};
  files["accept/proved.one-product"] = pair_of({one}, two_stages(12));
  files["accept/proved.zero-point-per-token"] = pair_of({token_layer()}, two_stages());
  files["accept/proved.zero-point-outside"] = pair_of({token_layer()}, open);
  IntegerLayer widest = heavy;  // |constant| = 2^62 + Σ|w| · (2^24 + 2^24), and one more product
  widest.offset = {-(1 << 24)};
  widest.zero_point_spread = 1 << 24;
  files["accept/proved.widest-spread"] = pair_of({widest}, wide);
  Pair one_zero_point = pair_of({layer}, two_stages());  // [8, 8] is no spread
  Arrays ends;
  add_layer(ends, layer, 8);
  ends["layer.input_zero_point"] = int32_array({8, 8});
  one_zero_point.weights = weights_file(ends);
  files["accept/proved.two-equal-zero-points"] = one_zero_point;
}

inline void add_limited(std::map<std::string, Pair>& files) {
  const IntegerLayer layer = limited_layer();
  const Datapath datapath = two_stages();
  files["accept/proved.limited-inputs"] = pair_of({layer}, datapath);
  files["accept/proved.one-layer-of-two-limited"] = pair_of({layer, token_layer()}, datapath);
  Datapath lanes = datapath;
  lanes.stages[0].group = 2;
  lanes.stages[0].stride = 2;
  files["accept/proved.limited-lanes"] = pair_of({layer}, lanes);
  IntegerLayer boxes = layer;
  boxes.box_lower = {-3, 0, -8, 0, -255};
  boxes.box_upper = {4, 9, 0, 0, 255};
  files["accept/proved.limited-boxes"] = pair_of({boxes}, two_stages(16));
  IntegerLayer unused = layer;
  unused.input_limit = std::int64_t{1} << 48;
  files["accept/proved.limit-beyond-every-box"] = pair_of({unused}, datapath);
  Pair without_quantizer = pair_of({layer}, datapath, InputSource::given);
  Arrays bare;
  add_layer(bare, layer, 8);
  bare.erase("limited.input_limit");
  without_quantizer.weights = weights_file(bare);
  files["accept/proved.limit-given"] = without_quantizer;

  const auto claim = [&](const std::string& name, const std::function<void(LayerClaims&)>& change) {
    files["reject/" + name] = with_claims(layer, datapath, change);
  };
  claim("quantizer-box.limit-not-claimed", [](LayerClaims& c) {
    IntegerLayer plain = c.layer;
    plain.input_limit = 0;
    c = make_claims(plain, c.datapath, InputSource::clamped);
  });
  claim("quantizer-box.narrower-limit-claimed", [](LayerClaims& c) {
    IntegerLayer narrow = c.layer;
    narrow.input_limit = 19;
    c = make_claims(narrow, c.datapath, InputSource::clamped);
  });
  claim("upper.limit-not-paid", [](LayerClaims& c) {
    IntegerLayer narrow = c.layer;
    narrow.input_limit = 19;
    c.ranges = layer_ranges(narrow, Topology(c.datapath, narrow.cols));
    c.ranges[0].lower = layer_ranges(c.layer, Topology(c.datapath, narrow.cols))[0].lower;
  });
  claim("lower.limit-as-if-there-were-none", [](LayerClaims& c) {
    IntegerLayer plain = c.layer;
    plain.input_limit = 0;
    c.ranges = layer_ranges(plain, Topology(c.datapath, plain.cols));
  });
  claim("witness-box.beyond-the-limit", [](LayerClaims& c) {
    const Topology topology(c.datapath, c.layer.cols);
    for (const std::int64_t k : topology.products_of(c.worst.stage, c.worst.node)) {
      c.worst_witness[static_cast<std::size_t>(k)] = 15;
    }
  });
  const auto beside = [&](const std::string& name, const std::function<void(Arrays&)>& change) {
    Pair pair = pair_of({layer}, datapath);
    Arrays arrays;
    add_layer(arrays, layer, 8);
    change(arrays);
    pair.weights = weights_file(arrays);
    files["reject/" + name] = pair;
  };
  beside("quantizer-missing.no-limit", [](Arrays& a) { a.erase("limited.input_limit"); });
  beside("quantizer-box.another-limit", [](Arrays& a) { a["limited.input_limit"].data[0] ^= 1; });
  files["reject/quantizer-box.limit-of-zero-not-claimed"] = [&] {  // an absent claim is no claim of 0
    IntegerLayer plain = layer;
    plain.input_limit = 0;
    Pair pair = pair_of({plain}, datapath);
    Arrays arrays;
    add_layer(arrays, plain, 8);
    arrays["limited.input_limit"] = {"I64", {1}, little_endian(std::vector<std::int64_t>{0})};
    pair.weights = weights_file(arrays);
    return pair;
  }();
  beside("shape.limit-of-32-bits", [](Arrays& a) { a["limited.input_limit"] = int32_array({20}); });
  beside("shape.two-limits", [](Arrays& a) {
    a["limited.input_limit"] = {"I64", {2}, little_endian(std::vector<std::int64_t>{20, 20})};
  });
  const Pair pair = pair_of({layer}, datapath);
  const auto text = [&](const std::string& name, const std::string& from, const std::string& to) {
    files[name] = {edit_header(pair.certificate, from, to), pair.weights};
  };
  text("malformed/number.limit-zero", "input.limit\":\"20", "input.limit\":\"0");
  text("malformed/number.limit-negative", "input.limit\":\"20", "input.limit\":\"-20");
  text("malformed/number.limit-above-limit", "input.limit\":\"20", "input.limit\":\"281474976710657");
  text("malformed/syntax.limit-twice", "\"0.input.limit\":\"20\",", "\"0.input.limit\":\"20\",\"0.input.limit\":\"20\",");
  text("reject/assumptions.limit-hidden", "input-clamped input-limited", "input-clamped");
  files["reject/box.excludes-zero-under-a-limit"] = [&] {
    LayerClaims c = make_claims(layer, datapath, InputSource::clamped);
    c.layer.box_lower = {1};
    return Pair{certificate_bytes({"golden", {c}}), pair.weights};
  }();
}

inline void add_unsafe(std::map<std::string, Pair>& files) {
  const IntegerLayer layer = small_layer();
  files["reject/overflow.eight-bits"] = pair_of({layer}, two_stages(8));
  Datapath pair = two_stages();  // upper = 15 · 14 = 210: fits 9 bits (255), not 8; limits as wide as they get but one
  pair.stages[0].width = 8;
  pair.stages[0].overflow = Overflow::saturate;
  pair.stages[0].limits = Limits::full;
  files["reject/overflow.saturating"] = pair_of({layer}, pair);
  Datapath narrow = two_stages();
  narrow.stages[1].width = 12;
  IntegerLayer token = token_layer();  // row 1 reaches −1700 − 13 · 8 − 105 = −1,909 at zero point 8, −2,104 < −2,047 at 23
  token.bias[1] = -1700;
  files["reject/overflow.zero-point-per-token"] = pair_of({token}, narrow);
  Pair more = pair_of({layer}, two_stages());
  Arrays arrays;
  add_layer(arrays, layer, 8);
  add_layer(arrays, small_layer("another"), 8);
  more.weights = weights_file(arrays);
  files["reject/uncovered-weights.another-layer"] = more;
}

inline void add_false_claims(std::map<std::string, Pair>& files) {
  const IntegerLayer layer = small_layer();
  const Datapath datapath = two_stages();
  const auto claim = [&](const std::string& name, const std::function<void(LayerClaims&)>& change) {
    files["reject/" + name] = with_claims(layer, datapath, change);
  };
  claim("upper.too-small-by-one", [](LayerClaims& c) { --c.ranges[0].upper[0]; });
  claim("upper.too-large-by-one", [](LayerClaims& c) { ++c.ranges[1].upper[1]; });
  claim("lower.too-large-by-one", [](LayerClaims& c) { ++c.ranges[0].lower[1]; });
  claim("lower.too-small-by-one", [](LayerClaims& c) { --c.ranges[1].lower[0]; });
  claim("upper.other-claim-kind", [](LayerClaims& c) {
    c.datapath.stages[1].claim = Claim::final_value;
    c.ranges[1].upper[0] += 7;
  });
  claim("verdict.unsafe-though-safe", [](LayerClaims& c) { c.verdict = Verdict::unsafe; });
  claim("worst.other-node", [](LayerClaims& c) { c.worst.node = 1 - c.worst.node; });
  claim("worst.other-row", [](LayerClaims& c) { c.worst.row = 1 - c.worst.row; });
  claim("worst.other-side",
        [](LayerClaims& c) { c.worst_side = c.worst_side == Side::upper ? Side::lower : Side::upper; });
  claim("witness-box.one-above", [](LayerClaims& c) { c.worst_witness[4] = 16; });
  claim("witness-value.one-short", [](LayerClaims& c) {
    for (auto& x : c.worst_witness)
      if (x == 15) {
        x = 14;
        return;
      }
  });
  claim("weight-hash.another", [](LayerClaims& c) { c.weight_hash[31] ^= 1; });
  claim("bias-hash.another", [](LayerClaims& c) { c.bias_hash[0] ^= 1; });
  claim("bias-presence.certificate-has-none", [](LayerClaims& c) { c.bias_hash = Sha256{}; });
  claim("weight.beyond-its-range", [](LayerClaims& c) { --c.weight_range.upper; });
  claim("weight-range.beyond-operand", [](LayerClaims& c) { c.datapath.weights = {-7, 6}; });
  claim("operands.nine-bit-weights", [](LayerClaims&) {});
  files["reject/operands.nine-bit-weights"] = edited("weights -128 127", "weights -128 128");
  files["reject/operands.activations-empty"] = edited("activations -255 255", "activations 255 -255");
  claim("quantizer-box.narrower", [](LayerClaims& c) { c.layer.box_upper[0] = 16; });
  claim("quantizer-offset.one-off", [](LayerClaims& c) { ++c.layer.offset[0]; });
  claim("quantizer-offset.none-claimed", [](LayerClaims& c) { c.layer.offset.clear(); });
  claim("quantizer-zero-point.spread-where-none-is", [](LayerClaims& c) { c.layer.zero_point_spread = 1; });
  const auto token_claim = [&](const std::string& name, const std::function<void(LayerClaims&)>& change) {
    files["reject/" + name] = with_claims(token_layer(), datapath, change);
  };
  token_claim("quantizer-zero-point.claimed-static", [](LayerClaims& c) { c.layer.zero_point_spread = 0; });
  token_claim("quantizer-zero-point.claimed-narrower", [](LayerClaims& c) { c.layer.zero_point_spread = 14; });
  token_claim("upper.zero-point-not-paid", [](LayerClaims& c) {
    IntegerLayer fixed = c.layer;
    fixed.zero_point_spread = 0;
    c.ranges = layer_ranges(fixed, Topology(c.datapath, fixed.cols));
  });
  token_claim("lower.zero-point-off-by-one", [](LayerClaims& c) { ++c.ranges[1].lower[1]; });
  files["reject/assumptions.varying-constant-hidden"] = [] {
    IntegerLayer bare = token_layer();
    bare.bias.clear();
    bare.offset.clear();
    Datapath open = two_stages();
    open.stages.pop_back();
    Pair pair = pair_of({bare}, open, InputSource::given);
    pair.certificate = edit_header(pair.certificate, "constant-added-outside ", "");
    return pair;
  }();
  claim("box.empty", [](LayerClaims& c) { c.layer.box_lower[0] = 16; });
  claim("box.beyond-operand", [](LayerClaims& c) { c.layer.box_upper[0] = 256; });
  claim("offset.beyond-limit", [](LayerClaims& c) { c.layer.offset[0] = (1 << 24) + 1; });
  files["reject/verdict.safe-though-unsafe"] =
      with_claims(layer, two_stages(8), [](LayerClaims& c) { c.verdict = Verdict::safe; });
  files["reject/final-value-without-wrap.saturate"] =
      edited("overflow=wrap limits=symmetric initial=zero claim=every-partial-sum",
             "overflow=saturate limits=symmetric initial=zero claim=final-value");
  files["reject/two-constants.both-stages"] =
      edited("group=3 stride=1 overflow=wrap limits=symmetric initial=zero",
             "group=0 stride=1 overflow=wrap limits=symmetric initial=constant");
  files["reject/constant-added-twice.two-tiles"] = edited("initial=zero", "initial=constant");
  files["reject/assumptions.one-hidden"] = edited("input-clamped ", "");
  files["reject/assumptions.calibrated-as-given"] = edited("input.source\":\"clamped", "input.source\":\"calibrated");
}

inline void add_other_weights(std::map<std::string, Pair>& files) {
  const IntegerLayer layer = small_layer();
  const auto beside = [&](const std::string& name, const std::function<void(Arrays&)>& change) {
    files["reject/" + name] = with_arrays(layer, change);
  };
  beside("missing-layer.renamed", [](Arrays& a) {
    auto node = a.extract("layer.weight");
    node.key() = "other.weight";
    a.insert(std::move(node));
  });
  beside("weight-hash.one-bit", [](Arrays& a) { a["layer.weight"].data[3] ^= 1; });
  beside("shape.transposed", [](Arrays& a) { a["layer.weight"].shape = {5, 2}; });
  beside("shape.flat", [](Arrays& a) { a["layer.weight"].shape = {10}; });
  beside("shape.unsigned", [](Arrays& a) { a["layer.weight"].dtype = "U8"; });
  beside("bias-presence.file-has-none", [](Arrays& a) { a.erase("layer.bias"); });
  beside("bias-hash.one-bit", [](Arrays& a) { a["layer.bias"].data[0] ^= 1; });
  beside("shape.bias-of-three", [](Arrays& a) { a["layer.bias"] = {"I64", {3}, Bytes(24)}; });
  beside("quantizer-missing.no-lower", [](Arrays& a) { a.erase("layer.input_lower"); });
  beside("quantizer-missing.no-zero-point", [](Arrays& a) { a.erase("layer.input_zero_point"); });
  beside("quantizer-box.lower", [](Arrays& a) { a["layer.input_lower"] = int32_array({-1}); });
  beside("quantizer-box.one-channel", [](Arrays& a) { a["layer.input_upper"] = int32_array({15, 15, 15, 15, 16}); });
  beside("quantizer-offset.zero-point", [](Arrays& a) { a["layer.input_zero_point"] = int32_array({9}); });
  for (const InputSource source : {InputSource::given, InputSource::calibrated}) {
    Pair other = pair_of({layer}, two_stages(), source);
    Arrays changed;
    add_layer(changed, layer, 8);
    changed["layer.input_zero_point"] = int32_array({9});  // another constant
    other.weights = weights_file(changed);
    files["reject/quantizer-offset." + to_text(source)] = other;
  }
  beside("shape.three-zero-points", [](Arrays& a) { a["layer.input_zero_point"] = int32_array({8, 8, 8}); });
  const auto beside_token = [&](const std::string& name, const std::vector<std::int32_t>& zero_point) {
    Pair pair = pair_of({token_layer()}, two_stages());
    Arrays arrays;
    add_layer(arrays, token_layer(), 8);
    arrays["token.input_zero_point"] = int32_array(zero_point);
    pair.weights = weights_file(arrays);
    files["reject/" + name] = pair;
  };
  beside_token("quantizer-zero-point.narrower-in-the-file", {8, 22});
  beside_token("quantizer-zero-point.wider-in-the-file", {8, 24});
  beside_token("quantizer-zero-point.static-in-the-file", {8});
  beside_token("quantizer-zero-point.ends-swapped", {23, 8});
  beside_token("quantizer-offset.zero-points-moved", {9, 24});
  beside("shape.quantizer-of-two", [](Arrays& a) { a["layer.input_shift"] = int32_array({0, 0}); });
  Pair heavy = pair_of({layer}, two_stages());
  IntegerLayer beyond = layer;
  beyond.bias = {(std::int64_t{1} << 62) + 1, 0};
  Arrays arrays;
  add_layer(arrays, beyond, 8);
  heavy.weights = weights_file(arrays);
  const Bytes bias = arrays["layer.bias"].data;
  const std::string before = to_hex(sha256(little_endian(layer.bias).data(), 16));
  heavy.certificate = edit_header(heavy.certificate, before, to_hex(sha256(bias.data(), bias.size())));
  files["reject/bias.beyond-limit"] = heavy;
  files["reject/duplicate-array.two-shifts"] =
      with_arrays(layer, [](Arrays& a) { a["layer.input_shifu"] = int32_array({0}); });
  Pair& twice = files["reject/duplicate-array.two-shifts"];
  twice.weights = with_header(replaced(header_of(twice.weights), "input_shifu", "input_shift"), data_of(twice.weights));
}

inline void add_malformed(std::map<std::string, Pair>& files) {
  const Pair good = pair_of({small_layer()}, two_stages());
  const auto bytes = [&](const std::string& name, Bytes certificate) {
    files["malformed/" + name] = {std::move(certificate), good.weights};
  };
  const auto text = [&](const std::string& name, const std::string& from, const std::string& to) {
    files["malformed/" + name] = edited(from, to);
  };
  bytes("truncated.empty", {});
  bytes("truncated.seven-bytes", Bytes(good.certificate.begin(), good.certificate.begin() + 7));
  bytes("truncated.half-header", Bytes(good.certificate.begin(), good.certificate.begin() + 200));
  bytes("truncated.last-byte", redigest(Bytes(good.certificate.begin(), good.certificate.end() - 1)));
  Bytes bomb = good.certificate;
  std::fill(bomb.begin(), bomb.begin() + 8, std::uint8_t{0xff});
  bytes("header-length.bomb", bomb);
  Bytes odd = good.certificate;
  ++odd[0];
  bytes("header-length.not-a-multiple-of-eight", odd);
  Bytes longer = good.certificate;
  longer.push_back(0);
  bytes("trailing.one-byte", redigest(longer));
  Bytes flipped = good.certificate;
  flipped.back() ^= 1;
  bytes("digest.one-bit", flipped);
  text("syntax.space", "\"layers\":\"1\"", "\"layers\": \"1\"");
  text("syntax.format-two", "\"tool\"", "\"tools\"");
  text("syntax.upper-case-hash", "0.weight.sha256\":\"", "0.weight.sha256\":\"A");
  text("syntax.unknown-overflow", "overflow=wrap", "overflow=wraps");
  text("syntax.escape", "\"golden\",\"assumptions", "\"gold\\u0065n\",\"assumptions");
  text("syntax.bad-name", "0.name\":\"layer", "0.name\":\"lay er");
  text("syntax.empty-name", "0.name\":\"layer", "0.name\":\"");
  text("number.width-65", "width=11", "width=65");
  text("number.width-0", "width=11", "width=0");
  text("number.leading-zero", "group=3", "group=03");
  text("number.plus-sign", "group=3", "group=+3");
  text("number.minus-zero", "worst\":\"", "worst\":\"-");
  text("number.overflow", "group=3", "group=18446744073709551619");
  text("number.stride-0", "stride=1", "stride=0");
  text("number.cols-above-limit", "shape\":\"2 5", "shape\":\"2 16777217");
  text("number.negative-spread", "spread\":\"0", "spread\":\"-1");
  text("number.spread-above-limit", "spread\":\"0", "spread\":\"16777217");
  text("number.spread-with-leading-zero", "spread\":\"0", "spread\":\"00");
  text("syntax.no-spread", "\"0.zero_point.spread\":\"0\",", "");
  text("number.no-rows", "shape\":\"2 5", "shape\":\"0 5");
  text("number.no-layers", "layers\":\"1", "layers\":\"0");
  text("number.no-stages", "stages\":\"2", "stages\":\"0");
  text("number.seventeen-stages", "stages\":\"2", "stages\":\"17");
  text("syntax.layer-missing", "layers\":\"1", "layers\":\"2");
  text("layout.wrong-shape", "\"shape\":[2,2]", "\"shape\":[4,1]");
  text("layout.wrong-type", "\"I32\",\"shape\":[1]", "\"F32\",\"shape\":[1]");
  text("layout.overlap", "\"data_offsets\":[4,8]", "\"data_offsets\":[0,4]");
  text("layout.offset-bomb", "\"data_offsets\":[4,8]", "\"data_offsets\":[4,9223372036854775807]");
  text("layout.wrong-name", "0.box.upper", "0.box.uppr");
  text("layout.more-rows-than-arrays", "shape\":\"2 5", "shape\":\"2147483648 5");
  Pair two = pair_of({small_layer("a"), small_layer("b")}, two_stages());
  two.certificate = edit_header(two.certificate, "1.name\":\"b", "1.name\":\"a");
  files["malformed/order.same-name-twice"] = two;
  Certificate wide{"golden", {make_claims(small_layer(), two_stages(), InputSource::clamped)}};
  wide.layers[0].ranges[1].upper[0] = std::int64_t{1} << 40;  // written as I64; then the number is made small again
  Bytes narrow = certificate_bytes(wide);
  const std::size_t at = extent_of(narrow, "0.stage.1.upper").begin;
  std::fill(narrow.begin() + static_cast<std::ptrdiff_t>(at), narrow.begin() + static_cast<std::ptrdiff_t>(at) + 8,
            std::uint8_t{0});
  bytes("wider-than-needed.outer", redigest(narrow));

  const auto weights = [&](const std::string& name, Bytes file) {
    files["malformed/weights-file." + name] = {good.certificate, std::move(file)};
  };
  weights("empty", {});
  weights("half-header", Bytes(good.weights.begin(), good.weights.begin() + 100));
  weights("last-byte", Bytes(good.weights.begin(), good.weights.end() - 1));
  Bytes weights_bomb = good.weights;
  std::fill(weights_bomb.begin(), weights_bomb.begin() + 8, std::uint8_t{0xff});
  weights("length-bomb", weights_bomb);
  files["malformed/weights-file.offset-bomb"] =
      edited_weights("\"data_offsets\":[0,16]", "\"data_offsets\":[0,99999999999999999999]");
  files["malformed/weights-file.backwards"] = edited_weights("\"data_offsets\":[0,16]", "\"data_offsets\":[16,0]");
  files["malformed/weights-file.escaped-name"] = edited_weights("\"layer.bias\"", "\"layer\\u002ebias\"");
  files["malformed/weights-file.unknown-key"] = edited_weights("\"dtype\"", "\"dtypo\"");
  files["malformed/weights-file.shape-overflow"] = edited_weights("\"shape\":[2]", "\"shape\":[4294967296,4294967296]");
  files["malformed/weights-file.two-objects"] = edited_weights("}}", "}}{}");
}

inline std::map<std::string, Pair> golden_files() {
  std::map<std::string, Pair> files;
  add_accepted(files);
  add_limited(files);
  add_unsafe(files);
  add_false_claims(files);
  add_other_weights(files);
  add_malformed(files);
  return files;
}

}  // namespace axe::tiny
