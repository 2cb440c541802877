// A file of what is proved, a line per span of nodes: "DEPTH LAYER BEGIN END HASH", HASH over the line and the hash before it. See
// journal.hpp; main class: SmtJournal. Side effects: the file and its lock.
#include "axecert/smt/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "axecert/certificate/certificate.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

constexpr const char* start_again = "delete it to start again";

std::string hash_after(const std::string& chain, std::string_view content) {
  const std::string text = chain + "\n" + std::string(content);
  return to_hex(sha256(text.data(), text.size()));
}

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int reason) {
  throw InputError(path.string(), std::string("cannot be ") + what + ": " + std::strerror(reason),
                   "check the folder, its permissions and its room");
}

}  // namespace

void merge(std::vector<NodeSpan>& spans, NodeSpan span) {
  if (span.begin >= span.end) {
    return;
  }
  // The first span that ends at or behind the new one's begin, and the first that begins behind its end.
  const auto first = std::lower_bound(spans.begin(), spans.end(), span.begin,
                                      [](const NodeSpan& s, std::int64_t begin) { return s.end < begin; });
  auto last = first;
  for (; last != spans.end() && last->begin <= span.end; ++last) {
    span.begin = std::min(span.begin, last->begin);
    span.end = std::max(span.end, last->end);
  }
  spans.insert(spans.erase(first, last), span);
}

std::string journal_binding(const std::string& certificate_digest, std::uint64_t rlimit, const std::string& second) {
  return "axecert z3 journal 1 certificate " + certificate_digest + " axecert " AXECERT_VERSION " z3 " + smt_version() +
         " rlimit " + std::to_string(rlimit) + (second.empty() ? "" : " cvc5 " + second);
}

SmtJournal::SmtJournal(const std::filesystem::path& path, const std::string& certificate_digest, std::uint64_t rlimit,
                       const std::string& second)
    : path_(path) {
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) {
    fail(path, "opened", errno);
  }
  try {
    struct flock whole {};  // of this process, not of the workers that it forks: it ends with it
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (fcntl(file_, F_SETLK, &whole) != 0) {
      throw InputError(path.string(), "is in use by another run", "wait for it, or use another journal");
    }
    read(journal_binding(certificate_digest, rlimit, second));
  } catch (...) {
    close(file_);
    throw;
  }
}

SmtJournal::~SmtJournal() {
  try {
    flush();
  } catch (const InputError&) {
    // What was not written is asked again.
  }
  close(file_);
}

void SmtJournal::read(const std::string& binding) {
  std::string text;
  char piece[65536];
  for (;;) {
    const ssize_t got = ::read(file_, piece, sizeof piece);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      fail(path_, "read", errno);
    }
    if (got == 0) {
      break;
    }
    text.append(piece, static_cast<std::size_t>(got));
  }
  const std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  const std::size_t common = std::min(text.size(), binding.size());  // of a first line that was cut short
  if (whole == 0 && text.compare(0, common, binding, 0, common) != 0) {
    throw InputError(path_.string(), "is not a journal of this certificate", start_again);
  }
  std::size_t number = 0;
  for (std::size_t at = 0; at < whole; ++number) {
    const std::size_t end = text.find('\n', at);
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    const std::string place = path_.string() + ": line " + std::to_string(number + 1);
    const std::size_t last = line.rfind(' ');
    if (last == std::string_view::npos || hash_after(chain_, line.substr(0, last)) != line.substr(last + 1)) {
      throw InputError(place, "its hash is not that of the lines up to it: it was changed, or is no journal",
                       start_again);
    }
    chain_ = line.substr(last + 1);
    const std::string_view content = line.substr(0, last);
    if (number == 0) {
      if (content != binding) {
        throw InputError(place, "'" + std::string(content) + "', this run is '" + binding + "'",
                         "use its certificate, axecert and Z3, or delete it to start again");
      }
      continue;
    }
    std::vector<std::string_view> words;
    for (std::size_t begin = 0; begin <= content.size();) {
      const std::size_t space = std::min(content.find(' ', begin), content.size());
      words.push_back(content.substr(begin, space - begin));
      begin = space + 1;
    }
    NodeSpan span;
    const auto number_of = [](std::string_view word, std::int64_t& value) {
      const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), value);
      return error == std::errc() && rest == word.data() + word.size();
    };
    bool known = false;
    for (const SmtDepth depth : {SmtDepth::ground, SmtDepth::box, SmtDepth::bit_precise}) {
      if (words.size() == 4 && words[0] == to_text(depth) && number_of(words[2], span.begin) &&
          number_of(words[3], span.end) && 0 <= span.begin && span.begin < span.end) {
        proved_[{depth, std::string(words[1])}].push_back(span);
        known = true;
      }
    }
    if (!known) {
      throw InputError(place, "is not a line of a journal", start_again);
    }
  }
  for (auto& [key, spans] : proved_) {  // in their order: merge() moves what lies behind each
    std::sort(spans.begin(), spans.end(), [](const NodeSpan& a, const NodeSpan& b) { return a.begin < b.begin; });
    std::vector<NodeSpan> apart;
    for (const NodeSpan& span : spans) {
      merge(apart, span);
    }
    spans = std::move(apart);
  }
  if (ftruncate(file_, static_cast<off_t>(whole)) != 0 || lseek(file_, 0, SEEK_END) < 0) {
    fail(path_, "cut to its whole lines", errno);
  }
  if (number == 0) {
    append(binding);
  }
}

void SmtJournal::append(const std::string& line) {
  const std::string hash = hash_after(chain_, line);
  const std::string text = line + " " + hash + "\n";
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = write(file_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      fail(path_, "written", errno);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  chain_ = hash;
}

const std::vector<NodeSpan>& SmtJournal::proved(SmtDepth depth, const std::string& layer) const {
  static const std::vector<NodeSpan> none;
  const auto found = proved_.find({depth, layer});
  return found == proved_.end() ? none : found->second;
}

void SmtJournal::add(SmtDepth depth, const std::string& layer, NodeSpan span) {
  merge(pending_[{depth, layer}], span);
  merge(proved_[{depth, layer}], span);
  if (std::chrono::steady_clock::now() - written_ > std::chrono::milliseconds(250)) {
    flush();
  }
}

void SmtJournal::flush() {
  for (const auto& [key, spans] : pending_) {
    for (const NodeSpan& span : spans) {
      append(to_text(key.first) + " " + key.second + " " + std::to_string(span.begin) + " " + std::to_string(span.end));
    }
  }
  pending_.clear();
  written_ = std::chrono::steady_clock::now();
}

void SmtJournal::remove() {
  pending_.clear();
  std::error_code problem;
  std::filesystem::remove(path_, problem);
}

}  // namespace axe
