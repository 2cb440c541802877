#!/bin/sh
# Proves the ACSL contracts of the functions named below with Frama-C/WP: what they return, absence of run-time errors and overflow,
# termination. A goal is proved when Qed, Z3 or CVC4 proves it. Prints the goal count. Fails when a goal is unproved, when a function
# named has none, or when there are none. Usage: prove_contracts.sh [range.c [functions]]
# Side effect: a temporary folder, removed at the end, that holds the provers' configuration.
# Requirements: TOR-101, TOR-108.
set -eu
checker=$(cd "$(dirname "$0")/../../verify/checker" && pwd)
file=${1:-$checker/range.c}
lemmas=part_above,part_below,ends_of_product,distribute,one_box,product_bounded,magnitude_positive,registers_counted,find_first,find_limit
core=axc_load32,axc_entry32,smaller,larger,block_of,above_zero,add_few,add_adjacent,reach_of_sums,scale,times,range_of_product
core=$core,reach_of_products,reach_of_values,weights_within,margin_of,hull
functions=${2:-$lemmas,$core}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME="$folder" WHY3CONFIG="$folder/why3.conf"
why3 config detect >"$folder/why3.log" 2>&1 || true
frama-c -cpp-extra-args="-I$checker" -wp -wp-rte -wp-cache none -wp-prover z3,cvc4 -wp-timeout 120 -wp-par 2 \
  -wp-fct "$functions" "$file" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
# Every function that range.c defines is proved or listed as not proved.
awk -v functions="$functions" '
  BEGIN { count = split(functions, list, ","); for (i = 1; i <= count; ++i) named[list[i]] = 1 }
  /^(static|AXC_INLINE|int64_t|void)[^=;]*\(/ {
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    ++all
    if (!(name in named)) { ++left; open = open " " name }
  }
  END { print all - left " of " all " functions of range.c under contract" (left ? "; not proved:" open : "") }' "$file"
# The summary of Frama-C 25 miscounts goals that its second prover proves, so the goals are counted here, one by one.
awk -v functions="$functions" '
  / goals? scheduled/ { scheduled = $2 }
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
  }' "$folder/log" || { cat "$folder/log"; exit 1; }
