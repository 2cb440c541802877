// Who reads each value of a model: nodes of every graph, and the graphs' outputs. `Readers` is the main class. Only lib/onnx includes
// this. No side effects.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "axecert/onnx/model_file.hpp"

namespace axe {

class Readers {
 public:
  struct Use {
    const onnx::GraphProto* graph;
    const onnx::NodeProto* node;  ///< null: an output of the graph
    int input;
  };

  /// The model's nodes stay where they are while this lives.
  explicit Readers(const onnx::ModelProto& model) { collect(model.graph()); }

  /// The one input of a node that reads the value; null when there is another one or none, or an output of a graph is it. Graphs within
  /// graphs that give a name a second meaning only make this null more often.
  const Use* only(const std::string& name) const;

 private:
  void collect(const onnx::GraphProto& graph);

  std::map<std::string, std::vector<Use>> uses_;
};

}  // namespace axe
