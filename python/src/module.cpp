// The extension module axecert._core: the C++ library for Python. Each file beside this one binds one subject; what the
// functions mean is said in their docstrings and in the headers that they bind. Side effects: as of the functions bound.
#include "bind.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#endif

namespace {

/// glibc keeps what was freed between what is in use, and a model quantized block by block leaves a gap behind every block.
void release_freed_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

#if defined(__linux__) && defined(MADV_PAGEOUT)
/// Whether [first, end) lies in one mapping of a file. Other memory would go to a swap device.
bool is_of_a_file(std::uintptr_t first, std::uintptr_t end) {
  std::ifstream maps(
      "/proc/self/maps");  // "begin-end permissions offset device inode path", numbers but the inode in hexadecimal
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0, stop = 0, inode = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %" SCNu64, &begin, &stop, &inode) == 3 &&
        begin <= first && first < stop) {
      return inode != 0 && end <= stop;
    }
  }
  return false;
}
#endif

/// Whole pages of `bytes`; what was written to them stays (unlike MADV_DONTNEED), so a caller may be wrong about who else uses them.
void page_out(const axe::python::In<std::uint8_t, 1>& bytes) {
#if defined(__linux__) && defined(MADV_PAGEOUT)
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::uintptr_t first = (begin + page - 1) / page * page, end = (begin + bytes.size()) / page * page;
  if (first < end && is_of_a_file(first, end)) {
    (void)madvise(reinterpret_cast<void*>(first), end - first,
                  MADV_PAGEOUT);  // a kernel that cannot leaves them where they are
  }
#else
  (void)bytes;
#endif
}

}  // namespace

NB_MODULE(_core, module) {
  module.doc() =
      "axecert's C++ core: datapaths, exact ranges, the quantizer, certificates and their voters, integer layers, "
      "probing.";
  module.attr("__version__") = AXECERT_VERSION;
  axe::python::bind_errors(module);
  axe::python::bind_datapaths(module);
  axe::python::bind_bounds(module);
  axe::python::bind_quantizer(module);
  axe::python::bind_inputs(module);
  axe::python::bind_inference(module);
  axe::python::bind_certificates(module);
  axe::python::bind_parts(module);
  axe::python::bind_probe(module);
  module.def(
      "release_freed_memory", &release_freed_memory, nanobind::call_guard<nanobind::gil_scoped_release>(),
      "Gives memory that was freed, and that the C library keeps, back to the system, where the C library is glibc.");
  module.def("page_out", &page_out, nanobind::arg("bytes").noconvert(),
             "Tells the system that this memory (uint8 [n], contiguous) will not be read soon. Its contents stay: "
             "pages of a mapped file are read again\n"
             "when they are asked for. Does nothing where the system cannot (Linux 5.4 can, of files that the process "
             "may write).");
}
