// Who multiplies in the benchmarks of lib/kernel: our products on every target, float32 BLAS, oneDNN where it is installed, and what the
// processor can do at all: multiply-adds with every operand in a register, and reading the weights. `KernelContenders` is the main
// class. No side effects but the work.
#pragma once

#include <cblas.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "axecert/kernel/certified_product.hpp"
#include "axecert/kernel/datapath_product.hpp"
#include "axecert/kernel/exact_product.hpp"
#include "axecert/licence/licence_office.hpp"
#include "onednn_products.hpp"
#include "read_bandwidth.hpp"
#include "register_peaks.hpp"

namespace bench {

using namespace axe;

inline double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Contender {
  std::string name;
  std::function<void()> once;
  double macs = 0;     // per call
  double bytes = 0;    // of weights, per call; 0: not worth a word
  std::string peak{};  // the contender that is the most it can reach
  std::string
      answer{};  // "exact" or "wrong" where two products of the largest operands leave 16 bits; empty: not asked
};

/// CPU seconds of one call, over as many calls as take about 10 ms.
inline double seconds_per_call(const Contender& contender) {
  const double begin = cpu_seconds();
  double now = begin;
  int calls = 0;
  do {
    contender.once();
    ++calls;
    now = cpu_seconds();
  } while (now - begin < 0.01);
  return (now - begin) / calls;
}

struct Shape {
  std::int64_t tokens;
  std::int64_t cols;
  std::int64_t rows;
};

enum class Who { all, without_stepped, onednn };

/// Symmetric weights of `bits` bits: with 4, tiles of 128 with codes of 8 bits sometimes leave 16 bits; with 3 they do not.
inline IntegerLayer make_layer(const Shape& shape, int bits) {
  IntegerLayer layer;
  layer.name = "bench";
  layer.rows = shape.rows;
  layer.cols = shape.cols;
  layer.box_lower = {0};
  layer.box_upper = {255};
  layer.weights.resize(static_cast<std::size_t>(shape.rows * shape.cols));
  std::uint32_t state = 1;
  for (std::int8_t& w : layer.weights) {
    state = state * 1664525U + 1013904223U;
    w = static_cast<std::int8_t>(std::max(static_cast<std::int32_t>(state) >> (32 - bits), 1 - (1 << (bits - 1))));
  }
  return layer;
}

enum class Mix { words, byte_pairs, sixteen_bits };

/// The peak that a target's instructions give, as register_peaks.hpp names it.
inline std::string peak_of(Target target, Mix mix) {
  const bool wide = target == Target::avx512 || target == Target::avx512_vnni;
  const std::string bits = wide ? ", 512 bits" : ", 256 bits";
  if (mix == Mix::sixteen_bits) {
    return "vpmaddubsw + vpaddw" + bits;
  }
  if (has_vnni(target)) {
    return "vpdpbusd" + bits;
  }
  return (mix == Mix::words ? "vpmaddwd + vpaddd" : "vpmaddubsw + vpmaddwd + vpaddd") + bits;
}

/// Everything that multiplies one layer of `shape`, weights packed. What is measured lives as long as this.
class KernelContenders {
 public:
  KernelContenders(const Shape& shape, Who who) : shape_(shape), layer_(make_layer(shape, 3)) {
    const auto count = [](std::int64_t a, std::int64_t b) { return static_cast<std::size_t>(a * b); };
    codes_.resize(count(shape.tokens, shape.cols));
    for (std::size_t i = 0; i < codes_.size(); ++i) {
      codes_[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
    }
    x_.assign(codes_.begin(), codes_.end());
    w_.assign(layer_.weights.begin(), layer_.weights.end());
    y_.resize(count(shape.tokens, shape.rows));
    sums_.resize(count(shape.tokens, shape.rows));
    macs_ = static_cast<double>(shape.tokens) * static_cast<double>(shape.cols * shape.rows);
    weights_ = static_cast<double>(shape.cols * shape.rows);
    if (who == Who::onednn) {
      add_onednn();
      return;
    }
    for (const Peak& peak : peaks()) {
      contenders_.push_back({peak.name, peak.once, peak.macs});
    }
    if (shape.tokens == 1) {
      for (const Reading& reading : readings()) {
        contenders_.push_back(
            {reading.name,
             [this, reading] { sink_ = sink_ + reading.once(layer_.weights.data(), layer_.weights.size()); }, 0,
             weights_});
      }
    }
    add_blas();
    add_onednn();
    add_exact();
    add_certified();
    if (who == Who::all) {
      add_stepped();
    }
  }
  KernelContenders(const KernelContenders&) = delete;
  KernelContenders& operator=(const KernelContenders&) = delete;

  const Shape& shape() const { return shape_; }
  const std::vector<Contender>& contenders() const { return contenders_; }

 private:
  Operands operands() const { return {codes_, shape_.tokens, 0, {}}; }
  Operands centred() const { return {codes_, shape_.tokens, -128, {}}; }

  static bool has(Target target) { return std::find(targets().begin(), targets().end(), target) != targets().end(); }

  void add_blas() {
    contenders_.push_back(
        {"float32 OpenBLAS",
         [this] {
           const auto n = static_cast<int>(shape_.tokens);
           const auto k = static_cast<int>(shape_.cols);
           const auto m = static_cast<int>(shape_.rows);
           if (n == 1) {
             cblas_sgemv(CblasRowMajor, CblasNoTrans, m, k, 1.0F, w_.data(), k, x_.data(), 1, 0.0F, y_.data(), 1);
           } else {
             cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, k, 1.0F, x_.data(), k, w_.data(), k, 0.0F,
                         y_.data(), m);
           }
         },
         macs_, 4 * weights_, has(Target::avx512) ? "vfmadd float32, 512 bits" : "vfmadd float32, 256 bits"});
  }

  void add_onednn() {
    for (OnednnProduct& product : onednn_products(shape_.tokens, shape_.cols, shape_.rows, codes_, layer_.weights)) {
      contenders_.push_back(
          {product.name, product.once, macs_, product.weight_bytes * weights_, "", onednn_answer(product.name)});
    }
  }

  /// What the product of this name makes of two products of the largest code with 127.
  static std::string onednn_answer(const std::string& name) {
    constexpr std::int64_t tokens = 16, cols = 64, rows = 64;
    for (const int code : {255, 127}) {
      std::vector<std::uint8_t> codes(tokens * cols, 0);
      for (std::size_t i = 0; i < codes.size(); i += cols) {
        codes[i] = codes[i + 1] = static_cast<std::uint8_t>(code);
      }
      for (OnednnProduct& product :
           onednn_products(tokens, cols, rows, codes, std::vector<std::int8_t>(rows * cols, 127))) {
        if (product.name == name && product.sums && product.largest_code == code) {
          product.once();
          const std::vector<std::int32_t> sums = product.sums();
          const bool exact =
              std::all_of(sums.begin(), sums.end(), [&](std::int32_t sum) { return sum == 2 * code * 127; });
          return exact ? "exact" : "wrong";
        }
      }
    }
    return "";
  }

  void add_exact() {
    const Topology wide(parse_datapath("axe:P=32"), shape_.cols);
    IntegerLayer large = layer_;
    large.weights[0] = -128;  // one weight beyond ±64: no pairs of bytes in 16 bits
    for (const Target target : targets()) {
      if (target == Target::portable) {
        continue;
      }
      const bool vnni = has_vnni(target);
      const auto add = [&](const IntegerLayer& layer, const std::string& what, Mix mix) {
        const auto product = std::make_shared<ExactProduct>(layer, wide, target);
        contenders_.push_back({"exact: " + to_text(target) + what,
                               [this, product] { product->multiply(operands(), sums_); }, macs_, weights_,
                               peak_of(target, mix)});
      };
      add(large, "", Mix::words);
      if (!vnni) {
        add(layer_, ", weights within ±64", Mix::byte_pairs);
      }
    }
  }

  void add_certified() {
    const auto add = [&](Target target, std::int64_t tile, WeightPacking packing, bool of_centred) {
      const Topology wide(parse_datapath("axe:P=32"), shape_.cols);
      IntegerLayer boxed = layer_;
      const std::int32_t base = of_centred ? -128 : 0;
      boxed.box_lower = {base};
      boxed.box_upper = {base + 255};
      const auto licence = LicenceOffice::issue(boxed, wide, base, tile).licence;
      if (!licence) {
        throw std::runtime_error("no licence for tiles of " + std::to_string(tile));
      }
      const auto product = std::make_shared<CertifiedProduct>(*licence, boxed, wide, packing, target);
      const bool nibbles = packing == WeightPacking::nibbles;
      contenders_.push_back(
          {"certified: " + to_text(target) + ", T = " + std::to_string(tile) + (nibbles ? ", int4" : ", int8") +
               (of_centred ? ", re-centred" : ""),
           [this, product, of_centred] { product->multiply(of_centred ? centred() : operands(), sums_); }, macs_,
           nibbles ? weights_ / 2 : weights_, peak_of(target, Mix::sixteen_bits)});
    };
    for (const Target target : targets()) {
      if (target == Target::avx2 || target == Target::avx512) {
        for (const std::int64_t tile : {32, 64, 128}) {
          add(target, tile, WeightPacking::bytes, false);
        }
        add(target, 64, WeightPacking::bytes, true);
        add(target, 64, WeightPacking::nibbles, false);
        add(target, 128, WeightPacking::nibbles, true);
      }
    }
  }

  void add_stepped() {
    const IntegerLayer overflowing = make_layer(shape_, 4);
    const auto add = [&](const char* text, bool of_centred) {
      const auto product = std::make_shared<DatapathProduct>(overflowing, Topology(parse_datapath(text), shape_.cols));
      const auto once = [this, product, of_centred] {
        return product->multiply(of_centred ? centred() : operands(), sums_);
      };
      char share[64];
      std::snprintf(share, sizeof share, "%.3g%% of additions overflow", 100.0 * static_cast<double>(once()) / macs_);
      contenders_.push_back({std::string("stepped ") + text + ", " + share, once, macs_});
    };
    add("axe:P=20,T=128", false);
    add("axe:P=16,T=128,act=s8", true);
    add("axe:P=16,T=128", false);
    add("axe:P=12", false);
  }

  Shape shape_;
  IntegerLayer layer_;
  std::vector<std::uint8_t> codes_;
  std::vector<float> x_, w_, y_;
  std::vector<std::int64_t> sums_;
  double macs_ = 0, weights_ = 0;
  std::vector<Contender> contenders_;
  volatile std::uint64_t sink_ = 0;
};

}  // namespace bench
