// Reads digits.npz and network.npz and runs the float network; see float_network.hpp.
#include "float_network.hpp"

#include <algorithm>

#include "axecert/model/tensors.hpp"

namespace digits {
namespace {

std::vector<std::uint8_t> as_u8(const axe::Tensor& tensor, const std::string& place) {
  std::vector<std::uint8_t> values;
  for (const std::int64_t value : tensor.as_integers(place)) {
    if (value < 0 || value > pixel_maximum) {
      throw axe::InputError(place, "the value " + std::to_string(value) + " is not in 0..16", "run train.py again");
    }
    values.push_back(static_cast<std::uint8_t>(value));
  }
  return values;
}

}  // namespace

Images read_images(const std::filesystem::path& digits_npz, const std::string& split) {
  const axe::TensorFile file = axe::read_tensors(digits_npz);
  Images images;
  images.pixels = as_u8(file.at(split + ".pixels"), file.path + ": " + split + ".pixels");
  images.labels = as_u8(file.at(split + ".labels"), file.path + ": " + split + ".labels");
  images.count = static_cast<std::int64_t>(images.labels.size());
  if (images.count == 0 || images.pixels.size() != images.labels.size() * static_cast<std::size_t>(pixels_per_image)) {
    throw axe::InputError(file.path + ": " + split, "pixels and labels do not agree", "run train.py again");
  }
  return images;
}

FloatNetwork read_network(const std::filesystem::path& network_npz) {
  const axe::TensorFile file = axe::read_tensors(network_npz);
  FloatNetwork network;
  for (const std::string name : {"fc1", "fc2", "fc3"}) {
    FloatLayer layer;
    layer.name = name;
    const axe::Tensor& weight = file.at(name + ".weight");
    layer.weight = weight.as_f32(file.path + ": " + name + ".weight");
    layer.bias = file.at(name + ".bias").as_f32(file.path + ": " + name + ".bias");
    layer.rows = static_cast<std::int64_t>(layer.bias.size());
    layer.cols = network.empty() ? pixels_per_image : network.back().rows;
    if (weight.shape != std::vector<std::int64_t>{layer.rows, layer.cols}) {
      throw axe::InputError(file.path + ": " + name + ".weight", "its shape does not follow from the layers before it",
                            "run train.py again");
    }
    network.push_back(std::move(layer));
  }
  return network;
}

std::vector<std::vector<float>> layer_inputs(const FloatNetwork& network, const Images& images) {
  std::vector<float> x(images.pixels.size());
  std::transform(images.pixels.begin(), images.pixels.end(), x.begin(),
                 [](std::uint8_t pixel) { return static_cast<float>(pixel) / pixel_maximum; });
  std::vector<std::vector<float>> values{x};
  for (const FloatLayer& layer : network) {
    const auto rows = static_cast<std::size_t>(layer.rows), cols = static_cast<std::size_t>(layer.cols);
    std::vector<float> y(static_cast<std::size_t>(images.count) * rows);
    for (std::size_t image = 0; image < static_cast<std::size_t>(images.count); ++image) {
      for (std::size_t r = 0; r < rows; ++r) {
        float sum = layer.bias[r];
        for (std::size_t k = 0; k < cols; ++k) {
          sum += layer.weight[r * cols + k] * x[image * cols + k];
        }
        y[image * rows + r] = &layer == &network.back() ? sum : std::max(sum, 0.0F);
      }
    }
    x = y;
    values.push_back(std::move(y));
  }
  return values;
}

}  // namespace digits
