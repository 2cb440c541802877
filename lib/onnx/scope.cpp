// Names and their definitions; see scope.hpp. No side effects.
#include "axecert/onnx/scope.hpp"

namespace axe {

Scope::Scope(const ModelFile& file, const onnx::GraphProto& graph, const Scope* parent, std::string prefix)
    : file_(file), graph_(graph), parent_(parent), prefix_(std::move(prefix)) {
  constexpr std::size_t longest_prefix = 4096;  // it stands before the name of every node of the graph
  if (prefix_.size() > longest_prefix) {
    throw InputError(file.path(),
                     "has graphs within graphs whose nodes' names together have more than " +
                         std::to_string(longest_prefix) + " characters",
                     "shorten them");
  }
  const std::string where = file.path() + ": graph '" + prefix_ + graph.name() + "'";
  const auto define = [&](const std::string& name, Definition definition) {
    if (!definitions_.emplace(name, definition).second) {
      throw InputError(where, "'" + name + "' is defined twice", "every value of a graph has one definition");
    }
  };
  for (const auto& value : graph.input()) {
    define(value.name(), {this});
  }
  for (const auto& tensor : graph.initializer()) {
    const auto found = definitions_.find(tensor.name());
    if (found == definitions_.end()) {
      define(tensor.name(), {this, nullptr, 0, &tensor});
    } else if (file.model().ir_version() < 4 && found->second.initializer == nullptr) {
      found->second.initializer = &tensor;  // before IR 4 every initializer had to be an input as well
    } else if (found->second.initializer != nullptr) {
      throw InputError(where, "'" + tensor.name() + "' is defined twice", "every value of a graph has one definition");
    }  // else: an input with a default, which a caller may replace; it is no constant
  }
  for (const auto& sparse : graph.sparse_initializer()) {
    define(sparse.values().name(), {this});
  }
  for (const auto& node : graph.node()) {
    for (const std::string& name : node.input()) {
      if (!name.empty() && find(name).scope == nullptr) {
        throw InputError(place(node), "its input '" + name + "' is not defined before it",
                         "nodes stand in the order of computation, and a graph has no cycle");
      }
    }
    for (int i = 0; i < node.output_size(); ++i) {
      if (!node.output(i).empty()) {
        define(node.output(i), {this, &node, i});
      }
    }
  }
  const auto note_types = [&](const auto& values) {
    for (const auto& value : values) {
      if (value.type().has_tensor_type()) {
        types_.emplace(value.name(), value.type().tensor_type().elem_type());
      }
    }
  };
  note_types(graph.input());
  note_types(graph.output());
  note_types(graph.value_info());
}

Scope::Definition Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent_) {
    const auto found = scope->definitions_.find(name);
    if (found != scope->definitions_.end()) {
      return found->second;
    }
  }
  return {};
}

int Scope::stated_type(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent_) {
    const auto found = scope->types_.find(name);
    if (found != scope->types_.end()) {
      return found->second;
    }
  }
  return 0;
}

std::string Scope::name_of(const onnx::NodeProto& node) const {
  return prefix_ + (!node.name().empty() ? node.name() : node.output_size() > 0 ? node.output(0) : node.op_type());
}

std::string Scope::place(const onnx::NodeProto& node) const {
  return file_.path() + ": node '" + name_of(node) + "' (" + node.op_type() + ")";
}

const onnx::AttributeProto* attribute(const onnx::NodeProto& node, const std::string& name) {
  for (const auto& candidate : node.attribute()) {
    if (candidate.name() == name) {
      return &candidate;
    }
  }
  return nullptr;
}

std::int64_t integer_attribute(const onnx::NodeProto& node, const std::string& name, std::int64_t otherwise) {
  const onnx::AttributeProto* found = attribute(node, name);
  return found != nullptr ? found->i() : otherwise;
}

float real_attribute(const onnx::NodeProto& node, const std::string& name, float otherwise) {
  const onnx::AttributeProto* found = attribute(node, name);
  return found != nullptr ? found->f() : otherwise;
}

std::string input(const onnx::NodeProto& node, int i) {
  return i < node.input_size() ? node.input(i) : "";
}

std::string output(const onnx::NodeProto& node, int i) {
  return i < node.output_size() ? node.output(i) : "";
}

bool is_standard(const std::string& domain) {
  return domain.empty() || domain == "ai.onnx";
}
bool is_standard(const onnx::NodeProto& node) {
  return is_standard(node.domain());
}

}  // namespace axe
