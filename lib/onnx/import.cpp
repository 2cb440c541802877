// Puts the dot products of a model into arrays named as in docs/layers.md; see import.hpp.
#include "axecert/onnx/import.hpp"

#include "axecert/onnx/products.hpp"

namespace axe {
namespace {

Tensor vector32(std::vector<std::int64_t> values) {
  std::vector<std::int32_t> narrowed;
  for (const std::int64_t value : values) {
    narrowed.push_back(static_cast<std::int32_t>(value));
  }
  return Tensor::of({static_cast<std::int64_t>(narrowed.size())}, narrowed);
}

}  // namespace

OnnxImport import_onnx(const std::filesystem::path& path, const Datapath& datapath, const OnnxOptions& options) {
  const ModelFile file(path);
  OnnxImport import;
  import.layers.path = file.path();
  find_products(file, datapath, options, false, import, [&](NodeProducts&& found) {
    const std::string name = found.product.layer + ".";
    auto& tensors = import.layers.tensors;
    tensors[name + "weight"] = Tensor::of({found.product.rows, found.product.cols}, found.weights.operand);
    if (!found.bias.empty()) {
      tensors[name + "bias"] = Tensor::of({found.product.rows}, found.bias);
    }
    tensors[name + "input_lower"] = vector32({found.box.lower});
    tensors[name + "input_upper"] = vector32({found.box.upper});
    tensors[name + "input_shift"] = vector32({found.shift});
    const IntegerRange z = found.zero_point;
    tensors[name + "input_zero_point"] = z.lower == z.upper ? vector32({z.lower}) : vector32({z.lower, z.upper});
    import.products.push_back(std::move(found.product));
  });
  return import;
}

Vote coverage_vote(const OnnxImport& model) {
  Vote vote;
  vote.voter = "onnx reader";
  vote.verdict = Verdict::incomplete;
  vote.nodes_checked = static_cast<std::int64_t>(model.products.size());
  vote.nodes_total = vote.nodes_checked + static_cast<std::int64_t>(model.not_covered.size() + model.unknown.size());
  vote.detail = "nodes of the graph: " + std::to_string(model.not_covered.size()) +
                " with integer dot products not covered, " + std::to_string(model.unknown.size()) +
                " unknown operators";
  for (const auto* list : {&model.not_covered, &model.unknown}) {
    for (const OnnxRemark& remark : *list) {
      if (vote.findings.size() < 100) {
        vote.findings.push_back({remark.node, {-1, 0, -1}, remark.reason});
      }
      ++vote.findings_total;
    }
  }
  return vote;
}

}  // namespace axe
