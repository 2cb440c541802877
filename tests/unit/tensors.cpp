// Claims about lib/model's containers: what is read back is what was written, bit for bit; what is damaged is refused with the
// file and the place; nothing is read beyond the file.
// Requirements: TOR-504.
#include "axecert/model/tensors.hpp"

#include <doctest/doctest.h>
#include <zip.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>

#include "../refusal.hpp"
#include "../scratch_folder.hpp"

using namespace axe;
using axe::test::refusal;

namespace {

std::filesystem::path file(const std::string& name) {
  static const test::ScratchFolder folder;
  return folder / name;
}

std::filesystem::path written(const std::string& name, const std::string& bytes) {
  const std::filesystem::path path = file(name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string refusal_of(const std::filesystem::path& path) {
  return refusal([&] { read_tensors(path); });
}

#define CHECK_REFUSED(path, words)                          \
  do {                                                      \
    const std::string told = refusal_of(path);              \
    CAPTURE(told);                                          \
    CHECK(told.find(words) != std::string::npos);           \
    CHECK(told.find((path).string()) != std::string::npos); \
  } while (false)

std::string npy(const std::string& descr, const std::string& shape, const std::string& data, int version = 1,
                const std::string& order = "False") {
  std::string header = "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  const std::size_t prefix = version == 1 ? 10 : 12;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (std::size_t i = 0; i < prefix - 8; ++i) {
    bytes += static_cast<char>(header.size() >> (8 * i) & 255);
  }
  return bytes + header + data;
}

std::filesystem::path npz(const std::string& name, const std::vector<std::pair<std::string, std::string>>& members,
                          int method) {
  const std::filesystem::path path = file(name);
  std::filesystem::remove(path);
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_EXCL, &code);
  REQUIRE(archive != nullptr);
  for (const auto& [member, bytes] : members) {
    zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, member.c_str(), source, 0);
    REQUIRE(index >= 0);
    REQUIRE(zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0) == 0);
  }
  REQUIRE(zip_close(archive) == 0);
  return path;
}

std::string raw(const auto& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}

std::string safetensors(const std::string& header, const std::string& data) {
  std::string bytes;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    bytes += static_cast<char>(static_cast<std::uint64_t>(header.size()) >> shift & 255);
  }
  return bytes + header + data;
}

}  // namespace

TEST_CASE(
    "a safetensors file returns every array and every word that was put in, and equal content gives equal bytes") {
  std::map<std::string, Tensor> tensors;
  tensors["b.weight"] = Tensor::of({2, 3}, std::vector<std::int8_t>{-128, -1, 0, 1, 2, 127});
  tensors["a.scale"] = Tensor::of({2}, std::vector<float>{0.25f, -0.0f});
  tensors["a.bias"] = Tensor::of({2}, std::vector<std::int64_t>{INT64_MIN, INT64_MAX});
  tensors["a.x"] = Tensor::of({}, std::vector<double>{1e300});
  tensors["empty"] = Tensor::of({0, 5}, std::vector<std::int32_t>{});
  const std::map<std::string, std::string> metadata{{"z", "\"quoted\" \xc3\xa9"}, {"a", ""}};
  write_safetensors(file("one.safetensors"), tensors, metadata);
  write_safetensors(file("two.safetensors"), tensors, metadata);
  CHECK(content(file("one.safetensors")) == content(file("two.safetensors")));

  const TensorFile back = read_tensors(file("one.safetensors"));
  CHECK(back.metadata == metadata);
  REQUIRE(back.tensors.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    CAPTURE(name);
    CHECK(back.at(name).dtype == tensor.dtype);
    CHECK(back.at(name).shape == tensor.shape);
    CHECK(back.at(name).data == tensor.data);
  }
  CHECK(back.find("nothing") == nullptr);
  CHECK(refusal([&] { back.at("nothing"); }).find("no array 'nothing'") != std::string::npos);
  CHECK(static_cast<unsigned char>(content(file("one.safetensors"))[0]) % 8 == 0);  // the arrays begin aligned
}

// TOR-211
TEST_CASE("an unwritable place is an error and leaves nothing behind") {
  const std::filesystem::path missing = file("no-such-folder") / "x.safetensors";
  CHECK(refusal([&] { write_safetensors(missing, {}, {}); }).find(missing.string()) != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(missing.parent_path()));
}

TEST_CASE("stored and deflated npz give the same arrays, for every version and type of .npy") {
  const std::vector<float> floats{1.5f, -2.25f, 3e38f, 1e-40f, 0, -0.0f};
  const std::vector<double> doubles{0.1};
  const std::vector<std::uint8_t> bytes{0, 255};
  const std::vector<std::int16_t> shorts{-32768, 32767};
  const std::vector<std::int64_t> longs{INT64_MIN};
  const std::vector<std::pair<std::string, std::string>> members{
      {"l.weight.npy", npy("'<f4'", "(2, 3)", raw(floats))}, {"l.scalar.npy", npy("'<f8'", "()", raw(doubles), 2)},
      {"l.u.npy", npy("'|u1'", "(2,)", raw(bytes), 3)},      {"l.s.npy", npy("\"<i2\"", "(1, 2,)", raw(shorts))},
      {"l.l.npy", npy("'<i8'", "(1,)", raw(longs))},         {"l.none.npy", npy("'<i4'", "(0, 7)", "")}};
  for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const TensorFile back = read_tensors(npz("good.npz", members, method));
    CHECK(back.tensors.size() == members.size());
    CHECK(back.at("l.weight").shape == std::vector<std::int64_t>{2, 3});
    CHECK(back.at("l.weight").as_f32("w") == floats);
    CHECK(back.at("l.scalar").shape.empty());
    CHECK(back.at("l.scalar").as_f64("s") == doubles);
    CHECK(back.at("l.u").as_integers("u") == std::vector<std::int64_t>{0, 255});
    CHECK(back.at("l.s").as_integers("s") == std::vector<std::int64_t>{-32768, 32767});
    CHECK(back.at("l.l").as_integers("l") == longs);
    CHECK(back.at("l.none").elements() == 0);
  }
}

TEST_CASE("half and bfloat16 are exact, extremes and denormals included") {
  Tensor half;
  half.dtype = DType::f16;
  half.shape = {6};
  const std::vector<std::uint16_t> half_bits{0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x8000};
  half.data.resize(12);
  std::memcpy(half.data.data(), half_bits.data(), 12);
  CHECK(half.as_f32("h") == std::vector<float>{1, -2, 65504, std::ldexp(1.0f, -24), std::ldexp(1.0f, -14), -0.0f});
  Tensor brain;
  brain.dtype = DType::bf16;
  brain.shape = {2};
  const std::vector<std::uint16_t> brain_bits{0x3f80, 0xc049};
  brain.data.resize(4);
  std::memcpy(brain.data.data(), brain_bits.data(), 4);
  CHECK(brain.as_f64("b") == std::vector<double>{1, -3.140625});
}

TEST_CASE("a conversion that would change a value is refused with the element") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor bad = Tensor::of({2, 2}, std::vector<float>{1, 2, 3, nan});
  CHECK(refusal([&] { bad.as_f32("file: w"); }).find("file: w[1, 1]: not a number") != std::string::npos);
  CHECK(refusal([&] { Tensor::of({1}, std::vector<float>{infinity}).as_f64("w"); }).find("infinite") !=
        std::string::npos);
  CHECK(refusal([&] { Tensor::of({1}, std::vector<double>{1e39}).as_f32("w"); }).find("too large") !=
        std::string::npos);
  CHECK(refusal([&] { Tensor::of({1}, std::vector<float>{1}).as_integers("w"); }).find("integer type") !=
        std::string::npos);
  CHECK(refusal([&] { Tensor::of({1}, std::vector<float>{1}).as_i8("w"); }).find("integer type") != std::string::npos);
  CHECK(refusal([&] {
          Tensor::of({2}, std::vector<std::int32_t>{127, 128}).as_i8("w");
        }).find("w[1]: 128") != std::string::npos);
  CHECK(Tensor::of({2}, std::vector<std::int32_t>{-128, 127}).as_i8("w") == std::vector<std::int8_t>{-128, 127});
}

// TOR-202
TEST_CASE("a file cut at any length is refused, whatever its container") {
  write_safetensors(file("whole.safetensors"), {{"l.weight", Tensor::of({1, 2}, std::vector<std::int8_t>{1, 2})}},
                    {{"k", "v"}});
  const std::vector<float> floats{1, 2};
  const std::string member = npy("'<f4'", "(1, 2)", raw(floats));
  const std::filesystem::path stored = npz("stored.npz", {{"l.weight.npy", member}}, ZIP_CM_STORE);
  const std::filesystem::path deflated = npz("deflated.npz", {{"l.weight.npy", member}}, ZIP_CM_DEFLATE);
  for (const std::filesystem::path& whole : {file("whole.safetensors"), stored, deflated}) {
    const std::string bytes = content(whole);
    REQUIRE_NOTHROW(read_tensors(whole));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::filesystem::path cut = written("cut", bytes.substr(0, size));
      CAPTURE(whole.string());
      CAPTURE(size);
      CHECK(refusal_of(cut) != "");
    }
    CHECK(refusal_of(written("longer", bytes + "x")) != "");
  }
}

// TOR-202
TEST_CASE("no single changed byte makes a reader crash, and in npz none changes an array unnoticed") {
  const std::vector<float> floats{1, 2};
  for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const std::string bytes = content(npz("flip.npz", {{"l.weight.npy", npy("'<f4'", "(1, 2)", raw(floats))}}, method));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const int bit : {0, 3, 7}) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
        try {
          const TensorFile back = read_tensors(written("flipped", changed));
          if (const Tensor* weight = back.find("l.weight")) {
            CHECK(weight->as_f32("w") == floats);
          }
        } catch (const InputError&) {
        }
      }
    }
  }
}

TEST_CASE("a .npy that is not plain little-endian row-major numbers is refused for its reason") {
  const std::string eight(8, '\0');
  const auto refused = [&](const std::string& member, const std::string& words) {
    CAPTURE(words);
    const std::filesystem::path path = npz("bad.npz", {{"l.weight.npy", member}}, ZIP_CM_DEFLATE);
    CHECK_REFUSED(path, words);
    CHECK(refusal_of(path).find("l.weight.npy") != std::string::npos);
  };
  refused(npy("'>f4'", "(2,)", eight), "big endian");
  refused(npy("'|O'", "(1,)", eight), "Python objects");
  refused(npy("'<c8'", "(1,)", eight), "type '<c8' is not read");
  refused(npy("'<u4'", "(2,)", eight), "type '<u4' is not read");
  refused(npy("[('a', '<f4')]", "(2,)", eight), "structured");
  refused(npy("'<f4'", "(1, 2)", eight, 1, "True"), "Fortran order");
  refused(npy("'<f4'", "(2,)", eight, 4), "version 4.0");
  refused(npy("'<f4'", "(3,)", eight), "shape [3] of F32 does not take the 8 bytes");
  refused(npy("'<f4'", "(1,)", eight), "does not take the 8 bytes");
  refused(npy("'<f4'", "(-2,)", eight), "not a tuple of sizes");
  refused(npy("'<f4'", "(99999999, 99999999, 99999999)", eight), "does not take");
  refused(npy("'<f4'", "(9999999999999999999,)", eight), "too large");
  refused(npy("'<f4'", "(2,), 'extra': 1", eight), "unexpected or repeated key 'extra'");
  refused(npy("'<f4'", "(2,), 'descr': '<f4'", eight), "repeated key 'descr'");
  refused("\x93NUMPY", "too short");
  refused("not numpy at all", "not a .npy array");
  std::string long_header = npy("'<f4'", "(2,)", eight);
  long_header[8] = '\xff';
  long_header[9] = '\xff';
  refused(long_header, "longer than the array");
}

TEST_CASE("an archive that is not .npz, or whose members lie, is refused") {
  const std::string member = npy("'<f4'", "(1,)", std::string(4, '\0'));
  CHECK_REFUSED(npz("other.npz", {{"readme.txt", "hello"}}, ZIP_CM_STORE), "not a .npy array");
  CHECK_REFUSED(npz("torch.pt", {{"archive/data.pkl", "hello"}}, ZIP_CM_STORE), "safetensors.torch.save_file");

  // Two members of one name: rename the second, in its local header and in the directory.
  std::string twice = content(npz("twice.npz", {{"a.npy", member}, {"b.npy", member}}, ZIP_CM_STORE));
  for (std::size_t at = twice.find("b.npy"); at != std::string::npos; at = twice.find("b.npy", at)) {
    twice[at] = 'a';
  }
  CHECK_REFUSED(written("twice.npz", twice), "already exists");

  // A bomb: the directory and the local header declare 3 GB for a few packed bytes.
  std::string bomb = content(npz("bomb.npz", {{"l.weight.npy", member}}, ZIP_CM_DEFLATE));
  const std::string huge = {'\0', '\0', '\0', '\xc0'};
  const std::size_t directory = bomb.find("PK\1\2");
  REQUIRE(directory != std::string::npos);
  bomb.replace(directory + 24, 4, huge);
  bomb.replace(22, 4, huge);
  CHECK_REFUSED(written("bomb.npz", bomb), "which deflate cannot do");
}

TEST_CASE("a safetensors header that does not tile its data is refused for its reason") {
  const auto refused = [](const std::string& header, const std::string& data, const std::string& words) {
    CAPTURE(header);
    CHECK_REFUSED(written("bad.safetensors", safetensors(header, data)), words);
  };
  const std::string four = "abcd";
  const auto entry = [](const std::string& name, const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  };
  CHECK_NOTHROW(
      read_tensors(written("ok.safetensors", safetensors("{" + entry("a", "I8", "[4]", "[0,4]") + "}  ", four))));
  refused("{" + entry("a", "I8", "[2]", "[0,2]") + "," + entry("b", "I8", "[3]", "[1,4]") + "}", four, "overlaps");
  refused("{" + entry("a", "I8", "[1]", "[0,1]") + "," + entry("b", "I8", "[2]", "[2,4]") + "}", four, "leaves a gap");
  refused("{" + entry("a", "I8", "[2]", "[2,4]") + "}", four, "leaves a gap");
  refused("{" + entry("a", "I8", "[3]", "[0,3]") + "}", four, "the arrays take 3 bytes, the file has 4");
  refused("{" + entry("a", "I8", "[5]", "[0,5]") + "}", four, "the arrays take 5 bytes, the file has 4");
  refused("{" + entry("a", "I8", "[5]", "[0,4]") + "}", four, "does not take the bytes 0 to 4");
  refused("{" + entry("a", "I8", "[4]", "[4,0]") + "}", four, "does not take");
  refused("{" + entry("a", "I8", "[-4]", "[0,4]") + "}", four, "expected a size, found -4");
  refused("{" + entry("a", "I8", "[4.0]", "[0,4]") + "}", four, "expected a size, found 4.0");
  refused("{" + entry("a", "I8", "[4294967296,4294967296]", "[0,4]") + "}", four, "does not take");
  refused("{" + entry("a", "I8", "[18446744073709551616]", "[0,4]") + "}", four, "expected a size");
  refused("{" + entry("a", "BOOL", "[4]", "[0,4]") + "}", four, "type 'BOOL' is not read");
  refused("{" + entry("a", "I8", "[4]", "[0,4]") + "," + entry("a", "I8", "[4]", "[0,4]") + "}", four,
          "'a' stands twice");
  refused("{\"a\":{\"dtype\":\"I8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", four,
          "'dtype' stands twice");
  refused("{\"a\":{\"dtype\":\"I8\",\"shape\":[4]}}", four, "exactly dtype, shape and data_offsets");
  refused("{\"__metadata__\":{\"k\":1}}", "", "is not a string");
  refused("{\"a\":[[[[[[[[[[1]]]]]]]]]]}", "", "nested too deeply");
  refused("{\"a\":", "", "not JSON");
  refused("[]", "", "does not begin with '{'");
  CHECK_REFUSED(written("text", "this is some text file"), "neither an .npz nor a .safetensors");
  CHECK_REFUSED(written("empty", ""), "0 bytes");
  CHECK_REFUSED(file("absent"), "no such file");
  CHECK_REFUSED(file("x").parent_path(), "not a regular file");
  CHECK_REFUSED(written("m.gguf", "GGUF\3\0\0\0"), "GGUF");
  CHECK_REFUSED(written("m.npy", npy("'<f4'", "(1,)", "abcd")), "numpy.savez");
}
