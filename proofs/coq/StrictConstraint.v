(** AXE's strict constraint: what is left of a register's limits while weights are chosen ([account]), between which
    integers the next weight must lie ([admissible], the exact form; [within_joint_limits] and [within_published_limits],
    the forms with half a step of slack), and every sequence of choices that keeps to it ([sweep]). The Coq reading of
    lib/constraint/budget.hpp and strict_limits.hpp. Sources: AXE (arXiv 2409.17092) eqs. 17, 19-21. No proofs here. *)
From Coq Require Import ZArith QArith List.
From Axecert Require Import Grouping Datapath Machine Range Safety Checker.
Import ListNotations.
Open Scope Z_scope.

(** What is left up to the upper limit, and down to the lower one. *)
Record account := Account { above : Z; below : Z }.
Definition in_balance (a : account) : Prop := 0 <= above a /\ 0 <= below a.

(** One unit of weight takes [with_sign] from the end of the range that the weight's sign points to, and [against_sign] from
    the other. *)
Record cost := Cost { with_sign : Z; against_sign : Z }.
Definition not_negative (c : cost) : Prop := 0 <= with_sign c /\ 0 <= against_sign c.

Definition taken_above (c : cost) (q : Z) : Z := Z.max 0 q * with_sign c + Z.max 0 (- q) * against_sign c.
Definition taken_below (c : cost) (q : Z) : Z := Z.max 0 q * against_sign c + Z.max 0 (- q) * with_sign c.
Definition draw (c : cost) (q : Z) (a : account) : account := Account (above a - taken_above c q) (below a - taken_below c q).

(** ** The exact form: what is left, divided *)

(** A quotient by 0 is no limit. *)
Definition quotient (left unit : Z) : option Z := if unit =? 0 then None else Some (left / unit).
Definition at_most (x : Z) (limit : option Z) : Prop := match limit with Some most => x <= most | None => True end.

Definition admissible (a : account) (c : cost) (q : Z) : Prop :=
  at_most q (quotient (above a) (with_sign c)) /\ at_most q (quotient (below a) (against_sign c)) /\
  at_most (- q) (quotient (above a) (against_sign c)) /\ at_most (- q) (quotient (below a) (with_sign c)).

(** ** The forms with slack: a real number inside them, rounded to nearest *)

Definition rounds_to (y : Q) (q : Z) : Prop := (inject_Z q - y <= 1 # 2)%Q /\ (y - inject_Z q <= 1 # 2)%Q.

(** y <= max(left / unit - 1/2, 0). *)
Definition half_inside (y : Q) (left unit : Z) : Prop :=
  unit <> 0 -> (y <= 0)%Q \/ (y <= inject_Z left / inject_Z unit - (1 # 2))%Q.

(** Brevitas' form. *)
Definition within_joint_limits (a : account) (c : cost) (y : Q) : Prop :=
  half_inside y (above a) (with_sign c) /\ half_inside y (below a) (against_sign c) /\
  half_inside (- y) (above a) (against_sign c) /\ half_inside (- y) (below a) (with_sign c).

(** The paper's form: positives and negatives have a budget each, limit / (β - α) - 1/2; [P] and [N] are the sums of the
    positive and of the negative weights so far. *)
Definition within_published_limits (limit : Z) (box : interval) (P N : Z) (y : Q) : Prop :=
  let each := (inject_Z limit / inject_Z (upper box - lower box) - (1 # 2))%Q in
  ((y <= 0)%Q \/ (y <= each - inject_Z P)%Q) /\ ((- y <= 0)%Q \/ (- y <= each + inject_Z N)%Q).

(** ** The sweep *)

(** A register: the columns whose products it adds, what a unit of weight costs on each, and its limits as distances. *)
Record budget := Budget { columns : list nat; costs : nat -> cost; room : account }.

Definition left (b : budget) (w : nat -> Z) : account :=
  Account (above (room b) - sum (map (fun k => taken_above (costs b k) (w k)) (columns b)))
          (below (room b) - sum (map (fun k => taken_below (costs b k) (w k)) (columns b))).

Definition set (w : nat -> Z) (k : nat) (q : Z) : nat -> Z := fun j => if Nat.eqb j k then q else w j.

(** What a sweep can end with: all weights 0 at first; then, as often as one likes, any column whatever gets any weight that
    every register of that column admits, judged by what is left without that column. Nothing is said of who chooses: the
    corrector, the order of the columns, moves of weights chosen before are all covered. *)
Inductive sweep (budgets : list budget) : (nat -> Z) -> Prop :=
| sweep_begins : sweep budgets (fun _ => 0)
| sweep_takes w k q : sweep budgets w ->
    (forall b, In b budgets -> In k (columns b) -> admissible (left b (set w k 0)) (costs b k) q) ->
    sweep budgets (set w k q).

(** ** The budgets of a datapath *)

(** Columns of the registers of stage s, when those of the values below it are [groups]. *)
Definition columns_of_stage (s : stage) (groups : list (list nat)) : list (list nat) := map (@concat nat) (dealt s groups).
Definition columns_after (below : list stage) (groups : list (list nat)) : list (list nat) :=
  fold_left (fun g s => columns_of_stage s g) below groups.
Definition single_columns (count : nat) : list (list nat) := map (fun k => [k]) (seq 0 count).

(** A column whose operands lie in [box] and, where the stage starts from the constant, whose offset less the zero point lies
    in [offset - spread, offset]. *)
Definition column_cost (s : stage) (box : interval) (offset spread : Z) : cost :=
  match initial s with
  | InitialZero => Cost (Z.max 0 (upper box)) (Z.max 0 (- lower box))
  | InitialConstant => Cost (Z.max 0 (upper box) + Z.max 0 offset) (Z.max 0 (- lower box) + Z.max 0 (spread - offset))
  end.
Definition stage_room (s : stage) (bias : Z) : account :=
  match initial s with
  | InitialZero => Account (upper (limits s)) (- lower (limits s))
  | InitialConstant => Account (upper (limits s) - Z.max 0 bias) (- lower (limits s) - Z.max 0 (- bias))
  end.

Definition stage_budgets (s : stage) (boxes : nat -> interval) (offsets : nat -> Z) (spread bias : Z)
    (groups : list (list nat)) : list budget :=
  map (fun g => Budget g (fun k => column_cost s (boxes k) (offsets k) spread) (stage_room s bias)) (columns_of_stage s groups).

Fixpoint budgets (stages : list stage) (boxes : nat -> interval) (offsets : nat -> Z) (spread bias : Z)
    (groups : list (list nat)) : list budget :=
  match stages with
  | [] => []
  | s :: stages' => stage_budgets s boxes offsets spread bias groups ++
      budgets stages' boxes offsets spread bias (columns_of_stage s groups)
  end.

(** The row's constant enters in the topmost stage or outside, and there in one register. *)
Fixpoint constant_at_the_top (stages : list stage) (groups : list (list nat)) : Prop :=
  match stages with
  | [] => True
  | [s] => initial s = InitialConstant -> length (columns_of_stage s groups) = 1%nat
  | s :: stages' => initial s = InitialZero /\ constant_at_the_top stages' (columns_of_stage s groups)
  end.
