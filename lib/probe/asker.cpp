// Asks the black box; see asker.hpp. Main function: Asker::ask. Side effects: those of the box.
#include "axecert/probe/asker.hpp"

#include <algorithm>

namespace axe {
namespace {

std::size_t hash_of(const std::vector<ProductRun>& runs) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a over the runs' numbers
  for (const ProductRun& run : runs) {
    for (const std::int64_t part : {run.count, std::int64_t{run.x}, std::int64_t{run.w}}) {
      hash = (hash ^ static_cast<std::uint64_t>(part)) * 1099511628211ULL;
    }
  }
  return hash;
}

}  // namespace

std::int64_t Asker::answer(const DotProduct& question, const std::vector<ProductRun>& runs) {
  ProductQuestion matrices;
  matrices.rows = shape_.rows;
  matrices.columns = shape_.columns;
  matrices.length = question.length();
  for (std::int64_t i = 0; i < shape_.rows; ++i) {
    matrices.activations.insert(matrices.activations.end(), question.x.begin(), question.x.end());
  }
  for (const std::int8_t w : question.w) {
    matrices.weights.insert(matrices.weights.end(), static_cast<std::size_t>(shape_.columns), w);
  }
  const std::vector<std::int64_t> values = product_.multiply(matrices);
  if (values.size() != static_cast<std::size_t>(shape_.rows * shape_.columns)) {
    throw InputError("black box",
                     std::to_string(values.size()) + " numbers for a product of " + std::to_string(shape_.rows) +
                         " × " + std::to_string(shape_.columns),
                     "one number for each row and column");
  }
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] != values[0]) {
      const auto columns = static_cast<std::size_t>(shape_.columns);
      throw InconsistentProduct(
          "black box, dot product " + runs_in_words(runs),
          "the answer is " + std::to_string(values[0]) + " in row 0, column 0, and " + std::to_string(values[i]) +
              " in row " + std::to_string(i / columns) + ", column " + std::to_string(i % columns) + " of one product",
          "all rows of X are equal, and all columns of W; ask for 1 row and 1 column to look at that "
          "kernel alone",
          runs, values[0], values[i]);
    }
  }
  return values[0];
}

std::int64_t Asker::ask(const DotProduct& question) {
  if (asked_.size() >= most_) {
    throw InputError("black box", std::to_string(most_) + " questions did not suffice",
                     "its datapath is of no form that is searched for, or the longest dot product asked is too long");
  }
  std::vector<ProductRun> runs = runs_of(question);
  const std::int64_t value = answer(question, runs);
  const std::size_t hash = hash_of(runs);
  const auto [begin, end] = index_of_hash_.equal_range(hash);
  for (auto earlier = begin; earlier != end; ++earlier) {
    const AnsweredQuestion& known = asked_[earlier->second];
    if (known.runs == runs && known.answer != value) {
      throw InconsistentProduct("black box, dot product " + runs_in_words(runs),
                                "the answer was " + std::to_string(known.answer) + ", and is " + std::to_string(value) +
                                    " when it is asked again",
                                "only a box that always answers the same has a datapath", runs, known.answer, value);
    }
  }
  index_of_hash_.emplace(hash, asked_.size());
  asked_.push_back({std::move(runs), value});
  return value;
}

void Asker::ask_again(std::size_t index) {
  ask(dot_product_of(asked_[index].runs));
}

}  // namespace axe
