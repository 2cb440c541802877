// SHA-256 (FIPS 180-4) over data that arrives in pieces. Main class: Sha256Stream. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>

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

 private:
  void compress(const std::uint8_t* blocks, std::size_t count);

  std::uint32_t state_[8];
  std::uint64_t total_ = 0;
  std::size_t buffered_ = 0;
  std::uint8_t buffer_[64];
  bool instructions_;
};

}  // namespace axe
