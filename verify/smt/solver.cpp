// The one way into Z3; see solver.hpp. Main class: Solver. Side effects: those of a Z3 context.
#include "axecert/smt/solver.hpp"

#include <stdexcept>
#include <string>

namespace axe::smt {
namespace {

/// Decimal text → 128 bits; Z3 prints integers as "-12" or "12" in Z3_get_numeral_string.
int128 parse(const std::string& text) {
  const bool negative = !text.empty() && text[0] == '-';
  if (text.size() == (negative ? 1U : 0U) || text.size() > 39) {
    throw std::logic_error("Z3 returned the numeral '" + text + "'");
  }
  int128 value = 0;
  for (std::size_t i = negative ? 1 : 0; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') {
      throw std::logic_error("Z3 returned the numeral '" + text + "'");
    }
    value = value * 10 + (negative ? -(text[i] - '0') : text[i] - '0');
  }
  return value;
}

}  // namespace

Solver::State::State(std::uint64_t rlimit, Theory theory)
    : solver(theory == Theory::integers ? z3::solver(context, z3::solver::simple()) : z3::solver(context, "QF_BV")) {
  z3::params params(context);
  params.set("rlimit", static_cast<unsigned>(rlimit));
  solver.set(params);
}

Solver::Solver(std::uint64_t rlimit, Theory theory) : rlimit_(rlimit), theory_(theory) {
  if (rlimit < 1 || rlimit > UINT32_MAX) {
    throw std::invalid_argument("rlimit must be 1 to 4294967295");
  }
  renew();
}

void Solver::renew() {
  state_ = std::make_unique<State>(rlimit_, theory_);
}

int128 Solver::value_of(const z3::expr& numeral) {
  if (!numeral.is_numeral()) {
    throw std::logic_error("Z3 returned '" + numeral.to_string() + "' where a number was expected");
  }
  int128 value = parse(Z3_get_numeral_string(numeral.ctx(), numeral));
  if (numeral.is_bv()) {
    const unsigned width = numeral.get_sort().bv_size();
    if (width < 127 && value >= static_cast<int128>(1) << (width - 1)) {
      value -= static_cast<int128>(1) << width;
    }
  }
  return value;
}

z3::expr Solver::number(int128 value) {
  constexpr int128 kept = 1 << 17;
  const bool small = -kept < value && value < kept;
  if (small) {
    const auto found = state_->small.find(static_cast<std::int64_t>(value));
    if (found != state_->small.end()) {
      return found->second;
    }
  }
  const z3::expr numeral = context().int_val(to_string(value).c_str());
  if (value_of(numeral) != value) {
    throw std::logic_error("Z3 read " + to_string(value) + " as " + numeral.to_string());
  }
  if (small) {
    state_->small.emplace(static_cast<std::int64_t>(value), numeral);
  }
  return numeral;
}

z3::expr Solver::bits(int128 value, unsigned width) {
  if (width > 120) {
    throw std::logic_error("bit vectors of more than 120 bits are not used here");
  }
  const int128 unsigned_value = value < 0 ? value + (static_cast<int128>(1) << width) : value;
  const z3::expr numeral = context().bv_val(to_string(unsigned_value).c_str(), width);
  if (value_of(numeral) != value) {
    throw std::logic_error("Z3 read " + to_string(value) + " as " + numeral.to_string() + " in " +
                           std::to_string(width) + " bits");
  }
  return numeral;
}

z3::expr Solver::variable(const char* prefix, std::size_t i) {
  return context().int_const((prefix + std::to_string(i)).c_str());
}

z3::expr Solver::sum(const std::vector<z3::expr>& terms) {
  if (terms.empty()) {
    return number(0);
  }
  z3::expr_vector vector(context());
  for (const z3::expr& term : terms) {
    vector.push_back(term);
  }
  return terms.size() == 1 ? terms[0] : z3::sum(vector);
}

z3::check_result Solver::check(const z3::expr& query) {
  return check_model(query, [](const z3::model&) {});
}

}  // namespace axe::smt
