// The comparison this example makes: accuracy on the test images at every accumulator width, for each way to get there.
// `run_study` is the main function. Its side effects: files, threads, and Z3 worker processes while it verifies.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quantize_network.hpp"

namespace digits {

/// One network on one datapath.
struct Cell {
  double accuracy = 0;
  std::string label;      ///< what was chosen, for example "W3A4"
  double overflowed = 0;  ///< part of the dot products in which a register overflowed
};

/// One accumulator width.
struct Row {
  int width = 0;
  Cell boxes;                 ///< AXE, boxes per channel
  Cell raw;                   ///< AXE, unsigned codes as in the paper
  std::optional<Cell> naive;  ///< best bit widths whose data-type bound fits
  Cell wrapping;              ///< no constraint, registers that wrap
  Cell saturating;            ///< no constraint, registers that saturate
};

/// One way to cut a dot product: T products per narrow register, 0 for the whole row.
struct Panel {
  std::int64_t tile = 0;
  std::vector<Row> rows;
};

struct Study {
  double float_accuracy = 0;
  double unlimited_accuracy = 0;  ///< W4A8 with no constraint, in unlimited integers
  std::int64_t test_images = 0;
  std::vector<Panel> panels;
  std::int64_t certificates = 0;  ///< verified, all of them safe
  std::int64_t nodes = 0;         ///< registers in them
};

/// Reads digits.npz and network.npz in `folder`, writes a certificate and its weights for every AXE network into `out`.
/// Throws std::runtime_error when a network that claims to be safe is not, in any voter's opinion or on any test image.
Study run_study(const std::filesystem::path& folder, const std::filesystem::path& out);

}  // namespace digits
