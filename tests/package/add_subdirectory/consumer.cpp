// A program that links one room: exits with 0 when a tile of 1 · [0, 255] + 127 · [0, 255] has the range [0, 32640] and
// fits 16 bits. No side effects but its output.
#include <cstdio>

#include "axecert/bound/range.hpp"

int main() {
  const axe::Datapath datapath = axe::parse_datapath("axe:P=16,T=2");
  axe::IntegerLayer layer;
  layer.name = "tiny";
  layer.rows = 1;
  layer.cols = 2;
  layer.weights = {1, 127};
  layer.box_lower = {0};
  layer.box_upper = {255};
  axe::validate(layer, datapath);

  const axe::IntegerRange range = axe::node_range(layer, axe::Topology(datapath, layer.cols), {});
  std::printf("[%lld, %lld]\n", static_cast<long long>(range.lower), static_cast<long long>(range.upper));
  return range == axe::IntegerRange{0, 32640} && axe::minimum_width(range, axe::Limits::symmetric) == 16 ? 0 : 1;
}
