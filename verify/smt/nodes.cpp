// The registers of a certificate and what each adds up; see nodes.hpp. Main class: Nodes. No side effects.
#include "axecert/smt/nodes.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace axe::smt {

LayerNodes::LayerNodes(const LayerClaims& claims) : claims_(&claims), topology_(claims.datapath, claims.layer.cols) {
  const IntegerLayer& layer = claims.layer;
  for (std::size_t s = 0; s < topology_.stages(); ++s) {
    first_.push_back(per_row_);
    per_row_ += topology_.nodes(s);
    Lists values;
    Lists products;
    Lists lowest;
    std::vector<std::int64_t> constants;
    for (std::int64_t j = 0; j < topology_.nodes(s); ++j) {
      values.add(topology_.values_of(s, j));
      std::int64_t below = topology_.stage(s).initial == Initial::constant ? 1 : 0;
      std::vector<std::int64_t> list;
      std::vector<std::int64_t> registers;
      if (s == 0) {
        registers.push_back(j);
      }
      for (const std::int64_t v : values[j]) {
        if (s == 0) {
          list.push_back(v);
        } else {
          const auto part = products_[s - 1][v];
          list.insert(list.end(), part.begin(), part.end());
          const auto under = lowest_[s - 1][v];
          registers.insert(registers.end(), under.begin(), under.end());
          below += constants_below_[s - 1][static_cast<std::size_t>(v)];
        }
      }
      products.add(list);
      lowest.add(registers);
      constants.push_back(below);
    }
    values_.push_back(std::move(values));
    products_.push_back(std::move(products));
    lowest_.push_back(std::move(lowest));
    constants_below_.push_back(std::move(constants));
  }
  constants_.assign(static_cast<std::size_t>(layer.rows), {});
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    Constant& constant = constants_[static_cast<std::size_t>(r)];
    constant.at_least = layer.bias.empty() ? 0 : layer.bias[static_cast<std::size_t>(r)];
    for (std::int64_t k = 0; k < layer.cols; ++k) {
      const int128 w = layer.row(r)[k];
      if (!layer.offset.empty()) {
        constant.at_least += w * layer.offset[layer.offset.size() == 1 ? 0 : static_cast<std::size_t>(k)];
      }
      constant.slope -= layer.zero_point_spread != 0 ? w : 0;
    }
  }
  for (std::int64_t k = 0; k < layer.cols; ++k) {
    box_holds_zero_ = box_holds_zero_ && layer.lower(k) <= 0 && layer.upper(k) >= 0;
  }
}

NodeId LayerNodes::place(std::int64_t index) const {
  const std::int64_t rest = index % per_row_;
  const auto after = std::upper_bound(first_.begin(), first_.end(), rest);
  const auto stage = static_cast<std::size_t>(after - first_.begin()) - 1;
  return {.row = index / per_row_, .stage = stage, .node = rest - first_[stage]};
}

IntegerRange LayerNodes::claimed(NodeId id) const {
  const StageRanges& ranges = claims_->ranges[id.stage];
  const auto i = static_cast<std::size_t>(id.row * ranges.nodes + id.node);
  return {.lower = ranges.lower[i], .upper = ranges.upper[i]};
}

WideRange LayerNodes::ends(Constant constant) const {
  const int128 at_greatest = constant.at_least + constant.slope * spread();
  return {.lower = std::min(constant.at_least, at_greatest), .upper = std::max(constant.at_least, at_greatest)};
}

LayerNodes::Constant LayerNodes::initial(NodeId id) const {
  return topology_.stage(id.stage).initial == Initial::constant ? constant(id.row) : Constant{};
}

LayerNodes::Constant LayerNodes::initial_below(NodeId id) const {
  return constant(id.row) * constants_below_[id.stage][static_cast<std::size_t>(id.node)];
}

WideRange LayerNodes::final_range(NodeId id) const {
  const IntegerLayer& layer = claims_->layer;
  const std::int8_t* weights = layer.row(id.row);
  WideRange range = ends(initial_below(id));
  if (layer.input_limit != 0) {
    for (const std::int64_t j : lowest(id.stage, id.node)) {
      range.lower -= dual(id.row, j, Side::lower).bound(layer.input_limit);
      range.upper += dual(id.row, j, Side::upper).bound(layer.input_limit);
    }
    return range;
  }
  for (const std::int64_t k : products(id.stage, id.node)) {
    const std::int64_t a = std::int64_t{weights[k]} * layer.lower(k);
    const std::int64_t b = std::int64_t{weights[k]} * layer.upper(k);
    range.lower += std::min(a, b);
    range.upper += std::max(a, b);
  }
  return range;
}

LayerNodes::Dual LayerNodes::dual(std::int64_t row, std::int64_t node, Side side) const {
  const IntegerLayer& layer = claims_->layer;
  const std::int8_t* weights = layer.row(row);
  std::array<int128, 130> caps{};  // by |w|
  for (const std::int64_t k : products(0, node)) {
    const bool high = (weights[k] > 0) == (side == Side::upper);
    caps[static_cast<std::size_t>(std::abs(weights[k]))] += high ? layer.upper(k) : -layer.lower(k);
  }
  // In θ the bound is convex with slope L − Σ_{|w| > θ} c: least at the first θ where the caps above it do not exceed L.
  int128 above = 0;
  std::size_t theta = caps.size() - 1;
  while (theta > 0 && above + caps[theta] <= layer.input_limit) {
    above += caps[theta--];
  }
  Dual result{.theta = static_cast<std::int64_t>(theta), .excess = 0};
  for (std::size_t magnitude = theta + 1; magnitude < caps.size(); ++magnitude) {
    result.excess += caps[magnitude] * static_cast<std::int64_t>(magnitude - theta);
  }
  return result;
}

Nodes::Nodes(const Certificate& certificate) {
  layers_.reserve(certificate.layers.size());
  for (const LayerClaims& claims : certificate.layers) {
    layers_.emplace_back(claims);
    first_.push_back(first_.back() + layers_.back().count());
  }
}

std::size_t Nodes::layer_of(std::int64_t job) const {
  return static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), job) - first_.begin()) - 1;
}

NodeId Nodes::place(std::int64_t job) const {
  const std::size_t layer = layer_of(job);
  return layers_[layer].place(job - first_[layer]);
}

std::string file_stem(const std::string& layer) {
  std::string stem = layer;
  std::replace(stem.begin(), stem.end(), '/', '+');  // which no name has
  return stem;
}

std::string file_stem(const LayerNodes& of, NodeId id) {
  return file_stem(of.layer().name) + ".r" + std::to_string(id.row) + ".s" + std::to_string(id.stage) + ".n" +
         std::to_string(id.node);
}

std::string to_text(WideRange range) {
  return "[" + to_string(range.lower) + ", " + to_string(range.upper) + "]";
}

}  // namespace axe::smt
