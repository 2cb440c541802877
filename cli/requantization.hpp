// --requantize: whether what follows the registers can take every sum (lib/bound/requantization.hpp), as a vote of its own. Verbs that certify what
// exists use it. Side effects: reads the file of multipliers.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "axecert/bound/requantization.hpp"
#include "onnx_input.hpp"
#include "verb.hpp"

namespace axe::cli {

struct RequantizationArguments {
  std::string requantizer;  ///< a name of requantizers(); empty: not asked for
  std::string multipliers;  ///< a file of LAYER → [1] or [rows]; empty: none
};
void add_requantization(CLI::App* command, RequantizationArguments& arguments);

class RequantizationJudge {
 public:
  /// Failure 64 for multipliers without a requantizer that takes some, 66 for a file that is not there, InputError for what is wrong in it.
  /// Without --requantize the datapath's own requantizer is taken, for the layers whose multipliers are known.
  RequantizationJudge(const RequantizationArguments& arguments, const Datapath& datapath);

  /// Whether layers of this name are judged.
  bool judges(const std::string& layer) const;
  /// What the model itself states: real multipliers of its layers, [rows], which those of the file replace; and layers to whose sums something is added
  /// that their registers do not hold, so that nothing can be said of them.
  void hear(const OnnxInput& model);
  /// Of a layer whose weights are at hand. A node is a row.
  Vote vote(const LayerClaims& claims) const;
  /// Arrays of the file that no layer used: InputError.
  void demand_layers(const std::vector<std::string>& names) const;

 private:
  std::optional<Requantizer> requantizer_;
  bool demanded_ =
      false;  ///< by --requantize: then layers without multipliers are judged too, and found not to be known
  std::string file_;
  std::map<std::string, std::vector<double>> given_, stated_;
  std::set<std::string> partial_;
};

/// One vote of the votes on all layers, those without a voter left out: unsafe if one is. Nothing when none is left.
std::optional<Vote> joined_requantization(std::vector<Vote> parts);

}  // namespace axe::cli
