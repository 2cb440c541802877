// Asks the black box for single dot products, keeps every question with its answer, and refuses a box that contradicts itself.
// `Asker::ask` is the main function; its side effects are those of the box.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "axecert/numeric/error.hpp"
#include "axecert/probe/dot_product.hpp"
#include "axecert/probe/product.hpp"

namespace axe {

/// The box gave two answers to one question.
class InconsistentProduct : public InputError {
 public:
  InconsistentProduct(std::string place, std::string problem, std::string remedy, std::vector<ProductRun> asked,
                      std::int64_t first_answer, std::int64_t second_answer)
      : InputError(std::move(place), std::move(problem), std::move(remedy)),
        question(std::move(asked)),
        first(first_answer),
        second(second_answer) {}
  std::vector<ProductRun> question;
  std::int64_t first, second;
};

/// The shape in which dot products are put to the box: rows × columns copies of each, which must all come out the same.
struct QuestionShape {
  std::int64_t rows = 2;
  std::int64_t columns = 2;
};

class Asker {
 public:
  /// `most` questions, then InputError: a box that leads to more is of no form that is searched for.
  Asker(Product& product, QuestionShape shape, std::size_t most) : product_(product), shape_(shape), most_(most) {}

  /// The box's value of `question`; `asked().size() − 1` is then its index. Throws InconsistentProduct when two places of the
  /// answer differ, or an earlier answer to the same question does; InputError as the box does.
  std::int64_t ask(const DotProduct& question);

  /// Asks question `index` again. Throws InconsistentProduct when the answer is another one.
  void ask_again(std::size_t index);

  const std::vector<AnsweredQuestion>& asked() const { return asked_; }

 private:
  std::int64_t answer(const DotProduct& question, const std::vector<ProductRun>& runs);

  Product& product_;
  QuestionShape shape_;
  std::size_t most_;
  std::vector<AnsweredQuestion> asked_;
  std::unordered_multimap<std::size_t, std::size_t> index_of_hash_;
};

}  // namespace axe
