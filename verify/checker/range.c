/* The core of the checker: recomputes the range of every register from weights, box, offsets and bias, and compares it with
 * what is claimed. Main function: axc_prove_layer. No allocation, no floating point, no input or output; all memory is the
 * caller's. Every sum fits int64_t: the bound stands in core.h. Semantics: docs/certificate.md, "Acceptance".
 * Above the functions stand the contracts that Frama-C/WP proves (proofs/README.md); meaning.h says what they speak about. */
#include "core.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__FRAMAC__) && !defined(AXC_ONE_TARGET)
#define AXC_EVERY_TARGET __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define AXC_EVERY_TARGET
#endif

/* What the clones call must become part of them. */
#if defined(__GNUC__) && !defined(AXC_ONE_TARGET)
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

/*@ predicate deals(integer group, integer stride, integer s) = 0 <= group <= 2147483647 && 1 <= stride <= 2147483647 &&
      stride == stride(s) && block(s) == (group == 0 || group * stride > values(s) ? values(s) : group * stride);
    predicate is_stage_of(axc_stage* t, integer s) = \valid_read(t) && deals(t->group, t->stride, s); */

/* Values per block: group · stride, or all of them when that is fewer. */
/*@ requires is_stage_of(stage, s) && values == values(s) && 1 <= values <= 16777216;
    assigns \nothing;
    ensures \result == block(s) && 1 <= \result <= values; */
static int64_t block_of(const axc_stage* stage, int64_t values) /*@ ghost (int64_t s) */ {
  const int64_t block = stage->group * stage->stride; /* ≤ 2^62 */
  return stage->group == 0 || block > values ? values : block;
}

/*@ requires is_stage_of(stage, 0) && values == values(0) && geometry(0);
    assigns \nothing;
    ensures \result == registers(0, 0); */
int64_t axc_nodes(const axc_stage* stage, int64_t values) {
  const int64_t block = block_of(stage, values) /*@ ghost (0) */;
  const int64_t blocks = values / block, rest = values % block, lanes = smaller(stage->stride, block);
  //@ assert blocks * block + rest == values && 0 <= rest < block && 1 <= blocks <= values;
  //@ assert 0 <= blocks * lanes <= blocks * block;
  //@ ghost registers_by_division(values, block, lanes, 0, blocks, rest);
  return blocks * lanes + smaller(stage->stride, rest);
}

/* A register of a stage: it adds the values first, first + stride, … below end, and its block begins at `begin`. */
typedef struct {
  int64_t node, begin, first, end;
} axc_register;

/*@ predicate is_register(axc_register t, integer s) =
      0 <= t.begin <= t.first && (t.begin < values(s) ==> at_block(s, t.node - (t.first - t.begin), t.begin)) &&
      (t.begin < values(s) ==> t.first < values(s) && t.first - t.begin < lanes(s)) &&
      (t.begin < values(s) ==> t.node < registers(s, 0) && t.first == first(s, t.node) && t.end == end(s, t.node)) &&
      (t.begin < values(s) ==> t.end == least(t.begin + block(s), values(s)) && t.first < t.end <= values(s)); */

/*@ requires geometry(s) && values == values(s) && block == block(s);
    assigns \nothing;
    ensures is_register(\result, s) && \result.node == 0 && \result.first == 0; */
AXC_INLINE axc_register first_register(int64_t values, int64_t block) /*@ ghost (int64_t s) */ {
  const axc_register here = {0, 0, 0, smaller(block, values)};
  //@ ghost registers_counted(s, values, block, block);
  return here;
}

/*@ requires geometry(s) && values == values(s) && block == block(s) && stride == stride(s);
    requires is_register(here, s) && here.begin < values;
    assigns \nothing;
    ensures is_register(\result, s) && \result.node == here.node + 1;
    ensures \result.first >= values ==> \result.node == registers(s, 0); */
AXC_INLINE axc_register next_register(axc_register here, int64_t values, int64_t block, int64_t stride)
/*@ ghost (int64_t s) */
{
  const int64_t lanes = smaller(stride, here.end - here.begin);
  /*@ ghost next_block(s, values, block, here.node - (here.first - here.begin), here.begin, lanes);
            if (here.begin + block < values) registers_counted(s, values, block, here.begin + block + block); */
  ++here.node;
  ++here.first;
  if (here.first < here.begin + lanes) {
    //@ assert here.node < registers(s, 0);
    return here;
  }
  //@ assert here.first == here.begin + lanes;
  here.begin += block;
  here.first = here.begin;
  here.end = here.begin + smaller(block, values - here.begin);
  //@ assert here.begin < values(s) ==> at_block(s, here.node, here.begin);
  //@ assert here.begin < values(s) ==> here.node < registers(s, 0);
  return here;
}

/* ---- one register ---- */

/* The range of one register: of the complete sum, and of all its partial sums. */
typedef struct {
  axc_range whole, parts;
} reach;

/* The box of the inputs, little-endian int32: one entry for all, or one each. With a limit > 0, Σ|x| in each register of the lowest stage is
 * at most that. */
typedef struct {
  const unsigned char* lower;
  const unsigned char* upper;
  int64_t channels;
  int64_t limit;
} inputs;

/*@ predicate is_initial(axc_range c, integer r, integer s) = c.lower == initial(0, r, s) && c.upper == initial(1, r, s);
    predicate is_reach(reach x, integer r, integer s, integer n) =
      x.whole.lower == reached(0, r, s, n) && x.whole.upper == reached(1, r, s, n) &&
      x.parts.lower == reached(2, r, s, n) && x.parts.upper == reached(3, r, s, n);
    predicate is_inputs(inputs x, integer r) = x.limit == input_limit(r) &&
      (x.channels == 1 ==> box_for_all(x.lower, x.upper, r)) && (x.channels != 1 ==> box_each(x.lower, x.upper, r)); */

/*@ assigns \nothing;
    ensures \result == greatest(x, 0); */
AXC_INLINE int above_zero(int x) {
  return x > 0 ? x : 0;
}

/* Adds P = Σ max(w, 0) and N = Σ min(w, 0) of at most 128 adjacent weights: both within 128 · 128 = 2^14, so 16 bits hold them. */
/*@ requires 0 <= begin <= end <= values(0) <= 16777216 && end - begin <= 128 && is_row(w, r);
    requires \valid(positive) && \valid(negative) && \separated(positive, negative);
    requires -2147483648 <= *positive <= 2147483648 && -2147483648 <= *negative <= 2147483648;
    assigns *positive, *negative;
    ensures \forall integer e; e >= end ==> *positive + above(r, 1, end, e) == \old(*positive) + above(r, 1, begin, e);
    ensures \forall integer e; e >= end ==> *negative + below(r, 1, end, e) == \old(*negative) + below(r, 1, begin, e);
    ensures 0 <= *positive - \old(*positive) <= 128 * (end - begin);
    ensures 0 <= \old(*negative) - *negative <= 128 * (end - begin); */
AXC_INLINE void add_few(const signed char* w, int64_t begin, int64_t end, int64_t* positive, int64_t* negative)
/*@ ghost (int64_t r) */
{
  int16_t total = 0, over = 0;
  //@ ghost int under = 0;
  /*@ loop invariant begin <= i <= end;
      loop invariant 0 <= over <= 128 * (i - begin);
      loop invariant 0 <= -under <= 128 * (i - begin) && total == over + under;
      loop invariant \forall integer e; e >= end ==> over + above(r, 1, i, e) == above(r, 1, begin, e);
      loop invariant \forall integer e; e >= end ==> under + below(r, 1, i, e) == below(r, 1, begin, e);
      loop assigns i, total, over, under;
      loop variant end - i; */
  for (int64_t i = begin; i < end; ++i) {
    total = (int16_t)(total + w[i]);
    over = (int16_t)(over + above_zero(w[i]));
    //@ ghost under = under + (w[i] < 0 ? w[i] : 0);
    //@ assert above(r, 1, i, end) == greatest(w[i], 0) + above(r, 1, i + 1, end);
  }
  *positive += over;
  *negative += total - over; /* min(w, 0) = w − max(w, 0) */
}

/* P and N of any number. `ahead` bytes further, in the next row or here again, lies what is fetched. */
/*@ requires 0 <= begin <= end <= values(0) <= 16777216 && is_row(w, r);
    requires \valid(positive) && \valid(negative) && \separated(positive, negative);
    assigns *positive, *negative;
    ensures *positive == above(r, 1, begin, end) && 0 <= *positive <= 128 * (end - begin);
    ensures *negative == below(r, 1, begin, end) && 0 <= -*negative <= 128 * (end - begin); */
AXC_INLINE void add_adjacent(const signed char* w, int64_t begin, int64_t end, int64_t ahead, int64_t* positive,
                             int64_t* negative)
/*@ ghost (int64_t r) */
{
  int64_t i = begin;
  *positive = *negative = 0;
  /*@ loop invariant begin <= i <= end;
      loop invariant 0 <= *positive <= 128 * (i - begin) && 0 <= -*negative <= 128 * (i - begin);
      loop invariant *positive + above(r, 1, i, end) == above(r, 1, begin, end);
      loop invariant *negative + below(r, 1, i, end) == below(r, 1, begin, end);
      loop assigns i, *positive, *negative;
      loop variant end - i; */
  for (; i + 128 <= end; i += 128) {
    AXC_FETCH(w + ahead + i);
    AXC_FETCH(w + ahead + i + 64);
    add_few(w, i, i + 128, positive, negative) /*@ ghost (r) */;
  }
  add_few(w, i, end, positive, negative) /*@ ghost (r) */;
}

/* Adds one weight each to the registers from `node` on. */
/*@ requires 0 <= from && 0 <= lanes && from + lanes <= values(0) <= 16777216 && is_row(w, r) && 0 <= node <= 16777216;
    requires \valid(positive + (node .. node + lanes - 1)) && \valid(negative + (node .. node + lanes - 1));
    requires \separated(positive + (node .. node + lanes - 1), negative + (node .. node + lanes - 1));
    requires \forall integer n; node <= n < node + lanes ==> 0 <= positive[n] <= 2147483648;
    requires \forall integer n; node <= n < node + lanes ==> -2147483648 <= negative[n] <= 0;
    assigns positive[node .. node + lanes - 1], negative[node .. node + lanes - 1];
    ensures \forall integer n; node <= n < node + lanes ==> positive[n] == \old(positive[n]) + greatest(weight(r, n - node + from), 0);
    ensures \forall integer n; node <= n < node + lanes ==> negative[n] == \old(negative[n]) + least(weight(r, n - node + from), 0); */
AXC_INLINE void add_line(const signed char* w, int64_t from, int64_t lanes, int64_t node, int64_t* restrict positive,
                         int64_t* restrict negative)
/*@ ghost (int64_t r) */
{
  /*@ loop invariant node <= n <= node + lanes;
      loop invariant \forall integer i; node <= i < n ==> positive[i] == \at(positive[i], Pre) + greatest(weight(r, i - node + from), 0);
      loop invariant \forall integer i; node <= i < n ==> negative[i] == \at(negative[i], Pre) + least(weight(r, i - node + from), 0);
      loop invariant \forall integer i; n <= i < node + lanes ==> positive[i] == \at(positive[i], Pre);
      loop invariant \forall integer i; n <= i < node + lanes ==> negative[i] == \at(negative[i], Pre);
      loop assigns n, positive[node .. node + lanes - 1], negative[node .. node + lanes - 1];
      loop variant node + lanes - n; */
  for (int64_t n = node; n < node + lanes; ++n) {
    const signed char x = w[n - node + from];
    //@ assert x == weight(r, n - node + from);
    positive[n] += above_zero(x);
    negative[n] -= above_zero(-x);
  }
}

/* P and N of the registers of one block, the first of which is `node`. */
/*@ requires 0 <= begin < end <= values(0) <= 16777216 && 1 <= stride <= 2147483647 && is_row(w, r) && 0 <= node <= 16777216;
    requires lanes == least(stride, end - begin);
    requires \valid(positive + (node .. node + lanes - 1)) && \valid(negative + (node .. node + lanes - 1));
    requires \separated(positive + (node .. node + lanes - 1), negative + (node .. node + lanes - 1));
    assigns positive[node .. node + lanes - 1], negative[node .. node + lanes - 1];
    ensures \forall integer n; node <= n < node + lanes ==> positive[n] == above(r, stride, begin + (n - node), end);
    ensures \forall integer n; node <= n < node + lanes ==> negative[n] == below(r, stride, begin + (n - node), end);
    ensures \forall integer n; node <= n < node + lanes ==> 0 <= positive[n] <= 2147483648;
    ensures \forall integer n; node <= n < node + lanes ==> -2147483648 <= negative[n] <= 0; */
AXC_INLINE void add_block(const signed char* w, int64_t begin, int64_t end, int64_t stride, int64_t lanes,
                          int64_t ahead, int64_t node, int64_t* restrict positive, int64_t* restrict negative)
/*@ ghost (int64_t r) */
{
  if (lanes == 1) {
    add_adjacent(w, begin, end, ahead, positive + node, negative + node) /*@ ghost (r) */;
    //@ assert stride == 1 || end == begin + 1;
    //@ assert positive[node] == above(r, stride, begin, end);
    //@ assert negative[node] == below(r, stride, begin, end);
    return;
  }
  /*@ loop invariant node <= n <= node + lanes;
      loop invariant \forall integer i; node <= i < n ==> positive[i] == 0;
      loop invariant \forall integer i; node <= i < n ==> negative[i] == 0;
      loop assigns n, positive[node .. node + lanes - 1], negative[node .. node + lanes - 1];
      loop variant node + lanes - n; */
  for (int64_t n = node; n < node + lanes; ++n) positive[n] = negative[n] = 0;
  int64_t i = begin;
  /*@ loop invariant begin <= i <= end + stride;
      loop invariant \forall integer n; node <= n < node + lanes ==>
        positive[n] + above(r, stride, i + (n - node), end) == above(r, stride, begin + (n - node), end);
      loop invariant \forall integer n; node <= n < node + lanes ==>
        negative[n] + below(r, stride, i + (n - node), end) == below(r, stride, begin + (n - node), end);
      loop invariant \forall integer n; node <= n < node + lanes ==> 0 <= positive[n] <= 128 * least(i - begin, end - begin);
      loop invariant \forall integer n; node <= n < node + lanes ==> 0 <= -negative[n] <= 128 * least(i - begin, end - begin);
      loop assigns i, positive[node .. node + lanes - 1], negative[node .. node + lanes - 1];
      loop variant end - i; */
  for (; i < end; i += stride) {
    add_line(w, i, smaller(lanes, end - i), node, positive, negative) /*@ ghost (r) */;
  }
  //@ assert \forall integer x; x >= i ==> above(r, stride, x, end) == 0 && below(r, stride, x, end) == 0;
}

/* P and N of every register of the lowest stage: w[0 … cols) is one row. */
/*@ requires geometry(0) && cols == values(0) && block == block(0) && stride == stride(0) && is_row(w, r);
    requires \valid(positive + (0 .. registers(0, 0) - 1)) && \valid(negative + (0 .. registers(0, 0) - 1));
    requires \separated(positive + (0 .. registers(0, 0) - 1), negative + (0 .. registers(0, 0) - 1));
    assigns positive[0 .. registers(0, 0) - 1], negative[0 .. registers(0, 0) - 1];
    ensures \forall integer n; 0 <= n < registers(0, 0) ==> positive[n] == above(r, stride(0), first(0, n), end(0, n));
    ensures \forall integer n; 0 <= n < registers(0, 0) ==> 0 <= positive[n] <= 2147483648;
    ensures \forall integer n; 0 <= n < registers(0, 0) ==> negative[n] == below(r, stride(0), first(0, n), end(0, n));
    ensures \forall integer n; 0 <= n < registers(0, 0) ==> -2147483648 <= negative[n] <= 0; */
AXC_INLINE void add_blocks(const signed char* restrict w, int64_t cols, int64_t ahead, int64_t block, int64_t stride,
                           int64_t* restrict positive, int64_t* restrict negative)
/*@ ghost (int64_t r) */
{
  const int64_t lanes = smaller(stride, block);
  int64_t begin = 0, node = 0;
  //@ ghost registers_counted(0, cols, block, 0);
  /*@ loop invariant 0 <= begin <= cols && 0 <= node <= registers(0, 0);
      loop invariant begin < cols ==> at_block(0, node, begin);
      loop invariant begin == cols ==> node == registers(0, 0);
      loop invariant \forall integer n; 0 <= n < node ==> positive[n] == above(r, stride(0), first(0, n), end(0, n));
      loop invariant \forall integer n; 0 <= n < node ==> 0 <= positive[n] <= 2147483648;
      loop invariant \forall integer n; 0 <= n < node ==> negative[n] == below(r, stride(0), first(0, n), end(0, n));
      loop invariant \forall integer n; 0 <= n < node ==> -2147483648 <= negative[n] <= 0;
      loop assigns begin, node, positive[0 .. registers(0, 0) - 1], negative[0 .. registers(0, 0) - 1];
      loop variant cols - begin; */
  for (; begin + block <= cols; begin += block) {
    //@ ghost next_block(0, cols, block, node, begin, lanes);
    //@ ghost sums_of_block(r, cols, node, begin, begin + block, lanes);
    add_block(w, begin, begin + block, stride, lanes, ahead, node, positive, negative) /*@ ghost (r) */;
    //@ assert \forall integer n; node <= n < node + lanes ==> positive[n] == above(r, stride(0), first(0, n), end(0, n));
    //@ assert \forall integer n; node <= n < node + lanes ==> negative[n] == below(r, stride(0), first(0, n), end(0, n));
    node += lanes;
  }
  if (begin < cols) {
    const int64_t rest = smaller(stride, cols - begin);
    //@ ghost next_block(0, cols, block, node, begin, rest);
    //@ ghost sums_of_block(r, cols, node, begin, cols, rest);
    add_block(w, begin, cols, stride, rest, ahead, node, positive, negative) /*@ ghost (r) */;
    //@ assert \forall integer n; node <= n < node + rest ==> positive[n] == above(r, stride(0), first(0, n), end(0, n));
    //@ assert \forall integer n; node <= n < node + rest ==> negative[n] == below(r, stride(0), first(0, n), end(0, n));
    //@ assert \forall integer n; 0 <= n < node ==> negative[n] == below(r, stride(0), first(0, n), end(0, n));
    //@ assert \forall integer n; 0 <= n < node + rest ==> negative[n] == below(r, stride(0), first(0, n), end(0, n));
    //@ assert node + rest == registers(0, 0);
  }
}

/* The same, with the most frequent tiles once more as constants. */
/*@ requires geometry(0) && cols == values(0) && block == block(0) && stride == stride(0) && is_row(w, r);
    requires \valid(positive + (0 .. registers(0, 0) - 1)) && \valid(negative + (0 .. registers(0, 0) - 1));
    requires \separated(positive + (0 .. registers(0, 0) - 1), negative + (0 .. registers(0, 0) - 1));
    assigns positive[0 .. registers(0, 0) - 1], negative[0 .. registers(0, 0) - 1];
    ensures \forall integer n; 0 <= n < registers(0, 0) ==> positive[n] == above(r, stride(0), first(0, n), end(0, n));
    ensures \forall integer n; 0 <= n < registers(0, 0) ==> 0 <= positive[n] <= 2147483648;
    ensures \forall integer n; 0 <= n < registers(0, 0) ==> negative[n] == below(r, stride(0), first(0, n), end(0, n));
    ensures \forall integer n; 0 <= n < registers(0, 0) ==> -2147483648 <= negative[n] <= 0; */
AXC_EVERY_TARGET
static void sum_weights(const signed char* restrict w, int64_t cols, int64_t ahead, int64_t block, int64_t stride,
                        int64_t* restrict positive, int64_t* restrict negative)
/*@ ghost (int64_t r) */
{
  const int64_t tile = stride == 1 ? block : 0;
  if (tile == 2) {
    add_blocks(w, cols, ahead, 2, 1, positive, negative) /*@ ghost (r) */;
  } else if (tile == 8) {
    add_blocks(w, cols, ahead, 8, 1, positive, negative) /*@ ghost (r) */;
  } else if (tile == 16) {
    add_blocks(w, cols, ahead, 16, 1, positive, negative) /*@ ghost (r) */;
  } else if (tile == 32) {
    add_blocks(w, cols, ahead, 32, 1, positive, negative) /*@ ghost (r) */;
  } else if (tile == 64) {
    add_blocks(w, cols, ahead, 64, 1, positive, negative) /*@ ghost (r) */;
  } else if (tile == 128) {
    add_blocks(w, cols, ahead, 128, 1, positive, negative) /*@ ghost (r) */;
  } else {
    add_blocks(w, cols, ahead, block, stride, positive, negative) /*@ ghost (r) */;
  }
}

/* A register of the lowest stage when every input has the box [lower, upper]: Σ w·[lower, upper] = [lower·P + upper·N, upper·P + lower·N].
 * Only the proof needs to know where its weights lie. */
/*@ requires within(r, 0) && is_initial(initial, r, 0) && is_row(w, r) && 0 <= begin < end <= values(0) && 1 <= step <= 2147483647;
    requires -16777216 <= lower <= upper <= 16777216;
    requires \forall integer k; 0 <= k < values(0) ==> least_input(r, k) == lower && greatest_input(r, k) == upper;
    requires p == above(r, step, begin, end) && 0 <= p <= 2147483648;
    requires n == below(r, step, begin, end) && -2147483648 <= n <= 0;
    assigns \nothing;
    ensures \result.whole.lower == initial.lower + sum(0, r, 0, step, begin, end);
    ensures \result.whole.upper == initial.upper + sum(1, r, 0, step, begin, end);
    ensures \result.parts.lower == initial.lower + sum(2, r, 0, step, begin, end);
    ensures \result.parts.upper == initial.upper + sum(3, r, 0, step, begin, end); */
AXC_INLINE reach reach_of_sums(int64_t p, int64_t n, int64_t lower, int64_t upper, axc_range initial)
/*@ ghost (int64_t r, const signed char* w, int64_t step, int64_t begin, int64_t end) */
{
  const int64_t at_most_0 = smaller(0, lower), at_least_0 = larger(0, upper);
  /*@ ghost
     one_box(r, w, lower, upper, at_most_0, at_least_0, step, begin, end, p, n);
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

/*@ requires -16777216 <= x <= 16777216;
    assigns \nothing;
    ensures \result == w * x && -2147483648 <= \result <= 2147483648; */
AXC_INLINE int64_t times(signed char w, int64_t x) {
  //@ ghost products_bounded();
  return w * x;
}

/* [min, max] of w · x over l ≤ x ≤ u. */
/*@ requires w == weight(r, k) && l == least_input(r, k) && u == greatest_input(r, k) && -16777216 <= l <= u <= 16777216;
    assigns \nothing;
    ensures \result.lower == value(0, r, 0, k);
    ensures \result.upper == value(1, r, 0, k); */
AXC_INLINE axc_range range_of_product(signed char w, int64_t l, int64_t u) /*@ ghost (int64_t r, int64_t k) */ {
  const int64_t at_lower = times(w, l);
  const int64_t at_upper = times(w, u);
  const axc_range range = {smaller(at_lower, at_upper), larger(at_lower, at_upper)};
  return range;
}

/* A register of the lowest stage when every input has its own box. */
/*@ requires within(r, 0) && is_initial(initial, r, 0) && is_row(w, r) && box_each(in.lower, in.upper, r);
    requires 0 <= begin < end <= values && values == values(0) && 1 <= step <= 2147483647;
    assigns \nothing;
    ensures \result.whole.lower == initial.lower + sum(0, r, 0, step, begin, end);
    ensures \result.whole.upper == initial.upper + sum(1, r, 0, step, begin, end);
    ensures \result.parts.lower == initial.lower + sum(2, r, 0, step, begin, end);
    ensures \result.parts.upper == initial.upper + sum(3, r, 0, step, begin, end); */
AXC_INLINE reach reach_of_products(const signed char* w, inputs in, int64_t step, int64_t begin, int64_t end,
                                   axc_range initial)
/*@ ghost (int64_t r, int64_t values) */
{
  reach out = {initial, initial};
  /*@ ghost sums_within(r, 0, step, begin, end);
            register_within(0, step, begin, end, values); */
  /*@ loop invariant begin <= k <= end + step;
      loop invariant out.whole.lower + sum(0, r, 0, step, k, end) == initial.lower + sum(0, r, 0, step, begin, end);
      loop invariant out.whole.upper + sum(1, r, 0, step, k, end) == initial.upper + sum(1, r, 0, step, begin, end);
      loop invariant out.parts.lower + sum(2, r, 0, step, k, end) == initial.lower + sum(2, r, 0, step, begin, end);
      loop invariant out.parts.upper + sum(3, r, 0, step, k, end) == initial.upper + sum(3, r, 0, step, begin, end);
      loop assigns k, out;
      loop variant end - k; */
  for (int64_t k = begin; k < end; k += step) {
    const axc_range range = range_of_product(w[k], axc_entry32(in.lower, k), axc_entry32(in.upper, k))
        /*@ ghost (r, k) */;
    /*@ ghost sums_within(r, 0, step, k + step, end);
              register_within(0, step, k + step, end, values); */
    out.whole.lower += range.lower;
    out.whole.upper += range.upper;
    out.parts.lower += smaller(0, range.lower);
    out.parts.upper += larger(0, range.upper);
  }
  return out;
}

/* The most that Σ w x reaches when the magnitudes |x| add up to `limit` at most, and caps[a] is how far they can go at weights of
 * magnitude a in the direction that helps: what there is goes to the largest weights first. */
/*@ requires \valid_read(caps + (0 .. 128)) && 0 <= limit <= 281474976710656;
    requires \forall integer a; 0 <= a <= 128 ==> caps[a] == cap(up, r, a, step, begin, end) && 0 <= caps[a] <= 281474976710656;
    assigns \nothing;
    ensures \result == spent(up, r, 128, step, begin, end, \old(limit)) && 0 <= \result <= 36028797018963968; */
static int64_t spend(const int64_t* caps, int64_t limit)
/*@ ghost (int64_t up, int64_t r, int64_t step, int64_t begin, int64_t end) */
{
  int64_t sum = 0; /* ≤ 2^7 · 2^48 */
  /*@ loop invariant 0 <= magnitude <= 128 && 0 <= limit <= \at(limit, Pre);
      loop invariant 0 <= sum <= 128 * (\at(limit, Pre) - limit);
      loop invariant sum + spent(up, r, magnitude, step, begin, end, limit) == spent(up, r, 128, step, begin, end, \at(limit, Pre));
      loop assigns magnitude, sum, limit;
      loop variant magnitude; */
  for (int magnitude = 128; magnitude > 0; --magnitude) {
    const int64_t taken = smaller(caps[magnitude], limit);
    //@ ghost spent_step(up, r, magnitude, step, begin, end, limit, taken);
    sum += magnitude * taken;
    limit -= taken;
  }
  return sum;
}

/* A register of the lowest stage under a limit: every box holds 0, so the complete sum and all partial sums have one range. */
/*@ requires within(r, 0) && is_initial(initial, r, 0) && is_row(w, r) && is_inputs(in, r) && in.limit > 0;
    requires 0 <= begin < end <= values(0) && 1 <= step <= 2147483647;
    assigns \nothing;
    ensures \result.whole == \result.parts;
    ensures \result.whole.lower == initial.lower - spent(0, r, 128, step, begin, end, in.limit);
    ensures \result.whole.upper == initial.upper + spent(1, r, 128, step, begin, end, in.limit); */
static reach reach_of_limited(const signed char* w, inputs in, int64_t step, int64_t begin, int64_t end,
                              axc_range initial)
/*@ ghost (int64_t r) */
{
  int64_t up[129], down[129];
  /*@ loop invariant 0 <= a <= 129;
      loop invariant \forall integer b; 0 <= b < a ==> up[b] == 0 && down[b] == 0;
      loop assigns a, up[0 .. 128], down[0 .. 128];
      loop variant 129 - a; */
  for (int a = 0; a <= 128; ++a) up[a] = down[a] = 0;
  /*@ loop invariant begin <= k <= end + step;
      loop invariant \forall integer a; 0 <= a <= 128 ==> up[a] + cap(1, r, a, step, k, end) == cap(1, r, a, step, begin, end);
      loop invariant \forall integer a; 0 <= a <= 128 ==> down[a] + cap(0, r, a, step, k, end) == cap(0, r, a, step, begin, end);
      loop invariant \forall integer a; 0 <= a <= 128 ==> 0 <= up[a] <= 16777216 * (k - begin) && 0 <= down[a] <= 16777216 * (k - begin);
      loop invariant \forall integer a; 0 <= a <= 128 ==> 0 <= up[a] <= 281474976710656 && 0 <= down[a] <= 281474976710656;
      loop assigns k, up[0 .. 128], down[0 .. 128];
      loop variant end - k; */
  for (int64_t k = begin; k < end; k += step) {
    const int64_t channel = in.channels == 1 ? 0 : k;
    const int64_t above = axc_entry32(in.upper, channel);
    const int64_t below = -axc_entry32(in.lower, channel);
    const int a = w[k] < 0 ? -w[k] : w[k];
    //@ assert above == greatest_input(r, k) && below == -least_input(r, k) && 0 <= above <= 16777216 && 0 <= below <= 16777216;
    up[a] += w[k] > 0 ? above : below; /* ≤ 2^24 · 2^24 */
    down[a] += w[k] > 0 ? below : above;
  }
  //@ assert \forall integer a; cap(1, r, a, step, end + step, end) == 0;
  axc_range range;
  range.lower = initial.lower - spend(down, in.limit) /*@ ghost (0, r, step, begin, end) */;
  range.upper = initial.upper + spend(up, in.limit) /*@ ghost (1, r, step, begin, end) */;
  const reach out = {range, range};
  return out;
}

/* A register of a stage above: its values are the ranges [lower[v], upper[v]] of the registers below. */
/*@ requires within(r, s) && is_initial(initial, r, s) && 0 <= begin < end <= values && values == values(s) && 1 <= step <= 2147483647;
    requires \valid_read(lower + (begin .. end - 1)) && \valid_read(upper + (begin .. end - 1)) && is_below(lower, upper, r, s, begin);
    assigns \nothing;
    ensures \result.whole.lower == initial.lower + sum(0, r, s, step, begin, end);
    ensures \result.whole.upper == initial.upper + sum(1, r, s, step, begin, end);
    ensures \result.parts.lower == initial.lower + sum(2, r, s, step, begin, end);
    ensures \result.parts.upper == initial.upper + sum(3, r, s, step, begin, end); */
AXC_INLINE reach reach_of_values(const int64_t* lower, const int64_t* upper, int64_t step, int64_t begin, int64_t end,
                                 axc_range initial)
/*@ ghost (int64_t r, int64_t s, int64_t values) */
{
  reach out = {initial, initial};
  /*@ ghost sums_within(r, s, step, begin, end);
            register_within(s, step, begin, end, values); */
  /*@ loop invariant begin <= v <= end + step;
      loop invariant out.whole.lower + sum(0, r, s, step, v, end) == initial.lower + sum(0, r, s, step, begin, end);
      loop invariant out.whole.upper + sum(1, r, s, step, v, end) == initial.upper + sum(1, r, s, step, begin, end);
      loop invariant out.parts.lower + sum(2, r, s, step, v, end) == initial.lower + sum(2, r, s, step, begin, end);
      loop invariant out.parts.upper + sum(3, r, s, step, v, end) == initial.upper + sum(3, r, s, step, begin, end);
      loop assigns v, out;
      loop variant end - v; */
  for (int64_t v = begin; v < end; v += step) {
    /*@ ghost sums_within(r, s, step, v + step, end);
              register_within(s, step, v + step, end, values); */
    //@ assert extra(s) != 0 ==> v + step >= end;
    out.whole.lower += lower[v];
    out.whole.upper += upper[v];
    out.parts.lower += smaller(0, lower[v]);
    out.parts.upper += larger(0, upper[v]);
  }
  return out;
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

/*@ predicate memory_for(ranges out, integer n) =
      four_arrays(out.final_lower, out.final_upper, out.partial_lower, out.partial_upper, n);
    predicate holds(ranges out, integer r, integer s, integer n) =
      is_stage(out.final_lower, out.final_upper, out.partial_lower, out.partial_upper, r, s, n); */

/*@ requires memory_for(out, nodes) && 0 <= n < nodes;
    assigns out.final_lower[n], out.final_upper[n], out.partial_lower[n], out.partial_upper[n];
    ensures out.final_lower[n] == here.whole.lower;
    ensures out.final_upper[n] == here.whole.upper;
    ensures out.partial_lower[n] == here.parts.lower;
    ensures out.partial_upper[n] == here.parts.upper;
    ensures \forall integer i; 0 <= i < nodes && i != n ==> out.final_lower[i] == \old(out.final_lower[i]);
    ensures \forall integer i; 0 <= i < nodes && i != n ==> out.final_upper[i] == \old(out.final_upper[i]);
    ensures \forall integer i; 0 <= i < nodes && i != n ==> out.partial_lower[i] == \old(out.partial_lower[i]);
    ensures \forall integer i; 0 <= i < nodes && i != n ==> out.partial_upper[i] == \old(out.partial_upper[i]); */
AXC_INLINE void keep(ranges out, int64_t n, reach here) /*@ ghost (int64_t nodes) */ {
  out.final_lower[n] = here.whole.lower;
  out.final_upper[n] = here.whole.upper;
  out.partial_lower[n] = here.parts.lower;
  out.partial_upper[n] = here.parts.upper;
}

/* The lowest stage when every input has the same box. On entry final_lower holds P and final_upper N of every register. */
/*@ requires within(r, 0) && is_initial(initial, r, 0) && is_row(w, r) && input_limit(r) == 0;
    requires values == values(0) && block == block(0) && stride == stride(0) && nodes == registers(0, 0);
    requires -16777216 <= lower <= upper <= 16777216 && memory_for(out, nodes);
    requires \forall integer k; 0 <= k < values(0) ==> least_input(r, k) == lower && greatest_input(r, k) == upper;
    requires \forall integer n; 0 <= n < nodes ==> out.final_lower[n] == above(r, stride(0), first(0, n), end(0, n));
    requires \forall integer n; 0 <= n < nodes ==> out.final_upper[n] == below(r, stride(0), first(0, n), end(0, n));
    requires \forall integer n; 0 <= n < nodes ==> 0 <= out.final_lower[n] <= 2147483648;
    requires \forall integer n; 0 <= n < nodes ==> -2147483648 <= out.final_upper[n] <= 0;
    assigns out.final_lower[0 .. nodes - 1], out.final_upper[0 .. nodes - 1], out.partial_lower[0 .. nodes - 1],
      out.partial_upper[0 .. nodes - 1];
    ensures holds(out, r, 0, nodes); */
AXC_INLINE void scale(ranges out, int64_t nodes, int64_t lower, int64_t upper, axc_range initial)
/*@ ghost (int64_t r, const signed char* w, int64_t values, int64_t block, int64_t stride) */
{
  /*@ ghost int64_t lanes = stride < block ? stride : block;
            registers_counted(0, values, block, 0);
            places(0, values, block, lanes, 0, 0); */
  /*@ loop invariant 0 <= n <= nodes;
      loop invariant \forall integer i; 0 <= i < n ==> out.final_lower[i] == reached(0, r, 0, i);
      loop invariant \forall integer i; 0 <= i < n ==> out.final_upper[i] == reached(1, r, 0, i);
      loop invariant \forall integer i; 0 <= i < n ==> out.partial_lower[i] == reached(2, r, 0, i);
      loop invariant \forall integer i; 0 <= i < n ==> out.partial_upper[i] == reached(3, r, 0, i);
      loop invariant \forall integer i; n <= i < nodes ==> out.final_lower[i] == \at(out.final_lower[i], Pre);
      loop invariant \forall integer i; n <= i < nodes ==> out.final_upper[i] == \at(out.final_upper[i], Pre);
      loop assigns n, out.final_lower[0 .. nodes - 1], out.final_upper[0 .. nodes - 1], out.partial_lower[0 .. nodes - 1],
        out.partial_upper[0 .. nodes - 1];
      loop variant nodes - n; */
  for (int64_t n = 0; n < nodes; ++n) {
    /*@ ghost
       int64_t begin = find_first(0, lanes, block, n);
       int64_t stop = find_limit(0, lanes, block, n);
       stop = stop < values ? stop : values; */
    const reach here = reach_of_sums(out.final_lower[n], out.final_upper[n], lower, upper, initial)
        /*@ ghost (r, w, stride, begin, stop) */;
    //@ assert here.whole.lower == reached(0, r, 0, n);
    //@ assert here.whole.upper == reached(1, r, 0, n);
    //@ assert here.parts.lower == reached(2, r, 0, n);
    //@ assert here.parts.upper == reached(3, r, 0, n);
    keep(out, n, here) /*@ ghost (nodes) */;
  }
}

/* The same, told that the arrays do not overlap. */
/*@ requires within(r, 0) && is_initial(initial, r, 0) && is_row(w, r) && box_for_all(in.lower, in.upper, r) && input_limit(r) == 0;
    requires values == values(0) && block == block(0) && stride == stride(0) && nodes == registers(0, 0);
    requires four_arrays(final_lower, final_upper, partial_lower, partial_upper, nodes);
    requires \forall integer n; 0 <= n < nodes ==> final_lower[n] == above(r, stride(0), first(0, n), end(0, n));
    requires \forall integer n; 0 <= n < nodes ==> final_upper[n] == below(r, stride(0), first(0, n), end(0, n));
    requires \forall integer n; 0 <= n < nodes ==> 0 <= final_lower[n] <= 2147483648;
    requires \forall integer n; 0 <= n < nodes ==> -2147483648 <= final_upper[n] <= 0;
    assigns final_lower[0 .. nodes - 1], final_upper[0 .. nodes - 1], partial_lower[0 .. nodes - 1], partial_upper[0 .. nodes - 1];
    ensures is_stage(final_lower, final_upper, partial_lower, partial_upper, r, 0, nodes); */
AXC_EVERY_TARGET
static void scale_all(int64_t* restrict final_lower, int64_t* restrict final_upper, int64_t* restrict partial_lower,
                      int64_t* restrict partial_upper, int64_t nodes, inputs in, axc_range initial)
/*@ ghost (int64_t r, const signed char* w, int64_t values, int64_t block, int64_t stride) */
{
  const ranges out = {final_lower, final_upper, partial_lower, partial_upper};
  //@ assert -16777216 <= least_input(r, 0) <= greatest_input(r, 0) <= 16777216;
  scale(out, nodes, axc_entry32(in.lower, 0), axc_entry32(in.upper, 0), initial)
      /*@ ghost (r, w, values, block, stride) */;
}

/* What any other stage holds, register by register. A stage above reads the final ranges of the `values` registers below, in place: a register
 * is written when its own values have been read, and its place is at or before every value still to be read. */
/*@ requires within(r, s) && is_initial(initial, r, s) && values == values(s) && block == block(s) && stride == stride(s);
    requires memory_for(out, nodes) && registers(s, 0) <= nodes && (s > 0 ==> values <= nodes);
    requires s > 0 ==> is_below(out.final_lower, out.final_upper, r, s, 0);
    requires s == 0 ==> is_row(w, r) && is_inputs(in, r) && (in.channels != 1 || in.limit > 0);
    assigns out.final_lower[0 .. nodes - 1], out.final_upper[0 .. nodes - 1], out.partial_lower[0 .. nodes - 1],
      out.partial_upper[0 .. nodes - 1];
    ensures holds(out, r, s, registers(s, 0)); */
AXC_EVERY_TARGET
static void each_register(int s, int64_t values, int64_t block, int64_t stride, const signed char* w, inputs in,
                          axc_range initial, ranges out)
/*@ ghost (int64_t r, int64_t nodes) */
{
  //@ ghost registers_counted(s, values, block, 0);
  axc_register t = first_register(values, block) /*@ ghost (s) */;
  /*@ loop invariant is_register(t, s) && 0 <= t.node <= registers(s, 0);
      loop invariant t.first >= values ==> t.node == registers(s, 0);
      loop invariant \forall integer i; 0 <= i < t.node ==> out.final_lower[i] == reached(0, r, s, i);
      loop invariant \forall integer i; 0 <= i < t.node ==> out.final_upper[i] == reached(1, r, s, i);
      loop invariant \forall integer i; 0 <= i < t.node ==> out.partial_lower[i] == reached(2, r, s, i);
      loop invariant \forall integer i; 0 <= i < t.node ==> out.partial_upper[i] == reached(3, r, s, i);
      loop invariant s > 0 ==> \forall integer v; t.node <= v < values(s) ==> out.final_lower[v] == value(0, r, s, v);
      loop invariant s > 0 ==> \forall integer v; t.node <= v < values(s) ==> out.final_upper[v] == value(1, r, s, v);
      loop assigns t, out.final_lower[0 .. nodes - 1], out.final_upper[0 .. nodes - 1], out.partial_lower[0 .. nodes - 1],
        out.partial_upper[0 .. nodes - 1];
      loop variant registers(s, 0) - t.node; */
  while (t.first < values) {
    reach here;
    if (s > 0) {
      here = reach_of_values(out.final_lower, out.final_upper, stride, t.first, t.end,
                             initial) /*@ ghost (r, s, values) */;
    } else if (in.limit > 0) {
      here = reach_of_limited(w, in, stride, t.first, t.end, initial) /*@ ghost (r) */;
    } else {
      here = reach_of_products(w, in, stride, t.first, t.end, initial) /*@ ghost (r, values) */;
    }
    //@ assert here.whole.lower == reached(0, r, s, t.node);
    //@ assert here.whole.upper == reached(1, r, s, t.node);
    //@ assert here.parts.lower == reached(2, r, s, t.node);
    //@ assert here.parts.upper == reached(3, r, s, t.node);
    keep(out, t.node, here) /*@ ghost (nodes) */;
    t = next_register(t, values, block, stride) /*@ ghost (s) */;
  }
}

/*@ predicate is_layer(axc_layer* t) = \valid_read(t) && 1 <= t->stages <= 16 && t->cols == values(0) &&
      \forall integer s; 0 <= s < t->stages ==> is_stage_of(&t->stage[s], s) && geometry(s) && 1 <= t->stage[s].nodes == registers(s, 0) &&
        values(s + 1) == registers(s, 0) && (t->stage[s].from_constant != 0 <==> constant_enters(s)) &&
        (constant_enters(s) ==> registers(s, 0) == 1 && extra(s) == 0);
    predicate same_stage{A, B}(axc_stage* t) = \at(t->width, A) == \at(t->width, B) && \at(t->group, A) == \at(t->group, B) &&
      \at(t->stride, A) == \at(t->stride, B) && \at(t->full, A) == \at(t->full, B) &&
      \at(t->from_constant, A) == \at(t->from_constant, B) && \at(t->final_value, A) == \at(t->final_value, B) &&
      \at(t->nodes, A) == \at(t->nodes, B) && \at(t->wide, A) == \at(t->wide, B) && \at(t->lower, A) == \at(t->lower, B) &&
      \at(t->upper, A) == \at(t->upper, B);
    // What was written is no part of the layer.
    predicate same_layer{A, B}(axc_layer* t) = \at(t->stages, A) == \at(t->stages, B) && \at(t->cols, A) == \at(t->cols, B) &&
      \forall integer s; 0 <= s < 16 ==> same_stage{A, B}(\at(&t->stage[s], A));
    predicate apart(axc_layer* t, ranges out, integer n) =
      \separated(t, out.final_lower + (0 .. n - 1)) && \separated(t, out.final_upper + (0 .. n - 1)) &&
      \separated(t, out.partial_lower + (0 .. n - 1)) && \separated(t, out.partial_upper + (0 .. n - 1));
    // What of a layer could be taken for an entry of `out`, one by one: nobody writes to it.
    predicate outside(int64_t* p, ranges out, integer n) =
      \separated(p, out.final_lower + (0 .. n - 1)) && \separated(p, out.final_upper + (0 .. n - 1)) &&
      \separated(p, out.partial_lower + (0 .. n - 1)) && \separated(p, out.partial_upper + (0 .. n - 1)); */

/*@ requires is_layer(layer) && 0 <= s < layer->stages && within(r, s) && is_row(w, r) && is_inputs(in, r);
    requires constant.lower == least_constant(r) && constant.upper == greatest_constant(r);
    requires memory_for(out, nodes) && nodes == registers(0, 0) && (s > 0 ==> values(s) <= nodes);
    requires apart(layer, out, nodes);
    requires s > 0 ==> is_below(out.final_lower, out.final_upper, r, s, 0);
    assigns out.final_lower[0 .. nodes - 1], out.final_upper[0 .. nodes - 1], out.partial_lower[0 .. nodes - 1],
      out.partial_upper[0 .. nodes - 1];
    ensures registers(s, 0) <= nodes && values(s + 1) == registers(s, 0);
    ensures is_layer(layer);
    ensures holds(out, r, s, registers(s, 0));
    ensures \forall integer n; 0 <= n < registers(s, 0) ==> reach_within(r, s, n);
    ensures s + 1 < layer->stages ==> within(r, s + 1); */
static void compute_stage(const axc_layer* layer, int s, const signed char* w, int64_t ahead, inputs in,
                          axc_range constant, ranges out)
/*@ ghost (int64_t r, int64_t nodes) */
{
  //@ assert outside(&layer->cols, out, nodes);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> outside(&layer->stage[i].group, out, nodes);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> outside(&layer->stage[i].stride, out, nodes);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> outside(&layer->stage[i].nodes, out, nodes);
  const axc_stage* stage = &layer->stage[s];
  const axc_range nothing = {0, 0};
  const axc_range initial = stage->from_constant ? constant : nothing;
  const int64_t values = s == 0 ? layer->cols : layer->stage[s - 1].nodes;
  const int64_t block = block_of(stage, values) /*@ ghost (s) */;
  const int64_t registers = stage->nodes;
  //@ assert is_initial(initial, r, s);
  //@ ghost stage_within(r, s, values, block, stage->stride);
  if (s == 0 && in.limit == 0 && in.channels == 1) {
    sum_weights(w, values, ahead, block, stage->stride, out.final_lower, out.final_upper) /*@ ghost (r) */;
    scale_all(out.final_lower, out.final_upper, out.partial_lower, out.partial_upper, registers, in, initial)
        /*@ ghost (r, w, values, block, stage->stride) */;
    //@ assert layer->cols == \at(layer->cols, Pre);
    //@ assert \forall integer i; 0 <= i < layer->stages ==> layer->stage[i].group == \at(layer->stage[i].group, Pre);
    //@ assert \forall integer i; 0 <= i < layer->stages ==> layer->stage[i].stride == \at(layer->stage[i].stride, Pre);
    //@ assert \forall integer i; 0 <= i < layer->stages ==> layer->stage[i].nodes == \at(layer->stage[i].nodes, Pre);
    //@ assert \forall integer i; 0 <= i < layer->stages ==> is_stage_of(&layer->stage[i], i);
  } else {
    each_register(s, values, block, stage->stride, w, in, initial, out) /*@ ghost (r, nodes) */;
    //@ assert layer->cols == \at(layer->cols, Pre);
    //@ assert \forall integer i; 0 <= i < layer->stages ==> layer->stage[i].group == \at(layer->stage[i].group, Pre);
    //@ assert \forall integer i; 0 <= i < layer->stages ==> layer->stage[i].stride == \at(layer->stage[i].stride, Pre);
    //@ assert \forall integer i; 0 <= i < layer->stages ==> layer->stage[i].nodes == \at(layer->stage[i].nodes, Pre);
    //@ assert \forall integer i; 0 <= i < layer->stages ==> is_stage_of(&layer->stage[i], i);
  }
}

/*@ predicate constants_lie{L}(integer z, unsigned char* b, integer offsets, unsigned char* o, integer row, integer r) =
      -4611686018427387904 <= bias(r) <= 4611686018427387904 && 0 <= row <= 2147483648 && z == spread && 0 <= spread <= 16777216 &&
      (b == \null ==> bias(r) == 0) &&
      (b != \null ==> \valid_read(b + (8 * row .. 8 * row + 7)) && entry64(b, row) == bias(r)) &&
      (\forall integer k; 0 <= k < values(0) ==> -16777216 <= offset(k) <= 16777216) &&
      (offsets == 0 || offsets == 1 || offsets == values(0)) &&
      (offsets == 0 ==> \forall integer k; 0 <= k < values(0) ==> offset(k) == 0) &&
      (offsets == 1 ==> \valid_read(o + (0 .. 3)) && \forall integer k; 0 <= k < values(0) ==> offset(k) == entry32(o, 0)) &&
      (offsets > 1 ==> \valid_read(o + (0 .. 4 * values(0) - 1)) &&
        \forall integer k; 0 <= k < values(0) ==> offset(k) == entry32(o, k));
    predicate has_constants{L}(axc_layer* t, integer row, integer r) =
      constants_lie(t->spread, t->bias, t->offsets, t->offset, row, r); */

/*@ requires w == weight(r, k) && x == offset(k) && -16777216 <= x <= 16777216;
    assigns \nothing;
    ensures \result == moved(r, k) && -2147483648 <= \result <= 2147483648; */
AXC_INLINE int64_t offset_product(signed char w, int64_t x) /*@ ghost (int64_t r, int64_t k) */ {
  //@ ghost moved_by(r, k, w, x);
  return times(w, x);
}

/* constant_r = bias_r + Σ_k w_rk · offset_k − z · Σ_k w_rk over z = 0 … spread; |constant| ≤ 2^62 + 2 · 2^55. */
/*@ requires \valid_read(layer) && layer->cols == values(0) <= 16777216 && geometry(0) && is_row(w, r) && has_constants(layer, row, r);
    assigns \nothing;
    ensures \result.lower == least_constant(r);
    ensures \result.upper == greatest_constant(r);
    ensures constant_within(r); */
AXC_EVERY_TARGET
static axc_range constant_of(const axc_layer* layer, const signed char* w, int64_t row)
/*@ ghost (int64_t r) */
{
  int64_t constant = layer->bias ? axc_entry64(layer->bias, row) : 0;
  int64_t positive = 0, negative = 0;
  const int64_t offset = layer->offsets == 1 ? axc_entry32(layer->offset, 0) : 0;
  //@ assert constant == bias(r);
  if (offset != 0 || layer->spread != 0) add_adjacent(w, 0, layer->cols, 0, &positive, &negative) /*@ ghost (r) */;
  const int64_t total = positive + negative;
  /*@ ghost int64_t all = sum_of_row(r, w, offset, layer->offsets <= 1, 0, layer->cols);
            offset_is(r, offset, layer->offsets <= 1, total, all);
            spread_is(r, layer->spread, total);
            product_bounded(offset, total);
            product_bounded(layer->spread, total); */
  constant += offset * total;
  //@ assert layer->offsets <= 1 ==> constant == bias(r) + offsets_sum(r, 0, values(0));
  /*@ loop invariant 0 <= k && (k <= layer->offsets || k == 0);
      loop invariant layer->offsets > 1 ==> constant + offsets_sum(r, k, values(0)) == bias(r) + offsets_sum(r, 0, values(0));
      loop invariant layer->offsets > 1 ==> -2147483648 * k <= constant - bias(r) <= 2147483648 * k;
      loop invariant layer->offsets <= 1 ==> constant == bias(r) + offsets_sum(r, 0, values(0)) && k == 0;
      loop invariant layer->offsets <= 1 ==> -36028797018963968 <= constant - bias(r) <= 36028797018963968;
      loop assigns k, constant;
      loop variant layer->offsets - k; */
  for (int64_t k = 0; layer->offsets > 1 && k < layer->offsets; ++k) {
    //@ assert layer->offsets == values(0) && offset(k) == entry32(layer->offset, k);
    constant += offset_product(w[k], axc_entry32(layer->offset, k)) /*@ ghost (r, k) */;
  }
  //@ assert constant == bias(r) + offsets_sum(r, 0, values(0));
  const int64_t at_greatest = constant - layer->spread * total;
  //@ assert at_greatest == constant - taken(r);
  const axc_range both = {smaller(constant, at_greatest), larger(constant, at_greatest)};
  return both;
}

/*@ requires 1 <= count <= 16777216 && count == values(0) && is_row(w, r);
    assigns \nothing;
    ensures \result != 0 <==> \forall integer k; 0 <= k < values(0) ==> range.lower <= weight(r, k) <= range.upper; */
AXC_EVERY_TARGET
static int weights_within(const signed char* w, int64_t count, axc_range range)
/*@ ghost (int64_t r) */
{
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
  //@ assert \forall integer k; 0 <= k < count ==> lowest <= weight(r, k) <= highest;
  //@ assert \exists integer k; 0 <= k < count && weight(r, k) == lowest;
  //@ assert \exists integer k; 0 <= k < count && weight(r, k) == highest;
  return lowest >= range.lower && highest <= range.upper;
}

/* ---- comparing ---- */

/*@ // What is claimed of a register and what has to be: its range, the limits of its width, the margin between them.
    axiomatic Claims {
      logic integer claim(integer upper, integer r, integer s, integer n);
      logic integer width(integer s);
      logic integer full(integer s);
      logic integer final_value(integer s);
      logic integer highest_of(integer width);
      logic integer range_end(integer upper, integer r, integer s, integer n);
      axiom range_final: \forall integer upper, r, s, n; final_value(s) != 0 ==> range_end(upper, r, s, n) == reached(upper, r, s, n);
      axiom range_partial: \forall integer upper, r, s, n; final_value(s) == 0 ==> range_end(upper, r, s, n) == reached(2 + upper, r, s, n);
      axiom highest_1: highest_of(1) == 0;
      axiom highest_64: highest_of(64) == 9223372036854775807;
      axiom highest_more: \forall integer p; p >= 1 ==> highest_of(p + 1) == 2 * highest_of(p) + 1;
    }
    logic integer highest(integer s) = highest_of(width(s));
    logic integer lowest(integer s) = full(s) != 0 ? -highest_of(width(s)) - 1 : -highest_of(width(s));
    logic integer room_above(integer r, integer s, integer n) = highest(s) - range_end(1, r, s, n);
    logic integer room_below(integer r, integer s, integer n) = range_end(0, r, s, n) - lowest(s);
    axiomatic Margins {
      logic integer margin(integer r, integer s, integer n);
      axiom margin_is: \forall integer r, s, n; margin(r, s, n) == least(room_above(r, s, n), room_below(r, s, n));
    }
    predicate fits(integer r, integer s, integer n) = lowest(s) <= range_end(0, r, s, n) && range_end(1, r, s, n) <= highest(s);
    predicate has_limits(axc_stage* t, integer s) = \valid_read(t) && 1 <= t->width <= 64 && t->width == width(s) &&
      t->full == full(s) && t->final_value == final_value(s); */

/* The limits of a register of P bits: upper 2^(P−1) − 1, lower −upper, or −upper − 1 when it is full two's complement. */
/*@ requires has_limits(stage, s);
    assigns \nothing;
    ensures \result.lower == lowest(s) && \result.upper == highest(s) && \result.lower <= 0 <= \result.upper; */
static axc_range limits_of(const axc_stage* stage) /*@ ghost (int64_t s) */ {
  axc_range limits;
  limits.upper = INT64_MAX;
  /*@ loop invariant stage->width <= bit <= 64 && limits.upper == highest_of(bit) && 0 <= limits.upper;
      loop assigns bit, limits.upper;
      loop variant bit; */
  for (int bit = 64; bit > stage->width; --bit) limits.upper /= 2;
  limits.lower = stage->full ? -limits.upper - 1 : -limits.upper;
  return limits;
}

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
    ensures \result == least(limits.upper - range.upper, range.lower - limits.lower);
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

/*@ axiomatic ClaimedEnds {
      logic integer claimed_end{L}(unsigned char* ends, int wide, integer i) reads ends[8 * i .. 8 * i + 7], ends[4 * i .. 4 * i + 3];
      axiom claimed_wide{L}: \forall unsigned char* b, int wide, integer i; wide != 0 ==> claimed_end(b, wide, i) == entry64(b, i);
      axiom claimed_narrow{L}: \forall unsigned char* b, int wide, integer i; wide == 0 ==> claimed_end(b, wide, i) == entry32(b, i);
    }
    predicate readable{L}(unsigned char* ends, int wide, integer n) =
      (wide != 0 ==> \valid_read(ends + (0 .. 8 * n - 1))) && (wide == 0 ==> \valid_read(ends + (0 .. 4 * n - 1)));
    predicate are_claims{L}(unsigned char* ends, int wide, integer upper, integer r, integer s) =
      readable(ends, wide, registers(s, 0)) &&
      \forall integer i; 0 <= i < registers(s, 0) ==> claimed_end(ends, wide, i) == claim(upper, r, s, i); 
    predicate claims_lie{L}(integer nodes, int wide, unsigned char* lower, unsigned char* upper, integer s) =
      0 <= nodes <= 16777216 && nodes == registers(s, 0) &&
      (wide != 0 ==> \forall integer r; 0 <= r < rows ==> are_claims(lower + 8 * claims_start(s, r), wide, 0, r, s)) &&
      (wide != 0 ==> \forall integer r; 0 <= r < rows ==> are_claims(upper + 8 * claims_start(s, r), wide, 1, r, s)) &&
      (wide == 0 ==> \forall integer r; 0 <= r < rows ==> are_claims(lower + 4 * claims_start(s, r), wide, 0, r, s)) &&
      (wide == 0 ==> \forall integer r; 0 <= r < rows ==> are_claims(upper + 4 * claims_start(s, r), wide, 1, r, s));
    predicate has_claims{L}(axc_stage* t, integer s) = \valid_read(t) && claims_lie(t->nodes, t->wide, t->lower, t->upper, s); */

/* Where in `ends`, the stage's lower or upper ones, those of one row begin. */
/*@ requires \valid_read(stage) && 0 <= stage->nodes <= 16777216 && stage->nodes == registers(s, 0) && 0 <= row < rows <= 2147483648;
    assigns \nothing;
    ensures stage->wide != 0 ==> \result == ends + 8 * claims_start(s, row);
    ensures stage->wide == 0 ==> \result == ends + 4 * claims_start(s, row); */
static const unsigned char* claims_of(const axc_stage* stage, const unsigned char* ends, int64_t row)
/*@ ghost (int64_t s) */
{
  /*@ ghost product_bounded(stage->nodes, row);
            claims_start_is(s, row, stage->nodes); */
  const int64_t first = row * stage->nodes;
  return stage->wide ? ends + 8 * first : ends + 4 * first;
}

/*@ requires 0 <= i < n <= 16777216 && readable(ends, wide, n);
    assigns \nothing;
    ensures \result == claimed_end(ends, wide, i); */
static int64_t load_end(const unsigned char* ends, int wide, int64_t i) /*@ ghost (int64_t n) */ {
  return wide ? axc_entry64(ends, i) : axc_entry32(ends, i);
}

/*@ requires has_claims(stage, s) && 0 <= row < rows <= 2147483648 && 0 <= node < registers(s, 0);
    assigns \nothing;
    ensures \result.lower == claim(0, row, s, node);
    ensures \result.upper == claim(1, row, s, node); */
static axc_range claimed_range(const axc_stage* stage, int64_t row, int64_t node) /*@ ghost (int64_t s) */ {
  const unsigned char* lower = claims_of(stage, stage->lower, row) /*@ ghost (s) */;
  const unsigned char* upper = claims_of(stage, stage->upper, row) /*@ ghost (s) */;
  axc_range range;
  range.lower = load_end(lower, stage->wide, node) /*@ ghost (stage->nodes) */;
  range.upper = load_end(upper, stage->wide, node) /*@ ghost (stage->nodes) */;
  return range;
}

/*@ requires has_claims(stage, s) && 0 <= row < rows <= 2147483648 && 0 <= node < registers(s, 0);
    assigns \nothing; */
static const unsigned char* place_of_end(const axc_stage* stage, int64_t row, int64_t node, int upper)
/*@ ghost (int64_t s) */
{
  const unsigned char* ends = claims_of(stage, upper ? stage->upper : stage->lower, row) /*@ ghost (s) */;
  return ends + node * (stage->wide ? 8 : 4);
}

/*@ requires \valid(finding);
    assigns finding->reason, finding->place, finding->row, finding->stage, finding->node;
    ensures finding->reason == reason && finding->place == place;
    ensures finding->row == row && finding->stage == s && finding->node == node; */
static void find(axc_finding* finding, axc_reason reason, const unsigned char* place, int64_t row, int64_t s,
                 int64_t node) {
  finding->reason = reason;
  finding->place = place;
  finding->row = row;
  finding->stage = s;
  finding->node = node;
}

/* Whether the claims, from `claimed` on, are `ends`. */
/*@ requires 0 <= count <= 16777216 && readable(claimed, wide, count) && \valid_read(ends + (0 .. count - 1));
    assigns \nothing;
    ensures \result != 0 <==> \forall integer i; 0 <= i < count ==> claimed_end(claimed, wide, i) == ends[i]; */
AXC_EVERY_TARGET
static int equals(const unsigned char* claimed, int wide, const int64_t* ends, int64_t count) {
  int64_t different = 0;
  if (wide) {
    /*@ loop invariant 0 <= i <= count && 0 <= different <= i;
        loop invariant different == 0 <==> \forall integer j; 0 <= j < i ==> claimed_end(claimed, wide, j) == ends[j];
        loop assigns i, different;
        loop variant count - i; */
    for (int64_t i = 0; i < count; ++i) different += axc_entry64(claimed, i) != ends[i];
  } else {
    /*@ loop invariant 0 <= i <= count && 0 <= different <= i;
        loop invariant different == 0 <==> \forall integer j; 0 <= j < i ==> claimed_end(claimed, wide, j) == ends[j];
        loop assigns i, different;
        loop variant count - i; */
    for (int64_t i = 0; i < count; ++i) different += axc_entry32(claimed, i) != ends[i];
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

/* The register with the least margin of those seen so far, the first of them; row −1: none was seen. */
typedef struct {
  int64_t margin;
  int64_t row;
  int stage;
  int64_t node;
  int upper;
} worst_register;

/*@ predicate seen(integer r, integer s, integer n, integer row, integer stage, integer stages) =
      0 <= r && 0 <= s < stages && 0 <= n < registers(s, 0) && (r < row || (r == row && s < stage));
    predicate earlier(integer r, integer s, integer n, integer row, integer stage, integer node) =
      r < row || (r == row && (s < stage || (s == stage && n < node)));
    predicate is_margin(worst_register w) = w.margin == margin(w.row, w.stage, w.node) && (w.upper == 0 || w.upper == 1) &&
      (w.upper == 1 <==> room_above(w.row, w.stage, w.node) <= room_below(w.row, w.stage, w.node));
    // The worst of the rows before `row` and of the stages before `stage` of row `row`.
    predicate is_worst(worst_register w, integer row, integer stage, integer stages) =
      (w.row < 0 ==> row == 0 && stage == 0) &&
      (w.row >= 0 ==> seen(w.row, w.stage, w.node, row, stage, stages) && is_margin(w)) &&
      (w.row >= 0 ==> \forall integer r, s, n; seen(r, s, n, row, stage, stages) ==> w.margin <= margin(r, s, n)) &&
      (w.row >= 0 ==> \forall integer r, s, n; seen(r, s, n, row, stage, stages) && earlier(r, s, n, w.row, w.stage, w.node) ==> w.margin < margin(r, s, n));
    predicate right(integer r, integer s, integer n) =
      claim(0, r, s, n) == range_end(0, r, s, n) && claim(1, r, s, n) == range_end(1, r, s, n); */

/* Compares one stage of one row with its claims, and keeps the worst register seen. 0 when a claim is wrong. */
/*@ requires has_claims(stage, s) && has_limits(stage, s) && 0 <= row < rows <= 2147483648 && 0 <= s < stages && 1 <= stage->nodes;
    requires \valid_read(lower + (0 .. stage->nodes - 1)) && \valid_read(upper + (0 .. stage->nodes - 1));
    requires \valid(worst) && \valid(finding) && \separated(stage, worst, finding, lower + (0 .. stage->nodes - 1), upper + (0 .. stage->nodes - 1));
    requires \forall integer i; 0 <= i < stage->nodes ==> lower[i] == range_end(0, row, s, i);
    requires \forall integer i; 0 <= i < stage->nodes ==> upper[i] == range_end(1, row, s, i);
    requires \forall integer i; 0 <= i < stage->nodes ==> -9223372036854775807 <= lower[i] <= upper[i] <= 9223372036854775807;
    requires is_worst(*worst, row, s, stages);
    requires 0 <= finding->nodes_checked <= 4611686018427387904;
    assigns *worst, *finding;
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> \forall integer n; 0 <= n < registers(s, 0) ==> right(row, s, n);
    ensures \result == 1 ==> is_worst(*worst, row, s + 1, stages) && worst->row >= 0;
    ensures \result == 1 ==> finding->reason == \old(finding->reason) && finding->nodes_checked == \old(finding->nodes_checked) + registers(s, 0);
    ensures \result == 0 ==> finding->row == row && finding->stage == s && 0 <= finding->node < registers(s, 0) &&
      (finding->reason == AXC_LOWER ==> claim(0, row, s, finding->node) != range_end(0, row, s, finding->node)) &&
      (finding->reason == AXC_UPPER ==> claim(1, row, s, finding->node) != range_end(1, row, s, finding->node)) &&
      (finding->reason == AXC_LOWER || finding->reason == AXC_UPPER); */
static int compare_stage(const axc_stage* stage, int64_t row, int s, const int64_t* lower, const int64_t* upper,
                         worst_register* worst, axc_finding* finding)
/*@ ghost (int64_t stages) */
{
  const int64_t nodes = stage->nodes;
  const axc_range limits = limits_of(stage) /*@ ghost (s) */;
  const unsigned char* lower_claims = claims_of(stage, stage->lower, row) /*@ ghost (s) */;
  const unsigned char* upper_claims = claims_of(stage, stage->upper, row) /*@ ghost (s) */;
  //@ assert are_claims(lower_claims, stage->wide, 0, row, s) && are_claims(upper_claims, stage->wide, 1, row, s);
  int64_t node = 0;
  int at_upper = 0;
  if (!equals(lower_claims, stage->wide, lower, nodes) || !equals(upper_claims, stage->wide, upper, nodes)) {
    axc_range claimed = claimed_range(stage, row, 0) /*@ ghost (s) */;
    /*@ assert (\exists integer n; 0 <= n < nodes && claimed_end(lower_claims, stage->wide, n) != lower[n]) ||
               (\exists integer n; 0 <= n < nodes && claimed_end(upper_claims, stage->wide, n) != upper[n]); */
    /*@ assert (\exists integer n; 0 <= n < nodes && claim(0, row, s, n) != lower[n]) ||
               (\exists integer n; 0 <= n < nodes && claim(1, row, s, n) != upper[n]); */
    //@ assert \exists integer n; 0 <= n < nodes && !right(row, s, n);
    /*@ loop invariant 0 <= node < nodes && claimed.lower == claim(0, row, s, node) && claimed.upper == claim(1, row, s, node);
        loop invariant \forall integer n; 0 <= n < node ==> right(row, s, n);
        loop assigns node, claimed;
        loop variant nodes - node; */
    while (node < nodes - 1 && claimed.lower == lower[node] && claimed.upper == upper[node]) {
      ++node;
      claimed = claimed_range(stage, row, node) /*@ ghost (s) */;
    }
    //@ assert !right(row, s, node);
    at_upper = claimed.lower == lower[node];
    const unsigned char* place = place_of_end(stage, row, node, at_upper) /*@ ghost (s) */;
    find(finding, at_upper ? AXC_UPPER : AXC_LOWER, place, row, s, node);
    const axc_range recomputed = {lower[node], upper[node]};
    finding->claimed = claimed;
    finding->recomputed = recomputed;
    finding->limits = limits;
    finding->nodes_checked += node;
    return 0;
  }
  //@ assert \forall integer n; 0 <= n < nodes ==> right(row, s, n);
  finding->nodes_checked += nodes;
  const axc_range all = hull(lower, upper, nodes);
  const int64_t margin = margin_of(all, limits, &at_upper);
  //@ assert \forall integer n; 0 <= n < nodes ==> limits.upper - all.upper <= room_above(row, s, n);
  //@ assert \forall integer n; 0 <= n < nodes ==> all.lower - limits.lower <= room_below(row, s, n);
  //@ assert \exists integer n; 0 <= n < nodes && limits.upper - all.upper == room_above(row, s, n);
  //@ assert \exists integer n; 0 <= n < nodes && all.lower - limits.lower == room_below(row, s, n);
  //@ assert \forall integer n; 0 <= n < nodes ==> margin <= margin(row, s, n);
  //@ assert \exists integer n; 0 <= n < nodes && margin == margin(row, s, n);
  if (worst->row >= 0 && margin >= worst->margin) {
    //@ assert seen(worst->row, worst->stage, worst->node, row, s + 1, stages);
    //@ assert \forall integer r, t, n; seen(r, t, n, row, s + 1, stages) ==> worst->margin <= margin(r, t, n);
    /*@ assert \forall integer r, t, n; seen(r, t, n, row, s + 1, stages) && earlier(r, t, n, worst->row, worst->stage, worst->node) ==>
          worst->margin < margin(r, t, n); */
    //@ assert is_worst(*worst, row, s + 1, stages);
    return 1;
  }
  //@ assert \forall integer r, t, n; seen(r, t, n, row, s, stages) ==> margin < margin(r, t, n);
  /*@ loop invariant 0 <= node <= nodes && \forall integer n; 0 <= n < node ==> margin < margin(row, s, n);
      loop assigns node, at_upper;
      loop variant nodes - node; */
  for (; node < nodes; ++node) {
    const axc_range range = {lower[node], upper[node]};
    const int64_t here = margin_of(range, limits, &at_upper);
    //@ assert here == margin(row, s, node);
    if (here == margin) break;
  }
  //@ assert node < nodes && margin == margin(row, s, node) && (at_upper == 0 || at_upper == 1);
  //@ assert at_upper == 1 <==> room_above(row, s, node) <= room_below(row, s, node);
  //@ assert seen(row, s, node, row, s + 1, stages);
  //@ assert \forall integer r, t, n; seen(r, t, n, row, s + 1, stages) ==> margin <= margin(r, t, n);
  /*@ assert \forall integer r, t, n; seen(r, t, n, row, s + 1, stages) && earlier(r, t, n, row, s, node) ==> margin < margin(r, t, n); */
  const worst_register here = {margin, row, s, node, at_upper};
  //@ assert is_worst(here, row, s + 1, stages);
  *worst = here;
  //@ assert is_worst(*worst, row, s + 1, stages);
  return 1;
}

/* ---- one row ---- */

/*@ predicate has_stages{L}(axc_layer* t) = is_layer(t) && \forall integer s; 0 <= s < t->stages ==>
      has_limits(&t->stage[s], s) && has_claims(&t->stage[s], s);
    // What has_stages does not look at.
    predicate same_rest{A, B}(axc_layer* t) = \at(t->rows, A) == \at(t->rows, B) && \at(t->channels, A) == \at(t->channels, B) &&
      \at(t->box_lower, A) == \at(t->box_lower, B) && \at(t->box_upper, A) == \at(t->box_upper, B) &&
      \at(t->offsets, A) == \at(t->offsets, B) && \at(t->offset, A) == \at(t->offset, B) &&
      \at(t->weight_range.lower, A) == \at(t->weight_range.lower, B) && \at(t->weight_range.upper, A) == \at(t->weight_range.upper, B) &&
      \at(t->spread, A) == \at(t->spread, B) && \at(t->limit, A) == \at(t->limit, B) && \at(t->verdict, A) == \at(t->verdict, B) &&
      \at(t->worst_row, A) == \at(t->worst_row, B) && \at(t->worst_stage, A) == \at(t->worst_stage, B) &&
      \at(t->worst_node, A) == \at(t->worst_node, B) && \at(t->worst_upper, A) == \at(t->worst_upper, B) &&
      \at(t->witness, A) == \at(t->witness, B) && \at(t->weights, A) == \at(t->weights, B) && \at(t->bias, A) == \at(t->bias, B);
    predicate row_right(integer r, integer stages) =
      \forall integer s, n; 0 <= s < stages && 0 <= n < registers(s, 0) ==> right(r, s, n);
    predicate cell_apart(int64_t* x, ranges out, integer n) =
      \separated(x, out.final_lower + (0 .. n - 1)) && \separated(x, out.final_upper + (0 .. n - 1)) &&
      \separated(x, out.partial_lower + (0 .. n - 1)) && \separated(x, out.partial_upper + (0 .. n - 1));
    predicate written_apart(worst_register* x, axc_finding* f, ranges out, integer n) = \separated(x, f) &&
      \separated(x, out.final_lower + (0 .. n - 1)) && \separated(x, out.final_upper + (0 .. n - 1)) &&
      \separated(x, out.partial_lower + (0 .. n - 1)) && \separated(x, out.partial_upper + (0 .. n - 1)) &&
      \separated(f, out.final_lower + (0 .. n - 1)) && \separated(f, out.final_upper + (0 .. n - 1)) &&
      \separated(f, out.partial_lower + (0 .. n - 1)) && \separated(f, out.partial_upper + (0 .. n - 1)); */

/*@ ghost
  /@ requires apart(layer, out, n) && n >= 1;
     terminates \true;
     assigns \nothing;
     ensures cell_apart(&layer->rows, out, n) && cell_apart(&layer->cols, out, n) && cell_apart(&layer->channels, out, n);
     ensures cell_apart(&layer->offsets, out, n) && cell_apart(&layer->spread, out, n) && cell_apart(&layer->limit, out, n);
     ensures cell_apart(&layer->weight_range.lower, out, n) && cell_apart(&layer->weight_range.upper, out, n);
     ensures cell_apart(&layer->worst_row, out, n) && cell_apart(&layer->worst_node, out, n);
     ensures \forall integer i; 0 <= i < 16 ==> cell_apart(&layer->stage[i].group, out, n);
     ensures \forall integer i; 0 <= i < 16 ==> cell_apart(&layer->stage[i].stride, out, n);
     ensures \forall integer i; 0 <= i < 16 ==> cell_apart(&layer->stage[i].nodes, out, n); @/
  void layer_apart(const axc_layer* layer, ranges out, int64_t n) {}
*/

/*@ ghost
  /@ requires written_apart(x, f, out, n) && n >= 1;
     terminates \true;
     assigns \nothing;
     ensures cell_apart(&x->margin, out, n) && cell_apart(&x->row, out, n) && cell_apart(&x->node, out, n);
     ensures cell_apart(&f->nodes_checked, out, n); @/
  void cells_apart(worst_register* x, axc_finding* f, ranges out, int64_t n) {}
*/

/*@ ghost
  /@ requires is_stage_of(stage, s) && geometry(s) && values == values(s);
     terminates \true;
     assigns \nothing;
     ensures registers(s, 0) <= values(s); @/
  void fewer_registers(const axc_stage* stage, int64_t s, int64_t values) {
    int64_t product = stage->group * stage->stride;
    int64_t block = stage->group == 0 || product > values ? values : product;
    registers_counted(s, values, block, 0);
  }
*/

/* compute_stage, for those that need not know how its sums are bounded. */
/*@ requires has_stages(layer) && 0 <= s < layer->stages && sealed(r, s) && is_row(w, r) && is_inputs(in, r);
    requires constant.lower == least_constant(r) && constant.upper == greatest_constant(r);
    requires memory_for(out, nodes) && nodes == registers(0, 0) && registers(s, 0) <= nodes && (s > 0 ==> values(s) <= nodes) && apart(layer, out, nodes);
    requires s > 0 ==> is_below(out.final_lower, out.final_upper, r, s, 0);
    assigns out.final_lower[0 .. nodes - 1], out.final_upper[0 .. nodes - 1], out.partial_lower[0 .. nodes - 1],
      out.partial_upper[0 .. nodes - 1];
    ensures final_value(s) != 0 ==> \forall integer n; 0 <= n < registers(s, 0) ==> out.final_lower[n] == range_end(0, r, s, n);
    ensures final_value(s) != 0 ==> \forall integer n; 0 <= n < registers(s, 0) ==> out.final_upper[n] == range_end(1, r, s, n);
    ensures final_value(s) == 0 ==> \forall integer n; 0 <= n < registers(s, 0) ==> out.partial_lower[n] == range_end(0, r, s, n);
    ensures final_value(s) == 0 ==> \forall integer n; 0 <= n < registers(s, 0) ==> out.partial_upper[n] == range_end(1, r, s, n);
    ensures \forall integer n; 0 <= n < registers(s, 0) ==>
      -9223372036854775807 <= range_end(0, r, s, n) <= range_end(1, r, s, n) <= 9223372036854775807;
    ensures is_below(out.final_lower, out.final_upper, r, s + 1, 0);
    ensures s + 1 < \old(layer->stages) ==> sealed(r, s + 1) && registers(s + 1, 0) <= registers(s, 0); */
AXC_INLINE void compute_ends(const axc_layer* layer, int s, const signed char* w, int64_t ahead, inputs in,
                             axc_range constant, ranges out)
/*@ ghost (int64_t r, int64_t nodes) */
{
  //@ ghost unseal(r, s);
  //@ assert values(s + 1) == registers(s, 0);
  //@ ghost if (s + 1 < layer->stages) fewer_registers(&layer->stage[s + 1], s + 1, layer->stage[s].nodes);
  compute_stage(layer, s, w, ahead, in, constant, out) /*@ ghost (r, nodes) */;
  /*@ assert final_value(s) != 0 ==> \forall integer n; 0 <= n < registers(s, 0) ==>
        -9223372036854775807 <= range_end(0, r, s, n) <= range_end(1, r, s, n) <= 9223372036854775807; */
  /*@ assert final_value(s) == 0 ==> \forall integer n; 0 <= n < registers(s, 0) ==>
        -9223372036854775807 <= range_end(0, r, s, n) <= range_end(1, r, s, n) <= 9223372036854775807; */
  //@ ghost if (s + 1 < layer->stages) seal(r, s + 1);
}

/* One stage of one row: what its registers hold, compared. 0 when a claim is wrong. */
/*@ requires has_stages(layer) && 0 <= s < layer->stages && 0 <= row < rows <= 2147483648 && sealed(row, s);
    requires is_row(w, row) && is_inputs(in, row);
    requires constant.lower == least_constant(row) && constant.upper == greatest_constant(row);
    requires memory_for(memory, nodes) && nodes == registers(0, 0) && registers(s, 0) <= nodes && (s > 0 ==> values(s) <= nodes) && apart(layer, memory, nodes);
    requires s > 0 ==> is_below(memory.final_lower, memory.final_upper, row, s, 0);
    requires \valid(worst) && \valid(finding) && \separated(layer, worst) && \separated(layer, finding);
    requires written_apart(worst, finding, memory, nodes);
    requires is_worst(*worst, row, s, layer->stages) && 0 <= finding->nodes_checked <= 4611686018427387904;
    assigns *worst, *finding, memory.final_lower[0 .. nodes - 1], memory.final_upper[0 .. nodes - 1],
      memory.partial_lower[0 .. nodes - 1], memory.partial_upper[0 .. nodes - 1];
    ensures has_stages(layer) && layer->stages == \old(layer->stages) && same_rest{Pre, Here}(layer);
    ensures \result == 0 || \result == 1;
    ensures s + 1 < \old(layer->stages) ==> sealed(row, s + 1) && registers(s + 1, 0) <= registers(s, 0);
    ensures is_below(memory.final_lower, memory.final_upper, row, s + 1, 0);
    ensures \result == 1 ==> \forall integer n; 0 <= n < registers(s, 0) ==> right(row, s, n);
    ensures \result == 1 ==> is_worst(*worst, row, s + 1, \old(layer->stages)) && worst->row >= 0;
    ensures \result == 1 ==> finding->reason == \old(finding->reason) && finding->nodes_checked == \old(finding->nodes_checked) + registers(s, 0);
    ensures \result == 0 ==> finding->row == row && finding->stage == s && 0 <= finding->node < registers(s, 0) &&
      (finding->reason == AXC_LOWER ==> claim(0, row, s, finding->node) != range_end(0, row, s, finding->node)) &&
      (finding->reason == AXC_UPPER ==> claim(1, row, s, finding->node) != range_end(1, row, s, finding->node)) &&
      (finding->reason == AXC_LOWER || finding->reason == AXC_UPPER); */
AXC_INLINE int prove_stage(const axc_layer* layer, int64_t row, int s, const signed char* w, int64_t ahead, inputs in,
                           axc_range constant, ranges memory, worst_register* worst, axc_finding* finding)
/*@ ghost (int64_t nodes) */
{
  const axc_stage* stage = &layer->stage[s];
  const int64_t* lower = stage->final_value ? memory.final_lower : memory.partial_lower;
  const int64_t* upper = stage->final_value ? memory.final_upper : memory.partial_upper;
  //@ assert is_layer(layer);
  //@ assert has_limits(stage, s) && has_claims(stage, s) && 1 <= stage->nodes;
  //@ assert nodes >= 1;
  //@ assert \separated(stage, worst) && \separated(stage, finding);
  //@ assert \separated(stage, lower + (0 .. stage->nodes - 1)) && \separated(stage, upper + (0 .. stage->nodes - 1));
  /*@ ghost layer_apart(layer, memory, nodes);
            cells_apart(worst, finding, memory, nodes); */
  compute_ends(layer, s, w, ahead, in, constant, memory) /*@ ghost (row, nodes) */;
  //@ assert layer->cols == \at(layer->cols, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].group == \at(layer->stage[i].group, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].stride == \at(layer->stage[i].stride, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].nodes == \at(layer->stage[i].nodes, Pre);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> deals(layer->stage[i].group, layer->stage[i].stride, i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> is_stage_of(&layer->stage[i], i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> has_limits(&layer->stage[i], i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> has_claims(&layer->stage[i], i);
  //@ assert layer->rows == \at(layer->rows, Pre) && layer->channels == \at(layer->channels, Pre);
  //@ assert layer->offsets == \at(layer->offsets, Pre) && layer->spread == \at(layer->spread, Pre) && layer->limit == \at(layer->limit, Pre);
  //@ assert layer->weight_range.lower == \at(layer->weight_range.lower, Pre) && layer->weight_range.upper == \at(layer->weight_range.upper, Pre);
  //@ assert layer->worst_row == \at(layer->worst_row, Pre) && layer->worst_node == \at(layer->worst_node, Pre);
  //@ assert same_rest{Pre, Here}(layer);
  //@ assert same_layer{Pre, Here}(layer);
  //@ assert is_layer(layer);
  //@ assert has_stages(layer);
  //@ assert has_limits(stage, s) && has_claims(stage, s) && 1 <= stage->nodes;
  //@ assert worst->margin == \at(worst->margin, Pre) && worst->row == \at(worst->row, Pre) && worst->node == \at(worst->node, Pre);
  //@ assert finding->nodes_checked == \at(finding->nodes_checked, Pre);
  //@ assert is_worst(*worst, row, s, \at(layer->stages, Pre));
  //@ assert \forall integer i; 0 <= i < stage->nodes ==> lower[i] == range_end(0, row, s, i);
  //@ assert \forall integer i; 0 <= i < stage->nodes ==> upper[i] == range_end(1, row, s, i);
  //@ assert \forall integer i; 0 <= i < stage->nodes ==> -9223372036854775807 <= lower[i] <= upper[i] <= 9223372036854775807;
  //@ assert is_below(memory.final_lower, memory.final_upper, row, s + 1, 0);
  //@ assert \forall integer i; 0 <= i < nodes ==> \separated(&memory.final_lower[i], worst) && \separated(&memory.final_lower[i], finding);
  //@ assert \forall integer i; 0 <= i < nodes ==> \separated(&memory.final_upper[i], worst) && \separated(&memory.final_upper[i], finding);
  //@ ghost computed:;
  const int agrees = compare_stage(stage, row, s, lower, upper, worst, finding) /*@ ghost (layer->stages) */;
  //@ assert \forall integer i; 0 <= i < nodes ==> memory.final_lower[i] == \at(memory.final_lower[i], computed);
  //@ assert \forall integer i; 0 <= i < nodes ==> memory.final_upper[i] == \at(memory.final_upper[i], computed);
  //@ assert layer->cols == \at(layer->cols, computed) && layer->stages == \at(layer->stages, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].width == \at(layer->stage[i].width, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].group == \at(layer->stage[i].group, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].stride == \at(layer->stage[i].stride, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].full == \at(layer->stage[i].full, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].from_constant == \at(layer->stage[i].from_constant, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].final_value == \at(layer->stage[i].final_value, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].nodes == \at(layer->stage[i].nodes, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].wide == \at(layer->stage[i].wide, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].lower == \at(layer->stage[i].lower, computed);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].upper == \at(layer->stage[i].upper, computed);
  //@ assert layer->rows == \at(layer->rows, computed);
  //@ assert layer->channels == \at(layer->channels, computed);
  //@ assert layer->offsets == \at(layer->offsets, computed);
  //@ assert layer->spread == \at(layer->spread, computed);
  //@ assert layer->limit == \at(layer->limit, computed);
  //@ assert layer->weight_range.lower == \at(layer->weight_range.lower, computed);
  //@ assert layer->weight_range.upper == \at(layer->weight_range.upper, computed);
  //@ assert layer->worst_row == \at(layer->worst_row, computed);
  //@ assert layer->worst_node == \at(layer->worst_node, computed);
  //@ assert layer->worst_stage == \at(layer->worst_stage, computed) && layer->worst_upper == \at(layer->worst_upper, computed) && layer->verdict == \at(layer->verdict, computed);
  //@ assert layer->box_lower == \at(layer->box_lower, computed) && layer->box_upper == \at(layer->box_upper, computed) && layer->offset == \at(layer->offset, computed);
  //@ assert layer->witness == \at(layer->witness, computed) && layer->weights == \at(layer->weights, computed) && layer->bias == \at(layer->bias, computed);
  //@ assert same_rest{computed, Here}(layer);
  //@ assert same_layer{computed, Here}(layer);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> deals(layer->stage[i].group, layer->stage[i].stride, i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> is_stage_of(&layer->stage[i], i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> has_limits(&layer->stage[i], i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> has_claims(&layer->stage[i], i);
  //@ assert is_layer(layer);
  //@ assert has_stages(layer);
  return agrees;
}

/* All registers of one row. 0 when a weight or a claim is wrong. */
/*@ requires has_stages(layer) && 0 <= row < layer->rows && layer->rows == rows <= 2147483648;
    requires is_row(layer->weights + row_start(row), row) && is_inputs(in, row) && inputs_within(row);
    requires has_constants(layer, row, row);
    requires memory_for(memory, registers(0, 0)) && apart(layer, memory, registers(0, 0));
    requires \valid(worst) && \valid(finding) && \separated(layer, worst) && \separated(layer, finding);
    requires written_apart(worst, finding, memory, registers(0, 0));
    requires is_worst(*worst, row, 0, layer->stages) && 0 <= finding->nodes_checked <= 268435456 * row;
    assigns *worst, *finding, memory.final_lower[0 .. registers(0, 0) - 1], memory.final_upper[0 .. registers(0, 0) - 1],
      memory.partial_lower[0 .. registers(0, 0) - 1], memory.partial_upper[0 .. registers(0, 0) - 1];
    ensures layer->stages == \old(layer->stages);
    ensures \result == 1 ==> has_stages(layer) && same_rest{Pre, Here}(layer);
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> row_right(row, layer->stages) && is_worst(*worst, row + 1, 0, layer->stages) && worst->row >= 0;
    ensures \result == 1 ==> finding->reason == \old(finding->reason) && 0 <= finding->nodes_checked <= 268435456 * (row + 1);
    ensures \result == 1 ==> \forall integer k; 0 <= k < values(0) ==>
      \old(layer->weight_range.lower) <= weight(row, k) <= \old(layer->weight_range.upper);
    ensures \result == 0 ==> finding->row == row;
    ensures \result == 0 ==> finding->reason == AXC_WEIGHT || finding->reason == AXC_LOWER || finding->reason == AXC_UPPER;
    ensures \result == 0 && finding->reason == AXC_WEIGHT ==> \exists integer k; 0 <= k < values(0) &&
      !(\old(layer->weight_range.lower) <= weight(row, k) <= \old(layer->weight_range.upper));
    ensures \result == 0 && finding->reason != AXC_WEIGHT ==>
      0 <= finding->stage < layer->stages && 0 <= finding->node < registers(finding->stage, 0);
    ensures \result == 0 && finding->reason == AXC_LOWER ==>
      claim(0, row, finding->stage, finding->node) != range_end(0, row, finding->stage, finding->node);
    ensures \result == 0 && finding->reason == AXC_UPPER ==>
      claim(1, row, finding->stage, finding->node) != range_end(1, row, finding->stage, finding->node); */
static int prove_row(const axc_layer* layer, int64_t row, inputs in, ranges memory, worst_register* worst,
                     axc_finding* finding) {
  /*@ ghost product_bounded(layer->cols, row);
            row_start_is(row, layer->cols); */
  const signed char* w = layer->weights + row * layer->cols;
  const axc_range range = layer->weight_range;
  if (!weights_within(w, layer->cols, range) /*@ ghost (row) */) {
    int64_t k = 0;
    //@ assert \exists integer i; 0 <= i < values(0) && !(range.lower <= weight(row, i) <= range.upper);
    /*@ loop invariant 0 <= k < layer->cols;
        loop assigns k;
        loop variant layer->cols - k; */
    while (k < layer->cols - 1 && w[k] >= range.lower && w[k] <= range.upper) ++k;
    find(finding, AXC_WEIGHT, (const unsigned char*)w + k, row, -1, -1);
    return 0;
  }
  //@ assert \forall integer k; 0 <= k < values(0) ==> range.lower <= weight(row, k) <= range.upper;
  const int64_t ahead = row == layer->rows - 1 ? 0 : layer->cols;
  const axc_range constant = constant_of(layer, w, row) /*@ ghost (row) */;
  /*@ ghost products_within(row);
            sizes_of_products(0, layer->cols);
            seal(row, 0); */
  /*@ loop invariant 0 <= s <= layer->stages && (s < layer->stages ==> sealed(row, s) && registers(s, 0) <= registers(0, 0));
      loop invariant s > 0 ==> values(s) <= registers(0, 0) && is_below(memory.final_lower, memory.final_upper, row, s, 0);
      loop invariant has_stages(layer) && layer->stages == \at(layer->stages, Pre) && same_rest{Pre, Here}(layer);
      loop invariant is_worst(*worst, row, s, layer->stages) && (s > 0 ==> worst->row >= 0);
      loop invariant row_right(row, s) && finding->reason == \at(finding->reason, Pre);
      loop invariant 0 <= finding->nodes_checked <= 268435456 * row + 16777216 * s;
      loop assigns s, *worst, *finding, memory.final_lower[0 .. registers(0, 0) - 1], memory.final_upper[0 .. registers(0, 0) - 1],
        memory.partial_lower[0 .. registers(0, 0) - 1], memory.partial_upper[0 .. registers(0, 0) - 1];
      loop variant layer->stages - s; */
  for (int s = 0; s < layer->stages; ++s) {
    //@ assert values(s + 1) == registers(s, 0);
    //@ assert layer->stage[s].nodes == registers(s, 0) && has_claims(&layer->stage[s], s);
    //@ assert 0 <= registers(s, 0) <= 16777216;
    if (!prove_stage(layer, row, s, w, ahead, in, constant, memory, worst, finding)
        /*@ ghost (layer->stage[0].nodes) */)
      return 0;
  }
  //@ assert \forall integer r, t, n; seen(r, t, n, row + 1, 0, layer->stages) ==> seen(r, t, n, row, layer->stages, layer->stages);
  //@ assert seen(worst->row, worst->stage, worst->node, row + 1, 0, layer->stages);
  //@ assert is_worst(*worst, row + 1, 0, layer->stages);
  //@ assert row_right(row, layer->stages);
  return 1;
}

/* ---- all rows ---- */

/*@ predicate is_witness{L}(unsigned char* x) = \valid_read(x + (0 .. 4 * values(0) - 1)) &&
      \forall integer k; 0 <= k < values(0) ==> entry32(x, k) == witness(k);
    predicate has_box(axc_layer* t, integer r) = t->limit == input_limit(r) &&
      (t->channels == 1 ==> box_for_all(t->box_lower, t->box_upper, r)) && (t->channels != 1 ==> box_each(t->box_lower, t->box_upper, r));
    // The layer in memory is the one that meaning.h speaks about, and keeps the format's limits.
    predicate is_described{L}(axc_layer* t) = has_stages(t) && t->rows == rows && 1 <= rows <= 2147483648 && is_witness(t->witness) &&
      (\forall integer r; 0 <= r < rows ==> is_row(t->weights + row_start(r), r) && has_constants(t, r, r)) &&
      (\forall integer r; 0 <= r < rows ==> has_box(t, r) && inputs_within(r)) &&
      0 <= t->worst_row < rows && 0 <= t->worst_stage < t->stages && 0 <= t->worst_node < registers(t->worst_stage, 0) &&
      (t->worst_upper == 0 || t->worst_upper == 1) && (t->verdict == AXC_SAFE || t->verdict == AXC_UNSAFE);
    predicate all_right(integer stages) = \forall integer r; 0 <= r < rows ==> row_right(r, stages);
    predicate all_fit(integer stages) =
      \forall integer r, s, n; 0 <= r < rows && 0 <= s < stages && 0 <= n < registers(s, 0) ==> fits(r, s, n);
    predicate all_within(axc_range w) =
      \forall integer r, k; 0 <= r < rows && 0 <= k < values(0) ==> w.lower <= weight(r, k) <= w.upper; */

/* Nothing is found yet. */
/*@ requires \valid(worst) && \valid(finding) && \separated(worst, finding);
    assigns *worst, *finding;
    ensures finding->reason == AXC_PROVED && finding->nodes_checked == 0 && worst->row == -1; */
static void find_nothing(worst_register* worst, axc_finding* finding) {
  const axc_range nothing = {0, 0};
  find(finding, AXC_PROVED, NULL, -1, -1, -1);
  finding->claimed = finding->recomputed = finding->limits = nothing;
  finding->nodes_checked = 0;
  //@ assert \separated(&finding->nodes_checked, worst) && finding->nodes_checked == 0;
  worst->margin = 0;
  worst->row = -1;
  worst->stage = 0;
  worst->node = 0;
  worst->upper = 0;
  //@ assert worst->row == -1;
  //@ assert finding->nodes_checked == 0;
}

/* Every register of every row. 0 when a weight or a claim is wrong. */
/*@ requires is_described(layer) && \valid(worst) && \valid(finding) && \separated(layer, worst) && \separated(layer, finding);
    requires in.lower == layer->box_lower && in.upper == layer->box_upper && in.channels == layer->channels && in.limit == layer->limit;
    requires memory_for(memory, registers(0, 0)) && apart(layer, memory, registers(0, 0));
    requires written_apart(worst, finding, memory, registers(0, 0));
    assigns *worst, *finding, memory.final_lower[0 .. registers(0, 0) - 1], memory.final_upper[0 .. registers(0, 0) - 1],
      memory.partial_lower[0 .. registers(0, 0) - 1], memory.partial_upper[0 .. registers(0, 0) - 1];
    ensures \result == 0 || \result == 1;
    ensures \result == 1 ==> is_described(layer) && same_rest{Pre, Here}(layer) && layer->stages == \old(layer->stages);
    ensures \result == 1 ==> is_worst(*worst, rows, 0, \old(layer->stages)) && worst->row >= 0 && finding->reason == AXC_PROVED;
    ensures \result == 1 ==> \old(all_right(layer->stages) && all_within(layer->weight_range));
    ensures \result == 0 ==> finding->reason == AXC_WEIGHT || finding->reason == AXC_LOWER || finding->reason == AXC_UPPER;
    ensures \result == 0 && finding->reason == AXC_WEIGHT ==> \old(!all_within(layer->weight_range));
    ensures \result == 0 && finding->reason != AXC_WEIGHT ==> \old(!all_right(layer->stages)); */
static int prove_rows(const axc_layer* layer, inputs in, ranges memory, worst_register* worst, axc_finding* finding) {
  //@ assert has_stages(layer) && is_layer(layer) && geometry(0);
  //@ assert \forall integer r; 0 <= r < rows ==> has_box(layer, r) && inputs_within(r);
  //@ assert \forall integer r; 0 <= r < rows ==> is_inputs(in, r);
  find_nothing(worst, finding);
  //@ assert layer->rows == \at(layer->rows, Pre);
  //@ assert layer->cols == \at(layer->cols, Pre);
  //@ assert layer->channels == \at(layer->channels, Pre);
  //@ assert layer->offsets == \at(layer->offsets, Pre);
  //@ assert layer->weight_range.lower == \at(layer->weight_range.lower, Pre);
  //@ assert layer->weight_range.upper == \at(layer->weight_range.upper, Pre);
  //@ assert layer->spread == \at(layer->spread, Pre);
  //@ assert layer->limit == \at(layer->limit, Pre);
  //@ assert layer->worst_row == \at(layer->worst_row, Pre);
  //@ assert layer->worst_node == \at(layer->worst_node, Pre);
  //@ assert layer->stages == \at(layer->stages, Pre);
  //@ assert layer->worst_stage == \at(layer->worst_stage, Pre) && layer->worst_upper == \at(layer->worst_upper, Pre) && layer->verdict == \at(layer->verdict, Pre);
  //@ assert layer->box_lower == \at(layer->box_lower, Pre) && layer->box_upper == \at(layer->box_upper, Pre) && layer->offset == \at(layer->offset, Pre);
  //@ assert layer->witness == \at(layer->witness, Pre) && layer->weights == \at(layer->weights, Pre) && layer->bias == \at(layer->bias, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].width == \at(layer->stage[i].width, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].group == \at(layer->stage[i].group, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].stride == \at(layer->stage[i].stride, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].full == \at(layer->stage[i].full, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].from_constant == \at(layer->stage[i].from_constant, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].final_value == \at(layer->stage[i].final_value, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].nodes == \at(layer->stage[i].nodes, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].wide == \at(layer->stage[i].wide, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].lower == \at(layer->stage[i].lower, Pre);
  //@ assert \forall integer i; 0 <= i < 16 ==> layer->stage[i].upper == \at(layer->stage[i].upper, Pre);
  //@ assert same_layer{Pre, Here}(layer);
  //@ assert same_rest{Pre, Here}(layer);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> deals(layer->stage[i].group, layer->stage[i].stride, i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> is_stage_of(&layer->stage[i], i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> has_limits(&layer->stage[i], i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> has_claims(&layer->stage[i], i);
  //@ assert is_layer(layer);
  //@ assert has_stages(layer);
  //@ assert \forall integer r; 0 <= r < rows ==> is_row(layer->weights + row_start(r), r);
  //@ assert \forall integer r; 0 <= r < rows ==> has_constants(layer, r, r);
  /*@ loop invariant 0 <= row <= layer->rows && finding->reason == AXC_PROVED;
      loop invariant has_stages(layer) && same_rest{Pre, Here}(layer) && layer->stages == \at(layer->stages, Pre);
      loop invariant \forall integer r; 0 <= r < rows ==> is_row(layer->weights + row_start(r), r);
      loop invariant \forall integer r; 0 <= r < rows ==> has_constants(layer, r, r);
      loop invariant 0 <= finding->nodes_checked <= 268435456 * row;
      loop invariant is_worst(*worst, row, 0, \at(layer->stages, Pre)) && (row > 0 ==> worst->row >= 0);
      loop invariant \forall integer r; 0 <= r < row ==> row_right(r, \at(layer->stages, Pre));
      loop invariant \forall integer r, k; 0 <= r < row && 0 <= k < values(0) ==>
        \at(layer->weight_range.lower, Pre) <= weight(r, k) <= \at(layer->weight_range.upper, Pre);
      loop assigns row, *worst, *finding, memory.final_lower[0 .. registers(0, 0) - 1], memory.final_upper[0 .. registers(0, 0) - 1],
        memory.partial_lower[0 .. registers(0, 0) - 1], memory.partial_upper[0 .. registers(0, 0) - 1];
      loop variant layer->rows - row; */
  for (int64_t row = 0; row < layer->rows; ++row) {
    //@ assert is_inputs(in, row);
    if (!prove_row(layer, row, in, memory, worst, finding)) {
      /*@ assert finding->reason == AXC_WEIGHT ==> \exists integer k; 0 <= k < values(0) &&
            !(\at(layer->weight_range.lower, Pre) <= weight(row, k) <= \at(layer->weight_range.upper, Pre)); */
      //@ assert finding->reason != AXC_WEIGHT ==> !right(row, finding->stage, finding->node);
      //@ assert finding->reason != AXC_WEIGHT ==> !row_right(row, \at(layer->stages, Pre));
      //@ assert finding->reason != AXC_WEIGHT ==> \at(!all_right(layer->stages), Pre);
      return 0;
    }
    //@ assert layer->spread == \at(layer->spread, Pre) && layer->bias == \at(layer->bias, Pre);
    //@ assert layer->offsets == \at(layer->offsets, Pre) && layer->offset == \at(layer->offset, Pre);
    //@ assert \forall integer r; 0 <= r < rows ==> has_constants(layer, r, r);
  }
  //@ assert \forall integer r; 0 <= r < rows ==> has_box(layer, r) && inputs_within(r);
  //@ assert is_witness(layer->witness);
  //@ assert is_described(layer);
  return 1;
}

/* ---- the witness ---- */

/* The first input that the witness takes outside the box; cols when there is none. */
/*@ requires is_inputs(in, row) && is_witness(witness) && cols == values(0) && 1 <= cols <= 16777216;
    assigns \nothing;
    ensures 0 <= \result <= cols;
    ensures \result < cols ==> !(least_input(row, \result) <= witness(\result) <= greatest_input(row, \result));
    ensures \result == cols ==> \forall integer k; 0 <= k < cols ==> least_input(row, k) <= witness(k) <= greatest_input(row, k); */
static int64_t first_input_outside(inputs in, const unsigned char* witness, int64_t cols) /*@ ghost (int64_t row) */ {
  /*@ loop invariant 0 <= k <= cols;
      loop invariant \forall integer i; 0 <= i < k ==> least_input(row, i) <= witness(i) <= greatest_input(row, i);
      loop assigns k;
      loop variant cols - k; */
  for (int64_t k = 0; k < cols; ++k) {
    const int64_t channel = in.channels == 1 ? 0 : k;
    const int64_t x = axc_entry32(witness, k);
    if (x < axc_entry32(in.lower, channel) || x > axc_entry32(in.upper, channel)) return k;
  }
  return cols;
}

/* The first input at which the magnitudes of a register's inputs exceed the limit; cols when there is none. */
/*@ requires is_witness(witness) && geometry(0) && values == values(0) && block == block(0) && stride == stride(0);
    requires \forall integer k; 0 <= k < values ==> -16777216 <= witness(k) <= 16777216;
    requires 1 <= limit <= 281474976710656;
    assigns \nothing;
    ensures 0 <= \result <= values;
    ensures \result < values ==> \exists integer n; 0 <= n < registers(0, 0) && magnitudes(stride, first(0, n), end(0, n)) > limit;
    ensures \result == values ==> \forall integer n; 0 <= n < registers(0, 0) ==> magnitudes(stride, first(0, n), end(0, n)) <= limit; */
static int64_t first_input_beyond_limit(const unsigned char* witness, int64_t limit, int64_t values, int64_t block,
                                        int64_t stride) {
  axc_register t = first_register(values, block) /*@ ghost (0) */;
  /*@ loop invariant is_register(t, 0) && 0 <= t.node <= registers(0, 0);
      loop invariant t.first >= values ==> t.node == registers(0, 0);
      loop invariant \forall integer n; 0 <= n < t.node ==> magnitudes(stride, first(0, n), end(0, n)) <= limit;
      loop assigns t;
      loop variant registers(0, 0) - t.node; */
  while (t.first < values) {
    int64_t sum = 0;
    /*@ loop invariant t.first <= k <= t.end + stride && 0 <= sum <= limit;
        loop invariant sum + magnitudes(stride, k, t.end) == magnitudes(stride, t.first, t.end);
        loop assigns k, sum;
        loop variant t.end - k; */
    for (int64_t k = t.first; k < t.end; k += stride) {
      const int64_t x = axc_entry32(witness, k);
      //@ ghost magnitudes_positive(stride, k + stride, t.end);
      sum += x < 0 ? -x : x;
      if (sum > limit) return k;
    }
    t = next_register(t, values, block, stride) /*@ ghost (0) */;
  }
  return values;
}

/*@ predicate apart_from(axc_finding* f, ranges out, integer n) =
      \separated(f, out.final_lower + (0 .. n - 1)) && \separated(f, out.final_upper + (0 .. n - 1)) &&
      \separated(f, out.partial_lower + (0 .. n - 1)) && \separated(f, out.partial_upper + (0 .. n - 1));
    predicate witness_in_box(integer row) = \forall integer k; 0 <= k < values(0) ==> least_input(row, k) <= witness(k) <= greatest_input(row, k);
    predicate witness_in_limit(integer row) = input_limit(row) > 0 ==>
      \forall integer n; 0 <= n < registers(0, 0) ==> magnitudes(stride(0), first(0, n), end(0, n)) <= input_limit(row); */

/* The end of a register that is claimed: of its complete sum, or of all its partial sums. */
/*@ requires memory_for(memory, nodes) && 0 <= node < registers(s, 0) <= nodes && holds(memory, r, s, registers(s, 0));
    requires whole == final_value(s) && (upper == 0 || upper == 1);
    assigns \nothing;
    ensures \result == range_end(upper, r, s, node); */
static int64_t end_held(ranges memory, int whole, int upper, int64_t node)
/*@ ghost (int64_t r, int64_t s, int64_t nodes) */
{
  const int64_t* final = upper ? memory.final_upper : memory.final_lower;
  const int64_t* partial = upper ? memory.partial_upper : memory.partial_lower;
  //@ assert final[node] == reached(upper, r, s, node);
  //@ assert upper == 0 ==> partial[node] == reached(2, r, s, node);
  //@ assert upper == 1 ==> partial[node] == reached(3, r, s, node);
  //@ assert whole != 0 ==> final[node] == range_end(upper, r, s, node);
  //@ assert whole == 0 && upper == 0 ==> partial[node] == range_end(0, r, s, node);
  //@ assert whole == 0 && upper == 1 ==> partial[node] == range_end(1, r, s, node);
  return (whole ? final : partial)[node];
}

/* The worst register's end when every input's box is the witness alone: what these inputs really reach, with the zero point
 * (0 or spread above the least) that is worse for that end. */
/*@ requires is_described(layer) && witness_in_box(layer->worst_row);
    requires memory_for(memory, registers(0, 0)) && apart(layer, memory, registers(0, 0));
    assigns memory.final_lower[0 .. registers(0, 0) - 1], memory.final_upper[0 .. registers(0, 0) - 1],
      memory.partial_lower[0 .. registers(0, 0) - 1], memory.partial_upper[0 .. registers(0, 0) - 1];
    ensures \result == \old(range_end(layer->worst_upper, -1 - layer->worst_row, layer->worst_stage, layer->worst_node)); */
static int64_t end_on_witness(const axc_layer* layer, ranges memory) {
  const int64_t row = layer->worst_row, node = layer->worst_node;
  /*@ ghost product_bounded(layer->cols, row);
            row_start_is(row, layer->cols); */
  const signed char* w = layer->weights + row * layer->cols;
  //@ assert 0 <= node < registers(layer->worst_stage, 0) && (layer->worst_upper == 0 || layer->worst_upper == 1);
  //@ assert layer->stage[layer->worst_stage].final_value == final_value(layer->worst_stage);
  //@ assert is_row(w, row) && is_row(w, -1 - row);
  //@ assert has_constants(layer, row, -1 - row);
  const axc_range constant = constant_of(layer, w, row) /*@ ghost (-1 - row) */;
  const inputs pinned = {layer->witness, layer->witness, layer->cols, 0};
  //@ ghost pinned_within(row);
  //@ assert is_inputs(pinned, -1 - row);
  /*@ ghost products_within(-1 - row);
            sizes_of_products(0, layer->cols); */
  //@ assert within(-1 - row, 0);
  //@ ghost int64_t nodes = layer->stage[0].nodes;
  //@ assert nodes == registers(0, 0);
  /*@ loop invariant 0 <= s <= layer->worst_stage + 1 && is_layer(layer);
      loop invariant s <= layer->worst_stage ==> within(-1 - row, s);
      loop invariant s > 0 ==> registers(s - 1, 0) <= registers(0, 0) && values(s) == registers(s - 1, 0);
      loop invariant s > 0 ==> is_below(memory.final_lower, memory.final_upper, -1 - row, s, 0);
      loop invariant s > 0 ==> holds(memory, -1 - row, s - 1, registers(s - 1, 0));
      loop assigns s, memory.final_lower[0 .. registers(0, 0) - 1], memory.final_upper[0 .. registers(0, 0) - 1],
        memory.partial_lower[0 .. registers(0, 0) - 1], memory.partial_upper[0 .. registers(0, 0) - 1];
      loop variant layer->worst_stage - s; */
  for (int s = 0; s <= layer->worst_stage; ++s) {
    compute_stage(layer, s, w, 0, pinned, constant, memory) /*@ ghost (-1 - row, nodes) */;
  }
  //@ assert registers(layer->worst_stage, 0) <= nodes;
  //@ assert holds(memory, -1 - row, layer->worst_stage, registers(layer->worst_stage, 0));
  return end_held(memory, layer->stage[layer->worst_stage].final_value, layer->worst_upper, node)
      /*@ ghost (-1 - row, layer->worst_stage, nodes) */;
}

/*@ requires is_described(layer) && \valid(finding) && \separated(layer, finding) && finding->reason == AXC_PROVED;
    requires \valid_read(layer->witness + (0 .. 4 * values(0) - 1));
    requires memory_for(memory, registers(0, 0)) && apart(layer, memory, registers(0, 0)) && apart_from(finding, memory, registers(0, 0));
    requires in.lower == layer->box_lower && in.upper == layer->box_upper && in.channels == layer->channels && in.limit == layer->limit;
    assigns *finding, memory.final_lower[0 .. registers(0, 0) - 1], memory.final_upper[0 .. registers(0, 0) - 1],
      memory.partial_lower[0 .. registers(0, 0) - 1], memory.partial_upper[0 .. registers(0, 0) - 1];
    ensures finding->reason == AXC_WITNESS_BOX ==> \old(!witness_in_box(layer->worst_row) || !witness_in_limit(layer->worst_row));
    ensures finding->reason != AXC_WITNESS_BOX ==> \old(witness_in_box(layer->worst_row) && witness_in_limit(layer->worst_row));
    ensures finding->reason == AXC_WITNESS_VALUE ==>
      \old(range_end(layer->worst_upper, -1 - layer->worst_row, layer->worst_stage, layer->worst_node) !=
            claim(layer->worst_upper, layer->worst_row, layer->worst_stage, layer->worst_node));
    ensures finding->reason == AXC_PROVED || finding->reason == AXC_OVERFLOW ==>
      \old(range_end(layer->worst_upper, -1 - layer->worst_row, layer->worst_stage, layer->worst_node) ==
            claim(layer->worst_upper, layer->worst_row, layer->worst_stage, layer->worst_node));
    ensures finding->reason == AXC_PROVED ==> \old(layer->verdict) == AXC_SAFE;
    ensures finding->reason == AXC_OVERFLOW ==> \old(layer->verdict) == AXC_UNSAFE;
    ensures finding->reason == AXC_PROVED || finding->reason == AXC_OVERFLOW || finding->reason == AXC_WITNESS_BOX ||
      finding->reason == AXC_WITNESS_VALUE; */
static void judge_witness(const axc_layer* layer, inputs in, ranges memory, axc_finding* finding) {
  const int s = layer->worst_stage;
  const int64_t row = layer->worst_row;
  const axc_stage* stage = &layer->stage[s];
  int64_t outside = first_input_outside(in, layer->witness, layer->cols) /*@ ghost (row) */;
  if (outside == layer->cols && in.limit > 0) {
    const int64_t block = block_of(&layer->stage[0], layer->cols) /*@ ghost (0) */;
    outside = first_input_beyond_limit(layer->witness, in.limit, layer->cols, block, layer->stage[0].stride);
  }
  if (outside < layer->cols) {
    find(finding, AXC_WITNESS_BOX, layer->witness + 4 * outside, row, s, layer->worst_node);
    return;
  }
  const axc_range range = claimed_range(stage, row, layer->worst_node) /*@ ghost (s) */;
  const int64_t end = layer->worst_upper ? range.upper : range.lower;
  const axc_range limits = limits_of(stage) /*@ ghost (s) */;
  const unsigned char* place = place_of_end(stage, row, layer->worst_node, layer->worst_upper) /*@ ghost (s) */;
  const int64_t reached = end_on_witness(layer, memory);
  finding->claimed = finding->recomputed = range;
  finding->limits = limits;
  if (reached != end) {
    find(finding, AXC_WITNESS_VALUE, layer->witness, row, s, layer->worst_node);
    if (layer->worst_upper)
      finding->recomputed.upper = reached;
    else
      finding->recomputed.lower = reached;
  } else if (layer->verdict == AXC_UNSAFE) {
    find(finding, AXC_OVERFLOW, place, row, s, layer->worst_node);
  }
}

/*@ // The worst register: the first of those with the least margin, at the end that has it.
    predicate is_first_worst(integer row, integer stage, integer node, integer upper, integer stages) =
      (\forall integer r, s, n; seen(r, s, n, rows, 0, stages) ==> margin(row, stage, node) <= margin(r, s, n)) &&
      (\forall integer r, s, n; seen(r, s, n, rows, 0, stages) && earlier(r, s, n, row, stage, node) ==>
        margin(row, stage, node) < margin(r, s, n)) &&
      (upper == 1 <==> room_above(row, stage, node) <= room_below(row, stage, node));
    predicate worst_right(axc_layer* t) = is_first_worst(t->worst_row, t->worst_stage, t->worst_node, t->worst_upper, t->stages);
    predicate is_reached(integer row, integer stage, integer node, integer upper) =
      range_end(upper, -1 - row, stage, node) == claim(upper, row, stage, node);
    predicate witness_right(axc_layer* t) = is_reached(t->worst_row, t->worst_stage, t->worst_node, t->worst_upper); */

// A register fits exactly if its margin is not negative: all do if the least margin is not.
/*@ ghost
  /@ terminates \true;
     assigns \nothing;
     ensures \forall integer r, s, n; fits(r, s, n) <==> margin(r, s, n) >= 0; @/
  void fits_by_margin(void) {}
*/

/*@ ghost
  /@ requires is_worst(w, rows, 0, stages) && w.row >= 0;
     terminates \true;
     assigns \nothing;
     ensures w.margin >= 0 <==> all_fit(stages);
     ensures w.margin < 0 ==> !fits(w.row, w.stage, w.node); @/
  void least_margin_decides(worst_register w, int64_t stages) {
    fits_by_margin();
    /@ assert seen(w.row, w.stage, w.node, rows, 0, stages) && w.margin == margin(w.row, w.stage, w.node); @/
    /@ assert \forall integer r, s, n; 0 <= r < rows && 0 <= s < stages && 0 <= n < registers(s, 0) ==> seen(r, s, n, rows, 0, stages); @/
    ;
  }
*/

// There is one worst register: of two, neither comes before the other.
/*@ ghost
  /@ requires is_worst(w, rows, 0, stages) && w.row >= 0 && seen(row, stage, node, rows, 0, stages) && (upper == 0 || upper == 1);
     terminates \true;
     assigns \nothing;
     ensures is_first_worst(row, stage, node, upper, stages) <==> row == w.row && stage == w.stage && node == w.node && upper == w.upper; @/
  void one_worst(worst_register w, int64_t row, int64_t stage, int64_t node, int64_t upper, int64_t stages) {
    /@ assert seen(w.row, w.stage, w.node, rows, 0, stages) && is_margin(w); @/
    /@ assert is_first_worst(w.row, w.stage, w.node, w.upper, stages); @/
    /@ assert is_first_worst(row, stage, node, upper, stages) ==> margin(row, stage, node) == w.margin; @/
    /@ assert is_first_worst(row, stage, node, upper, stages) ==> !earlier(row, stage, node, w.row, w.stage, w.node); @/
    /@ assert is_first_worst(row, stage, node, upper, stages) ==> !earlier(w.row, w.stage, w.node, row, stage, node); @/
    /@ assert is_first_worst(row, stage, node, upper, stages) ==> row == w.row && stage == w.stage && node == w.node; @/
    ;
  }
*/

/* What is left to judge when every claim of every row is right: the verdict, the worst register, its witness. */
/*@ requires is_described(layer) && \valid(finding) && \separated(layer, finding) && finding->reason == AXC_PROVED;
    requires memory_for(memory, registers(0, 0)) && apart(layer, memory, registers(0, 0)) && apart_from(finding, memory, registers(0, 0));
    requires in.lower == layer->box_lower && in.upper == layer->box_upper && in.channels == layer->channels && in.limit == layer->limit;
    requires is_worst(worst, rows, 0, layer->stages) && worst.row >= 0;
    assigns *finding, memory.final_lower[0 .. registers(0, 0) - 1], memory.final_upper[0 .. registers(0, 0) - 1],
      memory.partial_lower[0 .. registers(0, 0) - 1], memory.partial_upper[0 .. registers(0, 0) - 1];
    ensures finding->reason == AXC_PROVED ==> \old(layer->verdict == AXC_SAFE && all_fit(layer->stages));
    ensures finding->reason == AXC_OVERFLOW ==>
      \old(layer->verdict == AXC_UNSAFE && !fits(layer->worst_row, layer->worst_stage, layer->worst_node));
    ensures finding->reason == AXC_PROVED || finding->reason == AXC_OVERFLOW ==> \old(worst_right(layer) && witness_right(layer) &&
      witness_in_box(layer->worst_row) && witness_in_limit(layer->worst_row));
    ensures finding->reason == AXC_VERDICT ==> \old(!(layer->verdict == AXC_SAFE <==> all_fit(layer->stages)));
    ensures finding->reason == AXC_WORST ==> \old(!worst_right(layer));
    ensures finding->reason == AXC_WITNESS_BOX ==> \old(!witness_in_box(layer->worst_row) || !witness_in_limit(layer->worst_row));
    ensures finding->reason == AXC_WITNESS_VALUE ==> \old(!witness_right(layer));
    ensures finding->reason == AXC_PROVED || finding->reason == AXC_OVERFLOW || finding->reason == AXC_VERDICT ||
      finding->reason == AXC_WORST || finding->reason == AXC_WITNESS_BOX || finding->reason == AXC_WITNESS_VALUE; */
static void judge_layer(const axc_layer* layer, inputs in, ranges memory, worst_register worst, axc_finding* finding) {
  /*@ ghost least_margin_decides(worst, layer->stages);
            one_worst(worst, layer->worst_row, layer->worst_stage, layer->worst_node, layer->worst_upper, layer->stages); */
  if ((worst.margin >= 0 ? AXC_SAFE : AXC_UNSAFE) != layer->verdict) {
    find(finding, AXC_VERDICT, NULL, worst.row, worst.stage, worst.node);
  } else if (worst.row != layer->worst_row || worst.stage != layer->worst_stage || worst.node != layer->worst_node ||
             worst.upper != layer->worst_upper) {
    find(finding, AXC_WORST, NULL, worst.row, worst.stage, worst.node);
  } else {
    judge_witness(layer, in, memory, finding);
  }
}

/* ---- the layer ---- */

// The caller's scratch as four arrays of n.
/*@ ghost
  /@ requires n >= 1 && \valid(scratch + (0 .. 4 * n - 1)) && \separated(layer, scratch + (0 .. 4 * n - 1)) &&
       \separated(finding, scratch + (0 .. 4 * n - 1)) && \separated(worst, scratch + (0 .. 4 * n - 1)) && \separated(worst, finding);
     requires out.final_lower == scratch && out.final_upper == scratch + n && out.partial_lower == scratch + 2 * n &&
       out.partial_upper == scratch + 3 * n;
     terminates \true;
     assigns \nothing;
     ensures memory_for(out, n);
     ensures apart(layer, out, n);
     ensures apart_from(finding, out, n);
     ensures written_apart(worst, finding, out, n); @/
  void slices(const axc_layer* layer, int64_t* scratch, worst_register* worst, axc_finding* finding, ranges out, int64_t n) {}
*/

/*@ requires is_described(layer) && \valid(finding) && \separated(layer, finding);
    requires \valid(scratch + (0 .. 4 * registers(0, 0) - 1)) && \separated(layer, scratch + (0 .. 4 * registers(0, 0) - 1)) &&
      \separated(finding, scratch + (0 .. 4 * registers(0, 0) - 1));
    assigns *finding, scratch[0 .. 4 * registers(0, 0) - 1];
    ensures finding->reason == AXC_PROVED ==> \old(layer->verdict == AXC_SAFE && all_right(layer->stages) && all_fit(layer->stages));
    ensures finding->reason == AXC_OVERFLOW ==> \old(layer->verdict == AXC_UNSAFE && all_right(layer->stages) &&
      !fits(layer->worst_row, layer->worst_stage, layer->worst_node));
    ensures finding->reason == AXC_PROVED || finding->reason == AXC_OVERFLOW ==> \old(all_within(layer->weight_range) &&
      worst_right(layer) && witness_right(layer) && witness_in_box(layer->worst_row) && witness_in_limit(layer->worst_row));
    ensures finding->reason == AXC_WEIGHT ==> \old(!all_within(layer->weight_range));
    ensures finding->reason == AXC_LOWER || finding->reason == AXC_UPPER ==> \old(!all_right(layer->stages));
    ensures finding->reason == AXC_VERDICT ==> \old(!(layer->verdict == AXC_SAFE <==> all_fit(layer->stages)));
    ensures finding->reason == AXC_WORST ==> \old(!worst_right(layer));
    ensures finding->reason == AXC_WITNESS_BOX ==> \old(!witness_in_box(layer->worst_row) || !witness_in_limit(layer->worst_row));
    ensures finding->reason == AXC_WITNESS_VALUE ==> \old(!witness_right(layer));
    ensures finding->reason == AXC_PROVED || finding->reason == AXC_OVERFLOW || finding->reason == AXC_WEIGHT ||
      finding->reason == AXC_LOWER || finding->reason == AXC_UPPER || finding->reason == AXC_VERDICT || finding->reason == AXC_WORST ||
      finding->reason == AXC_WITNESS_BOX || finding->reason == AXC_WITNESS_VALUE; */
void axc_prove_layer(const axc_layer* layer, int64_t* scratch, axc_finding* finding) {
  const int64_t n = layer->stage[0].nodes;
  const ranges memory = {scratch, scratch + n, scratch + 2 * n, scratch + 3 * n};
  const inputs in = {layer->box_lower, layer->box_upper, layer->channels, layer->limit};
  worst_register worst;
  //@ assert n == registers(0, 0) && 1 <= n <= 16777216;
  //@ ghost slices(layer, scratch, &worst, finding, memory, n);
  /* The layer is described still, now that `worst` is in memory. */
  //@ assert \forall integer i; 0 <= i < layer->stages ==> is_stage_of(&layer->stage[i], i);
  //@ assert \forall integer i; 0 <= i < layer->stages ==> has_limits(&layer->stage[i], i);
  /*@ assert \forall integer i, r; 0 <= i < layer->stages && 0 <= r < rows && layer->stage[i].wide != 0 ==>
        are_claims(layer->stage[i].lower + 8 * claims_start(i, r), layer->stage[i].wide, 0, r, i); */
  /*@ assert \forall integer i, r; 0 <= i < layer->stages && 0 <= r < rows && layer->stage[i].wide != 0 ==>
        are_claims(layer->stage[i].upper + 8 * claims_start(i, r), layer->stage[i].wide, 1, r, i); */
  /*@ assert \forall integer i, r; 0 <= i < layer->stages && 0 <= r < rows && layer->stage[i].wide == 0 ==>
        are_claims(layer->stage[i].lower + 4 * claims_start(i, r), layer->stage[i].wide, 0, r, i); */
  /*@ assert \forall integer i, r; 0 <= i < layer->stages && 0 <= r < rows && layer->stage[i].wide == 0 ==>
        are_claims(layer->stage[i].upper + 4 * claims_start(i, r), layer->stage[i].wide, 1, r, i); */
  //@ assert \forall integer i; 0 <= i < layer->stages ==> has_claims(&layer->stage[i], i);
  //@ assert is_layer(layer);
  //@ assert has_stages(layer);
  //@ assert \forall integer r; 0 <= r < rows ==> is_row(layer->weights + row_start(r), r);
  //@ assert \at(has_constants(layer, 0, 0), Pre);
  /*@ assert \forall integer r; 0 <= r < rows && layer->bias != \null ==> is_row(layer->weights + row_start(r), r) &&
        \valid_read(layer->bias + (8 * r .. 8 * r + 7)); */
  //@ assert layer->offsets == 1 ==> \valid_read(layer->offset + (0 .. 3));
  //@ assert layer->offsets > 1 ==> \valid_read(layer->offset + (0 .. 4 * values(0) - 1));
  //@ assert \forall integer r; 0 <= r < rows ==> is_row(layer->weights + row_start(r), r) && has_constants(layer, r, r);
  //@ assert \forall integer r; 0 <= r < rows ==> has_box(layer, r) && inputs_within(r);
  //@ assert is_witness(layer->witness);
  //@ assert is_described(layer);
  if (prove_rows(layer, in, memory, &worst, finding)) {
    //@ assert \at(all_right(layer->stages) && all_within(layer->weight_range), Pre);
    //@ assert same_rest{Pre, Here}(layer) && layer->stages == \at(layer->stages, Pre);
    //@ assert worst_right(layer) <==> \at(worst_right(layer), Pre);
    //@ assert layer->worst_row == \at(layer->worst_row, Pre) && layer->worst_node == \at(layer->worst_node, Pre);
    //@ assert layer->worst_stage == \at(layer->worst_stage, Pre) && layer->worst_upper == \at(layer->worst_upper, Pre);
    //@ assert witness_right(layer) <==> \at(witness_right(layer), Pre);
    //@ assert witness_in_box(layer->worst_row) <==> \at(witness_in_box(layer->worst_row), Pre);
    //@ assert witness_in_limit(layer->worst_row) <==> \at(witness_in_limit(layer->worst_row), Pre);
    //@ ghost proved:;
    judge_layer(layer, in, memory, worst, finding);
    //@ assert finding->reason == AXC_WITNESS_VALUE ==> \at(!witness_right(layer), proved);
    /*@ assert finding->reason == AXC_PROVED || finding->reason == AXC_OVERFLOW ==> \at(worst_right(layer) && witness_right(layer) &&
          witness_in_box(layer->worst_row) && witness_in_limit(layer->worst_row), proved); */
    //@ assert finding->reason != AXC_WEIGHT && finding->reason != AXC_LOWER && finding->reason != AXC_UPPER;
  }
}
