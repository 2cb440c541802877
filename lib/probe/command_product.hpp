// A program as a black box: started once, asked over its standard input, answering on its standard output, one line of JSON each
// (docs/probe.md). `CommandProduct::multiply` is the main function. Side effects: starts a process, and ends it.
#pragma once

#include <string>
#include <vector>

#include "axecert/probe/product.hpp"

namespace axe {

class CommandProduct : public Product {
 public:
  /// Starts `command` (a program, found as a shell does, and its arguments). Throws InputError when it cannot be started.
  /// `seconds` > 0: how long one answer may take. Its standard error stays ours.
  CommandProduct(std::vector<std::string> command, double seconds);
  ~CommandProduct() override;  ///< closes the program's input; kills it when it has not ended a second later

  /// Throws InputError when the program ends, takes too long, or answers anything but {"y": [[…], …]} of the right shape in integers.
  std::vector<std::int64_t> multiply(const ProductQuestion& question) override;

 private:
  std::string exchange(const std::string& line);
  [[noreturn]] void refuse(const std::string& problem, const std::string& remedy) const;
  std::string ended();

  std::string name_;
  double seconds_;
  int process_ = -1;
  int input_ = -1, output_ = -1;  // the program's, our ends
  std::string rest_;              // read and not yet used
};

}  // namespace axe
