// Asks lib/onnx and puts what it says into words; see onnx_input.hpp.
#include "onnx_input.hpp"

#include <algorithm>

#include "axecert/report/words.hpp"

namespace axe::cli {

bool is_onnx(const std::filesystem::path& path) {
  return path.extension() == ".onnx";
}

const std::vector<std::string>& convolution_orders() {
  static const std::vector<std::string> orders{"kernel", "channels-first", "positions-first"};
  return orders;
}

void add_convolution_order(CLI::App* command, std::string& order) {
  command
      ->add_option(
          "--conv-order", order,
          "ONNX: order of a convolution's products, by kernel as onnxruntime, channels-first or positions-first")
      ->capture_default_str()
      ->check(CLI::IsMember(convolution_orders()));
}

#if AXECERT_HAS_ONNX

OnnxOptions onnx_options(const std::string& order) {
  OnnxOptions options;
  options.order = order == "channels-first"    ? ConvolutionOrder::channels_first
                  : order == "positions-first" ? ConvolutionOrder::positions_first
                                               : ConvolutionOrder::by_operator;
  return options;
}

namespace {

/// The least and the greatest.
Json multiplier_range(const std::vector<double>& multipliers) {
  const auto ends = std::minmax_element(multipliers.begin(), multipliers.end());
  return multipliers.empty() ? Json(nullptr) : Json::array({*ends.first, *ends.second});
}

}  // namespace

OnnxInput read_onnx_input(const std::filesystem::path& path, const Datapath& datapath, const std::string& order) {
  require_input(path);
  OnnxImport model = import_onnx(path, datapath, onnx_options(order));
  OnnxInput input;
  if (!model.complete()) {
    input.missing = coverage_vote(model);
  }
  const auto count = [](std::size_t n) { return in_words(static_cast<std::int64_t>(n)); };
  input.text = "onnx  " + in_words(model.nodes) + " nodes; integer dot products: " + count(model.products.size()) +
               " nodes covered, " + count(model.not_covered.size()) + " not covered; " + count(model.unknown.size()) +
               " unknown operators; products of floats: " +
               in_words(model.floating + static_cast<std::int64_t>(model.weights_only.size())) + " nodes\n";
  const auto list = [&](const char* what, const std::vector<OnnxRemark>& remarks) {
    Json entries = Json::array();
    for (const OnnxRemark& remark : remarks) {
      input.text += "  " + std::string(what) + "  " + remark.node + ": " + remark.reason + "\n";
      entries.push_back(Json{{"node", remark.node}, {"reason", remark.reason}});
    }
    return entries;
  };
  Json products = Json::array();
  for (const OnnxProduct& product : model.products) {
    products.push_back(Json{{"layer", product.layer},
                            {"node", product.node},
                            {"operator", product.op},
                            {"initializer", product.initializer},
                            {"outside", product.note},
                            {"multipliers", multiplier_range(product.multipliers)}});
    if (!product.whole_sum) {
      input.partial_sums.push_back(product.layer);
    }
    if (!product.multipliers.empty()) {
      input.multipliers[product.layer] = product.multipliers;
    }
    if (!product.note.empty()) {
      input.text += "  outside  " + product.layer + ": " + product.note + "\n";
    }
  }
  input.json = Json{{"nodes", model.nodes},
                    {"products", products},
                    {"not_covered", list("not covered", model.not_covered)},
                    {"unknown", list("unknown", model.unknown)},
                    {"weights_only", list("floats", model.weights_only)},
                    {"floating", model.floating}};
  input.layers = std::move(model.layers);
  return input;
}

#else

OnnxInput read_onnx_input(const std::filesystem::path& path, const Datapath&, const std::string&) {
  require_input(path);
  throw Failure(exit_usage, path.string(), "this axecert was built without ONNX", "build with -DAXECERT_ONNX=ON");
}

#endif

}  // namespace axe::cli
