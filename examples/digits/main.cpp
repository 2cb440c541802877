// digits FOLDER OUT: quantizes the network in FOLDER for accumulators of 8 to 20 bits, verifies every result, classifies
// the test images through the narrow registers, prints the table and writes OUT/digits.svg, OUT/digits.txt, and the
// certificates and weights of all networks into OUT/digits/.
// Exit codes: 0, 64 wrong use, 65 bad input, 70 a claim that did not hold.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

#include "axecert/numeric/error.hpp"
#include "chart.hpp"

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) {
    throw axe::InputError(path.string(), "could not be written", "choose another folder");
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: digits FOLDER OUT\n", stderr);
    return 64;
  }
  try {
    const std::filesystem::path out = arguments[2];
    std::filesystem::create_directories(out / "digits");
    const digits::Study study = digits::run_study(arguments[1], out / "digits");
    const std::string table = digits::table_markdown(study);
    std::fputs(table.c_str(), stdout);
    write(out / "digits.txt", table);
    write(out / "digits.svg", digits::chart_svg(study));
    return 0;
  } catch (const axe::InputError& error) {
    std::fprintf(stderr, "digits: %s\n", error.what());
    return 65;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "digits: %s\n", error.what());
    return 70;
  }
}
