// Vectors of 32 or 64 bytes as the inner loops use them, for every x86 target: `Vectors`, and what one addition of products is on each,
// `WordPairs`, `BytePairs` and `Quads`. Each target file includes this inside its own target region, so each gets its own copy (hence the
// unnamed namespace). What a vector extension of the compiler says for every width (loads, additions, shifts) is written once; only
// the multiplications are instructions by name. No side effects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "axecert/kernel/loops.hpp"

namespace axe::kernel {
namespace {

template <std::size_t bytes>
struct Registers;
template <>
struct Registers<32> {
  using Vector = __m256i;
  using Half = __m128i;
};
template <>
struct Registers<64> {
  using Vector = __m512i;
  using Half = __m256i;
};

template <std::size_t bytes>
struct Vectors {
  using Vector = typename Registers<bytes>::Vector;
  using Half = typename Registers<bytes>::Half;
  typedef std::uint16_t Words __attribute__((vector_size(bytes)));
  typedef std::int32_t Integers __attribute__((vector_size(bytes)));
  typedef std::int64_t Longs __attribute__((vector_size(bytes)));

  static inline Vector zero() { return Vector{}; }
  template <class T>
  static inline Vector load(const T* p) {
    Vector v;
    std::memcpy(&v, p, bytes);
    return v;
  }
  template <class T>
  static inline void store(T* p, Vector v) {
    std::memcpy(p, &v, bytes);
  }
  static inline Vector all(std::int32_t value) { return (Vector)(value - Integers{}); }
  /// The 32 bits at p in every lane.
  static inline Vector broadcast(const void* p) {
    std::int32_t four = 0;
    std::memcpy(&four, p, sizeof four);
    return all(four);
  }
  /// The 64 bits at p in every lane.
  static inline Vector broadcast_long(const void* p) {
    std::int64_t eight = 0;
    std::memcpy(&eight, p, sizeof eight);
    return (Vector)(eight - Longs{});
  }
  static inline Vector add_words(Vector a, Vector b) { return (Vector)((Words)a + (Words)b); }
  static inline Vector add_integers(Vector a, Vector b) { return (Vector)((Integers)a + (Integers)b); }
  static inline Vector low_nibbles(Vector v) { return (Vector)((Words)v & 0x0f0f); }
  static inline Vector high_nibbles(Vector v) { return (Vector)((Words)v >> 4 & 0x0f0f); }
  /// An empty instruction on a sum: what GCC 12 can see through it reassociates, which keeps more values alive than there are registers.
  static inline Vector keep(Vector sum) {
    asm("" : "+v"(sum));
    return sum;
  }
  static inline Vector accumulate_words(Vector sum, Vector v) { return keep(add_words(sum, v)); }
  /// The instruction by name: with `keep` GCC 12 moves the sums of 32 bits from register to register.
  static inline Vector accumulate_integers(Vector sum, Vector v) {
    asm("vpaddd %1, %0, %0" : "+v"(sum) : "v"(v));
    return sum;
  }

  /// Two products u8 × s8 into each 16 bits, their sum saturated (vpmaddubsw).
  static inline Vector multiply_byte_pairs(Vector x, Vector w) {
    if constexpr (bytes == 64) {
      return _mm512_maddubs_epi16(x, w);
    } else {
      return _mm256_maddubs_epi16(x, w);
    }
  }
  /// Two products s16 × s16 into each 32 bits (vpmaddwd).
  static inline Vector multiply_word_pairs(Vector x, Vector w) {
    if constexpr (bytes == 64) {
      return _mm512_madd_epi16(x, w);
    } else {
      return _mm256_madd_epi16(x, w);
    }
  }
  /// Neighbouring 16-bit lanes added into 32 bits.
  static inline Vector widen_words(Vector lanes) { return multiply_word_pairs(lanes, all(0x00010001)); }
  /// Half as many bytes, each as 16 bits with its sign.
  static inline Vector widen_bytes(const std::int8_t* p) {
    Half half;
    std::memcpy(&half, p, bytes / 2);
    if constexpr (bytes == 64) {
      return _mm512_cvtepi8_epi16(half);
    } else {
      return _mm256_cvtepi8_epi16(half);
    }
  }
};

// What dot_loops.hpp adds up. `rows`: of four products each, that one vector holds; `Operand`: what a line of activations holds.

/// Operands and weights as 16 bits, vpmaddwd: exact for all bytes (two products of at most 255 · 128 in 32 bits). Operands are widened
/// once per line, not here: a line meets every row.
template <std::size_t bytes>
struct WordPairs : Vectors<bytes> {
  using V = Vectors<bytes>;
  using typename V::Vector;
  using Operand = std::uint16_t;
  static constexpr std::size_t rows = bytes / 8;  // two 32-bit sums each, of products 0, 1 and of products 2, 3
  static inline Vector load_weights(const std::int8_t* p) { return V::widen_bytes(p); }
  static inline Vector broadcast(const Operand* p) { return V::broadcast_long(p); }
  static inline Vector add_products(Vector sum, Vector x, Vector w) {
    return V::accumulate_integers(sum, V::multiply_word_pairs(x, w));
  }
  /// sums[row] += both sums.
  static inline void add_to(std::int32_t* sums, Vector sum) {
    using Integers = typename V::Integers;
    const Vector both = (Vector)((Integers)sum + (Integers)(Vector)((typename V::Longs)sum >> 32));
    typename V::Half packed;
    if constexpr (bytes == 64) {
      packed = _mm512_cvtepi64_epi32(both);
    } else {
      packed = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(both, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6)));
    }
    typedef std::int32_t HalfIntegers __attribute__((vector_size(bytes / 2)));
    HalfIntegers before;
    std::memcpy(&before, sums, bytes / 2);
    before += (HalfIntegers)packed;
    std::memcpy(sums, &before, bytes / 2);
  }
};

/// Lines and weights of bytes, four products to each 32-bit sum: all of a kind of products but the multiplication.
template <std::size_t bytes>
struct Bytes : Vectors<bytes> {
  using V = Vectors<bytes>;
  using typename V::Vector;
  using Operand = std::uint8_t;
  static constexpr std::size_t rows = bytes / 4;
  static inline Vector load_weights(const std::int8_t* p) { return V::load(p); }
  static inline void add_to(std::int32_t* sums, Vector sum) { V::store(sums, V::add_integers(V::load(sums), sum)); }
};

/// Bytes in two steps, vpmaddubsw and vpmaddwd: exact for weights within ±pair_weight, whatever the codes.
template <std::size_t bytes>
struct BytePairs : Bytes<bytes> {
  using V = Vectors<bytes>;
  using typename V::Vector;
  static inline Vector add_products(Vector sum, Vector x, Vector w) {
    return V::accumulate_integers(sum, V::widen_words(V::multiply_byte_pairs(x, w)));
  }
};

}  // namespace
}  // namespace axe::kernel
