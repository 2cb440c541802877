#!/bin/sh
# Proves the ACSL contracts of the checker's core by Frama-C/WP: what each function returns, absence of run-time errors and overflow,
# termination. A goal is proved when Qed, Z3 or CVC4 proves it. Every function that range.c defines is proved, with the lemmas of meaning.h
# and of range.c and the loads of core.h. Prints the goal count. Fails when a goal is unproved, when a function has none, or when there are none. Usage: prove_contracts.sh [range.c [functions [seconds per goal]]]
# Four Frama-C run at a time, each over three functions, because one alone sleeps half of the time, waiting for provers. CVC4 comes before Z3,
# which can spend ten seconds in vain on a goal that CVC4 proves in one. What ten seconds a goal do not prove beside other work is given 120.
# Side effect: a temporary folder, removed at the end, that holds the logs and the provers' configuration.
# Requirements: TOR-101, TOR-108.
set -eu
checker=$(cd "$(dirname "$0")/../../verify/checker" && pwd)
file=${1:-$checker/range.c}
# The functions defined in FILE, their definitions beginning with PATTERN.
defined() {
  awk -v pattern="$2" '$0 ~ pattern { sub(/\(.*/, ""); sub(/.*[ *]/, ""); print }' "$1"
}
core=$(defined "$file" '^(static|AXC_INLINE|int64_t|void)[^=;]*[(]')
proved="axc_load32 axc_load64 axc_entry32 axc_entry64 $(defined "$checker/meaning.h" '^  (void|int64_t) [a-z_0-9]+[(]')
  $(defined "$file" '^  (void|int64_t) [a-z_0-9]+[(]') $core"
functions=${2:-$(echo $proved | tr ' ' ',')}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME="$folder" WHY3CONFIG="$folder/why3.conf"
why3 config detect >"$folder/why3" 2>&1 || true
export checker file limits="${3:-10 120}"
# The last functions of the file take longest, so they come first. A goal that two processes were given would be counted twice, and fail.
echo "$functions" | tr ',' '\n' | sed '1!G;h;$!d' | xargs -P 4 -n 3 sh -c '
  for limit in $limits; do
    frama-c -cpp-extra-args="-I$checker" -wp -wp-rte -wp-cache none -wp-prover cvc4,z3 -wp-timeout "$limit" -wp-par 1 \
      -wp-fct "$(echo "$*" | tr " " ,)" "$file" >"$HOME/$$.log" 2>&1 || exit 1
    grep -q " Goal .* : [^V]" "$HOME/$$.log" || exit 0
  done' prove || { cat "$folder"/*.log; exit 1; }
echo "all $(echo $core | wc -w) functions of range.c are under contract"
# The summary of Frama-C 25 miscounts goals that its second prover proves, so the goals are counted here, one by one.
awk -v functions="$functions" '
  / goals? scheduled/ { scheduled += $2 }
  /\[wp\] \[.*\] Goal / {
    goal = $0
    sub(/.* Goal /, "", goal)
    sub(/ .*/, "", goal)
    if (/ : Valid/ && /\[CFG\]/) { trivial[goal] = 1; next }
    named[goal] = 1
    if (/ : Valid/) valid[goal] = 1
  }
  END {
    for (goal in named) if (goal in valid) ++proved; else { print "unproved: " goal; failed = 1 }
    count = split(functions, list, ",")
    for (i = 1; i <= count; ++i) {
      found = 0
      for (goal in valid) if (index(goal, "_" list[i] "_")) found = 1
      if (!found) { print "no goal of " list[i]; failed = 1 }
    }
    print count " functions, " proved + 0 " of " scheduled + 0 " goals proved"
    exit failed || proved == 0 || proved != scheduled
  }' "$folder"/*.log || { cat "$folder"/*.log; exit 1; }
