// Certificates a layer at a time, for models that do not fit into memory: `CertificateWriter` makes the file that
// write_certificate makes of the same claims, byte for byte, and `CertificateFile` reads one. Both hold one layer's ranges at most,
// and a few kilobytes of every other. `CertificateImage` makes the same bytes in memory. Side effects: the writer's two temporary files, one of which becomes the certificate.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/certificate/certificate.hpp"
#include "axecert/certificate/mapped_file.hpp"

namespace axe {

/// `claims` without what grows with the layer: weights, bias, box, offset, ranges' ends, witness. `assumptions` and the metadata need none
/// of it; of an offset and a box one entry is left.
LayerClaims outline(const LayerClaims& claims);

class CertificateWriter {
 public:
  /// Temporary files beside `target`. Throws InputError when they cannot be made.
  CertificateWriter(const std::filesystem::path& target, const std::string& tool);
  ~CertificateWriter();

  /// Layers come sorted by distinct names. Throws InputError as certificate_bytes does.
  void add(const LayerClaims& claims);
  /// The file, whole, under its temporary name: `keep` makes it the certificate. No layer may follow.
  PendingFile& finish();

  /// What was added, each as an outline.
  const Certificate& certificate() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The bytes that certificate_bytes makes of the claims of all layers, in memory, without keeping any: claims are given layer by layer,
/// from several threads, and can be gone afterwards.
class CertificateImage {
 public:
  struct LayerSize {
    std::string name;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
  };
  /// For claims of these layers on one datapath. Memory for the largest certificate that they can have is reserved, and touched only where
  /// one is written.
  CertificateImage(const std::vector<LayerSize>& layers, const Datapath& datapath, const std::string& tool);
  ~CertificateImage();

  /// Claims of layers[i]. Waits until the layers before it have a place; every i must be added by some thread, or one must give_up.
  /// Throws InputError as certificate_bytes does.
  void add(std::size_t i, const LayerClaims& claims);
  /// Lets every `add` return; the image is not to be finished then.
  void give_up();

  /// What was added, each as an outline.
  const Certificate& certificate() const;
  /// The certificate; it lives as long as this. No layer may follow. Throws InputError when names are not sorted and distinct.
  std::span<const std::uint8_t> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class CertificateFile {
 public:
  /// Reads the header strictly, and the digest of the whole; with `expected_digest`, the 64 digits that stand in the file must be these,
  /// and are not computed again. Throws InputError with the byte position.
  explicit CertificateFile(const std::filesystem::path& path, const std::string& expected_digest = {});
  ~CertificateFile();

  const MappedFile& file() const;
  const std::string& digest() const;
  /// Tool and layers, each as an outline.
  const Certificate& certificate() const;
  /// Layer i, all but weights and bias; its memory in the mapping is given back. Throws InputError.
  LayerClaims claims(std::size_t i) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace axe
