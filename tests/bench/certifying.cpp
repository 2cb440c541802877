// What certifying and checking a model cost inside a process, beside reading its weights and hashing them: serves the contenders that
// pipeline_peers.py measures in turn with NumPy's and qonnx's.
//
//     bench_certifying WEIGHTS.safetensors CERTIFICATE.axec
//
// The file's layers on the certificate's datapath. `main` reads both files. contender.hpp has the protocol.
#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "axecert/bound/range.hpp"
#include "axecert/certificate/certificate.hpp"
#include "axecert/certificate/mapped_file.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/checker/checker.h"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "contender.hpp"
#include "read_bandwidth.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_certifying WEIGHTS.safetensors CERTIFICATE.axec\n");
    return 64;
  }
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 28);  // as axecert certify does
  mallopt(M_TRIM_THRESHOLD, 1 << 28);
#endif
  using namespace axe;
  const MappedFile weights_file(argv[1]), certificate_file(argv[2]);
  const Certificate certificate = read_certificate(argv[2]);
  const Datapath datapath = certificate.layers.at(0).datapath;
  std::vector<IntegerLayer> layers;
  std::vector<Topology> topologies;
  double weights = 0;
  const WeightFiles files(argv[1]);
  for (const std::string& name : files.layers()) {
    layers.push_back(read_integer_layer(files, name, datapath).layer);
    topologies.emplace_back(datapath, layers.back().cols);
    weights += static_cast<double>(layers.back().weights.size());
  }
  volatile std::uint64_t sink = 0;
  std::vector<bench::Contender> contenders;
  for (const bench::Reading& reading : bench::readings()) {
    contenders.push_back({reading.name,
                          [&, reading] {
                            for (const IntegerLayer& layer : layers) {
                              sink = reading.once(layer.weights.data(), layer.weights.size());
                            }
                          },
                          0, weights});
  }
  contenders.push_back({"SHA-256",
                        [&] {
                          for (const IntegerLayer& layer : layers) {
                            sink = sha256(layer.weights.data(), layer.weights.size())[0];
                          }
                        },
                        0, weights});
  contenders.push_back({"ranges of every register",
                        [&] {
                          for (std::size_t i = 0; i < layers.size(); ++i) {
                            sink = static_cast<std::uint64_t>(layer_ranges(layers[i], topologies[i]).back().upper[0]);
                          }
                        },
                        0, weights});
  contenders.push_back({"the checker, in this process",
                        [&] {
                          axc_report report;
                          if (axc_check(certificate_file.bytes().data(), certificate_file.bytes().size(),
                                        weights_file.bytes().data(), weights_file.bytes().size(),
                                        &report) != AXC_SAFE) {
                            throw std::logic_error("not safe");
                          }
                        },
                        0, weights});
  bench::serve(contenders);
  return 0;
}
