(** The width that a range needs ([width_for]), with which the outer stage of AXE's multi-stage accumulation is measured. No
    proofs here. Source: AXE (arXiv 2409.17092), multi-stage accumulation: P_O = P_I + ⌈log2 (K / T)⌉. *)
From Coq Require Import ZArith List.
From Axecert Require Import Grouping Datapath Machine Range.
Import ListNotations.
Open Scope Z_scope.

(** The greatest magnitude in a range that holds 0. *)
Definition magnitude (r : interval) : Z := Z.max (- lower r) (upper r).

(** The bits of the narrowest register with symmetric limits, ±(2^(P - 1) - 1), that holds every magnitude up to [m]. *)
Definition width_for (m : Z) : Z := Z.log2_up (m + 1) + 1.

(** Tiles of T consecutive products, each in one register that starts from 0. *)
Definition is_tile (s : stage) (T : Z) : Prop :=
  valid_stage s /\ group s = T /\ 1 <= T /\ stride s = 1 /\ initial s = InitialZero.
