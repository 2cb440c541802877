/* The checker on any two files: the input is a 32-bit length, that many bytes of certificate, and the weights file. Where the first byte
 * of the length's unused top is odd, the digest is made right first, so that what lies behind it is reached. Whatever the bytes, the
 * report must hang together: a place inside its file, a node that was counted, safe only with everything checked, and the same answer
 * with the caller's own scratch memory. Main function: LLVMFuzzerTestOneInput. It aborts on a finding.
 * Requirements: TOR-106, TOR-201, TOR-202. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "axecert/checker/checker.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

static void demand(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "finding: %s\n", what);
  abort();
}

/* The digest where the canonical header has it. */
static void mend_digest(unsigned char* certificate, size_t size) {
  static const char before[] = "{\"__metadata__\":{\"format\":\"axec 1\",\"digest\":\"";
  static const char digits[] = "0123456789abcdef";
  const size_t at = 8 + sizeof before - 1;
  unsigned char digest[32];
  axc_sha256 state;
  if (size < at + 64 || memcmp(certificate + 8, before, sizeof before - 1) != 0) return;
  memset(certificate + at, '0', 64);
  axc_sha256_start(&state);
  axc_sha256_add(&state, certificate, size);
  axc_sha256_finish(&state, digest);
  for (size_t i = 0; i < 32; ++i) {
    certificate[at + 2 * i] = (unsigned char)digits[digest[i] >> 4];
    certificate[at + 2 * i + 1] = (unsigned char)digits[digest[i] & 15];
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  axc_report report, again;
  if (size < 4) return 0;
  size_t length = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16;
  if (length > size - 4) length = size - 4;
  /* Exact-size copies: a read behind either end is seen. */
  unsigned char* certificate = malloc(length == 0 ? 1 : length);
  const size_t weights_size = size - 4 - length;
  unsigned char* weights = malloc(weights_size == 0 ? 1 : weights_size);
  demand(certificate != NULL && weights != NULL, "no memory for the input");
  memcpy(certificate, data + 4, length);
  memcpy(weights, data + 4 + length, weights_size);
  if (data[3] & 1) mend_digest(certificate, length);

  const axc_verdict verdict = axc_check(certificate, length, weights, weights_size, &report);
  demand(verdict == report.verdict && (unsigned)verdict < 4, "the verdict is not the report's");
  demand((unsigned)report.reason < AXC_REASON_COUNT, "no reason");
  demand(report.position <= (report.in_weights ? weights_size : length), "a place outside its file");
  demand(report.nodes_checked >= 0 && report.nodes_checked <= report.nodes_total, "more nodes checked than there are");
  demand(verdict != AXC_SAFE || (report.nodes_total > 0 && report.nodes_checked == report.nodes_total),
         "safe without every node");
  demand((verdict == AXC_SAFE) == (report.reason == AXC_PROVED), "safe with a reason, or the reverse");
  demand((verdict == AXC_UNSAFE) == (report.reason == AXC_OVERFLOW), "unsafe without an overflow, or the reverse");
  demand(memchr(report.layer, 0, AXC_NAME_SIZE) != NULL, "a name without an end");

  const size_t needed = axc_scratch_size(certificate, length);
  demand(needed / 4 <= length, "more scratch memory than four times the certificate");
  if (needed > 0) {
    int64_t* scratch = malloc(needed);
    demand(scratch != NULL, "no scratch memory");
    demand(axc_check_with(certificate, length, weights, weights_size, scratch, needed, &again) == verdict &&
               again.reason == report.reason && again.position == report.position,
           "another answer with the caller's memory");
    free(scratch);
  }
  free(certificate);
  free(weights);
  return 0;
}
