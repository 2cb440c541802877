/* axecert-check CERTIFICATE WEIGHTS: prints the checker's verdict and its reason. Exit codes: 0 safe, 1 unsafe, 2 incomplete,
 * 3 refused; 64 wrong usage, 66 no input, 71 no memory (sysexits). Main function: main. Side effects: reads the two files
 * into memory, writes standard output, and standard error when something is wrong with the call. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"

enum { EXIT_USAGE = 64, EXIT_NO_INPUT = 66, EXIT_NO_MEMORY = 71 };

/* The whole file, or NULL after a message; *code is then the exit code. */
static unsigned char* read_file(const char* path, size_t* size, int* code) {
  FILE* file = fopen(path, "rb");
  unsigned char* bytes = NULL;
  size_t room = 0;
  *size = 0;
  *code = EXIT_NO_INPUT;
  if (file == NULL) {
    fprintf(stderr, "%s: cannot be opened: %s\n", path, strerror(errno));
    return NULL;
  }
  for (;;) {
    if (*size == room) {
      unsigned char* more = room > SIZE_MAX / 2 ? NULL : realloc(bytes, room = room == 0 ? 1 << 16 : 2 * room);
      if (more == NULL) {
        fprintf(stderr, "%s: does not fit into memory\n", path);
        *code = EXIT_NO_MEMORY;
        break;
      }
      bytes = more;
    }
    const size_t got = fread(bytes + *size, 1, room - *size, file);
    *size += got;
    if (got == 0 && ferror(file)) {
      fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
      break;
    }
    if (got == 0) {
      fclose(file);
      return bytes;
    }
  }
  fclose(file);
  free(bytes);
  return NULL;
}

static void print(const axc_report* report, const char* certificate, const char* weights) {
  printf("%s: %s\n", axc_verdict_name(report->verdict), axc_reason_sentence(report->reason));
  if (report->layer[0] != 0) printf("  layer %s\n", report->layer);
  if (report->node >= 0) {
    printf("  row %" PRId64 ", stage %" PRId64 ", register %" PRId64 "\n", report->row, report->stage, report->node);
    printf("  claimed    [%" PRId64 ", %" PRId64 "]\n", report->claimed.lower, report->claimed.upper);
    printf("  recomputed [%" PRId64 ", %" PRId64 "]\n", report->recomputed.lower, report->recomputed.upper);
    printf("  limits     [%" PRId64 ", %" PRId64 "]\n", report->limits.lower, report->limits.upper);
  }
  if (report->reason != AXC_PROVED) {
    printf("  reason %s, %s, byte %zu\n", axc_reason_name(report->reason), report->in_weights ? weights : certificate,
           report->position);
  }
  if (report->uncovered > 0) printf("  %" PRId64 " layers of the weights file are not covered\n", report->uncovered);
  printf("  %" PRId64 " of %" PRId64 " registers checked, %" PRId64 " layers\n", report->nodes_checked,
         report->nodes_total, report->layers);
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: axecert-check CERTIFICATE.axec WEIGHTS.safetensors\n");
    return EXIT_USAGE;
  }
  int code = 0;
  size_t certificate_size = 0;
  size_t weights_size = 0;
  axc_report report;
  unsigned char* certificate = read_file(argv[1], &certificate_size, &code);
  unsigned char* weights = certificate == NULL ? NULL : read_file(argv[2], &weights_size, &code);
  if (weights != NULL) {
    code = (int)axc_check(certificate, certificate_size, weights, weights_size, &report);
    print(&report, argv[1], argv[2]);
    if (fflush(stdout) != 0 && code == 0) code = 74;
  }
  free(certificate);
  free(weights);
  return code;
}
