// How fast bytes can be read at all, one after the other, with the widest loads that the processor has: what a product with one token can
// at best reach. `readings` is the main function. No side effects.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "axecert/kernel/target.hpp"

namespace bench {

struct Reading {
  std::string name;
  std::uint64_t (*once)(const std::int8_t* bytes, std::size_t size);
};

/// Eight sums of words of `bytes` bytes, which do not wait for each other; the compiler has one instruction for each. What is read is asked
/// for 16 KiB ahead: processors' own prefetching alone reaches a fifth less from memory. The rest of less than a line is left out.
#define AXECERT_READING(function, bytes, instructions)                                                           \
  instructions __attribute__((noinline)) inline std::uint64_t function(const std::int8_t* p, std::size_t size) { \
    typedef std::uint64_t Words __attribute__((vector_size(bytes)));                                             \
    Words sums[8] = {};                                                                                          \
    for (std::size_t i = 0; i + 8 * (bytes) <= size; i += 8 * (bytes)) {                                         \
      for (std::size_t j = 0; j < 8 * (bytes); j += 64) {                                                        \
        __builtin_prefetch(p + i + j + 16384);                                                                   \
      }                                                                                                          \
      for (std::size_t j = 0; j < 8; ++j) {                                                                      \
        Words words;                                                                                             \
        std::memcpy(&words, p + i + j * (bytes), bytes);                                                         \
        sums[j] |= words;                                                                                        \
      }                                                                                                          \
    }                                                                                                            \
    std::uint64_t all = 0;                                                                                       \
    for (const Words& sum : sums) {                                                                              \
      for (std::size_t j = 0; j < (bytes) / 8; ++j) {                                                            \
        all |= sum[j];                                                                                           \
      }                                                                                                          \
    }                                                                                                            \
    return all;                                                                                                  \
  }

AXECERT_READING(read_128, 16, )
#if defined(__x86_64__) && defined(__GNUC__)
AXECERT_READING(read_256, 32, __attribute__((target("avx2"))))
AXECERT_READING(read_512, 64, __attribute__((target("avx512f"))))
#endif
#undef AXECERT_READING

inline std::vector<Reading> readings() {
  std::vector<Reading> result{{"reading, 128 bits", read_128}};
#if defined(__x86_64__) && defined(__GNUC__)
  for (const axe::Target target : axe::targets()) {
    if (target == axe::Target::avx2) {
      result.push_back({"reading, 256 bits", read_256});
    } else if (target == axe::Target::avx512) {
      result.push_back({"reading, 512 bits", read_512});
    }
  }
#endif
  return result;
}

}  // namespace bench
