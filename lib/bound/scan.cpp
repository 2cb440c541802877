// The inner loops of the bound engine; see scan.hpp. Plain loops are written once and compiled for every instruction
// set; only the sums of bytes are spelled with intrinsics, because compilers do not find vpsadbw for signed bytes.
#include "axecert/bound/scan.hpp"

#include <algorithm>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own AVX-512 headers
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define AXECERT_X86 1
#include <immintrin.h>
#else
#define AXECERT_X86 0
#endif

#if defined(__GNUC__)
#define AXECERT_INLINE inline __attribute__((always_inline))
#else
#define AXECERT_INLINE inline
#endif

namespace axe {
namespace {

// Both sums of one run in one word. Bits 0–31: Σ (w + 128) ≤ 255 · 2^24 < 2^32; bits 32–63: Σ |w| ≤ 128 · 2^24 = 2^31.
// So neither half overflows, and words of parts of a run can be added.
AXECERT_INLINE std::uint64_t packed_sums(const std::int8_t* weights, std::size_t count) {
  std::uint64_t packed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int w = weights[i];
    packed += static_cast<std::uint64_t>(w + 128) + (static_cast<std::uint64_t>(w < 0 ? -w : w) << 32);
  }
  return packed;
}

void packed_sums_portable(const std::int8_t* weights, std::size_t count, std::size_t tile, std::uint64_t* packed) {
  for (std::size_t begin = 0; begin < count; begin += tile) {
    *packed++ = packed_sums(weights + begin, std::min(tile, count - begin));
  }
}

#if AXECERT_X86

// How far ahead of the sums the weights are fetched. The sums take long enough per line that the processor's own window
// does not reach the next ones: without this the scan runs at a quarter of the read bandwidth (tests/bench/scan.cpp).
constexpr std::ptrdiff_t fetch_ahead = 1024;

inline void fetch(const std::int8_t* weights) {
  _mm_prefetch(reinterpret_cast<const char*>(weights) + fetch_ahead, _MM_HINT_T0);  // past the end: ignored
}

// vpsadbw adds eight bytes at a time into 64-bit lanes: of w ⊕ 0x80, which is w + 128, and of |w| (|−128| is 128,
// unsigned).
__attribute__((target("avx2"))) inline __m256i packed_sums_of_32(__m256i w) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i sum = _mm256_sad_epu8(_mm256_xor_si256(w, _mm256_set1_epi8(-128)), zero);
  const __m256i magnitude = _mm256_sad_epu8(_mm256_abs_epi8(w), zero);
  return _mm256_add_epi64(sum, _mm256_slli_epi64(magnitude, 32));
}

__attribute__((target("avx2"))) inline std::uint64_t sum_of_lanes(__m256i lanes) {
  const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_unpackhi_epi64(half, half))));
}

__attribute__((target("avx2"))) void packed_sums_avx2(const std::int8_t* weights, std::size_t count, std::size_t tile,
                                                      std::uint64_t* packed) {
  if (tile == 8) {  // one lane of vpsadbw is one run
    while (count >= 32) {
      const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(packed), packed_sums_of_32(w));
      weights += 32, packed += 4, count -= 32;
    }
  }
  for (std::size_t begin = 0; begin < count; begin += tile) {
    const std::int8_t* w = weights + begin;
    const std::size_t length = std::min(tile, count - begin);
    const std::size_t whole = length / 32 * 32;
    __m256i total = _mm256_setzero_si256();
    for (std::size_t i = 0; i < whole; i += 32) {
      fetch(w + i);
      total = _mm256_add_epi64(total, packed_sums_of_32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + i))));
    }
    *packed++ = sum_of_lanes(total) + packed_sums(w + whole, length - whole);
  }
}

#define AXECERT_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

AXECERT_AVX512 inline __m512i packed_sums_of_64(__mmask64 present, const std::int8_t* weights) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i w = _mm512_maskz_loadu_epi8(present, weights);
  const __m512i sum = _mm512_sad_epu8(_mm512_maskz_add_epi8(present, w, _mm512_set1_epi8(-128)), zero);
  const __m512i magnitude = _mm512_sad_epu8(_mm512_abs_epi8(w), zero);
  return _mm512_add_epi64(sum, _mm512_slli_epi64(magnitude, 32));
}

AXECERT_AVX512 inline __m512i packed_sums_of_run(const std::int8_t* weights, std::size_t length) {
  __m512i total = _mm512_setzero_si512();
  std::size_t i = 0;
  for (; i + 64 <= length; i += 64) {
    fetch(weights + i);
    total = _mm512_add_epi64(total, packed_sums_of_64(~__mmask64{0}, weights + i));
  }
  if (i < length) {
    fetch(weights + i);
    total = _mm512_add_epi64(total, packed_sums_of_64(~__mmask64{0} >> (64 - (length - i)), weights + i));
  }
  return total;
}

AXECERT_AVX512 inline __m512i add_pairs(__m512i a, __m512i b) {  // a0+a1, b0+b1, a2+a3, b2+b3, …
  return _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

AXECERT_AVX512 inline __m512i add_lanes(__m512i a, __m512i b) {  // the same with 128-bit lanes, a's before b's
  return _mm512_add_epi64(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

AXECERT_AVX512 void packed_sums_avx512(const std::int8_t* weights, std::size_t count, std::size_t tile,
                                       std::uint64_t* packed) {
  // Eight runs at a time: their eight vectors are added across in one tree, which leaves one run per lane, in order.
  for (; count >= 8 * tile; count -= 8 * tile, packed += 8) {
    __m512i runs[8];
    for (__m512i& run : runs) {
      run = packed_sums_of_run(weights, tile);
      weights += tile;
    }
    const __m512i first = add_lanes(add_pairs(runs[0], runs[1]), add_pairs(runs[2], runs[3]));
    const __m512i second = add_lanes(add_pairs(runs[4], runs[5]), add_pairs(runs[6], runs[7]));
    _mm512_storeu_si512(packed, add_lanes(first, second));
  }
  for (std::size_t begin = 0; begin < count; begin += tile) {
    const __m512i run = packed_sums_of_run(weights + begin, std::min(tile, count - begin));
    // Not _mm512_reduce_add_epi64, which adds signed: Σ|w| in the upper half may set the topmost bit.
    *packed++ = sum_of_lanes(_mm256_add_epi64(_mm512_castsi512_si256(run), _mm512_extracti64x4_epi64(run, 1)));
  }
}

#endif

// lower = αP + βN, upper = βP + αN with P = (Σ|w| + Σw) / 2, N = (Σw − Σ|w|) / 2.
AXECERT_INLINE void ranges_of_sums(const std::uint64_t* packed, std::size_t runs, std::size_t tile, std::size_t last,
                                   std::int64_t alpha, std::int64_t beta, std::int64_t* lower, std::int64_t* upper) {
  const auto range = [&](std::size_t j, std::size_t terms) {
    const auto sum = static_cast<std::int64_t>(packed[j] & 0xffffffffU) - 128 * static_cast<std::int64_t>(terms);
    const auto magnitude = static_cast<std::int64_t>(packed[j] >> 32);
    const std::int64_t positive = (magnitude + sum) >> 1;
    const std::int64_t negative = (sum - magnitude) >> 1;  // both are even before they are halved
    lower[j] = alpha * positive + beta * negative;
    upper[j] = beta * positive + alpha * negative;
  };
  for (std::size_t j = 0; j + 1 < runs; ++j) {
    range(j, tile);
  }
  range(runs - 1, last);
}

// Σ min(w l, w h) = Σ w⁺ l + w⁻ h, and Σ max likewise, with w⁺ = max(w, 0), w⁻ = min(w, 0), for l ≤ h.
// |w l| ≤ 2^7 · 2^15, so 256 terms of each kind stay below 2^31.
AXECERT_INLINE void channel_ranges(const std::int8_t* weights, const std::int16_t* l, const std::int16_t* h,
                                   std::size_t count, std::size_t tile, std::int64_t* lower, std::int64_t* upper) {
  for (std::size_t begin = 0; begin < count; begin += tile) {
    const std::size_t end = std::min(begin + tile, count);
    std::int64_t least = 0;
    std::int64_t most = 0;
    for (std::size_t part = begin; part < end; part += 256) {
      const std::size_t part_end = std::min(part + 256, end);
      std::int32_t least_positive = 0;
      std::int32_t least_negative = 0;
      std::int32_t most_positive = 0;
      std::int32_t most_negative = 0;
      for (std::size_t k = part; k < part_end; ++k) {
        const std::int16_t w = weights[k];
        const std::int16_t positive = w > 0 ? w : std::int16_t{0};
        const std::int16_t negative = w < 0 ? w : std::int16_t{0};
        least_positive += positive * l[k];
        least_negative += negative * h[k];
        most_positive += positive * h[k];
        most_negative += negative * l[k];
      }
      least += std::int64_t{least_positive} + least_negative;
      most += std::int64_t{most_positive} + most_negative;
    }
    *lower++ = least;
    *upper++ = most;
  }
}

#if AXECERT_X86

__attribute__((target("avx2"))) void ranges_of_sums_avx2(const std::uint64_t* packed, std::size_t runs,
                                                         std::size_t tile, std::size_t last, std::int64_t alpha,
                                                         std::int64_t beta, std::int64_t* lower, std::int64_t* upper) {
  ranges_of_sums(packed, runs, tile, last, alpha, beta, lower, upper);
}

AXECERT_AVX512 void ranges_of_sums_avx512(const std::uint64_t* packed, std::size_t runs, std::size_t tile,
                                          std::size_t last, std::int64_t alpha, std::int64_t beta, std::int64_t* lower,
                                          std::int64_t* upper) {
  ranges_of_sums(packed, runs, tile, last, alpha, beta, lower, upper);
}

__attribute__((target("avx2"))) void channel_ranges_avx2(const std::int8_t* weights, const std::int16_t* l,
                                                         const std::int16_t* h, std::size_t count, std::size_t tile,
                                                         std::int64_t* lower, std::int64_t* upper) {
  channel_ranges(weights, l, h, count, tile, lower, upper);
}

AXECERT_AVX512 void channel_ranges_avx512(const std::int8_t* weights, const std::int16_t* l, const std::int16_t* h,
                                          std::size_t count, std::size_t tile, std::int64_t* lower,
                                          std::int64_t* upper) {
  channel_ranges(weights, l, h, count, tile, lower, upper);
}

#endif

std::vector<InstructionSet> find_instruction_sets() {
  std::vector<InstructionSet> sets{InstructionSet::portable};
#if AXECERT_X86
  if (__builtin_cpu_supports("avx2")) {
    sets.push_back(InstructionSet::avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      sets.push_back(InstructionSet::avx512);
    }
  }
#endif
  return sets;
}

}  // namespace

const std::vector<InstructionSet>& instruction_sets() {
  static const std::vector<InstructionSet> sets = find_instruction_sets();
  return sets;
}

void scan_uniform(InstructionSet set, const std::int8_t* weights, std::size_t count, std::size_t tile,
                  std::int64_t alpha, std::int64_t beta, std::uint64_t* scratch, std::int64_t* lower,
                  std::int64_t* upper) {
  const std::size_t runs = (count + tile - 1) / tile;
  const std::size_t last = count - (runs - 1) * tile;
#if AXECERT_X86
  if (set == InstructionSet::avx512) {
    (tile == 8 ? packed_sums_avx2 : packed_sums_avx512)(weights, count, tile, scratch);
    ranges_of_sums_avx512(scratch, runs, tile, last, alpha, beta, lower, upper);
    return;
  }
  if (set == InstructionSet::avx2) {
    packed_sums_avx2(weights, count, tile, scratch);
    ranges_of_sums_avx2(scratch, runs, tile, last, alpha, beta, lower, upper);
    return;
  }
#endif
  (void)set;
  packed_sums_portable(weights, count, tile, scratch);
  ranges_of_sums(scratch, runs, tile, last, alpha, beta, lower, upper);
}

void scan_channels(InstructionSet set, const std::int8_t* weights, const std::int16_t* box_lower,
                   const std::int16_t* box_upper, std::size_t count, std::size_t tile, std::int64_t* lower,
                   std::int64_t* upper) {
#if AXECERT_X86
  if (set == InstructionSet::avx512) {
    channel_ranges_avx512(weights, box_lower, box_upper, count, tile, lower, upper);
    return;
  }
  if (set == InstructionSet::avx2) {
    channel_ranges_avx2(weights, box_lower, box_upper, count, tile, lower, upper);
    return;
  }
#endif
  (void)set;
  channel_ranges(weights, box_lower, box_upper, count, tile, lower, upper);
}

}  // namespace axe
