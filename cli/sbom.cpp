// axecert sbom: this program's own bill of materials, CycloneDX 1.6: the libraries that are linked, with the versions that are loaded.
#include <cctype>

#include "axecert/numeric/error.hpp"
#include "environment.hpp"
#include "verb.hpp"

namespace axe::cli {
namespace {

struct Arguments {
  std::string output;
  std::shared_ptr<Common> common = std::make_shared<Common>();
};

std::string lower_case(std::string text) {
  for (char& c : text) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

// "pkg:generic/toml%2B%2B@3.3.0" (package-url specification: everything but letters, digits and .-_~ is percent-encoded).
std::string package_url(const Library& library) {
  std::string name;
  for (const char c : lower_case(library.name)) {
    name += c == '+' ? "%2B" : std::string(1, c);
  }
  return "pkg:generic/" + name + (library.version.empty() ? "" : "@" + library.version);
}

Json bill_of_materials() {
  Json self{{"type", "application"},
            {"bom-ref", "axecert"},
            {"name", "axecert"},
            {"version", AXECERT_VERSION},
            {"licenses", Json::array({{{"license", {{"id", "Apache-2.0"}}}}})}};
  try {
    self["hashes"] = Json::array({{{"alg", "SHA-256"}, {"content", sha256_of_file(own_program())}}});
  } catch (const InputError&) {  // a system that does not say where a program's file is: no hash
  }
  Json components = Json::array(), uses = Json::array();
  for (const Library& library : libraries()) {
    const std::string reference = "library-" + lower_case(library.name);
    Json component{{"type", "library"}, {"bom-ref", reference}, {"name", library.name}};
    if (!library.version.empty()) {
      component["version"] = library.version;
    }
    const bool compound = library.licence.find(' ') != std::string::npos;
    component["licenses"] =
        Json::array({compound ? Json{{"expression", library.licence}} : Json{{"license", {{"id", library.licence}}}}});
    component["purl"] = package_url(library);
    components.push_back(component);
    uses.push_back(reference);
  }
  return {{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
          {"bomFormat", "CycloneDX"},
          {"specVersion", "1.6"},
          {"version", 1},
          {"metadata", {{"component", self}}},
          {"components", components},
          {"dependencies", Json::array({{{"ref", "axecert"}, {"dependsOn", uses}}})}};
}

int run(const Arguments& a) {
  const Json document = bill_of_materials();
  if (a.output.empty()) {
    print(document);
    return 0;
  }
  const std::string text = document.dump(2) + "\n";
  write_all_or_none({{a.output, std::vector<std::uint8_t>(text.begin(), text.end())}});
  print("wrote " + a.output + " (" + size_in_words(text.size()) + ")\n");
  return 0;
}

}  // namespace

Verb sbom_verb(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("sbom", "this program's bill of materials, CycloneDX 1.6: libraries and their versions");
  command->add_option("-o,--output", a->output, "file to write; else standard output");
  return {command, [a] { return run(*a); }};
}

}  // namespace axe::cli
