// Both SHA-256 of this program on the examples of FIPS 180-4 and NIST's million. See checks.hpp.
#include <array>

#include "axecert/certificate/sha256.hpp"
#include "axecert/checker/checker.h"
#include "axecert/selftest/checks.hpp"

namespace axe {
namespace {

std::string by_checker(const std::string& text, bool in_plain_c) {
  axc_sha256 state;
  axc_sha256_start(&state);
  state.instructions = in_plain_c ? 0 : state.instructions;
  axc_sha256_add(&state, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  Sha256 digest;
  axc_sha256_finish(&state, digest.data());
  return to_hex(digest);
}

std::string by_library(const std::string& text, Sha256Code code) {
  Sha256Stream stream(code);
  stream.update(text.data(), text.size());
  return to_hex(stream.finish());
}

}  // namespace

void check_hashes(SelftestCheck& check) {
  const std::array<std::pair<std::string, const char*>, 5> vectors{{
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrst"
       "u",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1000000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  }};
  for (const auto& [text, expected] : vectors) {
    const std::string what = std::to_string(text.size()) + " bytes";
    claim(check, by_checker(text, true) == expected, what + ", checker, plain C");
    claim(check, by_checker(text, false) == expected, what + ", checker, fastest");
    claim(check, by_library(text, Sha256Code::portable) == expected, what + ", certificate, portable");
    claim(check, by_library(text, Sha256Code::fastest) == expected, what + ", certificate, fastest");
  }
}

}  // namespace axe
