// The C checker as a voter: its report in the words of lib/certificate/vote.hpp. `checker_vote` is the main function. Side
// effects: reads two files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "axecert/certificate/mapped_file.hpp"
#include "axecert/certificate/vote.hpp"
#include "axecert/model/tensors.hpp"

namespace axe {

/// What the checker does with any files: the beginning of its vote's detail.
constexpr const char* what_the_checker_did = "every range computed again from the weights";

/// Voter 1, verify/checker, on a certificate file and its weights: a file, or an index of shards (lib/model/weight_files.hpp). A
/// .safetensors file reaches the checker as it is on disk; of an .npz file the arrays do, which the vote's detail says. Files are
/// mapped, and memory behind what was checked is given back. Throws InputError when a file cannot be read at all.
Vote checker_vote(const std::filesystem::path& certificate, const std::filesystem::path& weights);

/// The whole of a file. Throws InputError.
std::vector<std::uint8_t> whole_file(const std::filesystem::path& path);

/// Arrays of a weights file as the .safetensors bytes that the checker reads: weights as I8, biases as I64, the quantizer's
/// integers as I32. Throws InputError when a value does not fit.
std::vector<std::uint8_t> weights_for_checker(TensorFile file);

/// The same on files that are mapped; the weights are whole in them together.
Vote checker_vote(const MappedFile& certificate, const std::vector<MappedFile>& weights, const std::string& detail);

/// The same on bytes. `detail` is the vote's.
Vote checker_vote(std::span<const std::uint8_t> certificate, std::span<const std::uint8_t> weights,
                  const std::string& detail);

}  // namespace axe
