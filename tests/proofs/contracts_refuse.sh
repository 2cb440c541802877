#!/bin/sh
# prove_contracts.sh must not prove what is false: functions with one flaw each, and that the preconditions of the main function contradict
# one another (then anything would follow from them). Each must end with an unproved goal. Two are tried at a time. No argument.
# Side effect: a temporary folder.
# Requirements: TOR-101, TOR-108.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
checker=$(cd "$here/../../verify/checker" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# refused FUNCTION: not proved as it stands in FUNCTION.c.
refused() {
  if "$here/prove_contracts.sh" "$folder/$1.c" "$1" 3 >"$folder/$1.out" 2>&1; then
    echo "$1 was proved though it is wrong"
    exit 1
  fi
  grep -q "^unproved: typed_$1" "$folder/$1.out" || { cat "$folder/$1.out"; exit 1; }
  echo "$1: refused, $(grep -c '^unproved' "$folder/$1.out") goals unproved"
}
before=
last=
must_fail() {
  [ -z "$before" ] || wait "$before"
  before=$last
  refused "$1" &
  last=$!
}
# flaw FUNCTION FROM TO
flaw() {
  python3 - "$checker/range.c" "$folder/$1.c" "$2" "$3" <<'PYTHON'
import sys
text = open(sys.argv[1]).read()
assert text.count(sys.argv[3]) == 1, sys.argv[3]
open(sys.argv[2], "w").write(text.replace(sys.argv[3], sys.argv[4]))
PYTHON
  must_fail "$1"
}
flaw margin_of '*upper = above <= below;' '*upper = above < below;'
flaw limits_of 'stage->full ? -limits.upper - 1' 'stage->full ? -limits.upper'
flaw spend 'magnitude > 0; --magnitude' 'magnitude > 1; --magnitude'
flaw block_of 'block > values ? values' 'block > values + 1 ? values'
flaw end_held 'return (whole ? final : partial)[node];' 'return (upper ? final : partial)[node];'
flaw prove_rows 'row < layer->rows; ++row' 'row < layer->rows - 1; ++row'
flaw judge_layer 'worst.stage != layer->worst_stage || worst.node != layer->worst_node ||' 'worst.stage != layer->worst_stage ||'
cat "$checker/range.c" - >"$folder/contradiction.c" <<'ACSL'
/*@ requires is_described(layer) && within(0, 0) && layer->limit > 0 && layer->stages == 2;
    requires within(-1, 0) && witness_in_box(0) && layer->worst_row == 0;
    assigns \nothing;
    ensures \false; */
void contradiction(const axc_layer* layer) {
  (void)layer;
}
ACSL
must_fail contradiction
wait "$before"
wait "$last"
