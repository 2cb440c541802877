// Whole dot products as bit vectors; see tree.hpp. Main function: ask_trees. Side effects: worker processes.
#include "axecert/smt/tree.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "axecert/numeric/error.hpp"
#include "axecert/smt/bit_stage.hpp"
#include "axecert/smt/workers.hpp"

namespace axe {
namespace smt {
namespace {

/// The registers of one dot product.
class Tree {
 public:
  Tree(Solver& solver, const TreeQuestion& question)
      : solver_(solver),
        question_(question),
        topology_(question.datapath, static_cast<std::int64_t>(question.weights.size())),
        bits_(working_bits()) {}

  unsigned bits() const { return bits_; }

  struct Node {
    Register machine;
    z3::expr fed;  ///< what it would hold with no limit, given what it was fed
    z3::expr
        exact;  ///< the integer sum of all below it, added in the order of the tree: any other gives the same integer
  };

  /// [stage][node], on inputs of `bits()` bits.
  std::vector<std::vector<Node>> registers(const std::vector<z3::expr>& inputs) {
    std::vector<std::vector<Node>> all;
    std::vector<z3::expr> below, exact_below;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      below.push_back(solver_.bits(question_.weights[k], bits_) * inputs[k]);
    }
    exact_below = below;
    for (std::size_t s = 0; s < topology_.stages(); ++s) {
      const Stage& description = topology_.stage(s);
      const BitStage stage(solver_, description, bits_);
      const z3::expr initial = solver_.bits(description.initial == Initial::constant ? question_.constant : 0, bits_);
      std::vector<Node> nodes;
      std::vector<z3::expr> contents, sums;
      for (std::int64_t j = 0; j < topology_.nodes(s); ++j) {
        Node node{stage.start(initial), initial, initial};
        for (const std::int64_t v : topology_.values_of(s, j)) {
          const z3::expr& value = below[static_cast<std::size_t>(v)];
          node.machine = stage.step(node.machine, value);
          node.fed = node.fed + value;
          node.exact = node.exact + exact_below[static_cast<std::size_t>(v)];
        }
        contents.push_back(node.machine.content);
        sums.push_back(node.exact);
        nodes.push_back(node);
      }
      all.push_back(nodes);
      below = contents;
      exact_below = sums;
    }
    return all;
  }

  /// Some register goes wrong (tree.hpp).
  z3::expr wrong(const std::vector<std::vector<Node>>& all) {
    z3::expr result = solver_.context().bool_val(false);
    for (std::size_t s = 0; s < all.size(); ++s) {
      for (const Node& node : all[s]) {
        result = result || (topology_.stage(s).claim == Claim::final_value ? node.machine.content != node.fed
                                                                           : node.machine.overflowed);
      }
    }
    return result;
  }

  /// Every register of the last stage holds the integer sum of the products below it, and of the constant if that entered it.
  z3::expr integer_sums(const std::vector<std::vector<Node>>& all) {
    z3::expr result = solver_.context().bool_val(true);
    for (const Node& node : all.back()) {
      result = result && node.machine.content == node.exact;
    }
    return result;
  }

 private:
  /// Enough for everything that a register is ever fed, one addition more, and every limit.
  unsigned working_bits() const {
    const int128 operand = std::max(std::abs(question_.inputs.lower), std::abs(question_.inputs.upper));
    int128 exact = question_.constant < 0 ? -int128{question_.constant} : int128{question_.constant};
    for (const std::int8_t w : question_.weights) {
      exact += std::abs(int{w}) * operand;
    }
    int128 most = exact;
    for (std::size_t s = 0; s < topology_.stages(); ++s) {
      const int128 content = int128{1} << (topology_.stage(s).width - 1);
      most = std::max(most, exact + content * (topology_.values(s) + 2));
    }
    return bits_for(most) + 2;
  }

  Solver& solver_;
  const TreeQuestion& question_;
  Topology topology_;
  unsigned bits_;
};

/// "exact", "unknown", or "wrong" and the inputs.
std::string search(Solver& solver, Tree& tree, const TreeQuestion& question) {
  std::vector<z3::expr> inputs;
  z3::expr inside = solver.context().bool_val(true);
  const unsigned bits = std::max(bits_for(question.inputs.lower), bits_for(question.inputs.upper));  // of an input
  for (std::size_t k = 0; k < question.weights.size(); ++k) {
    inputs.push_back(z3::sext(solver.context().bv_const(("x" + std::to_string(k)).c_str(), bits), tree.bits() - bits));
    inside = inside && z3::sle(solver.bits(question.inputs.lower, tree.bits()), inputs[k]) &&
             z3::sle(inputs[k], solver.bits(question.inputs.upper, tree.bits()));
  }
  const auto all = tree.registers(inputs);
  const z3::expr wrong = tree.wrong(all);
  std::string found;
  bool explained = false;
  const z3::check_result some =
      solver.check_model(inside && (wrong || !tree.integer_sums(all)), [&](const z3::model& model) {
        explained = model.eval(wrong, true).is_true();
        for (const z3::expr& input : inputs) {
          found += " " + to_string(Solver::value_of(model.eval(input, true)));
        }
      });
  if (some == z3::sat && !explained) {
    throw std::logic_error("the last registers do not hold the integer sums, and no register went wrong");
  }
  return some == z3::sat ? "wrong" + found : some == z3::unsat ? "exact" : "unknown";
}

/// What a worker says about one question: "VERDICT x x x…|value overflowed value overflowed …|…", one part per run.
std::string answer_text(Solver& solver, const TreeQuestion& question) {
  Tree tree(solver, question);
  std::ostringstream text;
  text << (question.search ? search(solver, tree, question) : "unknown");
  for (const std::vector<std::int32_t>& run : question.runs) {
    std::vector<z3::expr> numbers;
    for (const std::int32_t x : run) {
      numbers.push_back(solver.bits(x, tree.bits()));
    }
    text << "|";
    for (const auto& stage : tree.registers(numbers)) {
      for (const Tree::Node& node : stage) {
        text << " " << to_string(Solver::value_of(node.machine.content.simplify())) << " "
             << (node.machine.overflowed.simplify().is_true() ? 1 : 0);
      }
    }
  }
  return text.str();
}

TreeAnswer read_answer(const TreeQuestion& question, const std::string& message) {
  TreeAnswer answer;
  std::istringstream parts(message);
  std::string part;
  std::getline(parts, part, '|');
  std::istringstream words(part);
  std::string verdict;
  words >> verdict;
  answer.verdict = verdict == "exact"   ? TreeVerdict::exact
                   : verdict == "wrong" ? TreeVerdict::wrong
                                        : TreeVerdict::unknown;
  for (std::int32_t x = 0; words >> x;) {
    answer.inputs.push_back(x);
  }
  const Topology topology(question.datapath, static_cast<std::int64_t>(question.weights.size()));
  while (std::getline(parts, part, '|')) {
    std::istringstream numbers(part);
    std::vector<std::vector<TreeRegister>> run;
    for (std::size_t s = 0; s < topology.stages(); ++s) {
      run.emplace_back(static_cast<std::size_t>(topology.nodes(s)));
      for (TreeRegister& node : run.back()) {
        numbers >> node.value >> node.overflowed;
      }
    }
    answer.runs.push_back(run);
  }
  if (answer.verdict == TreeVerdict::unknown) {
    answer.detail = "Z3 gave no answer within its resource limit";
  }
  return answer;
}

void check(const TreeQuestion& question) {
  const std::string where = "bit-vector tree on " + question.datapath.name;
  const auto require = [&](bool holds, const char* problem, const char* remedy) {
    if (!holds) {
      throw InputError(where, problem, remedy);
    }
  };
  validate(question.datapath);
  require(!question.weights.empty(), "no weights", "give one product or more");
  require(question.inputs.lower <= question.inputs.upper && -largest_operand <= question.inputs.lower &&
              question.inputs.upper <= largest_operand,
          "inputs out of range", "within ±2^24, the lower end first");
  require(-largest_bias <= question.constant && question.constant <= largest_bias, "the constant is out of range",
          "within ±2^62");
  for (const auto& run : question.runs) {
    require(run.size() == question.weights.size(), "a run of another length than the weights",
            "one input for each weight");
    for (const std::int32_t x : run) {
      require(question.inputs.lower <= x && x <= question.inputs.upper, "a run's input is out of range",
              "within the question's range of inputs");
    }
  }
}

}  // namespace
}  // namespace smt

std::vector<TreeAnswer> ask_trees(const std::vector<TreeQuestion>& questions, const SmtOptions& options) {
  std::vector<TreeAnswer> answers(questions.size());
  std::vector<smt::Slice> slices;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    smt::check(questions[i]);
    slices.push_back({static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1});
  }
  const smt::Pool pool{.slices = std::move(slices),
                       .workers = options.workers,
                       .stall_seconds = options.stall_seconds,
                       .progress = options.progress,
                       .done = {}};
  const smt::Outcome outcome = smt::run_workers(pool, [&]() -> smt::SliceWork {
    const auto solver = std::make_shared<smt::Solver>(options.rlimit, smt::Solver::Theory::bit_vectors);
    return [&questions, solver](smt::Slice slice, smt::Reporter& reporter) {
      for (std::int64_t i = slice.begin; i < slice.end; ++i) {
        constexpr std::int64_t kept = 64;  // a context grows with everything that it was asked
        if (solver->nodes() >= kept) {
          solver->renew();
        }
        solver->count_nodes(1);
        reporter.finding(i, smt::FindingKind::note, smt::answer_text(*solver, questions[static_cast<std::size_t>(i)]));
      }
      reporter.done(slice, {.first = slice.end - slice.begin});
    };
  });
  for (TreeAnswer& answer : answers) {
    answer.detail = outcome.error.empty() ? "not reached: a worker died or stalled" : outcome.error;
  }
  for (const smt::JobFinding& found : outcome.findings) {
    const auto i = static_cast<std::size_t>(found.job);
    answers[i] = smt::read_answer(questions[i], found.message);
  }
  return answers;
}

}  // namespace axe
