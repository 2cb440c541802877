// A program as a black box; see command_product.hpp. Main function: CommandProduct::multiply. Side effects: a child process, two
// pipes; the signal SIGPIPE is held back while writing.
#include "axecert/probe/command_product.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

constexpr std::size_t longest_answer = std::size_t{1} << 26;  // bytes of one line

/// Writing to a program that has ended must be an error, not the end of this one.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &before_);
  }
  ~NoPipeSignal() { sigaction(SIGPIPE, &before_, nullptr); }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  struct sigaction before_ = {};
};

template <class Integer>
void append_matrix(std::string& text, const std::vector<Integer>& values, std::int64_t rows, std::int64_t columns) {
  std::size_t at = 0;
  text += '[';
  for (std::int64_t i = 0; i < rows; ++i) {
    text += i == 0 ? "[" : ", [";
    for (std::int64_t j = 0; j < columns; ++j) {
      text += (j == 0 ? "" : ",") + std::to_string(values[at++]);
    }
    text += ']';
  }
  text += ']';
}

std::string excerpt(const std::string& line) {
  constexpr std::size_t most = 60;
  std::string text;
  for (const char c : line.substr(0, most)) {
    text += c >= ' ' && c < 127 ? c : '?';
  }
  return "'" + text + (line.size() > most ? "…'" : "'");
}

}  // namespace

CommandProduct::CommandProduct(std::vector<std::string> command, double seconds) : seconds_(seconds) {
  if (command.empty() || seconds <= 0) {
    throw InputError("black box", command.empty() ? "no command" : "no time to answer",
                     command.empty() ? "write the program and its arguments behind --" : "more than 0 seconds");
  }
  name_ = "black box '" + command[0] + "'";
  int to[2], from[2], failure[2];
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0) {
    refuse(std::string("no pipe: ") + std::strerror(errno), "close files");
  }
  std::vector<char*> arguments;
  for (std::string& word : command) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  process_ = fork();
  if (process_ == 0) {  // only calls that are safe after fork
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    execvp(arguments[0], arguments.data());
    const int reason = errno;
    static_cast<void>(!write(failure[1], &reason, sizeof(reason)));
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  close(failure[1]);
  input_ = to[1];
  output_ = from[0];
  int reason = process_ < 0 ? errno : 0;
  if (process_ > 0 && read(failure[0], &reason, sizeof(reason)) != sizeof(reason)) {
    reason = 0;  // it runs: the pipe was closed by exec
  }
  close(failure[0]);
  if (reason != 0) {
    close(input_);
    close(output_);
    if (process_ > 0) {
      waitpid(process_, nullptr, 0);
    }
    refuse(std::string("cannot be started: ") + std::strerror(reason), "name a program that can be run");
  }
  fcntl(input_, F_SETFL, O_NONBLOCK);
  fcntl(output_, F_SETFL, O_NONBLOCK);
}

CommandProduct::~CommandProduct() {
  if (input_ >= 0) {
    close(input_);
    close(output_);
  }
  if (process_ <= 0) {
    return;
  }
  for (int tries = 0; tries < 100; ++tries) {
    if (waitpid(process_, nullptr, WNOHANG) != 0) {
      return;
    }
    usleep(10'000);
  }
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

void CommandProduct::refuse(const std::string& problem, const std::string& remedy) const {
  throw InputError(name_, problem, remedy);
}

std::string CommandProduct::ended() {
  int status = 0;
  for (int tries = 0; tries < 100; ++tries) {
    const int done = waitpid(process_, &status, WNOHANG);
    if (done == process_) {
      process_ = -1;
      return WIFSIGNALED(status) ? "ended by signal " + std::to_string(WTERMSIG(status))
                                 : "ended with exit code " + std::to_string(WEXITSTATUS(status));
    }
    usleep(10'000);
  }
  return "closed its standard output";
}

std::string CommandProduct::exchange(const std::string& line) {
  const NoPipeSignal quiet;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds_);
  std::size_t written = 0;
  while (true) {
    const std::size_t newline = rest_.find('\n');
    if (newline != std::string::npos) {
      std::string answer = rest_.substr(0, newline);
      rest_.erase(0, newline + 1);
      if (written < line.size()) {
        refuse("answered before it read the question: " + excerpt(answer), "write one line for every line read");
      }
      return answer;
    }
    if (rest_.size() > longest_answer) {
      refuse("wrote " + std::to_string(rest_.size()) + " bytes without an end of line",
             "end every answer with a newline");
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0) {
      refuse("no answer within " + std::to_string(seconds_).substr(0, 5) + " s",
             "flush standard output after every line, or give it more time (--timeout)");
    }
    pollfd ready[2] = {{output_, POLLIN, 0}, {written < line.size() ? input_ : -1, POLLOUT, 0}};
    poll(ready, 2, static_cast<int>(std::min<std::int64_t>(left, 1000)));
    if ((ready[1].revents & (POLLOUT | POLLERR)) != 0) {
      const ssize_t n = write(input_, line.data() + written, line.size() - written);
      if (n < 0 && errno != EAGAIN && errno != EINTR) {
        refuse(ended() + " before it read a whole question", "read lines until standard input ends");
      }
      written += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    if ((ready[0].revents & (POLLIN | POLLHUP)) != 0) {
      char block[1 << 16];
      const ssize_t n = read(output_, block, sizeof(block));
      if (n == 0) {
        refuse(ended() + " without an answer", "answer every question until standard input ends");
      }
      rest_.append(block, n > 0 ? static_cast<std::size_t>(n) : 0);
    }
  }
}

std::vector<std::int64_t> CommandProduct::multiply(const ProductQuestion& question) {
  std::string line = "{\"x\": ";
  append_matrix(line, question.activations, question.rows, question.length);
  line += ", \"w\": ";
  append_matrix(line, question.weights, question.length, question.columns);
  line += "}\n";
  const std::string text = exchange(line);
  const std::string wanted = "answer {\"y\": …} with " + std::to_string(question.rows) + " rows of " +
                             std::to_string(question.columns) + " integers";
  const nlohmann::json answer = nlohmann::json::parse(text, nullptr, false);
  if (!answer.is_object() || !answer.contains("y")) {
    refuse("no answer: " + excerpt(text), wanted);
  }
  const nlohmann::json& rows = answer["y"];
  if (!rows.is_array() || rows.size() != static_cast<std::size_t>(question.rows)) {
    refuse("an answer of " + (rows.is_array() ? std::to_string(rows.size()) + " rows" : std::string("no rows")),
           wanted);
  }
  std::vector<std::int64_t> values;
  for (const nlohmann::json& row : rows) {
    if (!row.is_array() || row.size() != static_cast<std::size_t>(question.columns)) {
      refuse("a row of " + (row.is_array() ? std::to_string(row.size()) + " numbers" : std::string("no numbers")),
             wanted);
    }
    for (const nlohmann::json& value : row) {
      if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)) {
        refuse("an answer with " + excerpt(value.dump()) + ", which is no 64-bit integer", wanted);
      }
      values.push_back(value.get<std::int64_t>());
    }
  }
  return values;
}

}  // namespace axe
