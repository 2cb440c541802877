(** The proved checker as an OCaml program: proved.ml, written where coqc runs. Booleans, pairs, lists and options become
    OCaml's own; integers stay what Coq proved of them, binary numbers without a limit. The rest of the program is in
    reader/. *)
From Coq Require Extraction.
From Coq Require Import ExtrOcamlBasic.
From Axecert Require Import Checker.

Extraction Language OCaml.
Extraction "proved.ml" check.
