/* What border.c is told of a check that is to run, and what it then tells. */
#ifndef AXECERT_TESTS_BORDER_BORDER_H
#define AXECERT_TESTS_BORDER_BORDER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const unsigned char* certificate;
  size_t certificate_size;
  const unsigned char* weights;
  size_t weights_size;
  int64_t* scratch;
  size_t scratch_size;
} border_memory;

extern border_memory border_files;  /* of the check that runs */
extern long border_layers;          /* that came to the core */
extern const char* border_violated; /* the first precondition that did not hold; NULL: none */

#ifdef __cplusplus
}
#endif

#endif
