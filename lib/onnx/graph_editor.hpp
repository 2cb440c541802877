// Changes of an ONNX graph that a repair makes beside the codes: other scales for the rows of a product, and a product as the sum of
// several. `GraphEditor` is the main class. Changes are noted while the graph is walked and made afterwards by `apply`, since nothing
// may move under a walk. Only lib/onnx includes this. Side effect of `apply`: it changes the model.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "axecert/onnx/products.hpp"
#include "axecert/quantize/repair.hpp"

namespace axe {

class GraphEditor {
 public:
  explicit GraphEditor(onnx::ModelProto& model);

  /// Whether the scales of the product's rows are constants that only its rows have, or can be given such: behind MatMulInteger and
  /// ConvInteger the factor of Cast → Mul, as exporters write it; else the operator's own input, one per row. Empty: yes. Otherwise why not.
  std::string fixed_scales(const NodeProducts& product) const;

  /// Notes that row r's scale is to be multiplied by factor[r]. Only where fixed_scales is empty.
  void multiply_scales(const NodeProducts& product, const std::vector<double>& factor);

  /// Whether the product may become a sum: MatMulInteger with a matrix of weights, or ConvInteger. Empty: yes. Otherwise why not.
  std::string not_splittable(const NodeProducts& product) const;

  /// Notes that `parts` are to be added to the product, whose own weights are changed elsewhere. Only where not_splittable is empty.
  void add_parts(const NodeProducts& product, const std::vector<SplitPart>& parts);

  /// Makes the changes.
  void apply();

 private:
  struct Use {
    const onnx::GraphProto* graph;
    const onnx::NodeProto* node;  // null: an output of the graph
    int input;
  };
  // Where scales stand: an input of a node, the constant there, and the shape of one per row.
  struct Scales {
    const onnx::GraphProto* graph;
    const onnx::NodeProto* node;
    int input;
    std::vector<float> values;  // [rows]
    std::vector<std::int64_t> shape;
    bool same_shape;
  };
  struct Sum {
    const onnx::GraphProto* graph;
    const onnx::NodeProto* node;
    std::vector<onnx::TensorProto> weights;
    std::vector<std::vector<std::int64_t>> columns;  // per part; empty: all inputs
  };

  void collect(const onnx::GraphProto& graph);
  const Use* sole_use(const std::string& name) const;
  std::optional<Scales> scales_of(const NodeProducts& product, std::string& why_not) const;
  std::optional<Scales> constant_scales(const NodeProducts& product, const Scope& scope, const onnx::NodeProto& node,
                                        int input, std::int64_t trailing, bool may_widen) const;
  std::string fresh(const std::string& wanted);
  void write(const Scales& scales);
  void write(const Sum& sum);

  onnx::ModelProto& model_;
  std::map<std::string, std::vector<Use>> uses_;
  std::set<std::string> names_;
  std::vector<Scales> scales_;
  std::vector<Sum> sums_;
};

}  // namespace axe
