(** What a stage of a datapath is: its width and limits, what it does with a sum that does not fit, how many values each
    of its registers adds and which ones, what it starts from, and what is claimed of it. The Coq reading of
    lib/datapath/datapath.hpp; limits and widths are defined here and nowhere else in this folder. No proofs here. *)
From Coq Require Import ZArith List Bool.
From Axecert Require Import Grouping.
Import ListNotations.
Open Scope Z_scope.
#[global] Arguments Z.mul : simpl never.
#[global] Arguments Z.add : simpl never.
#[global] Arguments Z.of_nat : simpl never.

Inductive overflow_behaviour := Wrap | Saturate | Undefined.
Inductive limit_form := Symmetric | Full.
Inductive initial_value := InitialZero | InitialConstant.
Inductive claim_form := EveryPartialSum | FinalValue.

Record stage := Stage {
  width : Z;      (* bits, 1 to 64 *)
  group : Z;      (* values per register; 0: all *)
  stride : Z;     (* lanes that interleave, at least 1 *)
  on_overflow : overflow_behaviour;
  limit_kind : limit_form;
  initial : initial_value;
  claim : claim_form }.

Record interval := Interval { lower : Z; upper : Z }.
Definition point (x : Z) : interval := Interval x x.
Definition inside (x : Z) (r : interval) : Prop := lower r <= x <= upper r.
Definition within (r outer : interval) : Prop := lower outer <= lower r /\ upper r <= upper outer.
Definition is_inside (x : Z) (r : interval) : bool := (lower r <=? x) && (x <=? upper r).
Definition is_within (r outer : interval) : bool := (lower outer <=? lower r) && (upper r <=? upper outer).

(** A register of P bits holds [-u, u] when its limits are symmetric and [-u - 1, u] when they are full,
    u = 2^(P - 1) - 1. Two's complement is the full one, whatever is claimed. *)
Definition half (width : Z) : Z := 2 ^ (width - 1).
Definition limits (s : stage) : interval :=
  let u := half (width s) - 1 in
  Interval (match limit_kind s with Symmetric => - u | Full => - u - 1 end) u.

Definition fits (s : stage) (x : Z) : Prop := inside x (limits s).

(** x modulo 2^P, as two's complement. *)
Definition wrapped (width x : Z) : Z := (x + half width) mod (2 * half width) - half width.

Definition clamped (r : interval) (x : Z) : Z := Z.max (lower r) (Z.min (upper r) x).

Definition sum (values : list Z) : Z := fold_right Z.add 0 values.

(** Values per block: group * stride, or all of them when that is fewer. *)
Definition block_length (s : stage) (count : Z) : Z :=
  let length := group s * stride s in
  if (group s =? 0) || (count <? length) then count else length.

(** The values that each register of stage s adds, register by register. No block holds more than count values, so more
    lanes than that change nothing. *)
Definition dealt {A} (s : stage) (values : list A) : list (list A) :=
  let count := Z.of_nat (length values) in
  registers (Z.to_nat (block_length s count)) (Z.to_nat (Z.min (stride s) count)) values.

Definition valid_stage (s : stage) : Prop :=
  1 <= width s <= 64 /\ 0 <= group s /\ 1 <= stride s /\ (claim s = FinalValue -> on_overflow s = Wrap).
