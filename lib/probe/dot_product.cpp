// Dot products as questions; see dot_product.hpp. Main function: runs_of. No side effects.
#include "axecert/probe/dot_product.hpp"

namespace axe {

std::int64_t exact_value(const DotProduct& question) {
  std::int64_t sum = 0;
  for (std::size_t k = 0; k < question.x.size(); ++k) {
    sum += std::int64_t{question.x[k]} * question.w[k];
  }
  return sum;
}

DotProduct in_codes(DotProduct question, std::int64_t offset) {
  for (std::int32_t& x : question.x) {
    x = static_cast<std::int32_t>(x - offset);
  }
  return question;
}

std::int64_t weight_sum(const DotProduct& question) {
  std::int64_t sum = 0;
  for (const std::int8_t w : question.w) {
    sum += w;
  }
  return sum;
}

std::vector<ProductRun> runs_of(const DotProduct& question) {
  std::vector<ProductRun> runs;
  for (std::size_t k = 0; k < question.x.size(); ++k) {
    if (!runs.empty() && runs.back().x == question.x[k] && runs.back().w == question.w[k]) {
      ++runs.back().count;
    } else {
      runs.push_back({1, question.x[k], question.w[k]});
    }
  }
  return runs;
}

DotProduct dot_product_of(const std::vector<ProductRun>& runs) {
  DotProduct question;
  for (const ProductRun& run : runs) {
    question.x.insert(question.x.end(), static_cast<std::size_t>(run.count), run.x);
    question.w.insert(question.w.end(), static_cast<std::size_t>(run.count), run.w);
  }
  return question;
}

std::string runs_in_words(const std::vector<ProductRun>& runs, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < runs.size() && i < most; ++i) {
    const ProductRun& run = runs[i];
    const bool nothing = run.x == 0 && run.w == 0;
    text += (i == 0 ? "" : ", ") + (nothing ? std::string("0") : std::to_string(run.x) + "·" + std::to_string(run.w)) +
            (run.count == 1 ? "" : " × " + std::to_string(run.count));
  }
  return runs.size() > most ? text + ", … " + std::to_string(runs.size() - most) + " more runs" : text;
}

}  // namespace axe
