#!/bin/sh
# Proves the ACSL contracts of the functions named below with Frama-C/WP and Z3, absence of run-time errors included, and prints
# the goal count. Fails when a goal is unproved, or when there are none. Usage: prove_contracts.sh [range.c [functions]]
# Side effect: a temporary folder, removed at the end, that holds the provers' configuration.
# Requirements: TOR-101, TOR-108.
set -eu
checker=$(cd "$(dirname "$0")/../../verify/checker" && pwd)
file=${1:-$checker/range.c}
functions=${2:-smaller,larger,block_of,margin_of}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME="$folder" WHY3CONFIG="$folder/why3.conf"
why3 config detect >"$folder/why3.log" 2>&1 || true
frama-c -cpp-extra-args="-I$checker" -wp -wp-rte -wp-cache none -wp-prover z3 -wp-timeout 20 -wp-par 2 \
  -wp-fct "$functions" "$file" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
grep -E 'Proved goals' "$folder/log" || { cat "$folder/log"; exit 1; }
counts=$(sed -n 's|.*Proved goals: *\([0-9]*\) / \([0-9]*\).*|\1 \2|p' "$folder/log")
if [ "${counts% *}" != "${counts#* }" ] || [ "${counts% *}" -eq 0 ]; then
  cat "$folder/log"
  exit 1
fi
