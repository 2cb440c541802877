// Z3's journal: any lines are read or refused with an InputError, and what was read are spans that neither touch nor overlap. Every line's hash is made
// right first, so that what lies behind it is reached. Input: lines without their hashes; where the first byte is odd, the first line binds the
// journal to this run. Main function: LLVMFuzzerTestOneInput. It aborts on a finding.
// Requirements: TOR-202.
#include "axecert/smt/journal.hpp"

#include "axecert/certificate/certificate.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/numeric/error.hpp"
#include "target.hpp"

using namespace axe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) {
    return 0;
  }
  const std::string digest(64, 'a');
  std::string lines(reinterpret_cast<const char*>(data) + 1, size - 1), text, chain;
  if (data[0] & 1) {
    lines = journal_binding(digest, 1000) + "\n" + lines;
  }
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    const std::string line = lines.substr(at, end - at), hashed = chain + "\n" + line;
    chain = to_hex(sha256(hashed.data(), hashed.size()));
    text += line + " " + chain + "\n";
    at = end + 1;
  }
  const fuzz::MemoryFile file(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  try {
    const SmtJournal journal(file.path(), digest, 1000);
    for (const SmtDepth depth : {SmtDepth::ground, SmtDepth::box, SmtDepth::bit_precise}) {
      for (const char* layer : {"a", "b"}) {
        std::int64_t before = -1;
        for (const NodeSpan& span : journal.proved(depth, layer)) {
          if (span.begin <= before || span.end <= span.begin) {
            fuzz::finding("spans that touch, overlap or are empty");
          }
          before = span.end;
        }
      }
    }
  } catch (const InputError&) {
  }
  return 0;
}
