// A datapath as a black box, and its value of one dot product: what every register of every stage makes of the products
// (datapath/machine.hpp), and the exact sum of the registers that the last stage leaves. No side effects.
#pragma once

#include <map>

#include "axecert/datapath/datapath.hpp"
#include "axecert/probe/dot_product.hpp"
#include "axecert/probe/product.hpp"

namespace axe {

/// What a datapath makes of a dot product.
struct SimulatedValue {
  std::int64_t value = 0;
  bool undefined = false;  ///< a register whose overflow is undefined overflowed: the value means nothing
};

/// One datapath, dot products of any length. Its constant is 0.
class Simulator {
 public:
  /// Throws InputError when `datapath` is not valid.
  explicit Simulator(Datapath datapath);
  /// `offset` is added to every activation before it is multiplied, and offset · Σ w subtracted from the sum.
  SimulatedValue value(const DotProduct& question, std::int64_t offset = 0);
  const Datapath& datapath() const { return datapath_; }

 private:
  Datapath datapath_;
  std::map<std::int64_t, Topology> topologies_;  // by length
  std::vector<std::int64_t> contents_, below_;
};

class SimulatedProduct : public Product {
 public:
  /// `offset` as in Simulator::value.
  explicit SimulatedProduct(Datapath datapath, std::int64_t offset = 0)
      : simulator_(std::move(datapath)), offset_(offset) {}
  std::vector<std::int64_t> multiply(const ProductQuestion& question) override;

 private:
  Simulator simulator_;
  std::int64_t offset_;
};

}  // namespace axe
