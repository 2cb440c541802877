// Reads NumPy's .npz: a zip archive, stored or deflated, of .npy members. The .npy header (NumPy NEP 1, versions 1 to 3) is
// a Python dict literal; exactly its three keys are accepted. `read_npz` is the main function. Side effects: reads one file.
#include <zip.h>

#include <algorithm>
#include <array>
#include <memory>

#include "axecert/model/containers.hpp"

namespace axe {
namespace {

// A deflate stream expands at most 1032 times (two bits for 258 bytes); a member that declares more lies about its size, so
// memory use is bounded by the size of the file.
constexpr std::uint64_t largest_expansion = 1032;
constexpr std::size_t longest_header = 1 << 16;

struct ZipClose {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

struct NpyHeader {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
};

// The literal {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } in any key order, padded with spaces, ended by a
// newline.
class HeaderParser {
 public:
  HeaderParser(std::string text, std::string place) : text_(std::move(text)), place_(std::move(place)) {}

  NpyHeader parse() {
    NpyHeader header;
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_descr) {
        header.dtype =
            dtype(peek() == '\'' || peek() == '"' ? quoted() : fail("a structured array", "store plain numbers"));
        has_descr = true;
      } else if (key == "fortran_order" && !has_order) {
        if (word() != "False") {
          fail("the array is stored in Fortran order", "write numpy.ascontiguousarray(array)");
        }
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = tuple();
        has_shape = true;
      } else {
        fail("unexpected or repeated key '" + key + "' in the .npy header", "write the file with numpy.savez");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (!(has_descr && has_order && has_shape) || position_ + 1 != text_.size() || text_[position_] != '\n') {
      fail("the .npy header is damaged", "write the file again with numpy.savez");
    }
    return header;
  }

 private:
  [[noreturn]] std::string fail(const std::string& problem, const std::string& remedy) const {
    throw InputError(place_, problem + ", header position " + std::to_string(position_), remedy);
  }
  void skip_spaces() {
    while (position_ < text_.size() && text_[position_] == ' ') {
      ++position_;
    }
  }
  char peek() {
    skip_spaces();
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) {
      return false;
    }
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) {
      fail(std::string("the .npy header is damaged: expected '") + c + "'", "write the file again with numpy.savez");
    }
  }
  std::string quoted() {
    const char quote = peek();
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, position_ + 1) : std::string::npos;
    if (end == std::string::npos) {
      fail("the .npy header is damaged: expected a quoted word", "write the file again with numpy.savez");
    }
    const std::string value = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return value;
  }
  std::string word() {
    skip_spaces();
    const std::size_t begin = position_;
    while (position_ < text_.size() && ((text_[position_] | 32) >= 'a' && (text_[position_] | 32) <= 'z')) {
      ++position_;
    }
    return text_.substr(begin, position_ - begin);
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> shape;
    expect('(');
    while (!accept(')')) {
      shape.push_back(number());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }
  std::int64_t number() {
    skip_spaces();
    const std::size_t begin = position_;
    std::int64_t value = 0;
    while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9') {
      if (position_ - begin >= 15) {
        fail("an extent of the shape is too large", "");
      }
      value = value * 10 + (text_[position_] - '0');
      ++position_;
    }
    if (position_ == begin) {
      fail("the shape is not a tuple of sizes", "write the file again with numpy.savez");
    }
    return value;
  }
  DType dtype(const std::string& descr) const {
    static const std::array<std::pair<const char*, DType>, 10> known{{{"|i1", DType::i8},
                                                                      {"<i1", DType::i8},
                                                                      {"|u1", DType::u8},
                                                                      {"<u1", DType::u8},
                                                                      {"<i2", DType::i16},
                                                                      {"<i4", DType::i32},
                                                                      {"<i8", DType::i64},
                                                                      {"<f2", DType::f16},
                                                                      {"<f4", DType::f32},
                                                                      {"<f8", DType::f64}}};
    for (const auto& [name, type] : known) {
      if (descr == name) {
        return type;
      }
    }
    if (!descr.empty() && descr[0] == '>') {
      fail("type '" + descr + "' is big endian", "write array.astype(array.dtype.newbyteorder('<'))");
    }
    if (descr == "|O") {
      fail("an array of Python objects", "store plain numbers");
    }
    fail("type '" + descr + "' is not read", "use int8, uint8, int16, int32, int64, float16, float32 or float64");
  }

  std::string text_;
  std::string place_;
  std::size_t position_ = 0;
};

class Member {
 public:
  Member(zip_t* archive, std::uint64_t index, std::string place) : place_(std::move(place)) {
    file_.reset(zip_fopen_index(archive, index, 0));
    if (!file_) {
      throw InputError(place_, std::string("cannot be unpacked: ") + zip_strerror(archive),
                       "write the file again with numpy.savez");
    }
  }
  // Fills [out, out + size) or throws.
  void read(void* out, std::size_t size) {
    auto* cursor = static_cast<char*>(out);
    while (size > 0) {
      const zip_int64_t got = zip_fread(file_.get(), cursor, size);
      if (got <= 0) {
        throw InputError(place_, got == 0 ? std::string("the array ends too early") : error_text(),
                         "the file is truncated or damaged");
      }
      cursor += got;
      size -= static_cast<std::size_t>(got);
    }
  }
  // The member must end here; this is also what makes libzip compare its checksum.
  void expect_end() {
    char extra = 0;
    const zip_int64_t got = zip_fread(file_.get(), &extra, 1);
    if (got != 0) {
      throw InputError(place_, got > 0 ? std::string("bytes behind the array") : error_text(), "the file is damaged");
    }
  }

 private:
  std::string error_text() { return std::string("cannot be unpacked: ") + zip_file_strerror(file_.get()); }
  std::string place_;
  std::unique_ptr<zip_file_t, ZipClose> file_;
};

Tensor read_member(zip_t* archive, std::uint64_t index, const zip_stat_t& status, const std::string& place) {
  if (status.encryption_method != ZIP_EM_NONE ||
      (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE)) {
    throw InputError(place, "encrypted, or packed by another method than deflate", "write the file with numpy.savez");
  }
  if (status.size / largest_expansion > status.comp_size) {
    throw InputError(place,
                     "declares " + std::to_string(status.size) + " bytes in " + std::to_string(status.comp_size) +
                         " packed ones, which deflate cannot do",
                     "the file is damaged");
  }
  Member member(archive, index, place);
  std::array<unsigned char, 12> prefix{};
  const std::size_t damaged_below = 10;
  if (status.size < damaged_below) {
    throw InputError(place, "too short for a .npy array", "write the file again with numpy.savez");
  }
  member.read(prefix.data(), 8);
  if (!std::equal(prefix.begin(), prefix.begin() + 6, reinterpret_cast<const unsigned char*>("\x93NUMPY"))) {
    throw InputError(place, "not a .npy array", "write the file again with numpy.savez");
  }
  const int version = prefix[6];
  if (version < 1 || version > 3 || prefix[7] != 0) {
    throw InputError(place,
                     ".npy version " + std::to_string(version) + "." + std::to_string(prefix[7]) + " is not read",
                     "use version 1.0, 2.0 or 3.0");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  member.read(prefix.data() + 8, length_bytes);
  std::size_t header_size = 0;
  for (std::size_t i = length_bytes; i-- > 0;) {
    header_size = header_size << 8 | prefix[8 + i];
  }
  const std::size_t before_data = 8 + length_bytes + header_size;
  if (header_size > longest_header || before_data > status.size) {
    throw InputError(place, "the .npy header is longer than the array", "the file is damaged");
  }
  std::string text(header_size, '\0');
  member.read(text.data(), text.size());
  const NpyHeader header = HeaderParser(std::move(text), place).parse();

  Tensor tensor;
  tensor.dtype = header.dtype;
  tensor.shape = header.shape;
  const std::optional<std::int64_t> count = checked_elements(header.shape);
  const std::uint64_t data_size = status.size - before_data;
  if (!count || static_cast<std::uint64_t>(*count) * size_of(header.dtype) != data_size) {
    throw InputError(place,
                     "shape " + shape_text(header.shape) + " of " + to_text(header.dtype) + " does not take the " +
                         std::to_string(data_size) + " bytes that are there",
                     "the file is truncated or damaged");
  }
  tensor.data.resize(static_cast<std::size_t>(data_size));
  member.read(tensor.data.data(), tensor.data.size());
  member.expect_end();
  return tensor;
}

}  // namespace

TensorFile read_npz(const std::filesystem::path& path) {
  TensorFile file;
  file.path = path.string();
  int code = 0;
  const std::unique_ptr<zip_t, ZipClose> archive(zip_open(file.path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw InputError(file.path, "not a readable .npz archive: " + text, "the file is truncated or damaged");
  }
  const zip_int64_t members = zip_get_num_entries(archive.get(), 0);
  std::uint64_t room = std::filesystem::file_size(path);
  for (zip_int64_t i = 0; i < members; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t status;
    zip_stat_init(&status);
    constexpr zip_uint64_t needed =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive.get(), index, 0, &status) != 0 || (status.valid & needed) != needed) {
      throw InputError(file.path, "member " + std::to_string(i) + " of the archive is damaged",
                       "write the file again with numpy.savez");
    }
    if (status.comp_size > room) {  // members that share packed bytes would unpack to more than the file warrants
      throw InputError(file.path, "its members take more bytes than the file has", "the file is damaged");
    }
    room -= status.comp_size;
    std::string name = status.name;
    const std::string place = file.path + ": " + name;
    if (name.size() <= 4 || name.compare(name.size() - 4, 4, ".npy") != 0) {
      const bool checkpoint = name.find("data.pkl") != std::string::npos;
      throw InputError(
          place, checkpoint ? "a PyTorch checkpoint, not an .npz archive" : "not a .npy array",
          checkpoint ? "save it with safetensors.torch.save_file" : "an .npz archive holds .npy arrays only");
    }
    name.resize(name.size() - 4);
    Tensor tensor = read_member(archive.get(), index, status, place);
    if (!file.tensors.emplace(name, std::move(tensor)).second) {
      throw InputError(place, "stands twice in the archive", "give every array its own name");
    }
  }
  return file;
}

}  // namespace axe
