/* Answers CPUID in place of the CPU, for a program whose cpuid instructions were overwritten by ud2 (both have two bytes; masked_onnxruntime.py).
   The answer is the CPU's own without the features that AXECERT_WITHOUT names, so that a library takes the kernels that it has for CPUs
   that lack them; the kernels themselves run on this CPU, instruction by instruction. Nothing but AVX-512, VNNI and AMX is ever taken away.

   AXECERT_WITHOUT=vnni     VNNI of 256 and 512 bits, VNNI-INT8, AMX
   AXECERT_WITHOUT=avx512   these and all of AVX-512
   Anything else, or nothing: the CPU's own answers.

   Side effects: a handler of SIGILL, from the time when the library is loaded. A SIGILL at anything but ud2 ends the process. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static int without_vnni, without_avx512;

/* Intel SDM, volume 2A, CPUID, leaf 07H. */
static void take_away(unsigned leaf, unsigned subleaf, unsigned* eax, unsigned* ebx, unsigned* ecx, unsigned* edx) {
  if (leaf == 7 && subleaf == 0) {
    if (without_vnni || without_avx512) {
      *ecx &= ~(1U << 11);                            /* AVX512_VNNI */
      *edx &= ~(1U << 22 | 1U << 24 | 1U << 25);      /* AMX-BF16, AMX-TILE, AMX-INT8 */
    }
    if (without_avx512) {
      *ebx &= ~(1U << 16 | 1U << 17 | 1U << 21 | 1U << 26 | 1U << 27 | 1U << 28 | 1U << 30 | 1U << 31); /* F DQ IFMA PF ER CD BW VL */
      *ecx &= ~(1U << 1 | 1U << 6 | 1U << 12 | 1U << 14);                                              /* VBMI VBMI2 BITALG VPOPCNTDQ */
      *edx &= ~(1U << 2 | 1U << 3 | 1U << 8 | 1U << 23);                                               /* 4VNNIW 4FMAPS VP2INTERSECT FP16 */
    }
  } else if (leaf == 7 && subleaf == 1) {
    if (without_vnni || without_avx512) {
      *eax &= ~(1U << 4);             /* AVX-VNNI */
      *edx &= ~(1U << 4 | 1U << 10);  /* AVX-VNNI-INT8, AVX-VNNI-INT16 */
    }
    if (without_avx512) {
      *eax &= ~(1U << 5);   /* AVX512_BF16 */
      *edx &= ~(1U << 19);  /* AVX10 */
    }
  }
}

static void answer(int number, siginfo_t* info, void* context) {
  (void)info;
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  const unsigned char* instruction = (const unsigned char*)registers[REG_RIP];
  if (instruction[0] != 0x0f || instruction[1] != 0x0b) {
    signal(number, SIG_DFL);
    return;
  }
  const unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX];
  unsigned eax, ebx, ecx, edx;
  __cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
  take_away(leaf, subleaf, &eax, &ebx, &ecx, &edx);
  registers[REG_RAX] = eax;
  registers[REG_RBX] = ebx;
  registers[REG_RCX] = ecx;
  registers[REG_RDX] = edx;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void install(void) {
  const char* without = getenv("AXECERT_WITHOUT");
  without_vnni = without != NULL && strcmp(without, "vnni") == 0;
  without_avx512 = without != NULL && strcmp(without, "avx512") == 0;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGILL, &action, NULL);
}
