// A datapath as a black box; see simulated_product.hpp. Main function: Simulator::value. No side effects.
#include "axecert/probe/simulated_product.hpp"

#include "axecert/datapath/machine.hpp"

namespace axe {

Simulator::Simulator(Datapath datapath) : datapath_(std::move(datapath)) {
  validate(datapath_);
}

SimulatedValue Simulator::value(const DotProduct& question, std::int64_t offset) {
  const std::int64_t length = question.length();
  auto known = topologies_.find(length);
  if (known == topologies_.end()) {
    if (topologies_.size() > 64) {
      topologies_.clear();
    }
    known = topologies_.emplace(length, Topology(datapath_, length)).first;
  }
  const Topology& topology = known->second;
  below_.resize(question.x.size());
  for (std::size_t k = 0; k < question.x.size(); ++k) {
    below_[k] = (question.x[k] + offset) * question.w[k];
  }
  SimulatedValue result;
  for (std::size_t s = 0; s < topology.stages(); ++s) {
    const Stage& stage = topology.stage(s);
    contents_.assign(static_cast<std::size_t>(topology.nodes(s)), 0);
    bool overflowed = false;
    for (std::size_t v = 0; v < below_.size(); ++v) {
      if (below_[v] != 0) {  // adding 0 changes no register that holds its initial value 0 or a settled one
        std::int64_t& content =
            contents_[static_cast<std::size_t>(topology.node_of_value(s, static_cast<std::int64_t>(v)))];
        content = step(stage, content, below_[v], overflowed);
      }
    }
    result.undefined = result.undefined || (overflowed && stage.overflow == Overflow::undefined);
    std::swap(below_, contents_);
  }
  for (const std::int64_t content : below_) {
    result.value += content;
  }
  result.value -= offset * weight_sum(question);
  return result;
}

std::vector<std::int64_t> SimulatedProduct::multiply(const ProductQuestion& question) {
  std::vector<std::int64_t> result;
  DotProduct dot;
  const auto length = static_cast<std::size_t>(question.length);
  const auto columns = static_cast<std::size_t>(question.columns);
  for (std::size_t i = 0; i < static_cast<std::size_t>(question.rows); ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      dot.x.assign(question.activations.begin() + static_cast<std::ptrdiff_t>(i * length),
                   question.activations.begin() + static_cast<std::ptrdiff_t>((i + 1) * length));
      dot.w.resize(length);
      for (std::size_t k = 0; k < length; ++k) {
        dot.w[k] = question.weights[k * columns + j];
      }
      result.push_back(simulator_.value(dot, offset_).value);
    }
  }
  return result;
}

}  // namespace axe
