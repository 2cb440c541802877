// What Z3 has proved so far, in a file, so that a run that was interrupted goes on where it stopped. `SmtJournal` is the main class.
// Side effects: its file, locked as long as the object lives.
//
// A journal is believed: it stands for queries that this program asked before. It is bound to one certificate by digest (which names
// the weights by theirs), to the versions of axecert and Z3 and its limit, and each line to those before it by a hash; a line that was changed, or a file that
// belongs to something else, is refused. That guards against mistakes and damage, as the digest of a certificate does, and not against
// an author: the hash is no signature. How many nodes were taken from a journal stands in the vote.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "axecert/smt/smt.hpp"

namespace axe {

/// Nodes [begin, end) of a layer, counted by row, stage, node.
struct NodeSpan {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  friend bool operator==(const NodeSpan&, const NodeSpan&) = default;
};

/// A journal's first line, without its hash: what all that follows holds for.
std::string journal_binding(const std::string& certificate_digest, std::uint64_t rlimit,
                            const std::string& second = "");

class SmtJournal {
 public:
  /// Opens a journal, or begins one. Throws InputError when the file cannot be opened, is in use, was changed, or belongs to another
  /// certificate, axecert, Z3, rlimit or second solver (its version; empty: none). A last line without its end, which an interruption leaves, is dropped.
  SmtJournal(const std::filesystem::path& path, const std::string& certificate_digest, std::uint64_t rlimit,
             const std::string& second = "");
  SmtJournal(const SmtJournal&) = delete;
  SmtJournal& operator=(const SmtJournal&) = delete;
  ~SmtJournal();

  /// What is proved of `layer` at this depth: sorted, neither touching nor overlapping.
  const std::vector<NodeSpan>& proved(SmtDepth depth, const std::string& layer) const;
  /// Notes that every node of the span was proved exact and inside its register. Written when the last was a quarter of a second ago, and by `flush`.
  void add(SmtDepth depth, const std::string& layer, NodeSpan span);
  void flush();
  /// Removes the file: the run it belongs to is complete.
  void remove();

 private:
  using Key = std::pair<SmtDepth, std::string>;
  void read(const std::string& binding);
  void append(const std::string& line);

  std::filesystem::path path_;
  int file_ = -1;
  std::string chain_;  ///< hash of everything up to here
  std::map<Key, std::vector<NodeSpan>> proved_;
  std::map<Key, std::vector<NodeSpan>> pending_;
  std::chrono::steady_clock::time_point written_ = std::chrono::steady_clock::now();
};

/// Adds a span to sorted spans that neither touch nor overlap, and keeps them so.
void merge(std::vector<NodeSpan>& spans, NodeSpan span);

}  // namespace axe
