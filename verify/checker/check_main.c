/* axecert-check CERTIFICATE WEIGHTS...: prints the checker's verdict and its reason. Exit codes: 0 safe, 1 unsafe, 2 incomplete,
 * 3 refused; 64 wrong usage, 66 no input, 71 no memory (sysexits). Main function: main. Side effects: maps the files into memory,
 * writes standard output, and standard error when something is wrong with the call. Memory behind what was checked is given back,
 * so that what is resident is a layer at a time, whatever the size of the files; who changes a file meanwhile gets an answer about
 * neither version, or ends the program. */
#define _DEFAULT_SOURCE /* madvise */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checker.h"

enum { EXIT_USAGE = 64, EXIT_NO_INPUT = 66, EXIT_NO_MEMORY = 71 };

/* The files of the call: the certificate, then the weights. */
typedef struct {
  axc_file* file;
  size_t count;
  size_t read; /* bytes since memory was given back */
} axc_files;

static int complain(const char* path, const char* what, int reason) {
  fprintf(stderr, "%s: %s: %s\n", path, what, strerror(reason));
  return reason == ENOMEM ? EXIT_NO_MEMORY : EXIT_NO_INPUT;
}

/* Maps a whole file; 0, or the exit code after a message. */
static int map_file(const char* path, axc_file* out) {
  static const unsigned char nothing[1] = {0};
  struct stat facts;
  const int descriptor = open(path, O_RDONLY);
  if (descriptor < 0) return complain(path, "cannot be opened", errno);
  int code = fstat(descriptor, &facts) == 0 ? 0 : complain(path, "cannot be read", errno);
  if (code == 0 && !S_ISREG(facts.st_mode)) code = complain(path, "is not a regular file", EINVAL);
  out->bytes = nothing;
  out->size = code == 0 ? (size_t)facts.st_size : 0;
  if (out->size > 0) {
    void* bytes = mmap(NULL, out->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) code = complain(path, "cannot be mapped", errno);
    out->bytes = bytes;
  }
  (void)close(descriptor);
  return code;
}

/* Gives back the memory behind all files, once 16 MiB were read: it is filled from them again when it is read again. */
static void let_go(void* context, size_t read) {
  axc_files* files = context;
  files->read += read;
  if (files->read < (size_t)1 << 24) return;
  files->read = 0;
  for (size_t i = 0; i < files->count; ++i) {
    if (files->file[i].size > 0)
      (void)madvise((void*)(uintptr_t)files->file[i].bytes, files->file[i].size, MADV_DONTNEED);
  }
}

/* `paths`: the certificate's, then those of the weights. */
static void print(const axc_report* report, char** paths) {
  printf("%s: %s\n", axc_verdict_name(report->verdict), axc_reason_sentence(report->reason));
  if (report->layer[0] != 0) printf("  layer %s\n", report->layer);
  if (report->node >= 0) {
    printf("  row %" PRId64 ", stage %" PRId64 ", register %" PRId64 "\n", report->row, report->stage, report->node);
    printf("  claimed    [%" PRId64 ", %" PRId64 "]\n", report->claimed.lower, report->claimed.upper);
    printf("  recomputed [%" PRId64 ", %" PRId64 "]\n", report->recomputed.lower, report->recomputed.upper);
    printf("  limits     [%" PRId64 ", %" PRId64 "]\n", report->limits.lower, report->limits.upper);
  }
  if (report->reason != AXC_PROVED) {
    printf("  reason %s, %s, byte %zu\n", axc_reason_name(report->reason), paths[report->in_weights], report->position);
  }
  if (report->uncovered > 0) printf("  %" PRId64 " layers of the weights files are not covered\n", report->uncovered);
  printf("  %" PRId64 " of %" PRId64 " registers checked, %" PRId64 " layers\n", report->nodes_checked,
         report->nodes_total, report->layers);
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: axecert-check CERTIFICATE.axec WEIGHTS.safetensors...\n");
    return EXIT_USAGE;
  }
  int code = 0;
  axc_report report;
  axc_files files = {calloc((size_t)argc, sizeof(axc_file)), 0, 0};
  if (files.file == NULL) return complain(argv[0], "cannot start", ENOMEM);
  while (code == 0 && files.count + 1 < (size_t)argc) {
    code = map_file(argv[files.count + 1], &files.file[files.count]);
    ++files.count;
  }
  if (code == 0) {
    const axc_file* certificate = &files.file[0];
    code = (int)axc_check_files(certificate->bytes, certificate->size, certificate + 1, files.count - 1, let_go, &files,
                                &report);
    print(&report, argv + 1);
    if (fflush(stdout) != 0 && code == 0) code = 74;
  }
  free(files.file);
  return code;
}
