// Work spread over threads: tasks 0 … n−1 are handed out through a shared counter. `for_each_task` is the main function. Side
// effects: those of the work; every thread has ended when it returns.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace axe::kernel {

/// Runs work(take) on at most `threads` threads, the caller's among them, where take(task) hands out the next task or says
/// false. Each call of `work` may keep its own scratch. The first exception is thrown again.
template <class Work>
void for_each_task(std::size_t tasks, int threads, Work work) {
  std::atomic<std::size_t> next{0};
  const auto take = [&](std::size_t& task) {
    task = next.fetch_add(1, std::memory_order_relaxed);
    return task < tasks;
  };
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto guarded = [&] {
    try {
      work(take);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(error_mutex);
      error = error ? error : std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(tasks, static_cast<std::size_t>(std::max(threads, 1))); ++i) {
    others.emplace_back(guarded);
  }
  guarded();
  for (std::thread& other : others) {
    other.join();
  }
  if (error) {
    std::rethrow_exception(error);
  }
}

}  // namespace axe::kernel
