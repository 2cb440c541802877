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

int64_t axc_load32(const unsigned char* b) {
  const uint32_t u = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
  return u <= INT32_MAX ? (int64_t)u : (int64_t)u - ((int64_t)1 << 32);
}

int64_t axc_load64(const unsigned char* b) {
  const uint64_t low = (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24;
  const uint64_t high = (uint64_t)b[4] | (uint64_t)b[5] << 8 | (uint64_t)b[6] << 16 | (uint64_t)b[7] << 24;
  const uint64_t u = high << 32 | low;
  return u <= INT64_MAX ? (int64_t)u : -(int64_t)(UINT64_MAX - u) - 1;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- which values meet in which register ---- */

/* Values per block: group · stride, or all of them when that is fewer. */
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

/* ---- sums over one register's weights ---- */

typedef struct {
  int64_t positive; /* P = Σ max(w, 0) */
  int64_t negative; /* N = Σ min(w, 0) */
} sign_sums;

/* Of `count` ≤ 128 adjacent weights. Both sums are within 128 · 128 = 2^14, so 16 bits hold them. */
static inline void add_chunk(const signed char* w, int64_t count, sign_sums* sums) {
  int16_t total = 0;
  int16_t positive = 0;
  for (int64_t i = 0; i < count; ++i) {
    const signed char above = w[i] > 0 ? w[i] : 0;
    total = (int16_t)(total + w[i]);
    positive = (int16_t)(positive + above);
  }
  sums->positive += positive;
  sums->negative += total - positive; /* min(w, 0) = w − max(w, 0) */
}

static inline sign_sums adjacent_sums(const signed char* w, int64_t count) {
  sign_sums sums = {0, 0};
  int64_t i = 0;
  for (; i + 128 <= count; i += 128) add_chunk(w + i, 128, &sums);
  if (i + 64 <= count) {
    add_chunk(w + i, 64, &sums);
    i += 64;
  }
  for (; i < count; ++i) {
    sums.positive += w[i] > 0 ? w[i] : 0;
    sums.negative += w[i] < 0 ? w[i] : 0;
  }
  return sums;
}

static inline sign_sums strided_sums(const signed char* w, int64_t count, int64_t stride) {
  sign_sums sums = {0, 0};
  for (int64_t i = 0; i < count; i += stride) {
    sums.positive += w[i] > 0 ? w[i] : 0;
    sums.negative += w[i] < 0 ? w[i] : 0;
  }
  return sums;
}

/* Σ w·[box] when every input has the same box: [lower·P + upper·N, upper·P + lower·N]. */
static inline axc_range scaled(sign_sums sums, int64_t lower, int64_t upper) {
  const axc_range range = {lower * sums.positive + upper * sums.negative, upper * sums.positive + lower * sums.negative};
  return range;
}

static inline axc_range plus(axc_range range, int64_t initial) {
  const axc_range sum = {range.lower + initial, range.upper + initial};
  return sum;
}

/* ---- one stage of one row: final[node] is the range of the complete sum, partial[node] that of all partial sums ---- */

/* The lowest stage when one box serves all inputs. */
AXC_EVERY_TARGET
static void lowest_uniform(const axc_layer* layer, const signed char* w, int64_t initial, axc_range* final, axc_range* partial) {
  const axc_stage* stage = &layer->stage[0];
  const int64_t lower = axc_load32(layer->box_lower);
  const int64_t upper = axc_load32(layer->box_upper);
  const int64_t block = block_of(stage, layer->cols);
  int64_t node = 0;
  for (int64_t begin = 0; begin < layer->cols; begin += block) {
    const int64_t count = smaller(block, layer->cols - begin);
    for (int64_t lane = 0; lane < smaller(stage->stride, count); ++lane, ++node) {
      const sign_sums sums = stage->stride == 1 ? adjacent_sums(w + begin, count)
                                                : strided_sums(w + begin + lane, count - lane, stage->stride);
      final[node] = plus(scaled(sums, lower, upper), initial);
      partial[node] = plus(scaled(sums, smaller(0, lower), larger(0, upper)), initial);
    }
  }
}

/* One register of the lowest stage with a box per input: the weights at first, first + stride, … before end. */
static inline void add_products(const axc_layer* layer, const signed char* w, int64_t first, int64_t end, int64_t stride,
                                axc_range* final, axc_range* partial) {
  for (int64_t k = first; k < end; k += stride) {
    const int64_t at_lower = w[k] * axc_load32(layer->box_lower + 4 * k);
    const int64_t at_upper = w[k] * axc_load32(layer->box_upper + 4 * k);
    const int64_t least = smaller(at_lower, at_upper);
    const int64_t greatest = larger(at_lower, at_upper);
    final->lower += least;
    final->upper += greatest;
    partial->lower += smaller(0, least);
    partial->upper += larger(0, greatest);
  }
}

/* The lowest stage when every input has its own box. */
AXC_EVERY_TARGET
static void lowest_boxed(const axc_layer* layer, const signed char* w, int64_t initial, axc_range* final, axc_range* partial) {
  const axc_stage* stage = &layer->stage[0];
  const int64_t block = block_of(stage, layer->cols);
  int64_t node = 0;
  for (int64_t begin = 0; begin < layer->cols; begin += block) {
    const int64_t end = begin + smaller(block, layer->cols - begin);
    for (int64_t lane = 0; lane < smaller(stage->stride, end - begin); ++lane, ++node) {
      axc_range whole = {initial, initial};
      axc_range parts = {initial, initial};
      if (stage->stride == 1) {
        add_products(layer, w, begin, end, 1, &whole, &parts);
      } else {
        add_products(layer, w, begin + lane, end, stage->stride, &whole, &parts);
      }
      final[node] = whole;
      partial[node] = parts;
    }
  }
}

/* A stage above: its values are the final ranges of the `values` registers below. In place: register b·lanes + lane of
 * block b is written when its own values have been read, and its place is at or before every value still to be read. */
static void higher_stage(const axc_stage* stage, int64_t values, int64_t initial, axc_range* final, axc_range* partial) {
  const int64_t block = block_of(stage, values);
  int64_t node = 0;
  for (int64_t begin = 0; begin < values; begin += block) {
    const int64_t end = begin + smaller(block, values - begin);
    for (int64_t lane = 0; lane < smaller(stage->stride, end - begin); ++lane, ++node) {
      axc_range whole = {initial, initial};
      axc_range parts = {initial, initial};
      for (int64_t v = begin + lane; v < end; v += stage->stride) {
        whole.lower += final[v].lower;
        whole.upper += final[v].upper;
        parts.lower += smaller(0, final[v].lower);
        parts.upper += larger(0, final[v].upper);
      }
      final[node] = whole;
      partial[node] = parts;
    }
  }
}

static void compute_stage(const axc_layer* layer, int s, const signed char* w, int64_t constant, axc_range* final,
                          axc_range* partial) {
  const int64_t initial = layer->stage[s].from_constant ? constant : 0;
  if (s > 0) {
    higher_stage(&layer->stage[s], layer->stage[s - 1].nodes, initial, final, partial);
  } else if (layer->channels == 1) {
    lowest_uniform(layer, w, initial, final, partial);
  } else {
    lowest_boxed(layer, w, initial, final, partial);
  }
}

/* constant_r = bias_r + Σ_k w_rk · offset_k; |constant| ≤ 2^62 + 2^55. */
AXC_EVERY_TARGET
static int64_t constant_of(const axc_layer* layer, const signed char* w, int64_t row) {
  int64_t constant = layer->bias ? axc_load64(layer->bias + 8 * row) : 0;
  if (layer->offsets == 1) {
    const int64_t offset = axc_load32(layer->offset);
    const sign_sums sums = adjacent_sums(w, offset == 0 ? 0 : layer->cols);
    return constant + offset * (sums.positive + sums.negative);
  }
  for (int64_t k = 0; k < layer->offsets; ++k) constant += w[k] * axc_load32(layer->offset + 4 * k);
  return constant;
}

AXC_EVERY_TARGET
static int weights_within(const signed char* w, int64_t count, signed char lower, signed char upper) {
  unsigned char outside = 0;
  for (int64_t k = 0; k < count; ++k) outside = (unsigned char)(outside | (w[k] < lower) | (w[k] > upper));
  return outside == 0;
}

/* ---- comparing ---- */

/* The smaller of limits.upper − range.upper and range.lower − limits.lower, capped at INT64_MAX; *upper: it is the former.
 * |range| < 2^63, limits.upper ≥ 0 ≥ limits.lower: neither difference is below −2^63, and they add up to less than 2^64, so
 * that one alone can exceed INT64_MAX and the other is then the smaller. */
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

static axc_range claimed_range(const axc_layer* layer, int64_t row, int s, int64_t node) {
  const axc_stage* stage = &layer->stage[s];
  const int64_t i = row * stage->nodes + node;
  axc_range range;
  range.lower = stage->wide ? axc_load64(stage->lower + 8 * i) : axc_load32(stage->lower + 4 * i);
  range.upper = stage->wide ? axc_load64(stage->upper + 8 * i) : axc_load32(stage->upper + 4 * i);
  return range;
}

static const unsigned char* place_of_end(const axc_layer* layer, int64_t row, int s, int64_t node, int upper) {
  const axc_stage* stage = &layer->stage[s];
  return (upper ? stage->upper : stage->lower) + (row * stage->nodes + node) * (stage->wide ? 8 : 4);
}

static void find(axc_finding* finding, axc_reason reason, const unsigned char* place, int64_t row, int64_t s, int64_t node) {
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

/* Compares one stage of one row with its claims, and keeps the worst register seen. 0 when a claim is wrong. */
static int compare_stage(const axc_layer* layer, int64_t row, int s, const axc_range* ranges, worst_register* worst,
                         axc_finding* finding) {
  const axc_range limits = limits_of(&layer->stage[s]);
  for (int64_t node = 0; node < layer->stage[s].nodes; ++node) {
    const axc_range claimed = claimed_range(layer, row, s, node);
    int upper = 0;
    if (claimed.lower != ranges[node].lower || claimed.upper != ranges[node].upper) {
      upper = claimed.lower == ranges[node].lower;
      find(finding, upper ? AXC_UPPER : AXC_LOWER, place_of_end(layer, row, s, node, upper), row, s, node);
      finding->claimed = claimed;
      finding->recomputed = ranges[node];
      finding->limits = limits;
      return 0;
    }
    const int64_t margin = margin_of(ranges[node], limits, &upper);
    if (worst->row < 0 || margin < worst->margin) {
      const worst_register here = {margin, row, s, node, upper};
      *worst = here;
    }
    ++finding->nodes_checked;
  }
  return 1;
}

/* All registers of one row. 0 when a weight or a claim is wrong. */
static int prove_row(const axc_layer* layer, int64_t row, axc_range* final, axc_range* partial, worst_register* worst,
                     axc_finding* finding) {
  const signed char* w = layer->weights + row * layer->cols;
  const signed char lower = (signed char)layer->weight_range.lower;
  const signed char upper = (signed char)layer->weight_range.upper;
  if (!weights_within(w, layer->cols, lower, upper)) {
    int64_t k = 0;
    while (k < layer->cols - 1 && w[k] >= lower && w[k] <= upper) ++k;
    find(finding, AXC_WEIGHT, (const unsigned char*)w + k, row, -1, -1);
    return 0;
  }
  const int64_t constant = constant_of(layer, w, row);
  for (int s = 0; s < layer->stages; ++s) {
    compute_stage(layer, s, w, constant, final, partial);
    if (!compare_stage(layer, row, s, layer->stage[s].final_value ? final : partial, worst, finding)) return 0;
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

/* The worst register's end when every input's box is the witness alone: what these inputs really reach. */
static int64_t end_on_witness(const axc_layer* layer, axc_range* final, axc_range* partial) {
  axc_layer pinned = *layer;
  const signed char* w = layer->weights + layer->worst_row * layer->cols;
  const int64_t constant = constant_of(layer, w, layer->worst_row);
  pinned.box_lower = layer->witness;
  pinned.box_upper = layer->witness;
  pinned.channels = layer->cols;
  for (int s = 0; s <= layer->worst_stage; ++s) compute_stage(&pinned, s, w, constant, final, partial);
  const axc_range reached = layer->stage[layer->worst_stage].final_value ? final[layer->worst_node] : partial[layer->worst_node];
  return layer->worst_upper ? reached.upper : reached.lower;
}

static void judge_witness(const axc_layer* layer, axc_range* final, axc_range* partial, axc_finding* finding) {
  const int s = layer->worst_stage;
  const int64_t outside = first_input_outside(layer);
  if (outside < layer->cols) {
    find(finding, AXC_WITNESS_BOX, layer->witness + 4 * outside, layer->worst_row, s, layer->worst_node);
    return;
  }
  const axc_range range = claimed_range(layer, layer->worst_row, s, layer->worst_node);
  const int64_t end = layer->worst_upper ? range.upper : range.lower;
  finding->claimed = range;
  finding->recomputed = range;
  finding->limits = limits_of(&layer->stage[s]);
  const int64_t reached = end_on_witness(layer, final, partial);
  if (reached != end) {
    find(finding, AXC_WITNESS_VALUE, layer->witness, layer->worst_row, s, layer->worst_node);
    if (layer->worst_upper) finding->recomputed.upper = reached; else finding->recomputed.lower = reached;
  } else if (layer->verdict == AXC_UNSAFE) {
    find(finding, AXC_OVERFLOW, place_of_end(layer, layer->worst_row, s, layer->worst_node, layer->worst_upper),
         layer->worst_row, s, layer->worst_node);
  }
}

void axc_prove_layer(const axc_layer* layer, axc_range* scratch, axc_finding* finding) {
  axc_range* final = scratch;
  axc_range* partial = scratch + layer->stage[0].nodes;
  worst_register worst = {0, -1, 0, 0, 0};
  const axc_range nothing = {0, 0};
  find(finding, AXC_PROVED, NULL, -1, -1, -1);
  finding->claimed = finding->recomputed = finding->limits = nothing;
  finding->nodes_checked = 0;
  for (int64_t row = 0; row < layer->rows; ++row) {
    if (!prove_row(layer, row, final, partial, &worst, finding)) return;
  }
  if ((worst.margin >= 0 ? AXC_SAFE : AXC_UNSAFE) != layer->verdict) {
    find(finding, AXC_VERDICT, NULL, worst.row, worst.stage, worst.node);
  } else if (worst.row != layer->worst_row || worst.stage != layer->worst_stage || worst.node != layer->worst_node ||
             worst.upper != layer->worst_upper) {
    find(finding, AXC_WORST, NULL, worst.row, worst.stage, worst.node);
  } else {
    judge_witness(layer, final, partial, finding);
  }
}
