// The trained network and the images it was trained on, as floats: what everything else in this example is compared
// with. `read_network` and `layer_inputs` are the main functions. Reads files, writes nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace digits {

/// 8 × 8 pixels of 0..16 per image, and the digit that each shows.
struct Images {
  std::int64_t count = 0;
  std::vector<std::uint8_t> pixels;  ///< [count, 64]
  std::vector<std::uint8_t> labels;  ///< [count]
};

constexpr std::int64_t pixels_per_image = 64;
constexpr int pixel_maximum = 16;

/// y = weight · x + bias; every layer but the last is followed by a ReLU.
struct FloatLayer {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<float> weight;  ///< [rows, cols]
  std::vector<float> bias;    ///< [rows]
};
using FloatNetwork = std::vector<FloatLayer>;

/// `split` is "train" or "test". Both throw axe::InputError on files that are not what train.py wrote.
Images read_images(const std::filesystem::path& digits_npz, const std::string& split);
FloatNetwork read_network(const std::filesystem::path& network_npz);

/// The inputs of every layer, [count, cols] each, and the logits last; pixels are scaled to [0, 1].
std::vector<std::vector<float>> layer_inputs(const FloatNetwork& network, const Images& images);

/// The part of `images` whose largest logit (the first of equals) is at the label; logits [count, classes].
template <class Number>
double accuracy(const std::vector<Number>& logits, const Images& images) {
  const auto classes = static_cast<std::ptrdiff_t>(logits.size() / images.labels.size());
  std::int64_t right = 0;
  for (std::ptrdiff_t image = 0; image < images.count; ++image) {
    const auto first = logits.begin() + image * classes;
    right += std::max_element(first, first + classes) - first == images.labels[static_cast<std::size_t>(image)];
  }
  return static_cast<double>(right) / static_cast<double>(images.count);
}

}  // namespace digits
