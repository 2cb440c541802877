/* What the parts of the checker say to each other: one layer's claims as they lie in the two files, the proof core over
 * them (range.c), and the two parsers (container.c, weights.c). No state, no allocation. */
#ifndef AXECERT_CHECKER_CORE_H
#define AXECERT_CHECKER_CORE_H

#include <string.h>

#include "checker.h"
#include "meaning.h"

/* Every limit of the format. With these, for every register of every dot product,
 *   |initial| + Σ|w·x| ≤ (2^62 + 2 · 2^24·2^7·2^24) + 2^24·2^7·2^24 = 2^62 + 3 · 2^55 < 2^63 − 1:
 * no sum in the core leaves int64_t, in any order, because the constant (bias, offsets, zero point) enters one register of a dot
 * product at most. */
#define AXC_MOST_COLS ((int64_t)1 << 24)
#define AXC_MOST_INPUT ((int64_t)1 << 24) /* |box|, |offset|, |activation operand|, spread of the zero point */
#define AXC_MOST_LIMIT ((int64_t)1 << 48) /* of Σ|x| in one register */
#define AXC_MOST_BIAS ((int64_t)1 << 62)
#define AXC_MOST_ROWS ((int64_t)1 << 31)        /* rows · cols ≤ 2^55 */
#define AXC_MOST_GROUP (((int64_t)1 << 31) - 1) /* group · stride < 2^62 */
#define AXC_MOST_HEADER 100000000
enum { AXC_MOST_STAGES = 16 };

typedef enum { AXC_CLAMPED, AXC_GIVEN, AXC_CALIBRATED } axc_source;

typedef struct {
  int width;                  /* 1 to 64 */
  int64_t group;              /* values per register; 0: all */
  int64_t stride;             /* lanes */
  int wraps;                  /* else saturate or undefined */
  int full;                   /* limits −2^(P−1) .. 2^(P−1) − 1; else ±(2^(P−1) − 1) */
  int from_constant;          /* the register starts from the row's constant; else from 0 */
  int final_value;            /* only the complete sum is claimed; else every partial sum */
  int64_t nodes;              /* registers per dot product */
  int wide;                   /* the claimed ends are 8 bytes each; else 4 */
  const unsigned char* lower; /* little-endian [rows, nodes] */
  const unsigned char* upper;
} axc_stage;

typedef struct {
  const unsigned char* text;
  size_t size;
} axc_span;

typedef struct {
  axc_span name;
  int64_t rows;
  int64_t cols;
  int64_t channels;               /* entries of the box: 1 or cols */
  const unsigned char* box_lower; /* little-endian int32 [channels] */
  const unsigned char* box_upper;
  int64_t offsets;             /* 0, 1 or cols */
  const unsigned char* offset; /* little-endian int32 [offsets] */
  axc_range weight_range;
  axc_range weight_operand;
  axc_range activation_operand;
  axc_source source;
  int64_t spread; /* greatest zero point less the least */
  int64_t limit;  /* Σ|x| of each register of the lowest stage is at most this; 0: no limit */
  int stages;
  axc_stage stage[AXC_MOST_STAGES];
  axc_verdict verdict; /* claimed */
  int64_t worst_row;
  int worst_stage;
  int64_t worst_node;
  int worst_upper;              /* 1: upper end, 0: lower end */
  const unsigned char* witness; /* little-endian int32 [cols] */
  unsigned char weight_hash[32];
  int has_bias;
  unsigned char bias_hash[32];
  size_t operands_at, weight_range_at, stages_at, worst_at, verdict_at; /* bytes of the certificate */
  const signed char* weights;                                           /* [rows, cols], from a weights file, */
  const axc_file* weight_file;                                          /* this one */
  const unsigned char* bias;                                            /* little-endian int64 [rows], or NULL */
} axc_layer;

/* ---- range.c: the core ---- */

/* Little-endian integers, at any address. Written out per byte they are not vectorised, so machines of that order copy them. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && !defined(AXC_ANY_BYTE_ORDER) && \
    !defined(__FRAMAC__)
static inline int64_t axc_load32(const unsigned char* b) {
  int32_t value;
  memcpy(&value, b, sizeof value);
  return value;
}
static inline int64_t axc_load64(const unsigned char* b) {
  int64_t value;
  memcpy(&value, b, sizeof value);
  return value;
}
#else
/*@ requires \valid_read(b + (0 .. 3));
    assigns \nothing;
    ensures \result == entry32(b, 0) && -2147483648 <= \result <= 2147483647; */
static inline int64_t axc_load32(const unsigned char* b) {
  const int64_t highest = b[3] < 128 ? b[3] : b[3] - 256;
  return b[0] + b[1] * INT64_C(0x100) + b[2] * INT64_C(0x10000) + highest * INT64_C(0x1000000);
}
/*@ requires \valid_read(b + (0 .. 7));
    assigns \nothing;
    ensures \result == entry64(b, 0); */
static inline int64_t axc_load64(const unsigned char* b) {
  const int64_t low = axc_load32(b);
  return axc_load32(b + 4) * INT64_C(0x100000000) + (low < 0 ? low + INT64_C(0x100000000) : low);
}
#endif

/* Entry k of an array of little-endian int32. */
/*@ requires 0 <= k <= 576460752303423488 && \valid_read(b + (4 * k .. 4 * k + 3));
    assigns \nothing;
    ensures \result == entry32(b, k) && -2147483648 <= \result <= 2147483647; */
static inline int64_t axc_entry32(const unsigned char* b, int64_t k) {
  return axc_load32(b + 4 * k);
}

/* The same of little-endian int64. */
/*@ requires 0 <= k <= 576460752303423488 && \valid_read(b + (8 * k .. 8 * k + 7));
    assigns \nothing;
    ensures \result == entry64(b, k) && -9223372036854775808 <= \result <= 9223372036854775807; */
static inline int64_t axc_entry64(const unsigned char* b, int64_t k) {
  return axc_load64(b + 8 * k);
}

/* Registers that `values` values of the level below meet in. */
int64_t axc_nodes(const axc_stage* stage, int64_t values);

/* What the core found first: AXC_PROVED or AXC_OVERFLOW when the layer's claims are right, else what is wrong and where. */
typedef struct {
  axc_reason reason;
  const unsigned char*
      place; /* the byte that the reason applies to; NULL: the claim of the verdict or the worst register */
  int64_t row, stage, node; /* −1 when not one register's */
  axc_range claimed, recomputed, limits;
  int64_t nodes_checked;
} axc_finding;

/* Recomputes every register of every row of `layer` and compares; then the verdict, the worst register and its witness.
 * Requires the limits above and scratch of 4 · stage[0].nodes integers. */
void axc_prove_layer(const axc_layer* layer, int64_t* scratch, axc_finding* finding);

/* ---- container.c: the certificate ---- */

typedef struct {
  const unsigned char* bytes;
  size_t at;
  size_t end;
  axc_reason failure; /* AXC_PROVED while all is well; then the first failure, and nothing moves any more */
  size_t failure_at;
} axc_cursor;

typedef struct {
  axc_cursor claims; /* at the next layer's metadata */
  axc_cursor arrays; /* at the next layer's arrays */
  size_t size;       /* of the whole file */
  size_t data_begin; /* where the arrays' bytes begin, and where the next array must */
  size_t data_at;
  int64_t next; /* number of the next layer */
  int64_t layers;
  int64_t nodes_total; /* of all dot products; each takes bytes of the file */
  int64_t most_nodes;  /* of one dot product in a lowest stage */
} axc_certificate;

/* Who is called between pieces of the work; call may be NULL. */
typedef struct {
  axc_between call;
  void* context;
} axc_pause;

/* Parses the whole certificate, strictly; *out is then at the first layer. AXC_PROVED or the reason, and its byte. */
axc_reason axc_open(const unsigned char* bytes, size_t size, const axc_pause* pause, axc_certificate* out,
                    size_t* position);
/* The next layer's claims, all but its weights. 0 on failure (then claims.failure or arrays.failure says why). */
int axc_next_layer(axc_certificate* certificate, axc_layer* layer);
/* Only the name of the next layer. */
int axc_next_name(axc_certificate* certificate, axc_span* name);

int axc_is(const axc_cursor* cursor, const char* literal);
int axc_accept(axc_cursor* cursor, const char* literal);
void axc_expect(axc_cursor* cursor, const char* literal, axc_reason otherwise);
int64_t axc_number(axc_cursor* cursor, int64_t least, int64_t greatest);
void axc_fail(axc_cursor* cursor, axc_reason reason, size_t at);
int axc_same(axc_span a, const unsigned char* text, size_t size);

/* ---- weights.c: a weights file ---- */

typedef enum { AXC_I8, AXC_I32, AXC_I64, AXC_INTEGER, AXC_OTHER } axc_type; /* AXC_INTEGER: any other integers */

typedef struct {
  axc_span name;
  axc_type type;
  int rank;
  int64_t shape[2];  /* the first two lengths; 1 when there are fewer */
  size_t begin, end; /* bytes of the file */
  const axc_file* file;
} axc_array;

/* A cursor at the first array, or failed. */
axc_cursor axc_open_weights(const axc_file* file);
/* The next array; 0 at the end or on failure. */
int axc_next_array(axc_cursor* cursor, const axc_file* file, axc_array* array);

#endif
