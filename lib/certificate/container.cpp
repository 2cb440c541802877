// The .axec container (docs/certificate.md): a safetensors file with a canonical header. Main functions:
// certificate_bytes and parse_certificate, each other's inverse; write_certificate and read_certificate do the same with
// files. Side effects: write_certificate's file.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include "axecert/certificate/atomic_file.hpp"
#include "axecert/certificate/certificate.hpp"
#include "axecert/certificate/sha256.hpp"
#include "axecert/numeric/error.hpp"

namespace axe {
namespace {

constexpr std::size_t largest_header = 100'000'000;  // as in safetensors' reference reader
constexpr std::size_t most_stages = 16;
constexpr std::int64_t most_rows = std::int64_t{1} << 31;
constexpr std::int64_t most_values = (std::int64_t{1} << 31) - 1;  // group and stride
constexpr std::string_view digest_key = "{\"__metadata__\":{\"format\":\"axec 1\",\"digest\":\"";
constexpr std::size_t digest_at = 8 + digest_key.size();
constexpr std::size_t digest_size = 64;

bool is_plain(char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}
bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '/' || c == '-';
}
bool is_datapath_character(char c) {
  return is_name_character(c) || c == ':' || c == '=' || c == ',';
}

// People's text as the header can hold it.
std::string plain(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return !is_plain(c); }, '?');
  return text;
}

bool fits_32(const std::vector<std::int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [](std::int64_t v) { return v == static_cast<std::int32_t>(v); });
}
bool is_narrow(const StageRanges& ranges) {
  return fits_32(ranges.lower) && fits_32(ranges.upper);
}

template <class Integer>
void append_little_endian(std::vector<std::uint8_t>& bytes, std::int64_t value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
}

std::string header_stage(const Stage& stage) {
  return stage.name + " width=" + std::to_string(stage.width) + " group=" + std::to_string(stage.group) +
         " stride=" + std::to_string(stage.stride) + " overflow=" + to_text(stage.overflow) +
         " limits=" + to_text(stage.limits) + " initial=" + to_text(stage.initial) + " claim=" + to_text(stage.claim);
}

std::string two_numbers(std::int64_t a, std::int64_t b) {
  return std::to_string(a) + " " + std::to_string(b);
}

std::string side_text(Side side) {
  return side == Side::lower ? "lower" : "upper";
}

std::string assumption_names(const Certificate& certificate) {
  std::string names;
  for (const Assumption assumption : assumptions(certificate)) {
    if (!names.empty()) names += ' ';
    names += name_of(assumption);
  }
  return names;
}

// Collects the header's text and the arrays behind it.
class Writer {
 public:
  void text(std::string_view key, const std::string& value) {
    header_ += first_ ? "" : ",";
    header_ += "\"" + std::string(key) + "\":\"" + value + "\"";
    first_ = false;
  }
  template <class Stored, class Value>
  void array(const std::string& name, const std::vector<Value>& values, const std::string& shape) {
    const std::size_t begin = data_.size();
    data_.reserve(begin + values.size() * sizeof(Stored));
    for (const Value value : values) append_little_endian<Stored>(data_, value);
    header_ += ",\"" + name + "\":{\"dtype\":\"" + (sizeof(Stored) == 4 ? "I32" : "I64") + "\",\"shape\":[" + shape +
               "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data_.size()) + "]}";
  }
  void open_metadata() { header_ = "{\"__metadata__\":{"; }
  void close_metadata() { header_ += "}"; }
  std::vector<std::uint8_t> finish() {
    header_ += "}";
    header_.append((8 - header_.size() % 8) % 8, ' ');
    if (header_.size() > largest_header)
      throw InputError("certificate", "the header exceeds 100 MB", "certify in parts");
    std::vector<std::uint8_t> bytes;
    bytes.reserve(8 + header_.size() + data_.size());
    append_little_endian<std::int64_t>(bytes, static_cast<std::int64_t>(header_.size()));
    bytes.insert(bytes.end(), header_.begin(), header_.end());
    bytes.insert(bytes.end(), data_.begin(), data_.end());
    return bytes;
  }

 private:
  std::string header_;
  std::vector<std::uint8_t> data_;
  bool first_ = true;
};

void demand_writable(const LayerClaims& claims) {
  const IntegerLayer& layer = claims.layer;
  const std::string place = "layer " + layer.name;
  if (layer.name.empty() || !std::all_of(layer.name.begin(), layer.name.end(), is_name_character)) {
    throw InputError(place, "the name has characters that a certificate cannot hold", "use A-Z a-z 0-9 _ . / -");
  }
  validate(claims.datapath);
  if (claims.datapath.stages.size() > most_stages) throw InputError(place, "more than 16 stages", "merge stages");
  if (layer.rows > most_rows) throw InputError(place, "more than 2^31 rows", "split the layer");
  for (const Stage& stage : claims.datapath.stages) {
    if (stage.group > most_values || stage.stride > most_values) {
      throw InputError(place, "stage " + stage.name + " has a group or stride above 2^31 - 1",
                       "use group 0 for all values");
    }
  }
  if (claims.verdict != Verdict::safe && claims.verdict != Verdict::unsafe) {
    throw InputError(place, "a certificate claims safe or unsafe, not " + to_text(claims.verdict), "use make_claims");
  }
}

void write_metadata(Writer& writer, const LayerClaims& claims, const std::string& i) {
  const Datapath& datapath = claims.datapath;
  writer.text(i + "name", claims.layer.name);
  writer.text(i + "shape", two_numbers(claims.layer.rows, claims.layer.cols));
  writer.text(i + "weight.sha256", to_hex(claims.weight_hash));
  writer.text(i + "weight.range", two_numbers(claims.weight_range.lower, claims.weight_range.upper));
  writer.text(i + "bias.sha256", claims.bias_hash == Sha256{} ? "none" : to_hex(claims.bias_hash));
  writer.text(i + "input.source", to_text(claims.input_source));
  writer.text(i + "zero_point.spread", std::to_string(claims.layer.zero_point_spread));
  if (claims.layer.input_limit != 0) writer.text(i + "input.limit", std::to_string(claims.layer.input_limit));
  writer.text(i + "datapath", datapath.name);
  writer.text(i + "operands",
              "weights " + two_numbers(datapath.weights.lower, datapath.weights.upper) + " activations " +
                  two_numbers(datapath.activations.lower, datapath.activations.upper) + " " + to_text(datapath.form));
  writer.text(i + "stages", std::to_string(datapath.stages.size()));
  for (std::size_t s = 0; s < datapath.stages.size(); ++s) {
    writer.text(i + "stage." + std::to_string(s), header_stage(datapath.stages[s]));
  }
  writer.text(i + "verdict", to_text(claims.verdict));
  writer.text(i + "worst", std::to_string(claims.worst.row) + " " + std::to_string(claims.worst.stage) + " " +
                               std::to_string(claims.worst.node) + " " + side_text(claims.worst_side));
}

void write_arrays(Writer& writer, const LayerClaims& claims, const std::string& i) {
  const IntegerLayer& layer = claims.layer;
  const auto flat = [](const auto& values) { return std::to_string(values.size()); };
  writer.array<std::int32_t>(i + "box.lower", layer.box_lower, flat(layer.box_lower));
  writer.array<std::int32_t>(i + "box.upper", layer.box_upper, flat(layer.box_upper));
  writer.array<std::int32_t>(i + "offset", layer.offset, flat(layer.offset));
  for (std::size_t s = 0; s < claims.ranges.size(); ++s) {
    const StageRanges& ranges = claims.ranges[s];
    const std::string name = i + "stage." + std::to_string(s);
    const std::string shape = std::to_string(layer.rows) + "," + std::to_string(ranges.nodes);
    if (is_narrow(ranges)) {
      writer.array<std::int32_t>(name + ".lower", ranges.lower, shape);
      writer.array<std::int32_t>(name + ".upper", ranges.upper, shape);
    } else {
      writer.array<std::int64_t>(name + ".lower", ranges.lower, shape);
      writer.array<std::int64_t>(name + ".upper", ranges.upper, shape);
    }
  }
  writer.array<std::int32_t>(i + "worst.witness", claims.worst_witness, flat(claims.worst_witness));
}

// SHA-256 of the file with the digest's characters read as zeros.
std::string digest_of(const std::vector<std::uint8_t>& bytes) {
  Sha256Stream stream;
  stream.update(bytes.data(), digest_at);
  stream.update(std::string(digest_size, '0').data(), digest_size);
  stream.update(bytes.data() + digest_at + digest_size, bytes.size() - digest_at - digest_size);
  return to_hex(stream.finish());
}

// A cursor over the header that only moves over what it expects.
class Reader {
 public:
  Reader(std::string_view header, const std::string& where) : header_(header), where_(where) {}

  [[noreturn]] void refuse(const std::string& problem) const { refuse_at(problem, 8 + position_); }
  [[noreturn]] void refuse_at(const std::string& problem, std::size_t byte) const {
    throw InputError(where_, "byte " + std::to_string(byte) + ": " + problem,
                     "the file is damaged or was not written by axecert");
  }

  bool accept(std::string_view literal) {
    if (header_.substr(position_, literal.size()) != literal) return false;
    position_ += literal.size();
    return true;
  }
  void expect(std::string_view literal) {
    if (!accept(literal)) refuse("expected " + std::string(literal));
  }

  /// A decimal integer in [least, greatest] with no leading zeros, plus sign or minus zero.
  std::int64_t number(std::int64_t least, std::int64_t greatest) {
    const char* begin = header_.data() + position_;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(begin, header_.data() + header_.size(), value);
    if (error != std::errc() || std::to_string(value) != std::string(begin, end))
      refuse("expected a canonical 64-bit integer");
    if (value < least || value > greatest) {
      refuse(std::to_string(value) + " is not in " + std::to_string(least) + " to " + std::to_string(greatest));
    }
    position_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  template <class Accepts>
  std::string run_of(Accepts accepts) {
    const std::size_t begin = position_;
    while (position_ < header_.size() && accepts(header_[position_])) ++position_;
    return std::string(header_.substr(begin, position_ - begin));
  }

  /// One of the values' texts; the longest is tried by the caller's order.
  template <class Enum>
  Enum one_of(std::initializer_list<Enum> values) {
    for (const Enum value : values) {
      if (accept(to_text(value))) return value;
    }
    refuse("unknown word");
  }

  IntegerRange range() {
    const std::int64_t lower = number(INT64_MIN, INT64_MAX);
    expect(" ");
    return {lower, number(lower, INT64_MAX)};
  }

  std::optional<Sha256> hash() {
    if (accept("none")) return std::nullopt;
    const std::string text = run_of([](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    if (text.size() != digest_size) refuse("expected 64 hexadecimal digits");
    Sha256 result{};
    for (std::size_t i = 0; i < 32; ++i) {
      unsigned value = 0;
      std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, value, 16);
      result[i] = static_cast<std::uint8_t>(value);
    }
    return result;
  }

  void key(const std::string& name) { expect(",\"" + name + "\":\""); }
  void end_of_value() { expect("\""); }
  std::size_t position() const { return position_; }
  bool at_end() const { return position_ == header_.size(); }

 private:
  std::string_view header_;
  std::string where_;
  std::size_t position_ = 0;
};

Stage read_stage(Reader& reader) {
  Stage stage;
  stage.name =
      reader.run_of([](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
  if (stage.name.empty()) reader.refuse("expected a stage's name");
  reader.expect(" width=");
  stage.width = static_cast<int>(reader.number(1, 64));
  reader.expect(" group=");
  stage.group = reader.number(0, most_values);
  reader.expect(" stride=");
  stage.stride = reader.number(1, most_values);
  reader.expect(" overflow=");
  stage.overflow = reader.one_of({Overflow::wrap, Overflow::saturate, Overflow::undefined});
  reader.expect(" limits=");
  stage.limits = reader.one_of({Limits::symmetric, Limits::full});
  reader.expect(" initial=");
  stage.initial = reader.one_of({Initial::zero, Initial::constant});
  reader.expect(" claim=");
  stage.claim = reader.one_of({Claim::every_partial_sum, Claim::final_value});
  return stage;
}

LayerClaims read_metadata(Reader& reader, const std::string& i) {
  LayerClaims claims;
  IntegerLayer& layer = claims.layer;
  Datapath& datapath = claims.datapath;
  reader.key(i + "name");
  layer.name = reader.run_of(is_name_character);
  if (layer.name.empty()) reader.refuse("expected a layer's name");
  reader.end_of_value();
  reader.key(i + "shape");
  layer.rows = reader.number(1, most_rows);
  reader.expect(" ");
  layer.cols = reader.number(1, largest_length);
  reader.end_of_value();
  reader.key(i + "weight.sha256");
  const auto weight_hash = reader.hash();
  if (!weight_hash) reader.refuse("the weights have no hash");
  claims.weight_hash = *weight_hash;
  reader.end_of_value();
  reader.key(i + "weight.range");
  claims.weight_range = reader.range();
  reader.end_of_value();
  reader.key(i + "bias.sha256");
  claims.bias_hash = reader.hash().value_or(Sha256{});
  reader.end_of_value();
  reader.key(i + "input.source");
  claims.input_source = reader.one_of({InputSource::clamped, InputSource::given, InputSource::calibrated});
  reader.end_of_value();
  reader.key(i + "zero_point.spread");
  layer.zero_point_spread = reader.number(0, largest_operand);
  reader.end_of_value();
  if (reader.accept(",\"" + i + "input.limit\":\"")) {
    layer.input_limit = reader.number(1, largest_input_limit);
    reader.end_of_value();
  }
  reader.key(i + "datapath");
  datapath.name = reader.run_of(is_datapath_character);
  if (datapath.name.empty() || datapath.name.size() > 200) reader.refuse("expected a datapath's name");
  reader.end_of_value();
  reader.key(i + "operands");
  reader.expect("weights ");
  datapath.weights = reader.range();
  reader.expect(" activations ");
  datapath.activations = reader.range();
  reader.expect(" ");
  datapath.form = reader.one_of({ActivationForm::raw, ActivationForm::recentred, ActivationForm::boxed});
  reader.end_of_value();
  reader.key(i + "stages");
  const std::int64_t stages = reader.number(1, static_cast<std::int64_t>(most_stages));
  reader.end_of_value();
  for (std::int64_t s = 0; s < stages; ++s) {
    reader.key(i + "stage." + std::to_string(s));
    datapath.stages.push_back(read_stage(reader));
    reader.end_of_value();
  }
  reader.key(i + "verdict");
  claims.verdict = reader.one_of({Verdict::safe, Verdict::unsafe});
  reader.end_of_value();
  reader.key(i + "worst");
  claims.worst.row = reader.number(0, layer.rows - 1);
  reader.expect(" ");
  claims.worst.stage = static_cast<std::size_t>(reader.number(0, stages - 1));
  reader.expect(" ");
  claims.worst.node = reader.number(0, INT64_MAX);
  reader.expect(" ");
  claims.worst_side = reader.accept("lower") ? Side::lower : Side::upper;
  if (claims.worst_side == Side::upper) reader.expect("upper");
  reader.end_of_value();
  return claims;
}

// Reads arrays in file order; `data` is everything behind the header.
class ArrayReader {
 public:
  ArrayReader(Reader& reader, const std::vector<std::uint8_t>& bytes, std::size_t data_begin)
      : reader_(reader), bytes_(bytes), data_begin_(data_begin) {}

  template <class Value>
  std::vector<Value> array(const std::string& name, std::initializer_list<std::int64_t> lengths,
                           bool may_be_wide = false) {
    reader_.expect(",\"" + name + "\":{\"dtype\":\"");
    width_ = 4;
    if (may_be_wide && reader_.accept("I64")) {
      width_ = 8;
    } else {
      reader_.expect("I32");
    }
    reader_.expect("\",\"shape\":[");
    std::int64_t count = 1;
    for (auto length = lengths.begin(); length != lengths.end(); ++length) {
      if (length != lengths.begin()) reader_.expect(",");
      count *=
          *length < 0 ? reader_.number(0, -*length) : reader_.number(*length, *length);  // rows · nodes ≤ 2^31 · 2^24
    }
    reader_.expect("],\"data_offsets\":[");
    const auto begin = static_cast<std::int64_t>(end_);
    const auto room = static_cast<std::int64_t>(bytes_.size() - data_begin_) - begin;
    if (count > room / static_cast<std::int64_t>(width_)) reader_.refuse("the file is too short for " + name);
    const std::int64_t end = begin + count * static_cast<std::int64_t>(width_);
    reader_.expect(std::to_string(begin) + "," + std::to_string(end) + "]}");
    end_ = static_cast<std::size_t>(end);
    std::vector<Value> values(static_cast<std::size_t>(count));
    const std::uint8_t* byte = bytes_.data() + data_begin_ + begin;
    for (Value& value : values) {
      std::uint64_t bits = 0;
      for (std::size_t b = 0; b < width_; ++b) bits |= static_cast<std::uint64_t>(*byte++) << (8 * b);
      value = static_cast<Value>(width_ == 8 ? static_cast<std::int64_t>(bits)
                                             : static_cast<std::int32_t>(static_cast<std::uint32_t>(bits)));
    }
    return values;
  }
  std::size_t end() const { return end_; }
  bool last_was_wide() const { return width_ == 8; }

 private:
  Reader& reader_;
  const std::vector<std::uint8_t>& bytes_;
  std::size_t data_begin_;
  std::size_t end_ = 0;
  std::size_t width_ = 4;
};

void demand_length(const Reader& reader, std::size_t found, std::int64_t cols, bool may_be_empty, const char* what) {
  const bool good = found == 1 || found == static_cast<std::size_t>(cols) || (may_be_empty && found == 0);
  if (!good)
    reader.refuse(std::string(what) + " has " + std::to_string(found) + " entries for " + std::to_string(cols) +
                  " inputs");
}

void read_arrays(Reader& reader, ArrayReader& arrays, LayerClaims& claims, const std::string& i) {
  IntegerLayer& layer = claims.layer;
  layer.box_lower = arrays.array<std::int32_t>(i + "box.lower", {-layer.cols});
  demand_length(reader, layer.box_lower.size(), layer.cols, false, "the box");
  layer.box_upper = arrays.array<std::int32_t>(i + "box.upper", {static_cast<std::int64_t>(layer.box_lower.size())});
  layer.offset = arrays.array<std::int32_t>(i + "offset", {-layer.cols});
  demand_length(reader, layer.offset.size(), layer.cols, true, "the offset");
  const Topology topology(claims.datapath, layer.cols);
  for (std::size_t s = 0; s < claims.datapath.stages.size(); ++s) {
    const std::string name = i + "stage." + std::to_string(s);
    StageRanges ranges;
    ranges.nodes = topology.nodes(s);
    ranges.lower = arrays.array<std::int64_t>(name + ".lower", {layer.rows, ranges.nodes}, true);
    const bool wide = arrays.last_was_wide();
    ranges.upper = arrays.array<std::int64_t>(name + ".upper", {layer.rows, ranges.nodes}, true);
    if (arrays.last_was_wide() != wide || is_narrow(ranges) == wide)
      reader.refuse(name + ": I32 or I64 is not the smaller that fits");
    claims.ranges.push_back(std::move(ranges));
  }
  if (claims.worst.node >= claims.ranges[claims.worst.stage].nodes) reader.refuse("the worst node does not exist");
  claims.worst_witness = arrays.array<std::int32_t>(i + "worst.witness", {layer.cols});
}

}  // namespace

std::vector<std::uint8_t> certificate_bytes(const Certificate& certificate) {
  if (certificate.layers.empty()) throw InputError("certificate", "there is no layer", "certify at least one");
  std::vector<const LayerClaims*> layers;
  for (const LayerClaims& claims : certificate.layers) {
    demand_writable(claims);
    layers.push_back(&claims);
  }
  std::sort(layers.begin(), layers.end(), [](auto* a, auto* b) { return a->layer.name < b->layer.name; });
  for (std::size_t i = 1; i < layers.size(); ++i) {
    if (layers[i]->layer.name == layers[i - 1]->layer.name) {
      throw InputError("layer " + layers[i]->layer.name, "two layers have this name", "rename one");
    }
  }
  const std::string trusted = assumption_names(certificate);

  Writer writer;
  writer.open_metadata();
  writer.text("format", "axec 1");
  writer.text("digest", std::string(digest_size, '0'));
  writer.text("tool", plain(certificate.tool));
  writer.text("assumptions", trusted);
  writer.text("layers", std::to_string(layers.size()));
  for (std::size_t i = 0; i < layers.size(); ++i) write_metadata(writer, *layers[i], std::to_string(i) + ".");
  writer.close_metadata();
  for (std::size_t i = 0; i < layers.size(); ++i) write_arrays(writer, *layers[i], std::to_string(i) + ".");
  std::vector<std::uint8_t> bytes = writer.finish();
  const std::string digest = digest_of(bytes);
  std::copy(digest.begin(), digest.end(), bytes.begin() + static_cast<std::ptrdiff_t>(digest_at));
  return bytes;
}

void write_certificate(const std::filesystem::path& path, const Certificate& certificate) {
  write_file_atomically(path, certificate_bytes(certificate));
}

Certificate parse_certificate(const std::vector<std::uint8_t>& bytes, const std::string& where) {
  std::uint64_t size = 0;
  const Reader whole({}, where);
  if (bytes.size() < 8) whole.refuse_at("shorter than a header's length", bytes.size());
  for (std::size_t i = 0; i < 8; ++i) size |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  if (size > largest_header || size > bytes.size() - 8 || size % 8 != 0) whole.refuse_at("impossible header length", 0);
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(size));
  Reader reader(header, where);
  reader.expect(digest_key);
  const auto digest = reader.hash();
  if (!digest) reader.refuse("there is no digest");
  if (to_hex(*digest) != digest_of(bytes)) reader.refuse_at("the digest is not that of the file", digest_at);
  reader.end_of_value();

  Certificate certificate;
  reader.key("tool");
  certificate.tool = reader.run_of(is_plain);
  reader.end_of_value();
  reader.key("assumptions");
  const std::size_t assumptions_at = 8 + reader.position();
  const std::string trusted = reader.run_of(is_plain);
  reader.end_of_value();
  reader.key("layers");
  const std::int64_t layers = reader.number(1, static_cast<std::int64_t>(largest_header));
  reader.end_of_value();
  for (std::int64_t i = 0; i < layers; ++i) {
    certificate.layers.push_back(read_metadata(reader, std::to_string(i) + "."));
    const auto n = certificate.layers.size();
    if (n > 1 && certificate.layers[n - 2].layer.name >= certificate.layers[n - 1].layer.name) {
      reader.refuse("layers are not sorted by distinct names");
    }
  }
  reader.expect("}");
  ArrayReader arrays(reader, bytes, 8 + header.size());
  for (std::int64_t i = 0; i < layers; ++i) {
    read_arrays(reader, arrays, certificate.layers[static_cast<std::size_t>(i)], std::to_string(i) + ".");
  }
  reader.expect("}");
  const std::size_t padding = reader.run_of([](char c) { return c == ' '; }).size();
  if (!reader.at_end() || padding > 7) reader.refuse("expected the header's end");
  if (8 + header.size() + arrays.end() != bytes.size())
    reader.refuse_at("bytes behind the last array", 8 + header.size() + arrays.end());
  const std::string recomputed = assumption_names(certificate);
  if (trusted != recomputed) reader.refuse_at("the assumptions are not these layers': " + recomputed, assumptions_at);
  return certificate;
}

Certificate read_certificate(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(path.string(), "cannot be opened", "check the path and the permissions");
  const std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) throw InputError(path.string(), "cannot be read", "check the disk");
  return parse_certificate(bytes, path.string());
}

}  // namespace axe
