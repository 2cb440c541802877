// AXECERT_CLONES in front of a function compiles it for several instruction sets and picks one at run time: for plain loops
// that the compiler vectorises; AXECERT_CLONES_256 likewise, up to 256-bit vectors. No side effects. Sanitizers do not get along with the dispatch, so they get one version.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define AXECERT_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#define AXECERT_CLONES_256 __attribute__((target_clones("avx2", "default")))
#else
#define AXECERT_CLONES
#define AXECERT_CLONES_256
#endif
