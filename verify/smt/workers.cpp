// Work spread over processes that can be killed; see workers.hpp. Main function: run_workers. Side effects: forks, pipes, one
// shared page; all gone when it returns.
#include "axecert/smt/workers.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <system_error>

namespace axe::smt {
namespace {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// A message is: type (1 byte), payload size (4 bytes, native), payload.
constexpr std::size_t header_bytes = 5;

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

template <class T>
T take(const std::string& in, std::size_t at) {
  T value;
  if (in.size() < at + sizeof value) {
    throw std::runtime_error("a worker's message is too short");
  }
  std::memcpy(&value, in.data() + at, sizeof value);
  return value;
}

struct Worker {
  pid_t pid = -1;
  int pipe = -1;
  std::string buffer;
  std::int64_t heard_ns = 0;
  bool found = false;  ///< something in the slice that it works on
};

/// The counter that hands out slices, in memory that parent and children share.
class SharedCounter {
 public:
  SharedCounter() {
    void* page =
        mmap(nullptr, sizeof(std::atomic<std::int64_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(), "mmap");
    }
    next_ = new (page) std::atomic<std::int64_t>(0);
  }
  ~SharedCounter() { munmap(next_, sizeof *next_); }
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;
  std::int64_t take(std::int64_t count) { return next_->fetch_add(count); }
  std::int64_t value() const { return next_->load(); }

 private:
  static_assert(std::atomic<std::int64_t>::is_always_lock_free);  // a lock would die with its holder
  std::atomic<std::int64_t>* next_;
};

[[noreturn]] void child(int pipe, const Pool& pool, SharedCounter& counter, const std::function<SliceWork()>& prepare) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Reporter reporter(pipe);
  int status = 0;
  try {
    const SliceWork work = prepare();
    reporter.alive();
    for (;;) {
      const auto next = static_cast<std::size_t>(counter.take(1));
      if (next >= pool.slices.size()) {
        break;
      }
      work(pool.slices[next], reporter);
    }
  } catch (const std::exception& problem) {
    reporter.error(problem.what());
    status = 1;
  } catch (...) {
    reporter.error("unknown exception");
    status = 1;
  }
  _exit(status);
}

Worker start(const Pool& pool, SharedCounter& counter, const std::function<SliceWork()>& prepare) {
  int ends[2];
  if (pipe(ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  const pid_t pid = fork();
  if (pid < 0) {
    const int problem = errno;
    close(ends[0]);
    close(ends[1]);
    throw std::system_error(problem, std::generic_category(), "fork");
  }
  if (pid == 0) {
    close(ends[0]);
    child(ends[1], pool, counter, prepare);
  }
  close(ends[1]);
  return {.pid = pid, .pipe = ends[0], .buffer = {}, .heard_ns = now_ns(), .found = false};
}

/// Takes the complete messages out of a worker's buffer.
void digest(Worker& worker, Outcome& outcome, const Pool& pool) {
  std::size_t at = 0;
  while (worker.buffer.size() - at >= header_bytes) {
    const auto size = take<std::uint32_t>(worker.buffer, at + 1);
    if (worker.buffer.size() - at - header_bytes < size) {
      break;
    }
    const char type = worker.buffer[at];
    const std::string payload = worker.buffer.substr(at + header_bytes, size);
    at += header_bytes + size;
    if (type == 'D') {
      const Slice slice = take<Slice>(payload, 0);
      const auto checked = take<Checked>(payload, sizeof slice);
      outcome.checked += checked.first;
      outcome.seconded += checked.second;
      outcome.second_seconds += static_cast<double>(checked.second_ns) * 1e-9;
      const std::int64_t least = pool.second ? std::min(checked.first, checked.second) : checked.first;
      if (pool.done && !worker.found && least == slice.end - slice.begin) {
        pool.done(slice);
      }
      worker.found = false;
    } else if (type == 'F') {
      worker.found = true;
      outcome.findings.push_back({.job = take<std::int64_t>(payload, 0),
                                  .kind = take<FindingKind>(payload, sizeof(std::int64_t)),
                                  .message = payload.substr(sizeof(std::int64_t) + sizeof(FindingKind))});
    } else if (type == 'E' && outcome.error.empty()) {
      outcome.error = payload;
    }
  }
  worker.buffer.erase(0, at);
}

/// Reads what there is; false at the end of the pipe.
bool listen(Worker& worker, Outcome& outcome, const Pool& pool) {
  char bytes[65536];
  const ssize_t got = read(worker.pipe, bytes, sizeof bytes);
  if (got < 0) {
    return errno == EINTR || errno == EAGAIN;
  }
  if (got == 0) {
    return false;
  }
  worker.buffer.append(bytes, static_cast<std::size_t>(got));
  worker.heard_ns = now_ns();
  digest(worker, outcome, pool);
  return true;
}

/// Waits for the process; true when it ended of its own will and well, or told why not.
bool bury(Worker& worker) {
  int status = 0;
  while (waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {
  }
  close(worker.pipe);
  return WIFEXITED(status);
}

}  // namespace

void Reporter::send(char type, const std::string& payload) {
  std::string message(1, type);
  put(message, static_cast<std::uint32_t>(payload.size()));
  message += payload;
  std::size_t sent = 0;
  while (sent < message.size()) {
    const ssize_t wrote = write(pipe_, message.data() + sent, message.size() - sent);
    if (wrote < 0) {
      if (errno == EINTR) {
        continue;
      }
      _exit(2);  // nobody listens
    }
    sent += static_cast<std::size_t>(wrote);
  }
  last_ns_ = now_ns();
}

void Reporter::finding(std::int64_t job, FindingKind kind, const std::string& message) {
  std::string payload;
  put(payload, job);
  put(payload, kind);
  send('F', payload + message);
}

void Reporter::done(Slice slice, Checked checked) {
  std::string payload;
  put(payload, slice);
  checked.first = std::min(checked.first, slice.end - slice.begin);
  checked.second = std::min(checked.second, checked.first);
  put(payload, checked);
  send('D', payload);
}

void Reporter::alive() {
  if (now_ns() - last_ns_ > 50'000'000) {
    send('H', {});
  }
}

void Reporter::error(const std::string& message) {
  send('E', message);
}

Outcome run_workers(const Pool& pool, const std::function<SliceWork()>& prepare) {
  Outcome outcome;
  SharedCounter counter;
  std::vector<Worker> workers;
  const auto slices = static_cast<std::int64_t>(pool.slices.size());
  std::int64_t jobs = 0;
  for (const Slice& slice : pool.slices) {
    jobs += slice.end - slice.begin;
  }
  if (jobs == 0) {
    return outcome;
  }
  const auto wanted =
      static_cast<std::size_t>(std::clamp<std::int64_t>(std::min<std::int64_t>(pool.workers, slices), 1, 256));
  try {
    for (std::size_t i = 0; i < wanted; ++i) {
      workers.push_back(start(pool, counter, prepare));
    }
    int replacements = 8;
    const auto stall_ns = static_cast<std::int64_t>(std::clamp(pool.stall_seconds, 0.01, 1e9) * 1e9);
    while (!workers.empty()) {
      std::vector<pollfd> ready;
      for (const Worker& worker : workers) {
        ready.push_back({.fd = worker.pipe, .events = POLLIN, .revents = 0});
      }
      poll(ready.data(), ready.size(), static_cast<int>(std::clamp<std::int64_t>(stall_ns / 4'000'000, 5, 100)));
      for (std::size_t i = workers.size(); i-- > 0;) {
        bool ended = false;
        bool well = true;
        if (ready[i].revents != 0 && !listen(workers[i], outcome, pool)) {
          ended = true;
          well = bury(workers[i]);
          outcome.died += well ? 0 : 1;
        } else if (now_ns() - workers[i].heard_ns > stall_ns) {
          kill(workers[i].pid, SIGKILL);
          bury(workers[i]);
          ended = true;
          well = false;
          ++outcome.stalled;
        }
        if (ended) {
          workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(i));
          if (!well && replacements > 0 && counter.value() < slices) {
            --replacements;
            workers.push_back(start(pool, counter, prepare));
            break;  // `ready` no longer matches
          }
        }
      }
      if (pool.progress) {
        pool.progress(outcome.checked, jobs);
      }
    }
  } catch (...) {
    for (Worker& worker : workers) {
      kill(worker.pid, SIGKILL);
      bury(worker);
    }
    throw;
  }
  std::stable_sort(outcome.findings.begin(), outcome.findings.end(),
                   [](const JobFinding& a, const JobFinding& b) { return a.job < b.job; });
  return outcome;
}

}  // namespace axe::smt
