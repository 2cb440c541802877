// Datapaths in words: the spelling of every choice, and `describe`, one line that a person can draw. No side effects.
#include "axecert/datapath/datapath.hpp"

namespace axe {

std::string to_text(Overflow overflow) {
  switch (overflow) {
    case Overflow::wrap:
      return "wrap";
    case Overflow::saturate:
      return "saturate";
    case Overflow::undefined:
      return "undefined";
  }
  return "?";
}

std::string to_text(Limits limits) {
  return limits == Limits::symmetric ? "symmetric" : "full";
}
std::string to_text(Initial initial) {
  return initial == Initial::zero ? "zero" : "constant";
}
std::string to_text(Claim claim) {
  return claim == Claim::every_partial_sum ? "every-partial-sum" : "final-value";
}

std::string to_text(ActivationForm form) {
  switch (form) {
    case ActivationForm::raw:
      return "raw";
    case ActivationForm::recentred:
      return "recentred";
    case ActivationForm::boxed:
      return "boxed";
  }
  return "?";
}

std::string describe(const Datapath& datapath) {
  std::string text;
  for (std::size_t s = 0; s < datapath.stages.size(); ++s) {
    const Stage& stage = datapath.stages[s];
    const std::string unit = s == 0 ? "product" : "value";
    text += s == 0 ? "" : " → ";
    text += stage.group == 0   ? "all " + unit + "s"
            : stage.group == 1 ? "1 " + unit
                               : std::to_string(stage.group) + " " + unit + "s";
    text += stage.stride == 1 ? "" : ", " + std::to_string(stage.stride) + " apart";
    text += stage.initial == Initial::constant ? " + constant" : "";
    text += " → " + std::to_string(stage.width) + (stage.width == 1 ? " bit (" : " bits (") + to_text(stage.overflow);
    text += stage.claim == Claim::final_value ? ", final value only)" : ")";
  }
  // More than one register may be left at the end: their sum is floating point and not certified.
  const bool one_left =
      !datapath.stages.empty() && datapath.stages.back().group == 0 && datapath.stages.back().stride == 1;
  return one_left ? text : text + " → float";
}

}  // namespace axe
