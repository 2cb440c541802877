// Accuracy at every accumulator width for AXE, for naive bit widths and for no constraint at all; see study.hpp.
#include "study.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "axecert/bound/range.hpp"
#include "verify_network.hpp"

namespace digits {
namespace {

constexpr int narrowest = 8, widest = 20;
constexpr int weight_bits = 4, activation_bits = 8;

axe::Datapath datapath_for(int width, std::int64_t tile, const std::string& form) {
  const std::string tiles = tile == 0 ? "" : ",T=" + std::to_string(tile);
  return axe::parse_datapath("axe:P=" + std::to_string(width) + tiles + ",act=" + form);
}

axe::QuantizeOptions options_for(axe::Constraint constraint, int bits) {
  axe::QuantizeOptions options;
  options.constraint = constraint;
  options.weight_bits = bits;
  return options;
}

/// A network with no constraint, M-bit weights and N-bit activations, and its error on the training images.
struct Candidate {
  int weight_bits = 0;
  int activation_bits = 0;
  IntegerNetwork network;
  double error = 0;

  /// The data types alone rule out an overflow: in every layer the exact data-type bound is within `width`.
  bool fits(int width, std::int64_t tile) const {
    return std::all_of(network.begin(), network.end(), [&](const IntegerLayerStep& step) {
      const std::int64_t K = step.quantized.layer.cols;
      const std::int64_t length = tile == 0 ? K : std::min(tile, K);
      return axe::data_type_bound(length, weight_bits, step.quantized.input.bits, false).exact <= width;
    });
  }
};

/// Does `work(i)` for i in [0, count) on all cores; rethrows the first exception.
template <class Work>
void in_parallel(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < std::max(1U, std::thread::hardware_concurrency()); ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) {
        try {
          work(i);
        } catch (...) {
          const std::lock_guard lock(mutex);
          failure = std::current_exception();
          next = count;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

Cell cell(const Outcome& outcome, std::string label) {
  return {
      outcome.accuracy, std::move(label),
      static_cast<double>(outcome.overflowed) / static_cast<double>(std::max<std::int64_t>(outcome.dot_products, 1))};
}

/// Runs a network that must not overflow.
Cell safe_cell(const IntegerNetwork& network, const axe::Datapath& datapath, const Images& images, std::string label) {
  const Outcome outcome = classify(network, datapath, images);
  if (outcome.overflowed != 0) {
    throw std::runtime_error(datapath.name + ": " + std::to_string(outcome.overflowed) +
                             " dot products overflowed in a network that was proved safe");
  }
  return cell(outcome, std::move(label));
}

/// AXE with 4-bit weights and the activation bit width, 2 to 8, that leaves the least error on the training images. The
/// width is chosen without refinement, which is the slow part.
struct AxeNetwork {
  axe::Datapath datapath;
  IntegerNetwork network;
  int activation_bits = 0;
};
AxeNetwork best_axe_network(const Calibration& calibration, const axe::Datapath& datapath) {
  axe::QuantizeOptions options = options_for(axe::Constraint::axe, weight_bits);
  options.refinement_passes = 0;
  int best_bits = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int bits = 2; bits <= activation_bits; ++bits) {
    const double error = logit_error(quantize_network(calibration, datapath, options, bits), calibration);
    if (error < least) {
      least = error;
      best_bits = bits;
    }
  }
  return {datapath, quantize_network(calibration, datapath, options_for(axe::Constraint::axe, weight_bits), best_bits),
          best_bits};
}

std::string widths_label(int M, int N) {
  return "W" + std::to_string(M) + "A" + std::to_string(N);
}

}  // namespace

Study run_study(const std::filesystem::path& folder, const std::filesystem::path& out) {
  Calibration calibration;
  calibration.network = read_network(folder / "network.npz");
  calibration.train = read_images(folder / "digits.npz", "train");
  calibration.inputs = layer_inputs(calibration.network, calibration.train);
  const Images test = read_images(folder / "digits.npz", "test");

  Study study;
  study.test_images = test.count;
  study.float_accuracy = accuracy(layer_inputs(calibration.network, test).back(), test);

  // Networks without a constraint do not depend on the accumulator: one per pair of bit widths.
  const axe::Datapath unlimited = datapath_for(32, 0, "u8");
  std::vector<Candidate> candidates;
  for (int M = 2; M <= 8; ++M) {
    for (int N = 2; N <= 8; ++N) {
      candidates.push_back({M, N, {}, 0});
    }
  }
  in_parallel(candidates.size(), [&](std::size_t i) {
    Candidate& candidate = candidates[i];
    candidate.network = quantize_network(
        calibration, unlimited, options_for(axe::Constraint::none, candidate.weight_bits), candidate.activation_bits);
    candidate.error = logit_error(candidate.network, calibration);
  });
  const IntegerNetwork& unconstrained =
      std::find_if(candidates.begin(), candidates.end(), [](const Candidate& candidate) {
        return candidate.weight_bits == weight_bits && candidate.activation_bits == activation_bits;
      })->network;
  study.unlimited_accuracy = accuracy(exact_logits(unconstrained, test), test);

  for (const std::int64_t tile : {0, 32}) {
    study.panels.push_back({tile, std::vector<Row>(widest - narrowest + 1)});
  }
  const std::size_t widths = study.panels.front().rows.size();
  std::vector<std::array<AxeNetwork, 2>> proved(study.panels.size() * widths);
  in_parallel(proved.size(), [&](std::size_t i) {
    Panel& panel = study.panels[i / widths];
    Row& row = panel.rows[i % widths];
    row.width = narrowest + static_cast<int>(i % widths);

    for (const bool boxed : {true, false}) {
      const axe::Datapath datapath = datapath_for(row.width, panel.tile, boxed ? "box" : "u8");
      AxeNetwork& network = proved[i][boxed];
      network = best_axe_network(calibration, datapath);
      (boxed ? row.boxes : row.raw) =
          safe_cell(network.network, datapath, test, widths_label(weight_bits, network.activation_bits));
    }

    const axe::Datapath raw = datapath_for(row.width, panel.tile, "u8");
    const Candidate* best = nullptr;
    for (const Candidate& candidate : candidates) {
      if (candidate.fits(row.width, panel.tile) && (best == nullptr || candidate.error < best->error)) {
        best = &candidate;
      }
    }
    if (best != nullptr) {
      row.naive = safe_cell(best->network, raw, test, widths_label(best->weight_bits, best->activation_bits));
    }
    axe::Datapath saturating = raw;
    saturating.stages.front().overflow = axe::Overflow::saturate;
    row.wrapping = cell(classify(unconstrained, raw, test), widths_label(weight_bits, activation_bits));
    row.saturating = cell(classify(unconstrained, saturating, test), widths_label(weight_bits, activation_bits));
  });

  for (const auto& pair : proved) {
    for (const AxeNetwork& one : pair) {
      std::string name = one.datapath.name;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return c == ':' || c == ','; }, '-');
      study.nodes += verify_network(one.network, one.datapath, out / name);
      study.certificates += 1;
    }
  }
  return study;
}

}  // namespace digits
