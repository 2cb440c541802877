// SHA-256 (FIPS 180-4) over data that arrives in pieces, and over many arrays at once. Main class: Sha256Stream. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "axecert/certificate/certificate.hpp"

namespace axe {

/// Which code compresses blocks: the processor's SHA instructions where it has them, else portable C++.
enum class Sha256Code { fastest, portable };
/// True when `fastest` means the SHA instructions here.
bool has_sha_instructions();

class Sha256Stream {
 public:
  explicit Sha256Stream(Sha256Code code = Sha256Code::fastest);
  void update(const void* data, std::size_t size);
  /// The hash of everything so far; the stream must not be used afterwards.
  Sha256 finish();
  /// Whole blocks of 64 bytes for two streams that have so far been given whole blocks alone. An instruction of SHA-256 waits for the one
  /// before it; those of two streams fill the wait, so that two take little longer than one.
  static void update_two(Sha256Stream& a, const std::uint8_t* a_blocks, Sha256Stream& b, const std::uint8_t* b_blocks,
                         std::size_t count);

 private:
  void compress(const std::uint8_t* blocks, std::size_t count);

  std::uint32_t state_[8];
  std::uint64_t total_ = 0;
  std::size_t buffered_ = 0;
  std::uint8_t buffer_[64];
  bool instructions_;
};

/// The hash of each array, two at a time.
std::vector<Sha256> sha256_of_each(std::span<const std::span<const std::uint8_t>> arrays,
                                   Sha256Code code = Sha256Code::fastest);

}  // namespace axe
