// Arrays in .safetensors and .npz files: any bytes are read or refused with an InputError; what was read is written as safetensors and read back to
// the same arrays, and the checker's walk over that file meets no error. Input: the file. Main function: LLVMFuzzerTestOneInput. It
// aborts on a finding.
// Requirements: TOR-202, TOR-504.
#include "axecert/model/tensors.hpp"
#include "target.hpp"

using namespace axe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file(data, size);
  TensorFile first;
  try {
    first = read_tensors(file.path());
  } catch (const InputError&) {
    return 0;
  }
  std::vector<std::uint8_t> bytes;
  try {
    bytes = safetensors_bytes(first.tensors, first.metadata);
  } catch (const InputError&) {
    return 0;  // names that safetensors' JSON cannot hold
  }
  const fuzz::MemoryFile written(bytes.data(), bytes.size());
  TensorFile second;
  try {
    second = read_tensors(written.path());
  } catch (const InputError& error) {
    fuzz::finding(error.what());
  }
  if (first.tensors.size() != second.tensors.size()) {
    fuzz::finding("an array was lost");
  }
  for (const auto& [name, tensor] : first.tensors) {
    const Tensor* other = second.find(name);
    if (other == nullptr || other->dtype != tensor.dtype || other->shape != tensor.shape || other->data != tensor.data) {
      fuzz::finding("an array changed");
    }
  }
  return 0;
}
