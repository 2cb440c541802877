// --requantize: whether what follows the registers can take every sum (lib/bound/requantization.hpp), as a vote of its own. Verbs that certify what
// exists use it. Side effects: reads the file of multipliers.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "axecert/bound/requantization.hpp"
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
  explicit RequantizationJudge(const RequantizationArguments& arguments);

  bool asked() const { return requantizer_.has_value(); }
  /// Real multipliers of a layer that the model itself states, [rows]; those of the file come before them.
  void state(const std::string& layer, std::vector<double> multipliers);
  /// Something is added to the layer's sums that its registers do not hold: nothing can be said of them.
  void state_partial(const std::string& layer) { partial_.insert(layer); }
  /// Of a layer whose weights are at hand. A node is a row.
  Vote vote(const LayerClaims& claims) const;
  /// Arrays of the file that no layer used: InputError.
  void demand_layers(const std::vector<std::string>& names) const;

 private:
  std::optional<Requantizer> requantizer_;
  std::string file_;
  std::map<std::string, std::vector<double>> given_, stated_;
  std::set<std::string> partial_;
};

/// One vote of the votes on all layers: unsafe if one is.
Vote joined_requantization(std::vector<Vote> parts);

}  // namespace axe::cli
