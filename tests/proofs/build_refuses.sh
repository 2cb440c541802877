#!/bin/sh
# proofs/coq/build must fail on a proof that is wrong, admitted, or rests on an axiom, and on a file that nobody compiles.
#
#   build_refuses.sh PROOFS_COQ FOLDER
#
# Writes below FOLDER only. Exit code 0: all four were refused, each for its reason, and a small honest project was not.
# Requirements: TOR-304.
set -eu
proofs=$1
folder=$2
rm -rf "$folder"
mkdir -p "$folder/source/reader"
cp "$proofs/build" "$folder/source/"
cd "$folder/source"
printf -- '-Q . Axecert\nTheory.v\nClaims.v\n' >_CoqProject
printf 'From Axecert Require Import Theory.\nPrint Assumptions claimed.\n' >Claims.v

# refused THEORY REASON
refused() {
  printf '%s\n' "$1" >Theory.v
  if ./build ../out >../log 2>&1; then
    echo "not refused: $1"
    exit 1
  fi
  grep -q "$2" ../log || { echo "refused, but not because of '$2': $1"; cat ../log; exit 1; }
}

refused 'Theorem claimed : 1 = 2. Proof. reflexivity. Qed.' 'Unable to unify'
refused 'Theorem claimed : 1 = 2. Admitted.' 'assumed, not proved'
refused 'From Coq Require Import Classical. Theorem claimed : forall p, p \/ ~ p. Proof. apply classic. Qed.' '0 of 1 theorems'
echo 'Theorem other : 1 = 1. Proof. reflexivity. Qed.' >Other.v
refused 'Theorem claimed : 1 = 1. Proof. reflexivity. Qed.' 'Other.v is not in _CoqProject'
rm Other.v

# Honest up to the extraction, which this project does not have.
./build ../out >../log 2>&1 || true
grep -q '^1 theorems, all closed under the global context$' ../log || { cat ../log; exit 1; }
