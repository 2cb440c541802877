// The .axec container (docs/certificate.md): a safetensors file with a canonical header. Main functions:
// certificate_bytes and parse_certificate, each other's inverse; write_certificate and read_certificate do the same with
// files, CertificateWriter and CertificateFile a layer at a time. Side effects: the files that are written.
#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "axecert/certificate/certificate_file.hpp"
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

// Collects the header's text; the arrays behind it go to `sink`, in the order of the file.
class Writer {
 public:
  using Sink = std::function<void(std::span<const std::uint8_t>)>;
  explicit Writer(Sink sink) : sink_(std::move(sink)) {}

  void text(std::string_view key, const std::string& value) {
    metadata_ += ",\"" + std::string(key) + "\":\"" + value + "\"";
  }
  template <class Stored, class Value>
  void array(const std::string& name, const std::vector<Value>& values, const std::string& shape) {
    std::vector<std::uint8_t> bytes;
    bytes.reserve(values.size() * sizeof(Stored));
    for (const Value value : values) append_little_endian<Stored>(bytes, value);
    sink_(bytes);
    tensors_ += ",\"" + name + "\":{\"dtype\":\"" + (sizeof(Stored) == 4 ? "I32" : "I64") + "\",\"shape\":[" + shape +
                "],\"data_offsets\":[" + std::to_string(size_) + "," + std::to_string(size_ + bytes.size()) + "]}";
    size_ += bytes.size();
  }
  /// The file up to its arrays; the digest is zeros.
  std::vector<std::uint8_t> head(const std::string& tool, const std::string& trusted, std::size_t layers) const {
    std::string header = std::string(digest_key) + std::string(digest_size, '0') + "\",\"tool\":\"" + plain(tool) +
                         "\",\"assumptions\":\"" + trusted + "\",\"layers\":\"" + std::to_string(layers) + "\"" +
                         metadata_ + "}" + tensors_ + "}";
    header.append((8 - header.size() % 8) % 8, ' ');
    if (header.size() > largest_header)
      throw InputError("certificate", "the header exceeds 100 MB", "certify in parts");
    std::vector<std::uint8_t> bytes;
    bytes.reserve(8 + header.size());
    append_little_endian<std::int64_t>(bytes, static_cast<std::int64_t>(header.size()));
    bytes.insert(bytes.end(), header.begin(), header.end());
    return bytes;
  }
  std::uint64_t size() const { return size_; }

 private:
  Sink sink_;
  std::string metadata_;
  std::string tensors_;
  std::uint64_t size_ = 0;
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

// SHA-256 of the file with the digest's characters read as zeros; `between` is called after each piece.
std::string digest_of(std::span<const std::uint8_t> bytes, const std::function<void()>& between = {}) {
  constexpr std::size_t piece = std::size_t{1} << 20;
  Sha256Stream stream;
  stream.update(bytes.data(), digest_at);
  stream.update(std::string(digest_size, '0').data(), digest_size);
  for (bytes = bytes.subspan(digest_at + digest_size); !bytes.empty();) {
    const auto next = bytes.first(std::min(piece, bytes.size()));
    stream.update(next.data(), next.size());
    bytes = bytes.subspan(next.size());
    if (between) between();
  }
  return to_hex(stream.finish());
}

// A cursor over the header that only moves over what it expects.
class Reader {
 public:
  Reader(std::string_view header, const std::string& where, std::size_t position = 0)
      : header_(header), where_(where), position_(position) {}

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
  std::size_t position_;
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

// Reads arrays in file order. Their bytes are looked at only with `contents`; without them arrays of zeros stand for them.
class ArrayReader {
 public:
  ArrayReader(Reader& reader, std::span<const std::uint8_t> bytes, std::size_t data_begin, std::size_t begin,
              bool contents)
      : reader_(reader), bytes_(bytes), data_begin_(data_begin), end_(begin), contents_(contents) {}

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
    std::vector<Value> values(contents_ ? static_cast<std::size_t>(count) : 0);
    count_ = count;
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
  std::int64_t last_count() const { return count_; }
  bool contents() const { return contents_; }

 private:
  Reader& reader_;
  std::span<const std::uint8_t> bytes_;
  std::size_t data_begin_;
  std::size_t end_;
  bool contents_;
  std::size_t width_ = 4;
  std::int64_t count_ = 0;
};

void demand_length(const Reader& reader, std::int64_t found, std::int64_t cols, bool may_be_empty, const char* what) {
  const bool good = found == 1 || found == cols || (may_be_empty && found == 0);
  if (!good)
    reader.refuse(std::string(what) + " has " + std::to_string(found) + " entries for " + std::to_string(cols) +
                  " inputs");
}

void read_arrays(Reader& reader, ArrayReader& arrays, LayerClaims& claims, const std::string& i) {
  IntegerLayer& layer = claims.layer;
  claims.ranges.clear();
  layer.box_lower = arrays.array<std::int32_t>(i + "box.lower", {-layer.cols});
  const std::int64_t channels = arrays.last_count();
  demand_length(reader, channels, layer.cols, false, "the box");
  layer.box_upper = arrays.array<std::int32_t>(i + "box.upper", {channels});
  layer.offset = arrays.array<std::int32_t>(i + "offset", {-layer.cols});
  demand_length(reader, arrays.last_count(), layer.cols, true, "the offset");
  if (!arrays.contents()) layer.offset.resize(arrays.last_count() == 0 ? 0 : 1);  // whether there is one
  const Topology topology(claims.datapath, layer.cols);
  for (std::size_t s = 0; s < claims.datapath.stages.size(); ++s) {
    const std::string name = i + "stage." + std::to_string(s);
    StageRanges ranges;
    ranges.nodes = topology.nodes(s);
    ranges.lower = arrays.array<std::int64_t>(name + ".lower", {layer.rows, ranges.nodes}, true);
    const bool wide = arrays.last_was_wide();
    ranges.upper = arrays.array<std::int64_t>(name + ".upper", {layer.rows, ranges.nodes}, true);
    if (arrays.last_was_wide() != wide || (arrays.contents() && is_narrow(ranges) == wide))
      reader.refuse(name + ": I32 or I64 is not the smaller that fits");
    claims.ranges.push_back(std::move(ranges));
  }
  if (claims.worst.node >= claims.ranges[claims.worst.stage].nodes) reader.refuse("the worst node does not exist");
  claims.worst_witness = arrays.array<std::int32_t>(i + "worst.witness", {layer.cols});
}

void write_layer(Writer& writer, const LayerClaims& claims, std::size_t i) {
  demand_writable(claims);
  write_metadata(writer, claims, std::to_string(i) + ".");
  write_arrays(writer, claims, std::to_string(i) + ".");
}

[[noreturn]] void refuse_equal_names(const std::string& name) {
  throw InputError("layer " + name, "two layers have this name", "rename one");
}

// A certificate whose header was read, and where each layer's arrays stand.
struct Opened {
  Certificate certificate;  // outlines
  std::string digest;
  std::string_view header;
  std::vector<std::size_t> entries_at;  // byte of the header where layer i's arrays are listed
  std::vector<std::size_t> data_at;     // byte behind the header where they begin
};

// The claims of layer i, whose arrays are read with or without contents.
LayerClaims layer_of(const Opened& opened, std::span<const std::uint8_t> bytes, std::size_t i,
                     const std::string& where) {
  LayerClaims claims = opened.certificate.layers[i];
  Reader reader(opened.header, where, opened.entries_at[i]);
  ArrayReader arrays(reader, bytes, 8 + opened.header.size(), opened.data_at[i], true);
  read_arrays(reader, arrays, claims, std::to_string(i) + ".");
  return claims;
}

Opened open_certificate(std::span<const std::uint8_t> bytes, const std::string& where,
                        const std::function<void()>& between, const std::string& expected_digest = {}) {
  std::uint64_t size = 0;
  const Reader whole({}, where);
  if (bytes.size() < 8) whole.refuse_at("shorter than a header's length", bytes.size());
  for (std::size_t i = 0; i < 8; ++i) size |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  if (size > largest_header || size > bytes.size() - 8 || size % 8 != 0) whole.refuse_at("impossible header length", 0);
  Opened opened;
  opened.header = {reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(size)};
  Reader reader(opened.header, where);
  reader.expect(digest_key);
  const auto digest = reader.hash();
  if (!digest) reader.refuse("there is no digest");
  opened.digest = to_hex(*digest);
  if (opened.digest != (expected_digest.empty() ? digest_of(bytes, between) : expected_digest)) {
    reader.refuse_at(
        expected_digest.empty() ? "the digest is not that of the file" : "the digest is not the one expected",
        digest_at);
  }
  reader.end_of_value();

  std::vector<LayerClaims>& layers = opened.certificate.layers;
  reader.key("tool");
  opened.certificate.tool = reader.run_of(is_plain);
  reader.end_of_value();
  reader.key("assumptions");
  const std::size_t assumptions_at = 8 + reader.position();
  const std::string trusted = reader.run_of(is_plain);
  reader.end_of_value();
  reader.key("layers");
  const std::int64_t count = reader.number(1, static_cast<std::int64_t>(largest_header));
  reader.end_of_value();
  for (std::int64_t i = 0; i < count; ++i) {
    layers.push_back(read_metadata(reader, std::to_string(i) + "."));
    const auto n = layers.size();
    if (n > 1 && layers[n - 2].layer.name >= layers[n - 1].layer.name) {
      reader.refuse("layers are not sorted by distinct names");
    }
  }
  reader.expect("}");
  ArrayReader arrays(reader, bytes, 8 + opened.header.size(), 0, false);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    opened.entries_at.push_back(reader.position());
    opened.data_at.push_back(arrays.end());
    read_arrays(reader, arrays, layers[i], std::to_string(i) + ".");
  }
  reader.expect("}");
  const std::size_t padding = reader.run_of([](char c) { return c == ' '; }).size();
  if (!reader.at_end() || padding > 7) reader.refuse("expected the header's end");
  if (8 + opened.header.size() + arrays.end() != bytes.size())
    reader.refuse_at("bytes behind the last array", 8 + opened.header.size() + arrays.end());
  const std::string recomputed = assumption_names(opened.certificate);
  if (trusted != recomputed) reader.refuse_at("the assumptions are not these layers': " + recomputed, assumptions_at);
  return opened;
}

}  // namespace

std::vector<std::uint8_t> certificate_bytes(const Certificate& certificate) {
  if (certificate.layers.empty()) throw InputError("certificate", "there is no layer", "certify at least one");
  std::vector<const LayerClaims*> layers;
  for (const LayerClaims& claims : certificate.layers) layers.push_back(&claims);
  std::sort(layers.begin(), layers.end(), [](auto* a, auto* b) { return a->layer.name < b->layer.name; });
  for (std::size_t i = 1; i < layers.size(); ++i) {
    if (layers[i]->layer.name == layers[i - 1]->layer.name) refuse_equal_names(layers[i]->layer.name);
  }
  std::vector<std::uint8_t> arrays;
  std::size_t ranges = 0;
  for (const LayerClaims* claims : layers) {
    for (const StageRanges& stage : claims->ranges) ranges += stage.lower.size() + stage.upper.size();
  }
  arrays.reserve(ranges * sizeof(std::int32_t));
  Writer writer([&](std::span<const std::uint8_t> bytes) { arrays.insert(arrays.end(), bytes.begin(), bytes.end()); });
  for (std::size_t i = 0; i < layers.size(); ++i) write_layer(writer, *layers[i], i);
  std::vector<std::uint8_t> bytes = writer.head(certificate.tool, assumption_names(certificate), layers.size());
  bytes.insert(bytes.end(), arrays.begin(), arrays.end());
  const std::string digest = digest_of(bytes);
  std::copy(digest.begin(), digest.end(), bytes.begin() + static_cast<std::ptrdiff_t>(digest_at));
  return bytes;
}

void write_certificate(const std::filesystem::path& path, const Certificate& certificate) {
  write_file_atomically(path, certificate_bytes(certificate));
}

Certificate parse_certificate(const std::vector<std::uint8_t>& bytes, const std::string& where) {
  const Opened opened = open_certificate(bytes, where, {});
  Certificate certificate{opened.certificate.tool, {}};
  for (std::size_t i = 0; i < opened.certificate.layers.size(); ++i) {
    certificate.layers.push_back(layer_of(opened, bytes, i, where));
  }
  return certificate;
}

Certificate read_certificate(const std::filesystem::path& path) {
  const CertificateFile file(path);
  Certificate certificate{file.certificate().tool, {}};
  for (std::size_t i = 0; i < file.certificate().layers.size(); ++i) certificate.layers.push_back(file.claims(i));
  return certificate;
}

LayerClaims outline(const LayerClaims& claims) {
  LayerClaims rest;
  rest.layer.name = claims.layer.name;
  rest.layer.rows = claims.layer.rows;
  rest.layer.cols = claims.layer.cols;
  rest.layer.zero_point_spread = claims.layer.zero_point_spread;
  rest.layer.input_limit = claims.layer.input_limit;
  rest.layer.offset.resize(claims.layer.offset.empty() ? 0 : 1);
  rest.datapath = claims.datapath;
  rest.input_source = claims.input_source;
  rest.weight_hash = claims.weight_hash;
  rest.bias_hash = claims.bias_hash;
  rest.weight_range = claims.weight_range;
  for (const StageRanges& ranges : claims.ranges) rest.ranges.push_back({ranges.nodes, {}, {}});
  rest.verdict = claims.verdict;
  rest.worst = claims.worst;
  rest.worst_side = claims.worst_side;
  return rest;
}

struct CertificateWriter::State {
  State(const std::filesystem::path& target, const std::string& tool)
      : whole(target), arrays(target), writer([this](std::span<const std::uint8_t> bytes) { arrays.append(bytes); }) {
    certificate.tool = tool;
  }
  PendingFile whole;
  PendingFile arrays;  // never kept: their place in the file is known only when the header is
  Writer writer;
  Certificate certificate;
};

CertificateWriter::CertificateWriter(const std::filesystem::path& target, const std::string& tool)
    : state_(std::make_unique<State>(target, tool)) {}
CertificateWriter::~CertificateWriter() = default;

const Certificate& CertificateWriter::certificate() const {
  return state_->certificate;
}

void CertificateWriter::add(const LayerClaims& claims) {
  std::vector<LayerClaims>& layers = state_->certificate.layers;
  if (!layers.empty() && layers.back().layer.name == claims.layer.name) refuse_equal_names(claims.layer.name);
  if (!layers.empty() && layers.back().layer.name > claims.layer.name) {
    throw InputError("layer " + claims.layer.name, "comes after " + layers.back().layer.name,
                     "add layers sorted by name");
  }
  write_layer(state_->writer, claims, layers.size());
  layers.push_back(outline(claims));
}

PendingFile& CertificateWriter::finish() {
  State& state = *state_;
  const Certificate& certificate = state.certificate;
  if (certificate.layers.empty()) throw InputError("certificate", "there is no layer", "certify at least one");
  const std::vector<std::uint8_t> head =
      state.writer.head(certificate.tool, assumption_names(certificate), certificate.layers.size());
  Sha256Stream digest;
  digest.update(head.data(), head.size());
  state.whole.append(head);
  std::vector<std::uint8_t> piece(std::size_t{1} << 20);
  for (std::uint64_t at = 0; at < state.writer.size(); at += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), state.writer.size() - at)));
    state.arrays.read(at, piece);
    digest.update(piece.data(), piece.size());
    state.whole.append(piece);
  }
  const std::string text = to_hex(digest.finish());
  state.whole.overwrite(digest_at, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  return state.whole;
}

struct CertificateFile::State {
  State(const std::filesystem::path& path, const std::string& expected_digest)
      : file(path),
        opened(open_certificate(
            file.bytes(), path.string(), [this] { file.let_go(); }, expected_digest)) {}
  MappedFile file;
  Opened opened;
};

CertificateFile::CertificateFile(const std::filesystem::path& path, const std::string& expected_digest)
    : state_(std::make_unique<State>(path, expected_digest)) {}
CertificateFile::~CertificateFile() = default;

const MappedFile& CertificateFile::file() const {
  return state_->file;
}

const std::string& CertificateFile::digest() const {
  return state_->opened.digest;
}

const Certificate& CertificateFile::certificate() const {
  return state_->opened.certificate;
}

LayerClaims CertificateFile::claims(std::size_t i) const {
  LayerClaims claims = layer_of(state_->opened, state_->file.bytes(), i, state_->file.path().string());
  std::size_t bytes = 0;
  for (const StageRanges& stage : claims.ranges) bytes += 16 * stage.lower.size();
  state_->file.has_read(bytes);
  return claims;
}

}  // namespace axe
