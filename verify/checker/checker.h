/* The trusted checker: decides whether a certificate (.axec) proves that no register of a model overflows, by computing
 * every register's range again from the integer weights. Main function: axc_check_files. It reads memory, writes its report,
 * and has no other effect; it uses nothing but the C standard library, no floating point and no file.
 * What is decided is the acceptance predicate of docs/certificate.md. */
#ifndef AXECERT_CHECKER_H
#define AXECERT_CHECKER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exit codes of axecert-check have the same values. */
typedef enum { AXC_SAFE = 0, AXC_UNSAFE = 1, AXC_INCOMPLETE = 2, AXC_REFUSED = 3 } axc_verdict;

/* Every reason, its name and its sentence: axc_reason_name, axc_reason_sentence. */
#define AXC_REASONS(R)                                                                                               \
  R(AXC_PROVED, "proved", "every register of every dot product fits")                                                \
  R(AXC_OVERFLOW, "overflow", "a register overflows on the witness")                                                 \
  R(AXC_UNCOVERED, "uncovered-weights", "the weights file holds a layer that the certificate does not speak of")     \
  R(AXC_NO_SCRATCH, "no-scratch", "there is too little scratch memory to check the certificate")                     \
  R(AXC_TRUNCATED, "truncated", "the certificate ends too early")                                                    \
  R(AXC_HEADER_LENGTH, "header-length", "the certificate's header length is impossible")                             \
  R(AXC_SYNTAX, "syntax", "the certificate's header departs from its canonical form")                                \
  R(AXC_NUMBER, "number", "a number is not canonical or out of its range")                                           \
  R(AXC_DIGEST, "digest", "the digest is not that of the certificate")                                               \
  R(AXC_ASSUMPTIONS, "assumptions", "the assumptions listed are not those that the layers rest on")                  \
  R(AXC_ORDER, "order", "the layers are not sorted by distinct names")                                               \
  R(AXC_LAYOUT, "layout", "an array's name, type, shape or offsets are not what its layer needs")                    \
  R(AXC_WIDER_THAN_NEEDED, "wider-than-needed", "ranges are stored as I64 though I32 holds them")                    \
  R(AXC_TRAILING, "trailing", "bytes follow the certificate's last array")                                           \
  R(AXC_FINAL_VALUE, "final-value-without-wrap", "only a register that wraps may claim its final value alone")       \
  R(AXC_TWO_CONSTANTS, "two-constants", "two stages start from the row's constant")                                  \
  R(AXC_MANY_CONSTANTS, "constant-added-twice", "a stage with several registers starts from the row's constant")     \
  R(AXC_OPERANDS, "operands", "the operand ranges are empty or too wide")                                            \
  R(AXC_BOX, "box",                                                                                                  \
    "the box is empty, exceeds 2^24, leaves the activation operand's range, or excludes 0 under a limit")            \
  R(AXC_OFFSET, "offset", "an offset exceeds 2^24")                                                                  \
  R(AXC_WEIGHT_RANGE, "weight-range", "the weight range is empty or leaves the weight operand's range")              \
  R(AXC_WEIGHTS_FILE, "weights-file", "the weights file is not a well-formed safetensors file")                      \
  R(AXC_MISSING, "missing-layer", "the weights file lacks the layer's weights")                                      \
  R(AXC_TWICE, "duplicate-array", "the weights file holds an array twice")                                           \
  R(AXC_SHAPE, "shape", "an array of the weights file has another type or shape than the certificate says")          \
  R(AXC_WEIGHT_HASH, "weight-hash", "the weights are not those of the certificate")                                  \
  R(AXC_BIAS_PRESENCE, "bias-presence", "only one of weights file and certificate has a bias")                       \
  R(AXC_BIAS_HASH, "bias-hash", "the biases are not those of the certificate")                                       \
  R(AXC_BIAS, "bias", "a bias exceeds 2^62")                                                                         \
  R(AXC_WEIGHT, "weight", "a weight leaves the weight range")                                                        \
  R(AXC_QUANTIZER_MISSING, "quantizer-missing",                                                                      \
    "the box is claimed to be clamped, but no activation quantizer is there")                                        \
  R(AXC_QUANTIZER_BOX, "quantizer-box", "the activation quantizer clamps to another box or limit")                   \
  R(AXC_QUANTIZER_OFFSET, "quantizer-offset", "the offsets are not those of the activation quantizer")               \
  R(AXC_QUANTIZER_ZERO_POINT, "quantizer-zero-point", "the spread of zero points is not the activation quantizer's") \
  R(AXC_LOWER, "lower", "a claimed lower end is not the one that the weights give")                                  \
  R(AXC_UPPER, "upper", "a claimed upper end is not the one that the weights give")                                  \
  R(AXC_VERDICT, "verdict", "the verdict is not the one that the ranges give")                                       \
  R(AXC_WORST, "worst", "the worst register is another one, or its other end")                                       \
  R(AXC_WITNESS_BOX, "witness-box", "the witness leaves the box or the limit")                                       \
  R(AXC_WITNESS_VALUE, "witness-value", "the witness does not attain the worst end")

#define AXC_REASON_ENUMERATOR(code, name, sentence) code,
typedef enum { AXC_REASONS(AXC_REASON_ENUMERATOR) AXC_REASON_COUNT } axc_reason;
#undef AXC_REASON_ENUMERATOR

const char* axc_reason_name(axc_reason reason); /* for example "upper" */
const char* axc_reason_sentence(axc_reason reason);
const char* axc_verdict_name(axc_verdict verdict); /* "safe", "unsafe", "incomplete", "refused" */

typedef struct {
  int64_t lower;
  int64_t upper;
} axc_range;

enum { AXC_NAME_SIZE = 256 }; /* a longer name is cut in the report */

typedef struct {
  axc_verdict verdict;
  axc_reason reason;
  int in_weights;            /* `position` counts bytes of the n-th weights file, n from 1; 0: of the certificate */
  size_t position;           /* where the reason applies */
  char layer[AXC_NAME_SIZE]; /* the layer, or the uncovered array; empty when it is the file as a whole */
  int64_t row;               /* the register: row, stage, node; −1 when the reason is not one register's */
  int64_t stage;
  int64_t node;
  axc_range claimed; /* of that register; for AXC_OVERFLOW both are the proved range */
  axc_range recomputed;
  axc_range limits;
  int64_t nodes_total;   /* registers of all dot products that the certificate speaks of, as far as it was read */
  int64_t nodes_checked; /* of these, how many claims were recomputed and found right */
  int64_t layers;        /* layers checked completely */
  int64_t uncovered;     /* integer arrays NAME.weight that no layer of the certificate covers */
} axc_report;

/* Checks certificate and weights file, both whole in memory; fills *report (never NULL) and returns its verdict. Any bytes are
 * allowed. The verdict is AXC_REFUSED when anything is malformed or does not agree; else AXC_UNSAFE when a layer is; else
 * AXC_INCOMPLETE when the weights file holds a layer that the certificate does not cover; else AXC_SAFE.
 * Allocates scratch memory of axc_scratch_size bytes; when there is none: AXC_INCOMPLETE. And, when there is room for it, an index of the
 * weights files' arrays, so that finding them does not take time with the square of their number. */
axc_verdict axc_check(const unsigned char* certificate, size_t certificate_size, const unsigned char* weights,
                      size_t weights_size, axc_report* report);

/* Weights in any number of files: every array is whole in one of them, and in no other. */
typedef struct {
  const unsigned char* bytes;
  size_t size;
} axc_file;

/* Called from time to time, at the latest after each layer, when the checker holds on to nothing that it read: a caller whose files
 * are mapped can let go of the memory behind them. What it reads later it reads again. `read`: bytes of arrays since the last call. */
typedef void (*axc_between)(void* context, size_t read);

/* axc_check on several weights files, 1 to 2^20. `between` may be NULL. What is read between two calls of it is at most one layer's
 * arrays in both files, the headers, and 1 MiB of the certificate. */
axc_verdict axc_check_files(const unsigned char* certificate, size_t certificate_size, const axc_file* weights,
                            size_t files, axc_between between, void* context, axc_report* report);

/* axc_check with the caller's scratch memory, aligned for int64_t and apart from both files; no allocation anywhere. Needed: 32
 * bytes for each register of the lowest stage of one dot product, for the layer that has most; this is never more than
 * 4 · certificate_size. */
axc_verdict axc_check_with(const unsigned char* certificate, size_t certificate_size, const unsigned char* weights,
                           size_t weights_size, void* scratch, size_t scratch_size, axc_report* report);
size_t axc_scratch_size(const unsigned char* certificate,
                        size_t certificate_size); /* 0 when it is refused before that */

/* SHA-256 (FIPS 180-4) of data that arrives in pieces. */
typedef struct {
  uint32_t state[8];
  uint64_t total;
  unsigned char buffer[64];
  int instructions; /* whether the processor hashes by itself; 0 makes it plain C */
} axc_sha256;
void axc_sha256_start(axc_sha256* hash);
void axc_sha256_add(axc_sha256* hash, const unsigned char* data, size_t size);
void axc_sha256_finish(axc_sha256* hash, unsigned char digest[32]);

#ifdef __cplusplus
}
#endif

#endif
