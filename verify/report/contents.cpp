// The account that every format of the report is a function of: one scan over the claimed ranges finds the tightest register of
// each row, the machine replays the few that are shown. See contents.hpp; `report_contents` is the main function. No side effects.
#include "axecert/report/contents.hpp"

#include <algorithm>

#include "axecert/bound/range.hpp"
#include "axecert/replay/replay.hpp"
#include "axecert/report/words.hpp"

namespace axe {
namespace {

constexpr std::size_t most_tightest = 5;
constexpr std::size_t most_unsafe = 100;

/// The tightest register of every row, the first among equals.
std::vector<ReportedNode> tightest_of_rows(const LayerClaims& claims) {
  std::vector<ReportedNode> rows(static_cast<std::size_t>(claims.layer.rows));
  std::vector<bool> seen(rows.size(), false);
  for (std::size_t s = 0; s < claims.ranges.size(); ++s) {
    const StageRanges& ranges = claims.ranges[s];
    const IntegerRange limits = register_limits(claims.datapath.stages[s]);
    const std::size_t registers = rows.empty() ? 0 : ranges.lower.size() / rows.size();
    for (std::size_t r = 0; r < rows.size(); ++r) {
      for (std::size_t n = 0; n < registers; ++n) {
        const IntegerRange range{ranges.lower[r * registers + n], ranges.upper[r * registers + n]};
        const std::int64_t steps = margin(range, limits);
        if (!seen[r] || steps < rows[r].margin) {
          seen[r] = true;
          rows[r].node = {static_cast<std::int64_t>(r), s, static_cast<std::int64_t>(n)};
          rows[r].range = range;
          rows[r].margin = steps;
        }
      }
    }
  }
  return rows;
}

/// Fills in what depends on the node alone: stage, limits, side, witness.
void complete(ReportedNode& node, const LayerClaims& claims) {
  node.stage = claims.datapath.stages[node.node.stage];
  node.limits = register_limits(node.stage);
  node.side = static_cast<int128>(node.limits.upper) - node.range.upper <=
                      static_cast<int128>(node.range.lower) - node.limits.lower
                  ? Side::upper
                  : Side::lower;
  if (!claims.layer.weights.empty()) {
    NodeReplay replay = replay_node(claims, node.node, node.side);
    node.witness = std::move(replay.inputs);
    node.holds = replay.content;
  } else if (node.node == claims.worst) {
    node.side = claims.worst_side;
    node.witness = claims.worst_witness;
  }
}

ReportedLayer reported(const LayerClaims& claims) {
  ReportedLayer layer{claims, summarize(claims), {}, {}};
  const std::vector<ReportedNode> rows = tightest_of_rows(claims);
  for (const ReportedNode& row : rows) {
    if (row.margin < 0 && layer.unsafe.size() < most_unsafe) {
      layer.unsafe.push_back(row);
      complete(layer.unsafe.back(), claims);
    }
  }
  layer.tightest = rows;
  const std::size_t kept = std::min(most_tightest, rows.size());
  std::partial_sort(layer.tightest.begin(), layer.tightest.begin() + static_cast<std::ptrdiff_t>(kept),
                    layer.tightest.end(), [](const ReportedNode& a, const ReportedNode& b) {
                      return a.margin != b.margin ? a.margin < b.margin : a.node.row < b.node.row;
                    });
  layer.tightest.resize(kept);
  for (ReportedNode& node : layer.tightest) {
    complete(node, claims);
  }
  return layer;
}

const char* sentence_for(Verdict verdict, bool judged) {
  switch (verdict) {
    case Verdict::safe:
      return "No register of these dot products can overflow, under the assumptions listed.";
    case Verdict::unsafe:
      return "Some register overflows on inputs that are allowed.";
    case Verdict::incomplete:
      return "Something was not checked, or the voters disagree: no verdict on the model.";
    case Verdict::refused:
      return judged ? "Some register has less room than the policy demands."
                    : "The certificate does not hold for these files: no verdict on the model.";
  }
  return "";
}

void add_problems(ReportContents& contents) {
  for (std::size_t i = 0; i < contents.layers.size(); ++i) {
    const ReportedLayer& layer = contents.layers[i];
    for (const ReportedNode& node : layer.unsafe) {
      contents.problems.push_back({Problem::Kind::overflow, static_cast<std::int64_t>(i), &node, node.node.row,
                                   layer.claims.layer.name + ", " + place_of(node) + ": " + in_words(node)});
    }
  }
  const bool overflows_listed = !contents.problems.empty();
  for (const Vote& vote : contents.subject.votes) {
    const bool partial = vote.nodes_checked != vote.nodes_total;
    if (vote.verdict == Verdict::safe && !partial) {
      continue;
    }
    if (vote.verdict == Verdict::unsafe && overflows_listed && vote.of_registers) {
      continue;  // its overflows are the layers'
    }
    const Problem::Kind kind = vote.voter == policy_voter         ? Problem::Kind::margin
                               : vote.verdict == Verdict::refused ? Problem::Kind::refused
                               : vote.verdict != Verdict::unsafe  ? Problem::Kind::not_checked
                               : vote.of_registers                ? Problem::Kind::overflow
                                                                  : Problem::Kind::requantization;
    const std::string voter = name_of(vote) + ": " + to_text(vote.verdict);
    for (const Finding& finding : vote.findings) {
      const auto layer = std::find_if(contents.layers.begin(), contents.layers.end(),
                                      [&](const ReportedLayer& one) { return one.claims.layer.name == finding.layer; });
      const bool known = layer != contents.layers.end();
      contents.problems.push_back({kind, known ? layer - contents.layers.begin() : -1, nullptr,
                                   known ? finding.node.row : -1, voter + "; " + in_words(finding)});
    }
    if (vote.findings.empty()) {
      contents.problems.push_back({kind, -1, nullptr, -1,
                                   voter + "; " + in_words(vote.nodes_checked) + " of " + in_words(vote.nodes_total) +
                                       " registers were checked" + (vote.detail.empty() ? "" : "; " + vote.detail)});
    }
  }
  if (contents.verdict != Verdict::safe && contents.problems.empty()) {
    contents.problems.push_back({Problem::Kind::not_checked, -1, nullptr, -1, contents.sentence});
  }
}

}  // namespace

ReportContents report_contents(const ReportSubject& subject) {
  ReportContents contents{subject, combine(subject.votes), "", assumptions(subject.certificate), 0, {}, {}};
  contents.sentence = sentence_for(contents.verdict, contents.judged());
  contents.layers.reserve(subject.certificate.layers.size());
  for (const LayerClaims& claims : subject.certificate.layers) {
    contents.layers.push_back(reported(claims));
    contents.nodes += contents.layers.back().summary.nodes;
  }
  add_problems(contents);
  return contents;
}

bool ReportContents::judged() const {
  return std::none_of(subject.votes.begin(), subject.votes.end(),
                      [](const Vote& vote) { return vote.verdict == Verdict::refused && vote.voter != policy_voter; });
}

std::string place_of(const ReportedNode& node) {
  return "row " + in_words(node.node.row) + ", stage " + node.stage.name + ", register " + in_words(node.node.node);
}

std::string name_of(const Vote& vote) {
  return vote.voter + (vote.version.empty() ? "" : " " + vote.version);
}

std::string in_words(const Finding& finding) {
  std::string where = finding.layer;
  if (!where.empty() && finding.node.row >= 0) {
    where += ", row " + in_words(finding.node.row) + ", stage " + std::to_string(finding.node.stage) + ", register " +
             in_words(finding.node.node);
  }
  return where + (where.empty() ? "" : ": ") + finding.message;
}

std::string in_words(const ReportedNode& node) {
  return "range " + in_words(node.range) + " in " + in_words(node.limits) + ", " +
         (node.margin < 0 ? in_words(-node.margin) + " beyond the limit" : "margin " + in_words(node.margin)) +
         (node.holds ? "; on the witness it holds " + in_words(*node.holds) : "");
}

}  // namespace axe
