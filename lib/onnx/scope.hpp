// The names of a graph: who computes a value, which values are constants of the model, and the graph around it when it is the
// body of If, Loop or Scan. `Scope` is the main class. Only lib/onnx includes this. No side effects.
#pragma once

#include <map>
#include <string>

#include "axecert/onnx/model_file.hpp"

namespace axe {

class Scope {
 public:
  /// `prefix` stands before the names of its nodes ("" or "loop/body/"). Throws InputError when a name is defined twice, or a node
  /// uses a name that nothing before it defines: ONNX requires that order, and with it the graph has no cycle.
  Scope(const ModelFile& file, const onnx::GraphProto& graph, const Scope* parent, std::string prefix);

  const ModelFile& file() const { return file_; }
  const onnx::GraphProto& graph() const { return graph_; }
  const std::string& prefix() const { return prefix_; }

  /// Where a name is defined: the node that computes it or the initializer, with the scope of that place. All null: an input of a
  /// graph, or unknown.
  struct Definition {
    const Scope* scope = nullptr;
    const onnx::NodeProto* node = nullptr;
    int output = 0;  ///< of `node`
    const onnx::TensorProto* initializer = nullptr;
  };
  Definition find(const std::string& name) const;

  /// The element type that the graph states for a value; 0 when it states none.
  int stated_type(const std::string& name) const;

  /// "MODEL: node 'NAME' (OPERATOR)".
  std::string place(const onnx::NodeProto& node) const;
  /// The node's name with the prefix; of a nameless one, its first output's.
  std::string name_of(const onnx::NodeProto& node) const;

 private:
  const ModelFile& file_;
  const onnx::GraphProto& graph_;
  const Scope* parent_;
  std::string prefix_;
  std::map<std::string, Definition> definitions_;
  std::map<std::string, int> types_;
};

/// How many nodes are followed from a tensor to what computed it, or on; a longer chain is given up.
constexpr int most_steps = 500;

/// An attribute of a node, or the default.
const onnx::AttributeProto* attribute(const onnx::NodeProto& node, const std::string& name);
std::int64_t integer_attribute(const onnx::NodeProto& node, const std::string& name, std::int64_t otherwise);
float real_attribute(const onnx::NodeProto& node, const std::string& name, float otherwise);

/// The name of input or output i; empty when the node has none there.
std::string input(const onnx::NodeProto& node, int i);
std::string output(const onnx::NodeProto& node, int i);

/// Whether the node is of ONNX's own operators.
bool is_standard(const std::string& domain);
bool is_standard(const onnx::NodeProto& node);

}  // namespace axe
