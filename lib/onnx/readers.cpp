// Collects the uses of names, graph by graph; see readers.hpp.
#include "axecert/onnx/readers.hpp"

namespace axe {

void Readers::collect(const onnx::GraphProto& graph) {
  for (const auto& value : graph.output()) {
    uses_[value.name()].push_back({&graph, nullptr, 0});
  }
  for (const auto& node : graph.node()) {
    for (int i = 0; i < node.input_size(); ++i) {
      uses_[node.input(i)].push_back({&graph, &node, i});
    }
    for (const auto& a : node.attribute()) {
      if (a.has_g()) {
        collect(a.g());
      }
      for (const auto& inner : a.graphs()) {
        collect(inner);
      }
    }
  }
}

const Readers::Use* Readers::only(const std::string& name) const {
  const auto found = name.empty() ? uses_.end() : uses_.find(name);  // an input that is left out reads nothing
  return found != uses_.end() && found->second.size() == 1 && found->second[0].node != nullptr ? &found->second[0]
                                                                                               : nullptr;
}

}  // namespace axe
