// See allocations.hpp.
#include "allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AXECERT_UNDER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define AXECERT_UNDER_ASAN 1
#endif
#ifdef AXECERT_UNDER_ASAN
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

namespace {

std::atomic<std::ptrdiff_t> held{0}, most{0}, start{0};

void note(std::ptrdiff_t bytes) {
  const std::ptrdiff_t now = held.fetch_add(bytes) + bytes;
  std::ptrdiff_t before = most.load();
  while (now > before && !most.compare_exchange_weak(before, now)) {
  }
}

}  // namespace

#ifdef AXECERT_UNDER_ASAN

namespace {

void taken(const volatile void*, std::size_t size) {
  note(static_cast<std::ptrdiff_t>(size));
}
void given_back(const volatile void* pointer) {
  note(-static_cast<std::ptrdiff_t>(__sanitizer_get_allocated_size(pointer)));
}
[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(taken, given_back);

}  // namespace

#else

extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* pointer, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* pointer);

static void* counted(void* pointer) {
  if (pointer != nullptr) {
    note(static_cast<std::ptrdiff_t>(malloc_usable_size(pointer)));
  }
  return pointer;
}

void* malloc(std::size_t size) {
  return counted(__libc_malloc(size));
}
void* calloc(std::size_t count, std::size_t size) {
  return counted(__libc_calloc(count, size));
}
void* realloc(void* pointer, std::size_t size) {
  const std::ptrdiff_t before = pointer == nullptr ? 0 : static_cast<std::ptrdiff_t>(malloc_usable_size(pointer));
  void* result = counted(__libc_realloc(pointer, size));
  if (result != nullptr || size == 0) {
    note(-before);
  }
  return result;
}
void* memalign(std::size_t alignment, std::size_t size) {
  return counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  *out = counted(__libc_memalign(alignment, size));
  return *out == nullptr ? ENOMEM : 0;
}
void free(void* pointer) {
  if (pointer != nullptr) {
    note(-static_cast<std::ptrdiff_t>(malloc_usable_size(pointer)));
  }
  __libc_free(pointer);
}

}  // extern "C"

#endif

namespace axe::hostile {

void watch() {
  start = held.load();
  most = held.load();
}

std::size_t most_held() {
  return static_cast<std::size_t>(most.load() - start.load());
}

}  // namespace axe::hostile
