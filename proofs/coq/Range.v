(** The ranges of docs/certificate.md ("Acceptance"): of a product over a box, of a register's final value, and of all
    its partial sums; [claimed_ranges] is what a certificate must state, stage by stage. A row's constant may itself be an
    interval (a zero point that differs from input to input, see [constant_range]). No proofs here. *)
From Coq Require Import ZArith List.
From Axecert Require Import Grouping Datapath Machine.
Import ListNotations.
Open Scope Z_scope.

Definition product_range (w : Z) (box : interval) : interval :=
  Interval (Z.min (w * lower box) (w * upper box)) (Z.max (w * lower box) (w * upper box)).

Fixpoint product_ranges (weights : list Z) (box : list interval) : list interval :=
  match weights, box with
  | w :: weights', b :: box' => product_range w b :: product_ranges weights' box'
  | _, _ => []
  end.

(** What a register starts from, when the row's constant lies in [constant]. *)
Definition start_range (s : stage) (constant : interval) : interval :=
  match initial s with InitialZero => point 0 | InitialConstant => constant end.

Definition at_most_zero (r : interval) : Z := Z.min 0 (lower r).
Definition at_least_zero (r : interval) : Z := Z.max 0 (upper r).

Definition final_range (from : interval) (values : list interval) : interval :=
  Interval (lower from + sum (map lower values)) (upper from + sum (map upper values)).
Definition partial_range (from : interval) (values : list interval) : interval :=
  Interval (lower from + sum (map at_most_zero values)) (upper from + sum (map at_least_zero values)).

Definition register_range (s : stage) (constant : interval) (values : list interval) : interval :=
  match claim s with
  | FinalValue => final_range (start_range s constant) values
  | EveryPartialSum => partial_range (start_range s constant) values
  end.

Definition stage_finals (s : stage) (constant : interval) (values : list interval) : list interval :=
  map (final_range (start_range s constant)) (dealt s values).
Definition stage_ranges (s : stage) (constant : interval) (values : list interval) : list interval :=
  map (register_range s constant) (dealt s values).

(** A stage adds up the final values of the stage below it. *)
Fixpoint claimed_ranges (stages : list stage) (constant : interval) (values : list interval) : list (list interval) :=
  match stages with
  | [] => []
  | s :: stages' => stage_ranges s constant values :: claimed_ranges stages' constant (stage_finals s constant values)
  end.

Fixpoint final_ranges (stages : list stage) (constant : interval) (values : list interval) : list (list interval) :=
  match stages with
  | [] => []
  | s :: stages' => stage_finals s constant values :: final_ranges stages' constant (stage_finals s constant values)
  end.

(** The row's constant c - z * Σw for every zero point z in [0, spread], c being the bias and the offsets' part. *)
Definition constant_range (c spread weight_sum : Z) : interval :=
  Interval (c + Z.min 0 (- (spread * weight_sum))) (c + Z.max 0 (- (spread * weight_sum))).

(** The sums of subsets of [values]. A prefix of any order is one. *)
Inductive subset_sum (values : list Z) : Z -> Prop :=
| subset_of used rest : Permutation.Permutation values (used ++ rest) -> subset_sum values (sum used).

(** The inputs that drive every register of a row to its upper, or its lower, end at once. *)
Definition upper_input (w : Z) (box : interval) : Z := if 0 <=? w then upper box else lower box.
Definition lower_input (w : Z) (box : interval) : Z := if 0 <=? w then lower box else upper box.
Fixpoint inputs_by (choose : Z -> interval -> Z) (weights : list Z) (box : list interval) : list Z :=
  match weights, box with
  | w :: weights', b :: box' => choose w b :: inputs_by choose weights' box'
  | _, _ => []
  end.

(** ** What a register can reach *)

(** [reaches s constant values x]: without widths, some partial sum, or the final value when only that is claimed, of a
    register of stage s that adds [values] is x. *)
Definition reaches (s : stage) (constant : Z) (values : list Z) (x : Z) : Prop :=
  match claim s with
  | FinalValue => x = start s constant + sum values
  | EveryPartialSum => exists p, subset_sum values p /\ x = start s constant + p
  end.

(** The values that come out of the stages [below], and their ranges. *)
Definition values_after (below : list stage) (constant : Z) (values : list Z) : list Z :=
  fold_left (fun v s => stage_exact s constant v) below values.
Definition ranges_after (below : list stage) (constant : interval) (values : list interval) : list interval :=
  fold_left (fun v s => stage_finals s constant v) below values.
