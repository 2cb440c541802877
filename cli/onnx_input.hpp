// ONNX models as an input of the verbs: which files they are, the layers that the reader finds in one, and what it says of the rest.
// Without libonnx (AXECERT_ONNX=OFF) reading one is an error that says so.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "axecert/datapath/datapath.hpp"
#include "verb.hpp"
#if AXECERT_HAS_ONNX
#include "axecert/onnx/import.hpp"
#endif

namespace axe::cli {

/// A file whose name ends in .onnx.
bool is_onnx(const std::filesystem::path& path);

struct OnnxInput {
  TensorFile layers;            ///< arrays of docs/layers.md; none when nothing is covered
  std::optional<Vote> missing;  ///< `incomplete`, when something in the graph has no layer
  std::string text;             ///< what was found, several lines
  Json json;
  std::vector<std::string> partial_sums;  ///< layers to whose sums something is added outside (OnnxProduct::whole_sum)
  std::map<std::string, std::vector<double>>
      multipliers;  ///< of a layer's sums, where the model's operator has them, [rows]
};

/// `order`: kernel, channels-first or positions-first. Failure 66 when it cannot be opened, InputError when it is wrong.
OnnxInput read_onnx_input(const std::filesystem::path& path, const Datapath& datapath, const std::string& order);

#if AXECERT_HAS_ONNX
/// The reader's options; `order` as above.
OnnxOptions onnx_options(const std::string& order);
#endif

/// Adds --conv-order.
/// What an order of a convolution's products may be.
const std::vector<std::string>& convolution_orders();
void add_convolution_order(CLI::App* command, std::string& order);

}  // namespace axe::cli
