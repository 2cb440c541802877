// Work spread over threads: tasks 0 … n−1 are handed out through a shared counter. `for_each_task` is the main function, `for_each_block`
// the same for ranges. Side effects: those of the work; every thread has ended when they return.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace axe {

/// `wanted` threads or processes, or with 0 as many as the machine has cores, 256 at most.
inline int workers_or_cores(int wanted) {
  return wanted > 0 ? wanted : static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 256U));
}

/// Runs work(take) on at most `threads` threads, the caller's among them, where take(task) hands out the next task or says
/// false. Each call of `work` may keep its own scratch. After an exception no more tasks are handed out; the first one is thrown again.
template <class Work>
void for_each_task(std::size_t tasks, int threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  const auto take = [&](std::size_t& task) {
    task = next.fetch_add(1, std::memory_order_relaxed);
    return task < tasks && !failed;
  };
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto guarded = [&] {
    try {
      work(take);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(error_mutex);
      error = error ? error : std::current_exception();
      failed = true;
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

/// Calls work(first, count) for 0 … total−1 in blocks of `block`, on at most `threads` threads.
template <class Integer, class Work>
void for_each_block(Integer total, Integer block, int threads, const Work& work) {
  for_each_task(static_cast<std::size_t>((total + block - 1) / block), threads, [&](const auto& take) {
    for (std::size_t task = 0; take(task);) {
      const Integer first = static_cast<Integer>(task) * block;
      work(first, std::min(block, total - first));
    }
  });
}

}  // namespace axe
