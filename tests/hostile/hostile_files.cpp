// See hostile_files.hpp.
#include "hostile_files.hpp"

#include <zip.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "../golden/golden_files.hpp"
#include "axecert/certificate/certificate_file.hpp"
#include "axecert/checker/checker.h"
#include "axecert/datapath/datapath.hpp"
#include "axecert/model/layers.hpp"
#include "axecert/model/weight_files.hpp"
#include "axecert/numeric/error.hpp"
#include "axecert/smt/journal.hpp"
#if AXECERT_HAS_ONNX
#include "axecert/onnx/import.hpp"
#endif
#include "../scratch_folder.hpp"
#include "protobuf.hpp"

namespace axe::hostile {
namespace {

std::filesystem::path place(const std::string& name) {
  static const test::ScratchFolder folder;
  return folder / name;
}

std::size_t written(const std::string& name, std::string_view bytes) {
  std::ofstream(place(name), std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes.size();
}
std::size_t written(const std::string& name, const tiny::Bytes& bytes) {
  return written(name, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string little(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) {
    text += static_cast<char>(value >> (8 * i));
  }
  return text;
}

std::string repeated(const std::string& piece, std::size_t n) {
  std::string text;
  while (text.size() < n) {
    text += piece;
  }
  return text;
}

/// piece(0), piece(1), … separated by `between`, about n bytes.
std::string numbered(std::size_t n, const std::function<std::string(std::size_t)>& piece, const char* between = ",") {
  std::string text;
  for (std::size_t i = 0; text.size() < n; ++i) {
    text += (i == 0 ? "" : between) + piece(i);
  }
  return text;
}

std::string safetensors(const std::string& header, const std::string& data = "") {
  return little(header.size(), 8) + header + data;
}
std::string entry(const std::string& name, const std::string& shape = "[0]", const std::string& offsets = "[0,0]") {
  return "\"" + name + "\":{\"dtype\":\"I8\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

// ---- .npz ----

std::string npy(const std::string& shape, const std::string& data) {
  const std::string header = "{'descr': '|i1', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\1\0", 8) + little(header.size(), 2) + header + data;
}

std::size_t zipped(const std::string& name, const std::vector<std::pair<std::string, std::string>>& members,
                   bool deflate) {
  std::filesystem::remove(place(name));
  int code = 0;
  zip_t* archive = zip_open(place(name).c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  for (const auto& [member, content] : members) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const zip_int64_t index = zip_file_add(archive, member.c_str(), source, 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 9);
  }
  zip_close(archive);
  return std::filesystem::file_size(place(name));
}

std::string content(const std::string& name) {
  std::ifstream stream(place(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// One member of n/2 bytes, and as many entries in the central directory that all point to it.
std::size_t overlapping_members(std::size_t n, bool deflate) {
  zipped("a.npz", {{"a.npy", npy("(" + std::to_string(n / 2) + ",)", std::string(n / 2, deflate ? '\0' : 'x'))}},
         deflate);
  std::string file = content("a.npz");
  const std::size_t end = file.rfind("PK\5\6"), directory = file.find("PK\1\2");
  const std::string one = file.substr(directory, end - directory);
  std::string all;
  std::size_t count = 0;
  for (; all.size() < n / 2 && count < 65'000; ++count) {
    std::string copy = one;
    copy[46] = static_cast<char>('a' + count % 26);  // its name; the first letter
    all += copy;
  }
  std::string tail = file.substr(end);
  tail.replace(8, 4, little(count, 2) + little(count, 2));
  tail.replace(12, 4, little(all.size(), 4));
  return written("a.npz", file.substr(0, directory) + all + tail);
}

// ---- certificates ----

tiny::Pair many_layers(std::size_t n, std::size_t bytes_each) {
  std::vector<IntegerLayer> layers;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, n / bytes_each); ++i) {
    IntegerLayer layer;
    layer.name = "l" + std::to_string(100'000 + i);
    layer.rows = layer.cols = 1;
    layer.weights = {1};
    layer.box_lower = {0};
    layer.box_upper = {1};
    layers.push_back(layer);
  }
  return tiny::pair_of(layers, parse_datapath("axe:P=16"));
}

/// One row of so many registers.
tiny::Pair one_row(std::size_t registers) {
  IntegerLayer layer;
  layer.name = "l";
  layer.rows = 1;
  layer.cols = static_cast<std::int64_t>(registers);
  layer.weights.assign(registers, 1);
  layer.box_lower = {0};
  layer.box_upper = {1};
  return tiny::pair_of({layer}, parse_datapath("axe:P=16,T=1,outer=32"));
}

std::size_t written_pair(const tiny::Pair& pair) {
  return written("a.axec", pair.certificate) + written("a.safetensors", pair.weights);
}

/// The weights file of `pair` with more arrays behind its own.
tiny::Bytes with_arrays(const tiny::Bytes& weights, const std::string& more) {
  std::string header = tiny::header_of(weights);
  header.erase(header.rfind('}'));
  return tiny::with_header(header + "," + more + "}", tiny::data_of(weights));
}

void check_files() {
  const MappedFile certificate(place("a.axec")), weights(place("a.safetensors"));
  axc_report report;
  const axc_verdict verdict = axc_check(certificate.bytes().data(), certificate.bytes().size(), weights.bytes().data(),
                                        weights.bytes().size(), &report);
  if (verdict == AXC_REFUSED) {
    throw InputError("checker", axc_reason_sentence(report.reason), "");
  }
}

void read_layers_of_certificate() {
  const CertificateFile file(place("a.axec"));
  for (std::size_t i = 0; i < file.certificate().layers.size(); ++i) {
    (void)file.claims(i);
  }
}

/// The header that a certificate would have if `edit` were right, its digest made right.
tiny::Bytes edited(const std::string& from, const std::string& to) {
  return tiny::edit_header(many_layers(1, 1).certificate, from, to);
}

// ---- the table ----

class Table {
 public:
  std::vector<HostileCase> cases;

  void text(const char* format, const std::string& name, const std::string& file,
            const std::function<std::string(std::size_t)>& make, std::function<void()> read,
            std::optional<bool> refused = true) {
    cases.push_back({format + std::string(": ") + name, format,
                     [file, make](std::size_t n) { return written(file, make(n)); }, std::move(read), refused});
  }
  HostileCase& last() { return cases.back(); }
  void files(const char* format, const std::string& name, std::function<std::size_t(std::size_t)> write,
             std::function<void()> read, std::optional<bool> refused = true) {
    cases.push_back({format + std::string(": ") + name, format, std::move(write), std::move(read), refused});
  }
};

void add_safetensors(Table& table) {
  const auto read = [] { (void)read_tensors(place("a.safetensors")); };
  const auto add = [&](const std::string& name, const std::function<std::string(std::size_t)>& header,
                       bool refused = true) {
    table.text(
        "safetensors", name, "a.safetensors", [header](std::size_t n) { return safetensors(header(n)); }, read,
        refused);
  };
  table.text(
      "safetensors", "one byte", "a.safetensors", [](std::size_t) { return std::string("x"); }, read);
  for (const int bit : {31, 40, 63}) {
    table.text(
        "safetensors", "a header of 2^" + std::to_string(bit) + " bytes", "a.safetensors",
        [bit](std::size_t) { return little(std::uint64_t{1} << bit, 8) + "{"; }, read);
  }
  for (const char* shape :
       {"[1099511627776]", "[1048576,1048576]", "[18446744073709551615]", "[9223372036854775807,2]", "[1e12]"}) {
    add(std::string("an array of shape ") + shape + " and no data",
        [shape](std::size_t) { return "{" + entry("a", shape) + "}"; });
  }
  add("offsets of 2^40", [](std::size_t) { return "{" + entry("a", "[1099511627776]", "[0,1099511627776]") + "}"; });
  add("a shape of many extents",
      [](std::size_t n) { return "{" + entry("a", "[" + numbered(n, [](auto) { return "1"; }) + "]", "[0,1]") + "}"; });
  add(
      "a shape of many zeros",
      [](std::size_t n) { return "{" + entry("a", "[" + numbered(n, [](auto) { return "0"; }) + "]") + "}"; }, false);
  add("a shape of empty arrays",
      [](std::size_t n) { return "{" + entry("a", "[" + numbered(n, [](auto) { return "[]"; }) + "]") + "}"; });
  add("a shape of empty objects",
      [](std::size_t n) { return "{" + entry("a", "[" + numbered(n, [](auto) { return "{}"; }) + "]") + "}"; });
  add("deep nesting of arrays",
      [](std::size_t n) { return "{\"a\":" + std::string(n / 2, '[') + std::string(n / 2, ']') + "}"; });
  add("deep nesting of objects", [](std::size_t n) { return repeated("{\"a\":", n); });
  add(
      "many arrays",
      [](std::size_t n) { return "{" + numbered(n, [](auto i) { return entry(std::to_string(i)); }) + "}"; }, false);
  add(
      "many arrays of one long beginning",
      [](std::size_t n) {
        const std::string head(1000, 'a');
        return "{" + numbered(n, [&](auto i) { return entry(head + std::to_string(i)); }) + "}";
      },
      false);
  add("an array many times", [](std::size_t n) { return "{" + numbered(n, [](auto) { return entry("a"); }) + "}"; });
  add("members that are no arrays",
      [](std::size_t n) { return "{" + numbered(n, [](auto i) { return "\"" + std::to_string(i) + "\":0"; }) + "}"; });
  add("members that are empty objects",
      [](std::size_t n) { return "{" + numbered(n, [](auto i) { return "\"" + std::to_string(i) + "\":{}"; }) + "}"; });
  add(
      "much metadata",
      [](std::size_t n) {
        return "{\"__metadata__\":{" + numbered(n, [](auto i) { return "\"" + std::to_string(i) + "\":\"\""; }) + "}}";
      },
      false);
  add(
      "one long text", [](std::size_t n) { return "{\"__metadata__\":{\"a\":\"" + std::string(n, 'a') + "\"}}"; },
      false);
  add(
      "a text of escapes",
      [](std::size_t n) { return "{\"__metadata__\":{\"a\":\"" + repeated("\\u0001", n) + "\"}}"; }, false);
  add("a number of many digits", [](std::size_t n) { return "{" + entry("a", "[" + std::string(n, '9') + "]") + "}"; });
  add(
      "white space", [](std::size_t n) { return "{" + std::string(n, ' ') + "}"; }, false);
  table.text(
      "safetensors", "arrays that overlap", "a.safetensors",
      [](std::size_t n) {
        const std::string all = "[0," + std::to_string(n / 2) + "]";
        return safetensors(
            "{" +
                numbered(n / 2,
                         [&](auto i) { return entry(std::to_string(i), "[" + std::to_string(n / 2) + "]", all); }) +
                "}",
            std::string(n / 2, 'x'));
      },
      read);
}

void add_npz(Table& table) {
  const auto read = [] { (void)read_tensors(place("a.npz")); };
  table.files(
      "npz", "zeros, packed as well as deflate can",
      [](std::size_t n) {
        return zipped("a.npz", {{"a.npy", npy("(" + std::to_string(n * 1000) + ",)", std::string(n * 1000, '\0'))}},
                      true);
      },
      read, false);
  table.last().growth_from = 5'000;
  table.files(
      "npz", "members that are one and the same", [](std::size_t n) { return overlapping_members(n, false); }, read);
  table.last().growth_from = 200'000;  // below, libzip's table of names takes a step
  table.files(
      "npz", "members that are one and the same, packed", [](std::size_t n) { return overlapping_members(n, true); },
      read);
  table.last().growth_from = 200'000;
  table.files(
      "npz", "a shape of 2^40 without data",
      [](std::size_t) {
        return zipped("a.npz", {{"a.npy", npy("(1099511627776,)", "")}}, false);
      },
      read);
  table.files(
      "npz", "a shape of many extents",
      [](std::size_t n) {
        return zipped("a.npz", {{"a.npy", npy("(" + repeated("1,", std::min<std::size_t>(n, 60'000)) + ")", "x")}},
                      false);
      },
      read, false);
  for (const std::size_t at :
       {std::size_t{22}, std::size_t{24}}) {  // of the local and of the central entry: the unpacked size
    table.files(
        "npz",
        at == 22 ? "an unpacked size that lies, beside the member" : "an unpacked size that lies, in the directory",
        [at](std::size_t n) {
          zipped("a.npz", {{"a.npy", npy("(" + std::to_string(n) + ",)", std::string(n, 'x'))}}, true);
          std::string file = content("a.npz");
          file.replace((at == 22 ? 0 : file.find("PK\1\2")) + at, 4, little(0xfffffff0, 4));
          return written("a.npz", file);
        },
        read);
  }
  const auto many = [](std::size_t n, const std::string& content_of_each, bool same_name) {
    std::vector<std::pair<std::string, std::string>> members;
    for (std::size_t i = 0; i < n / (100 + content_of_each.size()); ++i) {
      members.emplace_back((same_name ? "a" : std::to_string(i)) + ".npy", content_of_each);
    }
    return zipped("a.npz", members, false);
  };
  table.files(
      "npz", "many arrays", [many](std::size_t n) { return many(n, npy("(0,)", ""), false); }, read, false);
  table.files(
      "npz", "many members that are empty", [many](std::size_t n) { return many(n, "", false); }, read);
  table.text(
      "npz", "a directory without its archive", "a.npz",
      [](std::size_t) { return "PK\5\6" + little(0xffffffffffffffff, 8) + little(0xffffffffffff, 8) + "\0\0"; }, read);
}

void add_index(Table& table) {
  const auto read = [] { (void)WeightFiles(place("a.index.json")); };
  const auto add = [&](const std::string& name, const std::function<std::string(std::size_t)>& map) {
    table.text(
        "index", name, "a.index.json", [map](std::size_t n) { return "{\"weight_map\":" + map(n) + "}"; }, read);
  };
  add("many arrays of one shard that is not there", [](std::size_t n) {
    return "{" + numbered(n, [](auto i) { return "\"" + std::to_string(i) + "\":\"none.safetensors\""; }) + "}";
  });
  add("many shards that are not there", [](std::size_t n) {
    return "{" +
           numbered(
               n, [](auto i) { return "\"a" + std::to_string(i) + "\":\"n" + std::to_string(i) + ".safetensors\""; }) +
           "}";
  });
  add("an array many times", [](std::size_t n) {
    return "{" + numbered(n, [](auto) { return std::string("\"a\":\"none.safetensors\""); }) + "}";
  });
  add("deep nesting", [](std::size_t n) { return std::string(n / 2, '[') + std::string(n / 2, ']'); });
  add("empty objects", [](std::size_t n) { return "[" + numbered(n, [](auto) { return std::string("{}"); }) + "]"; });
  add("a number of many digits", [](std::size_t n) { return std::string(n, '9'); });
  table.files(
      "index", "a shard with much metadata and many layers",
      [](std::size_t n) {
        std::string header = "{\"__metadata__\":{" +
                             numbered(n / 3, [](auto i) { return "\"" + std::to_string(i) + "\":\"\""; }) + "}",
                    places;
        for (std::size_t i = 0; header.size() < 2 * n / 3; ++i) {
          header += "," + entry(std::to_string(i) + ".weight");
          places += (i == 0 ? "\"" : ",\"") + std::to_string(i) + ".weight\":\"m.safetensors\"";
        }
        return written("m.safetensors", safetensors(header + "}")) +
               written("m.index.json", "{\"weight_map\":{" + places + "}}");
      },
      [] {
        const WeightFiles files(place("m.index.json"));
        for (const std::string& layer : files.layers()) {
          (void)files.layer(layer);
        }
      },
      false);
}

void add_toml(Table& table) {
  const auto read = [] { (void)parse_datapath(place("a.toml").string()); };
  const auto add = [&](const std::string& name, const std::function<std::string(std::size_t)>& make) {
    table.text(
        "toml", name, "a.toml", [make](std::size_t n) { return make(std::min<std::size_t>(n, (1 << 20) - 100)); },
        read);
  };
  table.text(
      "toml", "beyond 1 MiB", "a.toml", [](std::size_t) { return std::string((1 << 20) + 1, ' '); }, read);
  add("a dotted key", [](std::size_t n) { return repeated("a.", n) + "a = 1\n"; });
  add("a dotted key with spaces and quotes", [](std::size_t n) { return repeated("\"a\" . 'b'\t.", n) + "a = 1\n"; });
  add("a dotted key behind a text that ends with quotes",
      [](std::size_t n) { return "x = {b = \"\"\"c\"\"\"\", " + repeated("a.", n) + "a = 1}\n"; });
  add("a dotted key behind an escaped quote",
      [](std::size_t n) { return "x = {b = \"\\\"\", " + repeated("a.", n) + "a = 1}\n"; });
  add("a dotted key behind a backslash",
      [](std::size_t n) { return "x = {b = '\\', " + repeated("a.", n) + "a = 1}\n"; });
  add("a dotted table", [](std::size_t n) { return "[" + repeated("a.", n) + "a]\n"; });
  add("a dotted key in an inline table", [](std::size_t n) { return "x = {" + repeated("a.", n) + "a = 1}\n"; });
  add("nested arrays", [](std::size_t n) { return "a = " + std::string(n / 2, '[') + std::string(n / 2, ']') + "\n"; });
  add("nested inline tables", [](std::size_t n) { return "a = " + repeated("{a=", n) + "\n"; });
  add("an array of numbers", [](std::size_t n) { return "a = [" + repeated("1,", n) + "]\n"; });
  add("an array of arrays", [](std::size_t n) { return "a = [" + repeated("[],", n) + "]\n"; });
  add("many stages", [](std::size_t n) { return repeated("[[stage]]\n", n); });
  add("many keys", [](std::size_t n) {
    return numbered(
               n, [](auto i) { return "a" + std::to_string(i) + "=1"; }, "\n") +
           "\n";
  });
  add("many tables", [](std::size_t n) {
    return numbered(
               n, [](auto i) { return "[a" + std::to_string(i) + "]"; }, "\n") +
           "\n";
  });
  add("many tables below one another", [](std::size_t n) {
    std::string text, name = "a";
    while (text.size() < n && name.size() < 100) {
      text += "[" + name + "]\n";
      name += ".a";
    }
    return text;
  });
  add("one long text", [](std::size_t n) { return "name = \"" + std::string(n, 'a') + "\"\n"; });
  add("one long comment", [](std::size_t n) { return "#" + std::string(n, 'a') + "\n"; });
}

/// Lines of Z3's journal with their hashes.
std::size_t written_journal(std::size_t n, const std::function<std::string(std::size_t)>& line) {
  std::string text, chain;
  for (std::size_t i = 0; text.size() < n; ++i) {
    const std::string content = i == 0 ? journal_binding("", 1) : line(i);
    const std::string hashed = chain + "\n" + content;
    chain = to_hex(sha256(hashed.data(), hashed.size()));
    text += content + " " + chain + "\n";
  }
  return written("journal", text);
}

void add_journals(Table& table) {
  const auto read = [] { const SmtJournal journal(place("journal"), "", 1); };
  table.files(
      "journal", "spans from the last to the first",
      [](std::size_t n) {
        return written_journal(n, [](auto i) {
          const std::size_t at = 10'000'000 - 2 * i;
          return "box a " + std::to_string(at) + " " + std::to_string(at + 1);
        });
      },
      read, false);
  table.files(
      "journal", "spans that all overlap",
      [](std::size_t n) { return written_journal(n, [](auto i) { return "box a 0 " + std::to_string(i); }); }, read,
      false);
  table.files(
      "journal", "a line of many words",
      [](std::size_t n) { return written_journal(n, [n](auto) { return repeated("a ", n); }); }, read);
  table.text(
      "journal", "no line's end", "journal", [](std::size_t n) { return std::string(n, 'a'); }, read);
}

void add_certificates(Table& table) {
  const auto both = [&](const std::string& name, const std::function<tiny::Bytes(std::size_t)>& make,
                        bool refused = true) {  // by lib/certificate
    const auto write = [make](std::size_t n) {
      return written("a.axec", make(n)) + written("a.safetensors", safetensors("{}"));
    };
    table.files("certificate", name, write, read_layers_of_certificate, refused);
    table.files("checker", name, write, check_files, true);
  };
  for (const int bit : {20, 40, 63}) {
    both("a header of 2^" + std::to_string(bit) + " bytes", [bit](std::size_t) {
      const std::string bytes = little(std::uint64_t{1} << bit, 8) + "{";
      return tiny::Bytes(bytes.begin(), bytes.end());
    });
  }
  both("2^31 rows", [](std::size_t) { return edited("0.shape\":\"1 1\"", "0.shape\":\"2147483648 1\""); });
  both("2^24 columns", [](std::size_t) { return edited("0.shape\":\"1 1\"", "0.shape\":\"1 16777216\""); });
  both("10^8 layers", [](std::size_t) { return edited("\"layers\":\"1\"", "\"layers\":\"100000000\""); });
  both("a box of 2^24", [](std::size_t) {
    return edited("0.box.lower\":{\"dtype\":\"I32\",\"shape\":[1]",
                  "0.box.lower\":{\"dtype\":\"I32\",\"shape\":[16777216]");
  });
  both(
      "a long name", [](std::size_t n) { return edited("0.name\":\"l100000", "0.name\":\"" + std::string(n, 'a')); },
      false);
  both("a number of many digits",
       [](std::size_t n) { return edited("0.shape\":\"1 1\"", "0.shape\":\"" + std::string(n, '1') + " 1\""); });
  both("an array's entry without an end",
       [](std::size_t n) { return edited("0.box.lower\":{", "0.box.lower" + std::string(n, 'a')); });
  both(
      "a long tool", [](std::size_t n) { return edited("\"tool\":\"", "\"tool\":\"" + std::string(n, 'a')); }, false);
  both(
      "one row of many registers", [](std::size_t n) { return one_row(n / 12).certificate; }, false);
  both(
      "many layers", [](std::size_t n) { return many_layers(n, 1300).certificate; }, false);

  const auto pair = [&](const std::string& name, const std::function<std::size_t(std::size_t)>& write, bool refused) {
    table.files("checker", name, write, check_files, refused);
    table.last().growth_from = 300'000;  // a layer takes 1,900 bytes
  };
  pair(
      "one row of many registers, and its weights", [](std::size_t n) { return written_pair(one_row(n / 13)); }, false);
  pair(
      "many layers, and their weights", [](std::size_t n) { return written_pair(many_layers(n, 1900)); }, false);
  pair(
      "many layers, and as many arrays more",
      [](std::size_t n) {
        tiny::Pair files = many_layers(n / 2, 1900);
        files.weights = with_arrays(files.weights,
                                    numbered(n / 2, [](auto i) { return entry("m" + std::to_string(i) + ".scale"); }));
        return written_pair(files);
      },
      false);
  pair(
      "many layers, and one more in the weights file",
      [](std::size_t n) {
        tiny::Pair files = many_layers(n, 1900);
        files.weights = with_arrays(files.weights, entry("m.weight"));
        return written_pair(files);
      },
      false);
  pair(
      "many layers, and as many more in the weights file",
      [](std::size_t n) {
        tiny::Pair files = many_layers(n / 2, 1900);
        files.weights = with_arrays(files.weights,
                                    numbered(n / 2, [](auto i) { return entry("m" + std::to_string(i) + ".weight"); }));
        return written_pair(files);
      },
      false);
  pair(
      "an array many times",
      [](std::size_t n) {
        tiny::Pair files = many_layers(1, 1);
        files.weights = with_arrays(files.weights, numbered(n, [](auto) { return entry("l100000.weight"); }));
        return written_pair(files);
      },
      true);
  pair(
      "arrays of one long beginning",
      [](std::size_t n) {
        tiny::Pair files = many_layers(n / 2, 1900);
        const std::string head(1000, 'l');
        files.weights =
            with_arrays(files.weights, numbered(n / 2, [&](auto i) { return entry(head + std::to_string(i)); }));
        return written_pair(files);
      },
      false);
  pair(
      "layers that share their weights' bytes",
      [](std::size_t n) {
        // A layer's claims take 12 · side bytes, its weights side².
        const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(n / 2)));
        std::vector<IntegerLayer> layers;
        tiny::Arrays arrays;
        std::string others;
        for (std::size_t i = 0; i * static_cast<std::size_t>(20 * side) < n; ++i) {
          IntegerLayer layer;
          layer.name = "l" + std::to_string(10'000 + i);
          layer.rows = layer.cols = side;
          layer.weights.assign(static_cast<std::size_t>(side * side), 1);
          layer.box_lower = {0};
          layer.box_upper = {1};
          tiny::add_layer(arrays, layer, 8);
          if (i > 0) {
            arrays.erase(layer.name + ".weight");
            others += (others.empty() ? "" : ",") + entry(layer.name + ".weight",
                                                          "[" + std::to_string(side) + "," + std::to_string(side) + "]",
                                                          "[BEGIN,END]");
          }
          layers.push_back(std::move(layer));
        }
        tiny::Bytes weights = tiny::weights_file(arrays);
        const tiny::Extent first = tiny::extent_of(weights, "l10000.weight");
        const std::size_t data = 8 + tiny::header_size(weights);
        for (std::size_t at = others.find("BEGIN,END"); at != std::string::npos; at = others.find("BEGIN,END", at)) {
          others.replace(at, 9, std::to_string(first.begin - data) + "," + std::to_string(first.end - data));
        }
        const tiny::Pair pair_of_first = tiny::pair_of(layers, parse_datapath("axe:P=32"));
        return written("a.axec", pair_of_first.certificate) +
               written("a.safetensors", others.empty() ? weights : with_arrays(weights, others));
      },
      true);
}

#if AXECERT_HAS_ONNX

void add_onnx(Table& table) {
  const auto read = [] {
    static const Datapath datapath = parse_datapath("x86-avx2-maddubs");
    const OnnxImport model = import_onnx(place("a.onnx"), datapath);
    if (!model.complete()) {
      throw InputError("a.onnx", "something is not covered", "");
    }
  };
  const auto add = [&](const std::string& name, const std::function<std::string(std::size_t)>& graph,
                       std::optional<bool> refused = true) {
    table.text(
        "onnx", name, "a.onnx", [graph](std::size_t n) { return model(graph(n)); }, read, refused);
  };
  const std::string product = node("MatMulInteger", {"x", "w"}, "y");
  const auto weights = [&](const std::vector<std::int64_t>& dims, const std::string& raw) {
    return codes() + initializer("w", onnx_i8, dims, raw);
  };
  const std::int64_t much = std::int64_t{1} << 40, most = std::int64_t{1} << 62;
  table.text(
      "onnx", "one byte", "a.onnx", [](std::size_t) { return std::string("\x0a"); }, read);
  table.text(
      "onnx", "a message of 2^62 bytes", "a.onnx",
      [](std::size_t) { return varint(7 << 3 | 2) + varint(std::uint64_t{1} << 62); }, read);
  for (const std::vector<std::int64_t>& dims : std::vector<std::vector<std::int64_t>>{
           {much}, {much, much}, {most, 0, most, 4}, {0, most, most}, {-1, -1}, {-1, 1}}) {
    std::string text;
    for (const std::int64_t extent : dims) {
      text += (text.empty() ? "" : ", ") + std::to_string(extent);
    }
    for (const char* op : {"MatMulInteger", "Transpose", "Flatten", "ConvInteger"}) {
      add("weights of shape [" + text + "] and no data, " + op, [=](std::size_t) {
        const bool fold = *op == 'T' || *op == 'F';
        return weights(dims, "") + (fold ? node(op, {"w"}, "v") : "") +
               node(fold ? "MatMulInteger" : op, {"x", fold ? "v" : "w"}, "y");
      });
    }
  }
  for (const std::int64_t extent : {much, most, std::int64_t{-2}}) {
    for (const char* op : {"Reshape", "Unsqueeze", "Squeeze"}) {
      add(std::string(op) + " to " + std::to_string(extent), [=](std::size_t) {
        return weights({2, 2}, "abcd") +
               initializer(
                   "s", onnx_i64, {2},
                   little(static_cast<std::uint64_t>(extent), 8) + little(static_cast<std::uint64_t>(extent), 8)) +
               node(op, {"w", "s"}, "v") + node("MatMulInteger", {"x", "v"}, "y");
      });
    }
  }
  // QDQ: x and w dequantized, w in blocks.
  const auto quantized = [=](const std::string& attributes, const std::string& between) {
    const std::string one = little(0x3f800000, 4);
    return weights({2, 2}, "abcd") + initializer("one", onnx_float, {}, one) +
           initializer("scales", onnx_float, {1, 2}, one + one) + node("DequantizeLinear", {"x", "one"}, "X") +
           node("DequantizeLinear", {"w", attributes.empty() ? "one" : "scales"}, "W", "", attributes) + between;
  };
  for (const std::int64_t block : {std::int64_t{1} << 24, std::int64_t{1} << 30, much, most, INT64_MAX}) {
    add(
        "blocks of " + std::to_string(block),
        [=](std::size_t) {
          return quantized(integer("axis", 0) + integer("block_size", block), node("MatMul", {"X", "W"}, "y"));
        },
        false);
  }
  for (const std::int64_t extent : {std::int64_t{-2}, most}) {
    add("dequantized weights reshaped to " + std::to_string(extent), [=](std::size_t) {
      return quantized("", initializer("s", onnx_i64, {2},
                                       little(static_cast<std::uint64_t>(extent), 8) +
                                           little(static_cast<std::uint64_t>(extent), 8)) +
                               node("Reshape", {"W", "s"}, "V") + node("MatMul", {"X", "V"}, "y"));
    });
  }
  add("MatMulNBits of 2^40", [=](std::size_t) {
    return weights({1}, "a") +
           node("MatMulNBits", {"x", "w", "w"}, "y", "",
                field(7, std::string("com.microsoft")) + integer("N", much) + integer("K", 1 << 24) +
                    integer("block_size", 1 << 24) + integer("accuracy_level", 4));
  });
  add(
      "many products of the same weights",
      [=](std::size_t n) {
        std::string graph = weights({static_cast<std::int64_t>(n / 2), 1}, std::string(n / 2, 'a'));
        for (std::size_t i = 0; graph.size() < n; ++i) {
          graph += node("MatMulInteger", {"x", "w"}, std::to_string(i));
        }
        return graph;
      },
      std::nullopt);
  add("many quantizers with the same long zero point", [=](std::size_t n) {
    std::string graph = codes() +
                        initializer("z", onnx_u8, {static_cast<std::int64_t>(n / 2)}, std::string(n / 2, 'a')) +
                        initializer("one", onnx_float, {}, little(0x3f800000, 4));
    for (std::size_t i = 0; graph.size() < n; ++i) {
      const std::string number = std::to_string(i);
      graph += node("QuantizeLinear", {"x", "one", "z"}, "q" + number) +
               node("MatMulInteger", {"q" + number, "q" + number}, number);
    }
    return graph;
  });
  for (const char* op : {"Identity", "Transpose"}) {
    add(std::string("a chain of ") + op + " behind a constant", [=](std::size_t n) {
      std::string graph = weights({1, 1}, "a") + node(op, {"w"}, "0");
      std::size_t i = 0;
      for (; graph.size() < n; ++i) {
        graph += node(op, {std::to_string(i)}, std::to_string(i + 1));
      }
      return graph + node("MatMulInteger", {"x", std::to_string(i)}, "y");
    });
  }
  for (const bool clip : {false, true}) {
    add(clip ? "constants that each clip the one before by itself"
             : "constants that each reshape the one before by itself",
        [=](std::size_t n) {
          const std::string raw = clip ? std::string(1, '\1') : little(1, 8);
          std::string graph = weights({1, 1}, "a") + initializer("0", clip ? onnx_i8 : onnx_i64, {1}, raw);
          std::size_t i = 0;
          for (; graph.size() < n / 2 && i < 400; ++i) {
            const std::string before = std::to_string(i);
            graph += clip ? node("Clip", {before, before, before}, std::to_string(i + 1))
                          : node("Reshape", {before, before}, std::to_string(i + 1));
          }
          return graph + node("MatMulInteger", {"x", "w", std::to_string(i)}, "y") +
                 (clip ? node("MatMulInteger", {"x", std::to_string(i)}, "z")
                       : node("Reshape", {"w", std::to_string(i)}, "v") + node("MatMulInteger", {"x", "v"}, "z"));
        });
  }
  add(
      "a chain of Relu before a product",
      [=](std::size_t n) {
        std::string graph = quantized("", "") + node("Relu", {"X"}, "0");
        std::size_t i = 0;
        for (; graph.size() < n / 2; ++i) {
          graph += node("Relu", {std::to_string(i)}, std::to_string(i + 1));
        }
        const std::string last = std::to_string(i);
        for (; graph.size() < n; ++i) {
          graph += node("MatMul", {last, "W"}, "y" + std::to_string(i));
        }
        return graph;
      },
      false);
  add(
      "many nodes of one name",
      [=](std::size_t n) {
        std::string graph = weights({1, 1}, "a");
        for (std::size_t i = 0; graph.size() < n; ++i) {
          graph += node("MatMulInteger", {"x", "w"}, std::to_string(i), "same");
        }
        return graph;
      },
      false);
  add("empty nodes", [=](std::size_t n) { return repeated(field(1, std::string()), n); });
  add(
      "empty attributes of one node",
      [=](std::size_t n) {
        return field(1, field(3, std::string(n / 2, 'a')) + field(4, std::string("Add")) +
                            repeated(field(5, std::string()), n / 2));
      },
      false);
  add("empty graphs of one node with a long name", [=](std::size_t n) {
    return field(1, field(3, std::string(n / 2, 'a')) + field(4, std::string("If")) +
                        repeated(field(5, field(6, std::string())), n / 2));
  });
  add("nodes in the graph of a node with a long name", [=](std::size_t n) {
    const std::string inner = repeated(node("QMoE", {}, "", "", field(7, std::string("com.microsoft"))), n / 2);
    return field(1, field(3, std::string(n / 2, 'a')) + field(4, std::string("If")) + field(5, field(6, inner)));
  });
  add("graphs in graphs", [=](std::size_t n) {
    std::string graph;
    while (graph.size() < n && graph.size() < 4000) {
      graph = field(1, field(4, std::string("If")) + field(5, field(6, graph)));
    }
    return graph;
  });
  add("empty initializers", [=](std::size_t n) { return repeated(initializer("", onnx_i8, {}, ""), n); });
  add("weights of many axes", [=](std::size_t n) {
    std::string dims = repeated(field(1, std::int64_t{1}), n);
    return codes() +
           field(5, dims + field(2, std::int64_t{onnx_i8}) + field(8, std::string("w")) + field(9, std::string("a"))) +
           product;
  });
  add("weights of many axes, squeezed", [=](std::size_t n) {
    std::string dims = repeated(field(1, std::int64_t{1}), n / 2), axes;
    std::size_t count = 0;
    for (; axes.size() < n / 2; ++count) {
      axes += little(1u << 20, 8);
    }
    return codes() +
           field(5, dims + field(2, std::int64_t{onnx_i8}) + field(8, std::string("w")) + field(9, std::string("a"))) +
           initializer("s", onnx_i64, {static_cast<std::int64_t>(count)}, axes) + node("Squeeze", {"w", "s"}, "v") +
           node("MatMulInteger", {"x", "v"}, "y");
  });
  add("a reshape with many numbers and attributes", [=](std::size_t n) {
    std::string numbers;
    std::size_t count = 0;
    for (; numbers.size() < n / 2; ++count) {
      numbers += little(0, 8);
    }
    return weights({1, 1}, "a") + initializer("s", onnx_i64, {static_cast<std::int64_t>(count)}, numbers) +
           node("Reshape", {"w", "s"}, "v", "", repeated(field(5, std::string()), n / 2)) +
           node("MatMulInteger", {"x", "v"}, "y");
  });
}

#endif

}  // namespace

const std::vector<MemoryLimit>& memory_limits() {
  static const std::vector<MemoryLimit> limits{{"safetensors", 64}, {"npz", 1040},      {"journal", 24}, {"index", 64},
                                               {"toml", 64},        {"certificate", 8}, {"checker", 6},  {"onnx", 600}};
  return limits;
}

const std::vector<HostileCase>& hostile_cases() {
  static const std::vector<HostileCase> cases = [] {
    Table table;
    add_safetensors(table);
    add_npz(table);
    add_index(table);
    add_toml(table);
    add_certificates(table);
    add_journals(table);
#if AXECERT_HAS_ONNX
    add_onnx(table);
#endif
    return std::move(table.cases);
  }();
  return cases;
}

}  // namespace axe::hostile
