// Asks the system and every library who they are. See environment.hpp.
#include "environment.hpp"

#include <cblas.h>
#include <gmp.h>
#include <gnu/libc-version.h>
#include <mpfi.h>
#include <mpfr.h>
#include <sys/utsname.h>
#include <toml++/impl/version.h>
#include <z3.h>
#include <zip.h>

#include <boost/version.hpp>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include <CLI/CLI.hpp>

#include "axecert/certificate/certificate.hpp"
#include "axecert/report/votes.hpp"

#if AXECERT_HAS_ONNX
#include <google/protobuf/stubs/common.h>
#endif

namespace axe::cli {
namespace {

std::string number(unsigned a, unsigned b, unsigned c) {
  return std::to_string(a) + "." + std::to_string(b) + "." + std::to_string(c);
}

// "OpenBLAS 0.3.21 NO_LAPACKE …" → "0.3.21".
std::string second_word(const std::string& text) {
  const std::size_t begin = text.find(' ');
  return begin == std::string::npos ? "" : text.substr(begin + 1, text.find(' ', begin + 1) - begin - 1);
}

std::string z3_version() {
  unsigned major = 0, minor = 0, build = 0, revision = 0;
  Z3_get_version(&major, &minor, &build, &revision);
  return number(major, minor, build);
}

}  // namespace

std::string sha256_of_file(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = whole_file(path);
  return to_hex(sha256(bytes.data(), bytes.size()));
}

std::string utc_now() {
  std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  if (const char* fixed = std::getenv("SOURCE_DATE_EPOCH")) {
    now = static_cast<std::time_t>(std::strtoll(fixed, nullptr, 10));
  }
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::filesystem::path own_program() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path() : path;
}

std::string platform() {
  utsname system{};
  if (::uname(&system) != 0) {
    return "";
  }
  return std::string(system.sysname) + " " + system.release + " " + system.machine;
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "";
}

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "";
#endif
}

std::vector<Library> libraries() {
  return {
    {"Boost", number(BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100), "BSL-1.0"},
        {"CLI11", CLI11_VERSION, "BSD-3-Clause"}, {"GMP", gmp_version, "LGPL-3.0-or-later OR GPL-2.0-or-later"},
        {"MPFI", mpfi_get_version(), "LGPL-2.1-or-later"}, {"MPFR", mpfr_get_version(), "LGPL-3.0-or-later"},
        {"OpenBLAS", second_word(openblas_get_config()), "BSD-3-Clause"}, {"Z3", z3_version(), "MIT"},
        {"glibc", gnu_get_libc_version(), "LGPL-2.1-or-later"},
        {"libstdc++", std::to_string(__GLIBCXX__), "GPL-3.0-or-later WITH GCC-exception-3.1"},
        {"libzip", zip_libzip_version(), "BSD-3-Clause"},
        {"nlohmann-json", number(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH),
         "MIT"},
#if AXECERT_HAS_ONNX
        {"onnx", "", "Apache-2.0"},
        {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION), "BSD-3-Clause"},
#endif
        {"toml++", number(TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH), "MIT"},
  };
}

}  // namespace axe::cli
