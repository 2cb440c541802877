// The checks of the self-test, each a function that fills in one SelftestCheck; selftest.cpp runs them in order. And the certificates
// that are built in: tests/golden as it was when the program was built (embed_golden.cmake). No side effects but Z3's processes.
#pragma once

#include <cstddef>
#include <string>

#include "axecert/certificate/certificate.hpp"
#include "axecert/selftest/selftest.hpp"

namespace axe {

/// A golden pair; `name` is FOLDER/REASON.DETAIL, where REASON is the checker's and FOLDER accept, reject or malformed.
struct GoldenPair {
  const char* name;
  const unsigned char* certificate;
  std::size_t certificate_size;
  const unsigned char* weights;
  std::size_t weights_size;
};
extern const GoldenPair golden_pairs[];
extern const std::size_t golden_pair_count;

/// Counts one claim; keeps `what` of the first that does not hold.
void claim(SelftestCheck& check, bool holds, const std::string& what);

void check_hashes(SelftestCheck& check);               // hashes.cpp: published vectors
void check_golden_certificates(SelftestCheck& check);  // golden.cpp: verdict and reason of every pair
void check_changed_bytes(SelftestCheck& check);       // golden.cpp: every byte of one certificate, weights cut anywhere
void check_steps(SelftestCheck& check);               // machine.cpp: every addition in registers of 1 to 5 bits
void check_presets(SelftestCheck& check);             // machine.cpp: every preset reads and is valid
void check_reported_overflows(SelftestCheck& check);  // reported_overflows.cpp
void check_every_input(SelftestCheck& check);         // tiny_products.cpp: claims against execution of everything
void check_agreement(SelftestCheck& check);           // tiny_products.cpp: checker, Z3 and replay agree with execution
void check_false_claims(SelftestCheck& check);        // tiny_products.cpp: no voter accepts an end that is off by one
void check_combination(SelftestCheck& check);         // votes.cpp: how votes become a verdict
void check_not_finished(SelftestCheck& check);        // votes.cpp: what a solver did not finish is incomplete

}  // namespace axe
