// cvc5 as a process; see second_solver.hpp. Main class: SecondOpinion. Side effects: a child process, bug reports.
#include "axecert/smt/second_solver.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <stdexcept>
#include <system_error>
#include <unordered_set>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/smt/smt.hpp"

namespace axe::smt {
namespace {

constexpr int reports_per_worker = 8;  // one shows the defect, a thousand fill the disk

/// Declares every uninterpreted constant below `e` in `constants`.
void collect(const z3::expr& e, std::unordered_set<unsigned>& seen, std::map<std::string, std::string>& constants) {
  std::vector<z3::expr> open{e};
  while (!open.empty()) {
    const z3::expr next = open.back();
    open.pop_back();
    if (!seen.insert(Z3_get_ast_id(next.ctx(), next)).second) {
      continue;
    }
    if (next.is_const() && next.decl().decl_kind() == Z3_OP_UNINTERPRETED) {
      constants.emplace(next.decl().name().str(), next.get_sort().to_string());
    }
    for (unsigned i = 0; i < next.num_args(); ++i) {
      open.push_back(next.arg(i));
    }
  }
}

const char* word(z3::check_result answer) {
  return answer == z3::sat ? "sat" : answer == z3::unsat ? "unsat" : "unknown";
}

}  // namespace

Pipes::Pipes(const std::string& program, const std::vector<std::string>& arguments) {
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  if (pipe2(from, O_CLOEXEC) != 0) {
    const int problem = errno;
    close(to[0]);
    close(to[1]);
    throw std::system_error(problem, std::generic_category(), "pipe");
  }
  std::vector<char*> words{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    words.push_back(const_cast<char*>(argument.c_str()));
  }
  words.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
      _exit(127);
    }
    signal(SIGPIPE, SIG_DFL);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    close_range(3, ~0U, 0);  // a worker's own pipe must end with the worker
    execvp(words[0], words.data());
    _exit(127);
  }
  const int problem = errno;
  close(to[0]);
  close(from[1]);
  in_ = to[1];
  out_ = from[0];
  if (pid_ < 0) {
    close(in_);
    close(out_);
    throw std::system_error(problem, std::generic_category(), "fork");
  }
}

Pipes::~Pipes() {
  close(in_);
  close(out_);
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Pipes::write(const std::string& text) {
  // A program that has ended must not end this one: the signal is kept away for the length of the call.
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  std::size_t sent = 0;
  bool ended = false;
  while (sent < text.size() && !ended) {
    const ssize_t wrote = ::write(in_, text.data() + sent, text.size() - sent);
    ended = wrote < 0 && errno != EINTR;
    sent += wrote > 0 ? static_cast<std::size_t>(wrote) : 0;
  }
  sigaction(SIGPIPE, &before, nullptr);
  if (ended) {
    throw std::runtime_error("it ended");
  }
}

std::string Pipes::line(int milliseconds) {
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string result = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return result;
    }
    pollfd ready{.fd = out_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, milliseconds) == 0) {
      throw std::runtime_error("it says nothing");
    }
    char piece[4096];
    const ssize_t got = read(out_, piece, sizeof piece);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      throw std::runtime_error("it ended");
    }
    buffer_.append(piece, static_cast<std::size_t>(got));
  }
}

std::string smtlib_text(const z3::expr_vector& assertions, const z3::expr& query, const char* logic) {
  Z3_set_ast_print_mode(query.ctx(), Z3_PRINT_SMTLIB2_COMPLIANT);
  std::unordered_set<unsigned> seen;
  std::map<std::string, std::string> constants;
  for (const z3::expr assertion : assertions) {
    collect(assertion, seen, constants);
  }
  collect(query, seen, constants);
  std::string text = std::string("(set-logic ") + logic + ")\n";
  for (const auto& [name, sort] : constants) {
    text += "(declare-fun " + name + " () " + sort + ")\n";
  }
  for (const z3::expr assertion : assertions) {
    text += "(assert " + assertion.to_string() + ")\n";
  }
  return text + "(assert " + query.to_string() + ")\n(check-sat)\n";
}

SecondOpinion::SecondOpinion(const std::string& program, std::uint64_t rlimit, std::filesystem::path bug_reports)
    : pipes_(program, {"--lang=smt2", "--rlimit-per=" + std::to_string(rlimit)}),
      program_(program),
      rlimit_(rlimit),
      bug_reports_(std::move(bug_reports)) {}

void SecondOpinion::turn_to(const std::string& words, const std::string& file_name) {
  words_ = words;
  file_name_ = file_name;
  state_ = State::agreed;
  message_.clear();
}

std::string SecondOpinion::ask(const std::string& text) {
  const auto start = std::chrono::steady_clock::now();
  std::string answer;
  try {
    pipes_.write("(reset)\n" + text);
    answer = pipes_.line();
  } catch (const std::runtime_error& problem) {
    throw std::runtime_error("cvc5 (" + program_ + ") did not answer: " + problem.what());
  }
  nanoseconds_ +=
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
  if (answer != "sat" && answer != "unsat" && answer != "unknown") {
    throw std::runtime_error("cvc5 (" + program_ + ") answered '" + answer.substr(0, 200) + "'");
  }
  return answer;
}

void SecondOpinion::hear(z3::solver& solver, const z3::expr& query, z3::check_result z3_answer, const char* logic) {
  const std::string text = smtlib_text(solver.assertions(), query, logic);
  std::string answer;
  try {
    answer = ask(text);
  } catch (const std::runtime_error&) {
    report(text, solver, query, word(z3_answer), "nothing");
    throw;
  }
  if (after_each_) {
    after_each_();
  }
  if (answer == word(z3_answer)) {
    return;
  }
  const State state = answer == "unknown" ? State::unknown : State::disagreed;
  const std::string path = report(text, solver, query, word(z3_answer), answer);
  if (message_.empty() || (state == State::disagreed && state_ != State::disagreed)) {
    message_ = std::string("Z3 answered ") + word(z3_answer) + ", cvc5 " + answer +
               (path.empty() ? "" : "; both inputs are in " + path);
  }
  state_ = state_ == State::disagreed ? state_ : state;
}

std::string SecondOpinion::report(const std::string& text, z3::solver& solver, const z3::expr& query,
                                  const char* z3_answer, const std::string& answer) {
  if (written_ >= reports_per_worker) {
    return {};
  }
  z3::solver alone(query.ctx());
  for (const z3::expr assertion : solver.assertions()) {
    alone.add(assertion);
  }
  alone.add(query);
  const std::string content = "; Two solvers, two answers. Please report this file.\n; " + words_ + "\n; Z3 " +
                              smt_version() + ": " + z3_answer + "\n; cvc5 (" + program_ + "), rlimit-per " +
                              std::to_string(rlimit_) + ": " + answer +
                              "\n; What cvc5 was told; behind (reset), what Z3 was told, in its own words.\n" + text +
                              "(reset)\n" + alone.to_smt2();
  const std::filesystem::path path =
      bug_reports_ / ("axecert-" + answer + "." + file_name_ + "." + std::to_string(written_) + ".smt2");
  write_file_atomically(path, {reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
  ++written_;
  return path.string();
}

std::string words_of(const LayerNodes& of, NodeId id) {
  const IntegerRange claimed = of.claimed(id), limits = of.limits(id.stage);
  return "Layer " + of.layer().name + " (weights SHA-256 " + to_hex(of.claims().weight_hash) + "), row " +
         std::to_string(id.row) + ", stage " + std::to_string(id.stage) + ", register " + std::to_string(id.node) +
         ": claimed range " + to_text(WideRange{claimed.lower, claimed.upper}) + ", limits " +
         to_text(WideRange{limits.lower, limits.upper});
}

}  // namespace axe::smt

namespace axe {

std::string cvc5_version(const std::string& program) {
  const char* remedy = "install cvc5 (Debian: apt install cvc5), or name the program with --cvc5-program";
  std::string line;
  try {
    line = smt::Pipes(program, {"--version"}).line(10'000);
  } catch (const std::runtime_error&) {  // std::system_error too
    throw InputError(program, "cannot be run as cvc5", remedy);
  }
  const std::string before = "This is cvc5 version ";
  if (!line.starts_with(before) || line.size() == before.size()) {
    throw InputError(program, "is not cvc5: --version says '" + line.substr(0, 80) + "'", remedy);
  }
  return line.substr(before.size(), line.find(' ', before.size()) - before.size());
}

}  // namespace axe
