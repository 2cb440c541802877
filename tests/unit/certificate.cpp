// Claims, hashes and the container of lib/certificate. Main functions: the test cases. Side effects: one file in the system's
// temporary folder, removed again.
#include "axecert/certificate/certificate.hpp"

#include <doctest/doctest.h>

#include <random>
#include <span>
#include <thread>

#include "../golden/golden_files.hpp"
#include "../scratch_folder.hpp"
#include "axecert/certificate/atomic_file.hpp"
#include "axecert/certificate/certificate_file.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/numeric/error.hpp"

using namespace axe;

namespace {

std::string hash_of(const std::string& text, Sha256Code code, std::size_t piece = SIZE_MAX) {
  Sha256Stream stream(code);
  for (std::size_t i = 0; i < text.size(); i += std::min(piece, text.size() - i)) {
    stream.update(text.data() + i, std::min(piece, text.size() - i));
  }
  return to_hex(stream.finish());
}

}  // namespace

// TOR-208
TEST_CASE("SHA-256 gives the published values (FIPS 180-4 examples, NIST's million a)") {
  const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  for (const Sha256Code code : {Sha256Code::fastest, Sha256Code::portable}) {
    CHECK(hash_of("", code) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(hash_of("abc", code) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hash_of(two_blocks, code) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(hash_of(std::string(1000000, 'a'), code) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

// TOR-208
TEST_CASE("both codes of SHA-256 agree at every length around a block and in pieces") {
  for (std::size_t length = 0; length < 200; ++length) {
    const std::string text(length, 'x');
    const std::string whole = hash_of(text, Sha256Code::portable);
    CHECK(hash_of(text, Sha256Code::fastest) == whole);
    for (std::size_t piece : {1u, 55u, 56u, 63u, 64u}) CHECK(hash_of(text, Sha256Code::fastest, piece) == whole);
  }
}

// TOR-208
TEST_CASE("arrays hashed two at a time have the hashes that each has alone, whatever their lengths and number") {
  std::mt19937 random(1);
  for (const Sha256Code code : {Sha256Code::fastest, Sha256Code::portable}) {
    for (int run = 0; run < 200; ++run) {
      std::vector<std::vector<std::uint8_t>> arrays(random() % 6);
      for (std::vector<std::uint8_t>& array : arrays) {
        array.resize(random() % 4 == 0 ? 64 * (random() % 4) : random() % 700);
        for (std::uint8_t& byte : array) byte = static_cast<std::uint8_t>(random());
      }
      const std::vector<std::span<const std::uint8_t>> spans(arrays.begin(), arrays.end());
      const std::vector<Sha256> hashes = sha256_of_each(spans, code);
      REQUIRE(hashes.size() == arrays.size());
      for (std::size_t i = 0; i < arrays.size(); ++i) {
        CHECK(to_hex(hashes[i]) == hash_of({arrays[i].begin(), arrays[i].end()}, Sha256Code::portable));
      }
    }
  }
}

// TOR-212
TEST_CASE("equal claims give equal bytes whatever the order of layers, and reading gives them back") {
  const LayerClaims a = make_claims(tiny::small_layer("a"), tiny::two_stages(), InputSource::given);
  const LayerClaims b = make_claims(tiny::boxed_layer(), tiny::two_stages(16), InputSource::clamped);
  const auto bytes = certificate_bytes({"axecert 0.1.0", {a, b}});
  CHECK(bytes == certificate_bytes({"axecert 0.1.0", {b, a}}));
  const Certificate back = parse_certificate(bytes, "test");
  CHECK(back.tool == "axecert 0.1.0");
  REQUIRE(back.layers.size() == 2);
  CHECK(back.layers[0].layer.name == "a");
  CHECK(back.layers[1].layer.box_lower == b.layer.box_lower);
  CHECK(back.layers[1].layer.offset == b.layer.offset);
  CHECK(back.layers[1].ranges[1].upper == b.ranges[1].upper);
  CHECK(back.layers[1].worst == b.worst);
  CHECK(back.layers[1].worst_witness == b.worst_witness);
  CHECK(back.layers[1].weight_hash == b.weight_hash);
  CHECK(back.layers[0].datapath.stages == a.datapath.stages);
  CHECK(certificate_bytes(back) == bytes);
}

// TOR-203
TEST_CASE("arrays follow one another without a gap, as safetensors' reference reader demands") {
  const auto bytes =
      certificate_bytes({"test", {make_claims(tiny::small_layer(), tiny::two_stages(), InputSource::given)}});
  std::size_t at = 8 + tiny::header_size(bytes);
  CHECK(at % 8 == 0);
  for (const char* name : {"0.box.lower", "0.box.upper", "0.offset", "0.stage.0.lower", "0.stage.0.upper",
                           "0.stage.1.lower", "0.stage.1.upper", "0.worst.witness"}) {
    const tiny::Extent extent = tiny::extent_of(bytes, name);
    CHECK_MESSAGE(extent.begin == at, name);
    at = extent.end;
  }
  CHECK(at == bytes.size());
}

// TOR-209
TEST_CASE("the assumptions are those of the layers, sorted, each once") {
  const auto names = [](const Certificate& certificate) {
    std::string text;
    for (const Assumption assumption : assumptions(certificate)) text += name_of(assumption) + " ";
    return text;
  };
  const std::string always = "product-order-as-stated products-exact sha256-collision-free ";
  const LayerClaims clamped = make_claims(tiny::small_layer("a"), tiny::two_stages(), InputSource::clamped);
  CHECK(names({"", {clamped, clamped}}) == "input-clamped " + always);
  Datapath open = tiny::two_stages();
  open.stages.pop_back();
  const LayerClaims outside = make_claims(tiny::small_layer("b"), open, InputSource::calibrated);
  CHECK(names({"", {clamped, outside}}) ==
        "constant-added-outside float-sum-outside input-calibrated input-clamped " + always);
  IntegerLayer bare = tiny::small_layer("c");
  bare.bias.clear();
  bare.offset.clear();
  CHECK(names({"", {make_claims(bare, open, InputSource::given)}}) == "float-sum-outside input-given " + always);
  bare.zero_point_spread = 1;  // then a constant is added outside after all
  CHECK(names({"", {make_claims(bare, open, InputSource::given)}}) ==
        "constant-added-outside float-sum-outside input-given " + always);
}

// TOR-204
TEST_CASE("other weights or another bias do not attach") {
  const IntegerLayer layer = tiny::small_layer();
  Certificate certificate = parse_certificate(
      certificate_bytes({"test", {make_claims(layer, tiny::two_stages(), InputSource::given)}}), "test");
  LayerClaims& claims = certificate.layers[0];
  auto weights = layer.weights;
  attach_weights(claims, weights, layer.bias);
  CHECK(claims.layer.weights == weights);
  weights[9] = static_cast<std::int8_t>(weights[9] ^ 1);
  CHECK_THROWS_AS(attach_weights(claims, weights, layer.bias), InputError);
  CHECK_THROWS_AS(attach_weights(claims, {1, 2}, layer.bias), InputError);
  CHECK_THROWS_AS(attach_weights(claims, layer.weights, {}), InputError);
  CHECK_THROWS_AS(attach_weights(claims, layer.weights, {1000, -2001}), InputError);
  CHECK_THROWS_AS(attach_weights(claims, layer.weights, {1000, -2000, 0}), InputError);
}

// TOR-211
TEST_CASE("what a certificate cannot hold is not written") {
  const LayerClaims good = make_claims(tiny::small_layer(), tiny::two_stages(), InputSource::given);
  CHECK_THROWS_AS(certificate_bytes({"test", {}}), InputError);
  CHECK_THROWS_AS(certificate_bytes({"test", {good, good}}), InputError);
  LayerClaims undecided = good;
  undecided.verdict = Verdict::incomplete;
  CHECK_THROWS_AS(certificate_bytes({"test", {undecided}}), InputError);
  Datapath tall = tiny::two_stages();
  tall.stages.clear();
  for (int s = 0; s < 17; ++s) tall.stages.push_back(tiny::stage("s" + std::to_string(s), 64, 0));
  CHECK_THROWS_AS(certificate_bytes({"test", {make_claims(tiny::small_layer(), tall, InputSource::given)}}),
                  InputError);
  CHECK_THROWS_AS(make_claims(tiny::small_layer(), Datapath{}, InputSource::given), InputError);
}

// TOR-212
TEST_CASE("an image in memory has the bytes of the whole certificate, in whatever order threads come with the layers") {
  std::vector<LayerClaims> claims{make_claims(tiny::small_layer("a"), tiny::two_stages(), InputSource::given),
                                  make_claims(tiny::boxed_layer(), tiny::two_stages(16), InputSource::clamped)};
  IntegerLayer wide = tiny::small_layer("wide");  // its constant needs 64 bits
  wide.bias = {std::int64_t{1} << 40, 5};
  claims.push_back(make_claims(wide, tiny::two_stages(), InputSource::given));
  REQUIRE(claims[2].ranges[1].upper[0] > INT32_MAX);
  const std::vector<std::uint8_t> expected = certificate_bytes({"axecert 0.1.0", claims});
  std::vector<CertificateImage::LayerSize> layers;
  for (const LayerClaims& layer : claims) {
    layers.push_back({layer.layer.name, layer.layer.rows, layer.layer.cols});
  }
  for (int round = 0; round < 20; ++round) {
    CertificateImage image(layers, claims[0].datapath, "axecert 0.1.0");
    std::vector<std::thread> threads;
    for (std::size_t i = claims.size(); i > 0; --i) {  // all but the last must wait
      threads.emplace_back([&, i] { image.add(i - 1, claims[i - 1]); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    const std::span<const std::uint8_t> bytes = image.finish();
    CHECK(std::vector<std::uint8_t>(bytes.begin(), bytes.end()) == expected);
    CHECK(image.certificate().layers.size() == claims.size());
    CHECK(assumptions(image.certificate()) == assumptions({"axecert 0.1.0", claims}));
  }
}

// TOR-211
TEST_CASE("an image that was given up lets everybody go, and refuses what a certificate cannot hold") {
  const LayerClaims claims = make_claims(tiny::small_layer(), tiny::two_stages(), InputSource::given);
  const CertificateImage::LayerSize size{claims.layer.name, claims.layer.rows, claims.layer.cols};
  const std::vector<CertificateImage::LayerSize> twice{size, size};
  CertificateImage left(twice, claims.datapath, "test");
  std::thread waiting([&] { left.add(1, claims); });
  left.give_up();
  waiting.join();
  CHECK_THROWS_AS(left.finish(), InputError);  // it has no layer
  CertificateImage image(twice, claims.datapath, "test");
  image.add(0, claims);
  image.add(1, claims);
  CHECK_THROWS_AS(image.finish(), InputError);
  LayerClaims undecided = claims;
  undecided.verdict = Verdict::incomplete;
  CHECK_THROWS_AS(CertificateImage(twice, claims.datapath, "test").add(0, undecided), InputError);
}

// TOR-211
TEST_CASE("a certificate file is replaced whole, and no temporary file is left") {
  const test::ScratchFolder scratch;
  const std::filesystem::path& folder = scratch.path();
  const Certificate certificate{"test", {make_claims(tiny::small_layer(), tiny::two_stages(), InputSource::given)}};
  write_file_atomically(folder / "c.axec", std::vector<std::uint8_t>(100000, 7));
  write_certificate(folder / "c.axec", certificate);
  CHECK(certificate_bytes(read_certificate(folder / "c.axec")) == certificate_bytes(certificate));
  CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 1);
  CHECK_THROWS_AS(write_certificate(folder / "none" / "c.axec", certificate), InputError);
  std::filesystem::create_directory(folder / "d");
  CHECK_THROWS_AS(write_certificate(folder / "d", certificate), InputError);  // rename onto a folder fails
  CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 2);
  CHECK_THROWS_AS(read_certificate(folder / "missing"), InputError);
}
