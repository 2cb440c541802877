/* The core of the checker: recomputes the range of every register from weights, box, offsets and bias, and compares it with
 * what is claimed. Main function: axc_prove_layer. No allocation, no floating point, no input or output; all memory is the
 * caller's. Every sum fits int64_t: the bound stands in core.h. Semantics: docs/certificate.md, "Acceptance". */
#include "core.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__FRAMAC__) && !defined(AXC_ONE_TARGET)
#define AXC_EVERY_TARGET __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define AXC_EVERY_TARGET
#endif

/* What the clones call must become part of them. */
#if defined(__GNUC__)
#define AXC_INLINE static inline __attribute__((always_inline))
#else
#define AXC_INLINE static inline
#endif

/* The sums take long enough that the processor does not look ahead to the next row by itself: ask for it. Nothing but speed
 * depends on it; the address lies within the weights all the same. */
#if defined(__GNUC__) && !defined(__FRAMAC__)
#define AXC_FETCH(address) __builtin_prefetch(address)
#else
#define AXC_FETCH(address) (void)(address)
#endif

/*@ assigns \nothing;
    ensures \result == (a < b ? a : b); */
static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}
/*@ assigns \nothing;
    ensures \result == (a > b ? a : b); */
static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* ---- which values meet in which register ---- */

/* Values per block: group · stride, or all of them when that is fewer. */
/*@ requires \valid_read(stage) && 0 <= stage->group <= 2147483647 && 1 <= stage->stride <= 2147483647;
    requires 1 <= values <= 2147483648;
    assigns \nothing;
    ensures \result == (stage->group == 0 || stage->group * stage->stride > values ? values : stage->group * stage->stride);
    ensures 1 <= \result <= values; */
static int64_t block_of(const axc_stage* stage, int64_t values) {
  const int64_t block = stage->group * stage->stride; /* ≤ 2^62 */
  return stage->group == 0 || block > values ? values : block;
}

int64_t axc_nodes(const axc_stage* stage, int64_t values) {
  const int64_t block = block_of(stage, values);
  return values / block * smaller(stage->stride, block) + smaller(stage->stride, values % block);
}

/* The limits of a register of P bits: upper 2^(P−1) − 1, lower −upper, or −upper − 1 when it is full two's complement. */
static axc_range limits_of(const axc_stage* stage) {
  axc_range limits;
  limits.upper = (int64_t)(((uint64_t)1 << (stage->width - 1)) - 1);
  limits.lower = stage->full ? -limits.upper - 1 : -limits.upper;
  return limits;
}

/* ---- one stage of one row ---- */

/* Entry n of each array is one register's: [final_lower, final_upper] is the range of the complete sum, [partial_lower,
 * partial_upper] that of all partial sums. */
typedef struct {
  int64_t* final_lower;
  int64_t* final_upper;
  int64_t* partial_lower;
  int64_t* partial_upper;
} ranges;

/*@ assigns \nothing;
    ensures \result == greatest(x, 0); */
AXC_INLINE int above_zero(int x) {
  return x > 0 ? x : 0;
}

/* Adds P = Σ max(w, 0) and N = Σ min(w, 0) of at most 128 adjacent weights: both within 128 · 128 = 2^14, so 16 bits hold them. */
/*@ requires 0 <= begin <= end <= 16777216 && end - begin <= 128;
    requires \valid_read(w + (begin .. end - 1)) && \valid(positive) && \valid(negative) && \separated(positive, negative);
    requires -2147483648 <= *positive <= 2147483648 && -2147483648 <= *negative <= 2147483648;
    assigns *positive, *negative;
    ensures \forall integer e; e >= end ==> *positive + above(w, 1, end, e) == \old(*positive) + above(w, 1, begin, e);
    ensures \forall integer e; e >= end ==> *negative + below(w, 1, end, e) == \old(*negative) + below(w, 1, begin, e);
    ensures 0 <= *positive - \old(*positive) <= 128 * (end - begin);
    ensures 0 <= \old(*negative) - *negative <= 128 * (end - begin); */
AXC_INLINE void add_few(const signed char* w, int64_t begin, int64_t end, int64_t* positive, int64_t* negative) {
  int16_t total = 0, over = 0;
  //@ ghost int under = 0;
  /*@ loop invariant begin <= i <= end;
      loop invariant 0 <= over <= 128 * (i - begin);
      loop invariant 0 <= -under <= 128 * (i - begin) && total == over + under;
      loop invariant \forall integer e; e >= end ==> over + above(w, 1, i, e) == above(w, 1, begin, e);
      loop invariant \forall integer e; e >= end ==> under + below(w, 1, i, e) == below(w, 1, begin, e);
      loop assigns i, total, over, under;
      loop variant end - i; */
  for (int64_t i = begin; i < end; ++i) {
    total = (int16_t)(total + w[i]);
    over = (int16_t)(over + above_zero(w[i]));
    //@ ghost under = under + (w[i] < 0 ? w[i] : 0);
    //@ assert above(w, 1, i, end) == greatest(w[i], 0) + above(w, 1, i + 1, end);
  }
  *positive += over;
  *negative += total - over; /* min(w, 0) = w − max(w, 0) */
}

/* P and N of any number. `ahead` bytes further, in the next row or here again, lies what is fetched. */
/*@ requires 0 <= begin <= end <= 16777216;
    requires \valid_read(w + (begin .. end - 1)) && \valid(positive) && \valid(negative) && \separated(positive, negative);
    assigns *positive, *negative;
    ensures *positive == above(w, 1, begin, end) && 0 <= *positive <= 128 * (end - begin);
    ensures *negative == below(w, 1, begin, end) && 0 <= -*negative <= 128 * (end - begin); */
AXC_INLINE void add_adjacent(const signed char* w, int64_t begin, int64_t end, int64_t ahead, int64_t* positive,
                             int64_t* negative) {
  int64_t i = begin;
  *positive = *negative = 0;
  /*@ loop invariant begin <= i <= end;
      loop invariant 0 <= *positive <= 128 * (i - begin) && 0 <= -*negative <= 128 * (i - begin);
      loop invariant *positive + above(w, 1, i, end) == above(w, 1, begin, end);
      loop invariant *negative + below(w, 1, i, end) == below(w, 1, begin, end);
      loop assigns i, *positive, *negative;
      loop variant end - i; */
  for (; i + 128 <= end; i += 128) {
    AXC_FETCH(w + ahead + i);
    AXC_FETCH(w + ahead + i + 64);
    add_few(w, i, i + 128, positive, negative);
  }
  add_few(w, i, end, positive, negative);
}

/* The sum of the four 16-bit fields of a word, when it is below 2^16: the product's highest field adds them all. */
AXC_INLINE int64_t sum_of_fields(uint64_t fields) {
  return (int64_t)(fields * UINT64_C(0x0001000100010001) >> 48);
}

/* P and N of the tiles of 8 · `words` weights that fit into `cols`; returns their number. Eight weights make a 64-bit word of bytes:
 *   above = max(w, 0) per byte; two add up to at most 254 and stay in their byte;
 *   moved = w + 128 per byte, the sign bit flipped; two add up to at most 510, in 16 bits.
 * words ≤ 32: a field holds at most 32 · 510 < 2^16, the four of them 32 · 8 · 255 = 65280 < 2^16. */
AXC_INLINE int64_t sum_tiles(const signed char* restrict w, int64_t cols, int64_t ahead, int64_t words,
                             int64_t* restrict positive, int64_t* restrict negative) {
  const uint64_t even = UINT64_C(0x00ff00ff00ff00ff), sign = UINT64_C(0x8080808080808080);
  const int64_t tiles = cols / (8 * words);
  for (int64_t begin = 0; begin < tiles; begin += 16) {
    const int64_t end = smaller(begin + 16, tiles);
    for (int64_t i = 8 * words * begin; i < 8 * words * end; i += 64) AXC_FETCH(w + ahead + i);
    for (int64_t tile = begin; tile < end; ++tile) {
      uint64_t above_fields = 0, moved_fields = 0;
      for (int64_t i = 0; i < words; ++i) {
        uint64_t x;
        memcpy(&x, w + 8 * (words * tile + i), 8); /* in which order the bytes come does not matter to a sum */
        const uint64_t below = ((x & sign) << 1) - ((x & sign) >> 7); /* 255 in each byte that is negative */
        const uint64_t above = x & ~below;
        const uint64_t moved = x ^ sign;
        above_fields += (above + (above >> 8)) & even;
        moved_fields += (moved & even) + ((moved >> 8) & even);
      }
      positive[tile] = sum_of_fields(above_fields);
      negative[tile] = sum_of_fields(moved_fields) - 128 * 8 * words - positive[tile]; /* min(w, 0) = w − max(w, 0) */
    }
  }
  return tiles;
}

/* P and N of every register of the lowest stage: w[0 … cols) is one row. */
AXC_EVERY_TARGET
static void sum_weights(const signed char* restrict w, int64_t cols, int64_t ahead, int64_t block, int64_t stride,
                        int64_t* restrict positive, int64_t* restrict negative) {
  int64_t node = 0;
  if (stride == 1 && block == 64) {
    node = sum_tiles(w, cols, ahead, 8, positive, negative); /* the most frequent tiles once more, as constants */
  } else if (stride == 1 && block == 128) {
    node = sum_tiles(w, cols, ahead, 16, positive, negative);
  } else if (stride == 1 && block == 32) {
    node = sum_tiles(w, cols, ahead, 4, positive, negative);
  } else if (stride == 1 && block % 8 == 0 && block <= 256) {
    node = sum_tiles(w, cols, ahead, block / 8, positive, negative);
  } else if (stride == 1 && block == 2) {
    for (; node < cols / 2; ++node) {
      const int a = w[2 * node], b = w[2 * node + 1];
      const int above = (a > 0 ? a : 0) + (b > 0 ? b : 0);
      positive[node] = above;
      negative[node] = a + b - above;
    }
  }
  for (int64_t begin = node * block; begin < cols; begin += block) {
    const int64_t count = smaller(block, cols - begin);
    const int64_t lanes = smaller(stride, count);
    if (lanes == 1) {
      add_adjacent(w, begin, begin + count, ahead, positive + node, negative + node);
    } else {
      for (int64_t lane = 0; lane < lanes; ++lane) positive[node + lane] = negative[node + lane] = 0;
      for (int64_t i = 0; i < count; i += lanes) {
        for (int64_t lane = 0; lane < smaller(lanes, count - i); ++lane) {
          const int x = w[begin + i + lane];
          positive[node + lane] += x > 0 ? x : 0;
          negative[node + lane] += x < 0 ? x : 0;
        }
      }
    }
    node += lanes;
  }
}

/* The range of one register: of the complete sum, and of all its partial sums. */
typedef struct {
  axc_range whole, parts;
} reach;

/* A register of the lowest stage when every input has the box [lower, upper]: Σ w·[lower, upper] = [lower·P + upper·N, upper·P + lower·N].
 * Only the proof needs to know where its weights lie. */
/*@ requires constant_within(initial) && 0 <= begin < end <= 16777216 && 1 <= step <= 2147483647 && \valid_read(w + (0 .. end - 1));
    requires lower == entry32(l, 0) && upper == entry32(u, 0) && -16777216 <= lower <= upper <= 16777216;
    requires p == above(w, step, begin, end) && 0 <= p <= 2147483648;
    requires n == below(w, step, begin, end) && -2147483648 <= n <= 0;
    assigns \nothing;
    ensures \result.whole.lower == initial.lower + products(0, row_of(w, l, u, 1), step, begin, end);
    ensures \result.whole.upper == initial.upper + products(1, row_of(w, l, u, 1), step, begin, end);
    ensures \result.parts.lower == initial.lower + products(2, row_of(w, l, u, 1), step, begin, end);
    ensures \result.parts.upper == initial.upper + products(3, row_of(w, l, u, 1), step, begin, end); */
AXC_INLINE reach reach_of_sums(int64_t p, int64_t n, int64_t lower, int64_t upper, axc_range initial)
/*@ ghost (const signed char* w, const unsigned char* l, const unsigned char* u, int64_t step, int64_t begin, int64_t end) */
{
  const int64_t at_most_0 = smaller(0, lower), at_least_0 = larger(0, upper);
  /*@ ghost
     one_box(w, l, u, lower, upper, at_most_0, at_least_0, step, begin, end, p, n);
     product_bounded(lower, p);
     product_bounded(lower, n);
     product_bounded(upper, p);
     product_bounded(upper, n);
     product_bounded(at_most_0, p);
     product_bounded(at_most_0, n);
     product_bounded(at_least_0, p);
     product_bounded(at_least_0, n); */
  reach out;
  out.whole.lower = initial.lower + lower * p + upper * n;
  out.whole.upper = initial.upper + upper * p + lower * n;
  out.parts = out.whole; /* the box of a partial sum is the box itself when it holds 0 */
  if (lower <= 0 && upper >= 0) return out;
  out.parts.lower = initial.lower + at_most_0 * p + at_least_0 * n;
  out.parts.upper = initial.upper + at_least_0 * p + at_most_0 * n;
  return out;
}

/* The lowest stage when every input has the same box. On entry final_lower holds P and final_upper N of every register. */
/*@ requires geometry(0) && cols == values(0) && block == block(0) && stride == stride(0) && nodes == registers(0, 0);
    requires \valid_read(w + (0 .. cols - 1)) && constant_within(initial);
    requires lower == entry32(l, 0) && upper == entry32(u, 0) && -16777216 <= lower <= upper <= 16777216;
    requires four_arrays(out.final_lower, out.final_upper, out.partial_lower, out.partial_upper, nodes);
    requires \forall integer n; 0 <= n < nodes ==> 0 <= first(0, n) < cols && first(0, n) < limit(0, n) <= 33554432;
    requires \forall integer n; 0 <= n < nodes ==> out.final_lower[n] == above(w, stride, first(0, n), end(0, n));
    requires \forall integer n; 0 <= n < nodes ==> out.final_upper[n] == below(w, stride, first(0, n), end(0, n));
    requires \forall integer n; 0 <= n < nodes ==> 0 <= out.final_lower[n] <= 2147483648;
    requires \forall integer n; 0 <= n < nodes ==> -2147483648 <= out.final_upper[n] <= 0;
    assigns out.final_lower[0 .. nodes - 1], out.final_upper[0 .. nodes - 1], out.partial_lower[0 .. nodes - 1],
      out.partial_upper[0 .. nodes - 1];
    ensures \forall integer i; 0 <= i < nodes ==>
      out.final_lower[i] == initial.lower + products(0, row_of(w, l, u, 1), stride(0), first(0, i), end(0, i));
    ensures \forall integer i; 0 <= i < nodes ==>
      out.final_upper[i] == initial.upper + products(1, row_of(w, l, u, 1), stride(0), first(0, i), end(0, i));
    ensures \forall integer i; 0 <= i < nodes ==>
      out.partial_lower[i] == initial.lower + products(2, row_of(w, l, u, 1), stride(0), first(0, i), end(0, i));
    ensures \forall integer i; 0 <= i < nodes ==>
      out.partial_upper[i] == initial.upper + products(3, row_of(w, l, u, 1), stride(0), first(0, i), end(0, i)); */
AXC_INLINE void scale(ranges out, int64_t nodes, int64_t lower, int64_t upper, axc_range initial)
/*@ ghost (const signed char* w, const unsigned char* l, const unsigned char* u, int64_t cols, int64_t block, int64_t stride) */
{
  //@ ghost registers_counted(0, cols, block, 0);
  /*@ loop invariant 0 <= n <= nodes;
      loop invariant \forall integer i; 0 <= i < n ==>
        out.final_lower[i] == initial.lower + products(0, row_of(w, l, u, 1), stride(0), first(0, i), end(0, i));
      loop invariant \forall integer i; 0 <= i < n ==>
        out.final_upper[i] == initial.upper + products(1, row_of(w, l, u, 1), stride(0), first(0, i), end(0, i));
      loop invariant \forall integer i; 0 <= i < n ==>
        out.partial_lower[i] == initial.lower + products(2, row_of(w, l, u, 1), stride(0), first(0, i), end(0, i));
      loop invariant \forall integer i; 0 <= i < n ==>
        out.partial_upper[i] == initial.upper + products(3, row_of(w, l, u, 1), stride(0), first(0, i), end(0, i));
      loop invariant \forall integer i; n <= i < nodes ==> out.final_lower[i] == \at(out.final_lower[i], Pre);
      loop invariant \forall integer i; n <= i < nodes ==> out.final_upper[i] == \at(out.final_upper[i], Pre);
      loop assigns n, out.final_lower[0 .. nodes - 1], out.final_upper[0 .. nodes - 1], out.partial_lower[0 .. nodes - 1],
        out.partial_upper[0 .. nodes - 1];
      loop variant nodes - n; */
  for (int64_t n = 0; n < nodes; ++n) {
    /*@ ghost
       int64_t lanes = stride < block ? stride : block;
       int64_t begin = find_first(0, lanes, block, n);
       int64_t stop = find_limit(0, lanes, block, n);
       stop = stop < cols ? stop : cols; */
    const reach here = reach_of_sums(out.final_lower[n], out.final_upper[n], lower, upper, initial)
        /*@ ghost (w, l, u, stride, begin, stop) */;
    out.final_lower[n] = here.whole.lower;
    out.final_upper[n] = here.whole.upper;
    out.partial_lower[n] = here.parts.lower;
    out.partial_upper[n] = here.parts.upper;
  }
}

/* The same, told that the arrays do not overlap. */
AXC_EVERY_TARGET
static void scale_all(const axc_layer* layer, const signed char* w, int64_t* restrict final_lower,
                      int64_t* restrict final_upper, int64_t* restrict partial_lower, int64_t* restrict partial_upper,
                      axc_range initial) {
  const ranges out = {final_lower, final_upper, partial_lower, partial_upper};
  const int64_t block = block_of(&layer->stage[0], layer->cols);
  (void)w, (void)block; /* named in the proof alone */
  scale(out, layer->stage[0].nodes, axc_entry32(layer->box_lower, 0), axc_entry32(layer->box_upper, 0), initial)
      /*@ ghost (w, layer->box_lower, layer->box_upper, layer->cols, block, layer->stage[0].stride) */;
}

/*@ requires -16777216 <= x <= 16777216;
    assigns \nothing;
    ensures \result == w * x && -2147483648 <= \result <= 2147483648; */
AXC_INLINE int64_t times(signed char w, int64_t x) {
  //@ assert w >= 0 ==> w * x <= w * 16777216 && w * x >= w * -16777216;
  //@ assert w <= 0 ==> w * x >= w * 16777216 && w * x <= w * -16777216;
  return w * x;
}

/* [min, max] of w_k · x over the box of input k. */
/*@ requires 0 <= k < channels && 2 <= channels <= 16777216;
    requires \valid_read(w + k) && \valid_read(l + (4 * k .. 4 * k + 3)) && \valid_read(u + (4 * k .. 4 * k + 3));
    requires -16777216 <= entry32(l, k) <= 16777216 && -16777216 <= entry32(u, k) <= 16777216;
    assigns \nothing;
    ensures \result.lower == product(0, row_of(w, l, u, channels), k);
    ensures \result.upper == product(1, row_of(w, l, u, channels), k);
    ensures -2147483648 <= \result.lower <= 2147483648 && -2147483648 <= \result.upper <= 2147483648; */
AXC_INLINE axc_range range_of_product(const signed char* w, const unsigned char* l, const unsigned char* u, int64_t k)
/*@ ghost (int64_t channels) */
{
  const int64_t at_lower = times(w[k], axc_entry32(l, k));
  const int64_t at_upper = times(w[k], axc_entry32(u, k));
  const axc_range range = {smaller(at_lower, at_upper), larger(at_lower, at_upper)};
  return range;
}

/* A register of the lowest stage when every input has its own box. */
/*@ requires constant_within(initial) && 0 <= begin < end <= channels && 2 <= channels <= 16777216 && 1 <= step <= 2147483647;
    requires \valid_read(w + (0 .. end - 1)) && \valid_read(l + (0 .. 4 * end - 1)) && \valid_read(u + (0 .. 4 * end - 1));
    requires inputs_within(l, u, channels);
    assigns \nothing;
    ensures \result.whole.lower == initial.lower + products(0, row_of(w, l, u, channels), step, begin, end);
    ensures \result.whole.upper == initial.upper + products(1, row_of(w, l, u, channels), step, begin, end);
    ensures \result.parts.lower == initial.lower + products(2, row_of(w, l, u, channels), step, begin, end);
    ensures \result.parts.upper == initial.upper + products(3, row_of(w, l, u, channels), step, begin, end); */
AXC_INLINE reach reach_of_products(const signed char* w, const unsigned char* l, const unsigned char* u, int64_t step,
                                   int64_t begin, int64_t end, axc_range initial)
/*@ ghost (int64_t channels) */
{
  axc_range whole = initial, parts = initial;
  /*@ loop invariant begin <= k <= end + step;
      loop invariant whole.lower + products(0, row_of(w, l, u, channels), step, k, end) ==
        initial.lower + products(0, row_of(w, l, u, channels), step, begin, end);
      loop invariant whole.upper + products(1, row_of(w, l, u, channels), step, k, end) ==
        initial.upper + products(1, row_of(w, l, u, channels), step, begin, end);
      loop invariant parts.lower + products(2, row_of(w, l, u, channels), step, k, end) ==
        initial.lower + products(2, row_of(w, l, u, channels), step, begin, end);
      loop invariant parts.upper + products(3, row_of(w, l, u, channels), step, k, end) ==
        initial.upper + products(3, row_of(w, l, u, channels), step, begin, end);
      loop invariant -2147483648 * (k - begin) <= whole.lower - initial.lower <= 2147483648 * (k - begin);
      loop invariant -2147483648 * (k - begin) <= whole.upper - initial.upper <= 2147483648 * (k - begin);
      loop invariant -2147483648 * (k - begin) <= parts.lower - initial.lower <= 0;
      loop invariant 0 <= parts.upper - initial.upper <= 2147483648 * (k - begin);
      loop assigns k, whole, parts;
      loop variant end - k; */
  for (int64_t k = begin; k < end; k += step) {
    //@ assert -16777216 <= entry32(l, k) <= entry32(u, k) <= 16777216;
    const axc_range range = range_of_product(w, l, u, k) /*@ ghost (channels) */;
    whole.lower += range.lower;
    whole.upper += range.upper;
    parts.lower += smaller(0, range.lower);
    parts.upper += larger(0, range.upper);
  }
  const reach out = {whole, parts};
  return out;
}

/* The lowest stage when every input has its own box. */
AXC_EVERY_TARGET
static void lowest_boxed(const axc_layer* layer, const signed char* w, axc_range initial, ranges out) {
  const int64_t stride = layer->stage[0].stride;
  const int64_t block = block_of(&layer->stage[0], layer->cols);
  int64_t node = 0;
  for (int64_t begin = 0; begin < layer->cols; begin += block) {
    const int64_t end = begin + smaller(block, layer->cols - begin);
    for (int64_t lane = 0; lane < smaller(stride, end - begin); ++lane, ++node) {
      const reach here = reach_of_products(w, layer->box_lower, layer->box_upper, stride, begin + lane, end, initial)
          /*@ ghost (layer->channels) */;
      out.final_lower[node] = here.whole.lower;
      out.final_upper[node] = here.whole.upper;
      out.partial_lower[node] = here.parts.lower;
      out.partial_upper[node] = here.parts.upper;
    }
  }
}

/* The most that Σ w x reaches when the magnitudes |x| add up to `limit` at most, and caps[a] is how far they can go at weights of
 * magnitude a in the direction that helps: what there is goes to the largest weights first. Leaves caps all 0. */
static int64_t spend(int64_t caps[129], int64_t limit) {
  int64_t sum = 0; /* ≤ 2^7 · 2^48 */
  for (int magnitude = 128; magnitude > 0; --magnitude) {
    const int64_t taken = smaller(caps[magnitude], limit);
    sum += magnitude * taken;
    limit -= taken;
    caps[magnitude] = 0;
  }
  caps[0] = 0;
  return sum;
}

/* The lowest stage under a limit: every box holds 0, so the complete sum and all partial sums have one range. */
static void lowest_limited(const axc_layer* layer, const signed char* w, axc_range initial, ranges out) {
  int64_t up[129] = {0}, down[129] = {0};
  const int64_t stride = layer->stage[0].stride;
  const int64_t block = block_of(&layer->stage[0], layer->cols);
  int64_t node = 0;
  for (int64_t begin = 0; begin < layer->cols; begin += block) {
    const int64_t end = begin + smaller(block, layer->cols - begin);
    for (int64_t lane = 0; lane < smaller(stride, end - begin); ++lane, ++node) {
      for (int64_t k = begin + lane; k < end; k += stride) {
        const int64_t channel = layer->channels == 1 ? 0 : k;
        const int64_t above = axc_load32(layer->box_upper + 4 * channel);
        const int64_t below = -axc_load32(layer->box_lower + 4 * channel);
        const int magnitude = w[k] < 0 ? -w[k] : w[k];
        up[magnitude] += w[k] > 0 ? above : below; /* ≤ 2^24 · 2^24 */
        down[magnitude] += w[k] > 0 ? below : above;
      }
      out.final_upper[node] = out.partial_upper[node] = initial.upper + spend(up, layer->limit);
      out.final_lower[node] = out.partial_lower[node] = initial.lower - spend(down, layer->limit);
    }
  }
}

/* A register of a stage above: its values are the ranges [lower[v], upper[v]] of the registers below. */
/*@ requires constant_within(initial) && 0 <= begin < end <= 16777216 && 1 <= step <= 2147483647;
    requires \valid_read(lower + (0 .. end - 1)) && \valid_read(upper + (0 .. end - 1));
    requires addable(magnitude(lower, step, begin, end)) && addable(magnitude(upper, step, begin, end));
    assigns \nothing;
    ensures \result.whole.lower == initial.lower + sum(0, lower, upper, step, begin, end);
    ensures \result.whole.upper == initial.upper + sum(1, lower, upper, step, begin, end);
    ensures \result.parts.lower == initial.lower + sum(2, lower, upper, step, begin, end);
    ensures \result.parts.upper == initial.upper + sum(3, lower, upper, step, begin, end); */
AXC_INLINE reach reach_of_values(const int64_t* lower, const int64_t* upper, int64_t step, int64_t begin, int64_t end,
                                 axc_range initial) {
  axc_range whole = initial, parts = initial;
  //@ ghost magnitude_positive(lower, step, begin, end);
  //@ ghost magnitude_positive(upper, step, begin, end);
  /*@ loop invariant begin <= v <= end + step;
      loop invariant whole.lower + sum(0, lower, upper, step, v, end) ==
        initial.lower + sum(0, lower, upper, step, begin, end);
      loop invariant whole.upper + sum(1, lower, upper, step, v, end) ==
        initial.upper + sum(1, lower, upper, step, begin, end);
      loop invariant parts.lower + sum(2, lower, upper, step, v, end) ==
        initial.lower + sum(2, lower, upper, step, begin, end);
      loop invariant parts.upper + sum(3, lower, upper, step, v, end) ==
        initial.upper + sum(3, lower, upper, step, begin, end);
      loop invariant magnitude(lower, step, v, end) >= 0 && magnitude(upper, step, v, end) >= 0;
      loop invariant whole.lower - initial.lower + magnitude(lower, step, v, end) <= magnitude(lower, step, begin, end);
      loop invariant initial.lower - whole.lower + magnitude(lower, step, v, end) <= magnitude(lower, step, begin, end);
      loop invariant whole.upper - initial.upper + magnitude(upper, step, v, end) <= magnitude(upper, step, begin, end);
      loop invariant initial.upper - whole.upper + magnitude(upper, step, v, end) <= magnitude(upper, step, begin, end);
      loop invariant parts.lower <= initial.lower && parts.upper >= initial.upper;
      loop invariant initial.lower - parts.lower + magnitude(lower, step, v, end) <= magnitude(lower, step, begin, end);
      loop invariant parts.upper - initial.upper + magnitude(upper, step, v, end) <= magnitude(upper, step, begin, end);
      loop assigns v, whole, parts;
      loop variant end - v; */
  for (int64_t v = begin; v < end; v += step) {
    //@ ghost magnitude_positive(lower, step, v + step, end);
    //@ ghost magnitude_positive(upper, step, v + step, end);
    whole.lower += lower[v];
    whole.upper += upper[v];
    parts.lower += smaller(0, lower[v]);
    parts.upper += larger(0, upper[v]);
  }
  const reach out = {whole, parts};
  return out;
}

/* A stage above: its values are the final ranges of the `values` registers below. In place: register b·lanes + lane of
 * block b is written when its own values have been read, and its place is at or before every value still to be read. */
AXC_EVERY_TARGET
static void higher_stage(const axc_stage* stage, int64_t values, axc_range initial, ranges out) {
  const int64_t block = block_of(stage, values);
  int64_t node = 0;
  for (int64_t begin = 0; begin < values; begin += block) {
    const int64_t end = begin + smaller(block, values - begin);
    for (int64_t lane = 0; lane < smaller(stage->stride, end - begin); ++lane, ++node) {
      const reach here = reach_of_values(out.final_lower, out.final_upper, stage->stride, begin + lane, end, initial);
      out.final_lower[node] = here.whole.lower;
      out.final_upper[node] = here.whole.upper;
      out.partial_lower[node] = here.parts.lower;
      out.partial_upper[node] = here.parts.upper;
    }
  }
}

static void compute_stage(const axc_layer* layer, int s, const signed char* w, axc_range constant, ranges out) {
  const axc_stage* stage = &layer->stage[s];
  const axc_range nothing = {0, 0};
  const axc_range initial = stage->from_constant ? constant : nothing;
  if (s > 0) {
    higher_stage(stage, layer->stage[s - 1].nodes, initial, out);
  } else if (layer->limit > 0) {
    lowest_limited(layer, w, initial, out);
  } else if (layer->channels == 1) {
    const int64_t ahead = w == layer->weights + (layer->rows - 1) * layer->cols ? 0 : layer->cols;
    sum_weights(w, layer->cols, ahead, block_of(stage, layer->cols), stage->stride, out.final_lower, out.final_upper);
    scale_all(layer, w, out.final_lower, out.final_upper, out.partial_lower, out.partial_upper, initial);
  } else {
    lowest_boxed(layer, w, initial, out);
  }
}

/* constant_r = bias_r + Σ_k w_rk · offset_k − z · Σ_k w_rk over z = 0 … spread; |constant| ≤ 2^62 + 2 · 2^55. */
AXC_EVERY_TARGET
static axc_range constant_of(const axc_layer* layer, const signed char* w, int64_t row) {
  int64_t constant = layer->bias ? axc_load64(layer->bias + 8 * row) : 0;
  int64_t positive = 0, negative = 0;
  const int64_t offset = layer->offsets == 1 ? axc_load32(layer->offset) : 0;
  if (offset != 0 || layer->spread != 0) add_adjacent(w, 0, layer->cols, 0, &positive, &negative);
  constant += offset * (positive + negative);
  for (int64_t k = 0; layer->offsets > 1 && k < layer->offsets; ++k) {
    constant += w[k] * axc_load32(layer->offset + 4 * k);
  }
  const int64_t at_greatest = constant - layer->spread * (positive + negative);
  const axc_range both = {smaller(constant, at_greatest), larger(constant, at_greatest)};
  return both;
}

/*@ requires 1 <= count <= 16777216 && \valid_read(w + (0 .. count - 1));
    assigns \nothing;
    ensures \result != 0 <==> \forall integer k; 0 <= k < count ==> range.lower <= w[k] <= range.upper; */
AXC_EVERY_TARGET
static int weights_within(const signed char* w, int64_t count, axc_range range) {
  signed char lowest = INT8_MAX, highest = INT8_MIN;
  /*@ loop invariant 0 <= k <= count;
      loop invariant \forall integer i; 0 <= i < k ==> lowest <= w[i] <= highest;
      loop invariant k == 0 || \exists integer i; 0 <= i < k && w[i] == lowest;
      loop invariant k == 0 || \exists integer i; 0 <= i < k && w[i] == highest;
      loop invariant k == 0 ==> lowest == 127 && highest == -128;
      loop assigns k, lowest, highest;
      loop variant count - k; */
  for (int64_t k = 0; k < count; ++k) {
    lowest = w[k] < lowest ? w[k] : lowest;
    highest = w[k] > highest ? w[k] : highest;
  }
  return lowest >= range.lower && highest <= range.upper;
}

/* ---- comparing ---- */

/* The smaller of limits.upper − range.upper and range.lower − limits.lower, capped at INT64_MAX; *upper: it is the former.
 * |range| < 2^63, limits.upper ≥ 0 ≥ limits.lower: neither difference is below −2^63, and they add up to less than 2^64, so
 * that one alone can exceed INT64_MAX and the other is then the smaller. */
/*@ requires \valid(upper);
    requires -9223372036854775807 <= range.lower <= range.upper <= 9223372036854775807;
    requires limits.lower <= 0 <= limits.upper;
    assigns *upper;
    ensures *upper == 0 || *upper == 1;
    ensures *upper == 1 ==> \result == limits.upper - range.upper && \result <= range.lower - limits.lower;
    ensures *upper == 0 ==> \result == range.lower - limits.lower && \result < limits.upper - range.upper;
    ensures \result >= 0 <==> limits.lower <= range.lower && range.upper <= limits.upper; */
static int64_t margin_of(axc_range range, axc_range limits, int* upper) {
  *upper = 1;
  if (range.lower >= 0 && limits.lower < range.lower - INT64_MAX) return limits.upper - range.upper;
  const int64_t below = range.lower - limits.lower;
  *upper = 0;
  if (range.upper < 0 && limits.upper > INT64_MAX + range.upper) return below;
  const int64_t above = limits.upper - range.upper;
  *upper = above <= below;
  return smaller(above, below);
}

static int64_t load_end(const unsigned char* ends, int wide, int64_t i) {
  return wide ? axc_load64(ends + 8 * i) : axc_load32(ends + 4 * i);
}

static axc_range claimed_range(const axc_layer* layer, int64_t row, int s, int64_t node) {
  const axc_stage* stage = &layer->stage[s];
  const int64_t i = row * stage->nodes + node;
  const axc_range range = {load_end(stage->lower, stage->wide, i), load_end(stage->upper, stage->wide, i)};
  return range;
}

static const unsigned char* place_of_end(const axc_layer* layer, int64_t row, int s, int64_t node, int upper) {
  const axc_stage* stage = &layer->stage[s];
  return (upper ? stage->upper : stage->lower) + (row * stage->nodes + node) * (stage->wide ? 8 : 4);
}

static void find(axc_finding* finding, axc_reason reason, const unsigned char* place, int64_t row, int64_t s,
                 int64_t node) {
  finding->reason = reason;
  finding->place = place;
  finding->row = row;
  finding->stage = s;
  finding->node = node;
}

typedef struct {
  int64_t margin;
  int64_t row;
  int stage;
  int64_t node;
  int upper;
} worst_register;

/* Whether the claims, from `claimed` on, are `ends`. */
AXC_EVERY_TARGET
static int equals(const unsigned char* claimed, int wide, const int64_t* ends, int64_t count) {
  int64_t different = 0;
  if (wide) {
    for (int64_t i = 0; i < count; ++i) different |= axc_load64(claimed + 8 * i) ^ ends[i];
  } else {
    for (int64_t i = 0; i < count; ++i) different |= axc_load32(claimed + 4 * i) ^ ends[i];
  }
  return different == 0;
}

/* [least lower end, greatest upper end]: its margin is the smallest of all. */
/*@ requires 1 <= count <= 16777216 && \valid_read(lower + (0 .. count - 1)) && \valid_read(upper + (0 .. count - 1));
    assigns \nothing;
    ensures \forall integer i; 0 <= i < count ==> \result.lower <= lower[i] && upper[i] <= \result.upper;
    ensures \exists integer i; 0 <= i < count && lower[i] == \result.lower;
    ensures \exists integer i; 0 <= i < count && upper[i] == \result.upper; */
AXC_EVERY_TARGET
static axc_range hull(const int64_t* lower, const int64_t* upper, int64_t count) {
  axc_range all = {INT64_MAX, INT64_MIN};
  /*@ loop invariant 0 <= i <= count;
      loop invariant \forall integer j; 0 <= j < i ==> all.lower <= lower[j];
      loop invariant \forall integer j; 0 <= j < i ==> upper[j] <= all.upper;
      loop invariant i == 0 ==> all.lower == 9223372036854775807 && all.upper == -9223372036854775808;
      loop invariant i > 0 ==> \exists integer j; 0 <= j < i && lower[j] == all.lower;
      loop invariant i > 0 ==> \exists integer j; 0 <= j < i && upper[j] == all.upper;
      loop assigns i, all;
      loop variant count - i; */
  for (int64_t i = 0; i < count; ++i) {
    all.lower = smaller(all.lower, lower[i]);
    all.upper = larger(all.upper, upper[i]);
  }
  return all;
}

/* Compares one stage of one row with its claims, and keeps the worst register seen. 0 when a claim is wrong. */
static int compare_stage(const axc_layer* layer, int64_t row, int s, const int64_t* lower, const int64_t* upper,
                         worst_register* worst, axc_finding* finding) {
  const axc_stage* stage = &layer->stage[s];
  const axc_range limits = limits_of(stage);
  int64_t node = 0;
  int at_upper = 0;
  if (!equals(place_of_end(layer, row, s, 0, 0), stage->wide, lower, stage->nodes) ||
      !equals(place_of_end(layer, row, s, 0, 1), stage->wide, upper, stage->nodes)) {
    axc_range claimed = claimed_range(layer, row, s, node);
    while (node < stage->nodes - 1 && claimed.lower == lower[node] && claimed.upper == upper[node]) {
      claimed = claimed_range(layer, row, s, ++node);
    }
    at_upper = claimed.lower == lower[node];
    find(finding, at_upper ? AXC_UPPER : AXC_LOWER, place_of_end(layer, row, s, node, at_upper), row, s, node);
    const axc_range recomputed = {lower[node], upper[node]};
    finding->claimed = claimed;
    finding->recomputed = recomputed;
    finding->limits = limits;
    finding->nodes_checked += node;
    return 0;
  }
  finding->nodes_checked += stage->nodes;
  const int64_t margin = margin_of(hull(lower, upper, stage->nodes), limits, &at_upper);
  if (worst->row >= 0 && margin >= worst->margin) return 1;
  for (; node < stage->nodes; ++node) {
    const axc_range range = {lower[node], upper[node]};
    if (margin_of(range, limits, &at_upper) == margin) break;
  }
  const worst_register here = {margin, row, s, node, at_upper};
  *worst = here;
  return 1;
}

/* All registers of one row. 0 when a weight or a claim is wrong. */
static int prove_row(const axc_layer* layer, int64_t row, ranges memory, worst_register* worst, axc_finding* finding) {
  const signed char* w = layer->weights + row * layer->cols;
  const axc_range range = layer->weight_range;
  if (!weights_within(w, layer->cols, range)) {
    int64_t k = 0;
    while (k < layer->cols - 1 && w[k] >= range.lower && w[k] <= range.upper) ++k;
    find(finding, AXC_WEIGHT, (const unsigned char*)w + k, row, -1, -1);
    return 0;
  }
  const axc_range constant = constant_of(layer, w, row);
  for (int s = 0; s < layer->stages; ++s) {
    const int final = layer->stage[s].final_value;
    compute_stage(layer, s, w, constant, memory);
    if (!compare_stage(layer, row, s, final ? memory.final_lower : memory.partial_lower,
                       final ? memory.final_upper : memory.partial_upper, worst, finding)) {
      return 0;
    }
  }
  return 1;
}

/* ---- the witness ---- */

static int64_t first_input_outside(const axc_layer* layer) {
  for (int64_t k = 0; k < layer->cols; ++k) {
    const int64_t channel = layer->channels == 1 ? 0 : k;
    const int64_t x = axc_load32(layer->witness + 4 * k);
    if (x < axc_load32(layer->box_lower + 4 * channel) || x > axc_load32(layer->box_upper + 4 * channel)) return k;
  }
  return layer->cols;
}

/* The first input at which the magnitudes of a register's inputs exceed the limit; cols when there is none. */
static int64_t first_input_beyond_limit(const axc_layer* layer) {
  const int64_t stride = layer->stage[0].stride;
  const int64_t block = block_of(&layer->stage[0], layer->cols);
  for (int64_t begin = 0; layer->limit > 0 && begin < layer->cols; begin += block) {
    const int64_t end = begin + smaller(block, layer->cols - begin);
    for (int64_t lane = 0; lane < smaller(stride, end - begin); ++lane) {
      int64_t sum = 0;
      for (int64_t k = begin + lane; k < end; k += stride) {
        const int64_t x = axc_load32(layer->witness + 4 * k);
        sum += x < 0 ? -x : x;
        if (sum > layer->limit) return k;
      }
    }
  }
  return layer->cols;
}

/* The worst register's end when every input's box is the witness alone: what these inputs really reach, with the zero point
 * (0 or spread above the least) that is worse for that end. */
static int64_t end_on_witness(const axc_layer* layer, ranges memory) {
  axc_layer pinned = *layer;
  const signed char* w = layer->weights + layer->worst_row * layer->cols;
  const axc_range constant = constant_of(layer, w, layer->worst_row);
  pinned.box_lower = layer->witness;
  pinned.box_upper = layer->witness;
  pinned.channels = layer->cols;
  pinned.limit = 0;
  for (int s = 0; s <= layer->worst_stage; ++s) compute_stage(&pinned, s, w, constant, memory);
  const int64_t* final = layer->worst_upper ? memory.final_upper : memory.final_lower;
  const int64_t* partial = layer->worst_upper ? memory.partial_upper : memory.partial_lower;
  return (layer->stage[layer->worst_stage].final_value ? final : partial)[layer->worst_node];
}

static void judge_witness(const axc_layer* layer, ranges memory, axc_finding* finding) {
  const int s = layer->worst_stage;
  int64_t outside = first_input_outside(layer);
  if (outside == layer->cols) outside = first_input_beyond_limit(layer);
  if (outside < layer->cols) {
    find(finding, AXC_WITNESS_BOX, layer->witness + 4 * outside, layer->worst_row, s, layer->worst_node);
    return;
  }
  const axc_range range = claimed_range(layer, layer->worst_row, s, layer->worst_node);
  const int64_t end = layer->worst_upper ? range.upper : range.lower;
  finding->claimed = range;
  finding->recomputed = range;
  finding->limits = limits_of(&layer->stage[s]);
  const int64_t reached = end_on_witness(layer, memory);
  if (reached != end) {
    find(finding, AXC_WITNESS_VALUE, layer->witness, layer->worst_row, s, layer->worst_node);
    if (layer->worst_upper)
      finding->recomputed.upper = reached;
    else
      finding->recomputed.lower = reached;
  } else if (layer->verdict == AXC_UNSAFE) {
    find(finding, AXC_OVERFLOW, place_of_end(layer, layer->worst_row, s, layer->worst_node, layer->worst_upper),
         layer->worst_row, s, layer->worst_node);
  }
}

void axc_prove_layer(const axc_layer* layer, int64_t* scratch, axc_finding* finding) {
  const int64_t nodes = layer->stage[0].nodes;
  const ranges memory = {scratch, scratch + nodes, scratch + 2 * nodes, scratch + 3 * nodes};
  worst_register worst = {0, -1, 0, 0, 0};
  const axc_range nothing = {0, 0};
  find(finding, AXC_PROVED, NULL, -1, -1, -1);
  finding->claimed = finding->recomputed = finding->limits = nothing;
  finding->nodes_checked = 0;
  for (int64_t row = 0; row < layer->rows; ++row) {
    if (!prove_row(layer, row, memory, &worst, finding)) return;
  }
  if ((worst.margin >= 0 ? AXC_SAFE : AXC_UNSAFE) != layer->verdict) {
    find(finding, AXC_VERDICT, NULL, worst.row, worst.stage, worst.node);
  } else if (worst.row != layer->worst_row || worst.stage != layer->worst_stage || worst.node != layer->worst_node ||
             worst.upper != layer->worst_upper) {
    find(finding, AXC_WORST, NULL, worst.row, worst.stage, worst.node);
  } else {
    judge_witness(layer, memory, finding);
  }
}
