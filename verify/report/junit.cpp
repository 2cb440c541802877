// The report as JUnit XML: a suite of the voters and a suite per layer with a case per stage, so that a test page shows where a model
// overflows. See report.hpp; `junit_report` is the main function. What was not checked is an error, never a skipped or passed case.
#include <cstdio>

#include "axecert/report/markup.hpp"
#include "axecert/report/report.hpp"
#include "axecert/report/words.hpp"

namespace axe {
namespace {

struct Case {
  std::string name;
  double seconds = 0;
  std::string outcome;  ///< "failure", "error", or empty for passed
  std::string message;
  std::string body;
};

struct Suite {
  std::string name;
  std::vector<Case> cases;
};

std::string attribute(const std::string& name, const std::string& value) {
  std::string escaped;
  for (const char c : escaped_markup(value)) {
    escaped += c == '\n' ? "&#10;" : std::string(1, c);
  }
  return " " + name + "=\"" + escaped + "\"";
}

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", seconds);
  return text;
}

Suite voters(const ReportContents& contents) {
  Suite suite{"voters", {}};
  for (const Vote& vote : contents.subject.votes) {
    Case test{name_of(vote), vote.seconds, "", "", vote.detail};
    const bool partial = vote.nodes_checked != vote.nodes_total;
    if (vote.verdict != Verdict::safe || partial) {
      test.outcome = vote.verdict == Verdict::unsafe ? "failure" : "error";
      test.message = to_text(vote.verdict) + ", " + in_words(vote.nodes_checked) + " of " + in_words(vote.nodes_total) +
                     " registers checked";
      for (const Finding& finding : vote.findings) {
        test.body += "\n" + in_words(finding);
      }
    }
    suite.cases.push_back(test);
  }
  // The verdict itself: voters that disagree are nobody's failure alone.
  Case verdict{"verdict", 0, "", "", contents.sentence};
  if (contents.verdict != Verdict::safe) {
    verdict.outcome = contents.verdict == Verdict::unsafe ? "failure" : "error";
    verdict.message = to_text(contents.verdict);
  }
  suite.cases.push_back(verdict);
  return suite;
}

Suite stages(const ReportedLayer& layer) {
  Suite suite{layer.claims.layer.name, {}};
  for (std::size_t s = 0; s < layer.summary.stages.size(); ++s) {
    const StageSummary& stage = layer.summary.stages[s];
    Case test{stage.stage.name + ", " + std::to_string(stage.stage.width) + " bits", 0, "", "", ""};
    test.body = in_words(stage.nodes) + " registers, smallest margin " + in_words(stage.smallest_margin) + " of " +
                in_words(stage.limits.upper);
    if (stage.unsafe_nodes != 0) {
      test.outcome = "failure";
      test.message = in_words(stage.unsafe_nodes) + " of " + in_words(stage.nodes) + " registers can overflow";
      for (const ReportedNode& node : layer.unsafe) {
        if (node.node.stage == s) {
          test.body += "\n" + place_of(node) + ": " + in_words(node) +
                       (node.witness.empty() ? "" : "; inputs " + runs_in_words(node.witness));
        }
      }
    }
    suite.cases.push_back(test);
  }
  return suite;
}

}  // namespace

std::string junit_report(const ReportContents& contents) {
  std::vector<Suite> suites{voters(contents)};
  for (const ReportedLayer& layer : contents.layers) {
    suites.push_back(stages(layer));
  }
  const auto counts = [](const Suite& suite, const char* outcome) {
    std::size_t count = 0;
    for (const Case& test : suite.cases) {
      count += test.outcome == outcome;
    }
    return count;
  };
  std::size_t tests = 0, failures = 0, errors = 0;
  std::string body;
  for (const Suite& suite : suites) {
    const std::size_t failed = counts(suite, "failure"), wrong = counts(suite, "error");
    tests += suite.cases.size();
    failures += failed;
    errors += wrong;
    double seconds = 0;
    for (const Case& test : suite.cases) {
      seconds += test.seconds;
    }
    body += "  <testsuite" + attribute("name", suite.name) + attribute("tests", std::to_string(suite.cases.size())) +
            attribute("failures", std::to_string(failed)) + attribute("errors", std::to_string(wrong)) +
            attribute("skipped", "0") + attribute("time", seconds_text(seconds)) + ">\n";
    for (const Case& test : suite.cases) {
      body += "    <testcase" + attribute("classname", suite.name) + attribute("name", test.name) +
              attribute("time", seconds_text(test.seconds)) + ">";
      const std::string element = test.outcome.empty() ? "system-out" : test.outcome;
      body += "<" + element +
              (test.outcome.empty() ? "" : attribute("message", test.message) + attribute("type", "axecert")) + ">" +
              escaped_markup(test.body) + "</" + element + "></testcase>\n";
    }
    body += "  </testsuite>\n";
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"axecert\"" +
         attribute("tests", std::to_string(tests)) + attribute("failures", std::to_string(failures)) +
         attribute("errors", std::to_string(errors)) + ">\n" + body + "</testsuites>\n";
}

}  // namespace axe
