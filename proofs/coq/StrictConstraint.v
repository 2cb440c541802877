(** AXE's strict constraint: what is left of a register's limits while weights are chosen ([account]), between which
    integers the next weight must lie ([admissible], the exact form; [within_joint_limits] and [within_published_limits],
    the forms with half a step of slack), and every sequence of choices that keeps to it ([sweep]; [joint_sweep],
    [published_sweep]). The Coq reading of lib/constraint/budget.hpp and strict_limits.hpp. Sources: AXE (arXiv 2409.17092)
    eqs. 17, 19-21. No proofs here. *)
From Coq Require Import ZArith QArith List Bool.
From Axecert Require Import Grouping Datapath Machine Range Safety Checker Rewritings.
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

(** Every operation may come out too large by a factor of 1 + u: u is 0 over the rationals (strict_limits.hpp), 2^-53 in double
    (budget.hpp), 2^-24 in float32. No result that is not positive becomes positive. *)

(** y <= max(left / unit - 1/2, 0). *)
Definition half_inside (u y : Q) (left unit : Z) : Prop :=
  unit <> 0 -> (y <= 0)%Q \/ (y <= (inject_Z left / inject_Z unit * (1 + u) - (1 # 2)) * (1 + u))%Q.

(** Brevitas' form. *)
Definition within_joint_limits (u : Q) (a : account) (c : cost) (y : Q) : Prop :=
  half_inside u y (above a) (with_sign c) /\ half_inside u y (below a) (against_sign c) /\
  half_inside u (- y) (above a) (against_sign c) /\ half_inside u (- y) (below a) (with_sign c).

(** The paper's form: positives and negatives have a budget each, limit / (β - α) - 1/2; [P] and [N] are the sums of the
    positive and of the negative weights so far. *)
Definition within_published_limits (u : Q) (limit : Z) (box : interval) (P N : Z) (y : Q) : Prop :=
  let each := ((inject_Z limit / inject_Z (upper box - lower box) * (1 + u) - (1 # 2)) * (1 + u))%Q in
  ((y <= 0)%Q \/ (y <= (each - inject_Z P) * (1 + u))%Q) /\ ((- y <= 0)%Q \/ (- y <= (each + inject_Z N) * (1 + u))%Q).

(** What u has to be for an account: small beside 1, and beside what is left. *)
Definition precise (u : Q) (a : account) : Prop :=
  (0 <= u)%Q /\ (u <= 1 # 4)%Q /\ (u * inject_Z (above a) <= 1 # 4)%Q /\ (u * inject_Z (below a) <= 1 # 4)%Q.

(** ** The sweep *)

(** A register: the columns whose products it adds, what a unit of weight costs on each, and its limits as distances. *)
Record budget := Budget { columns : list nat; costs : nat -> cost; room : account }.

Definition left (b : budget) (w : nat -> Z) : account :=
  Account (above (room b) - sum (map (fun k => taken_above (costs b k) (w k)) (columns b)))
          (below (room b) - sum (map (fun k => taken_below (costs b k) (w k)) (columns b))).

Definition set (w : nat -> Z) (k : nat) (q : Z) : nat -> Z := fun j => if Nat.eqb j k then q else w j.

(** What a sweep can end with: all weights 0 at first; then, as often as one likes, any column whatever gets any weight that
    every register of that column admits, judged by what is left without that column. Nothing is said of who chooses: the
    corrector, the order of the columns, moves of weights chosen before are all covered. Exact form: *)
Inductive sweep (budgets : list budget) : (nat -> Z) -> Prop :=
| sweep_begins : sweep budgets (fun _ => 0)
| sweep_takes w k q : sweep budgets w ->
    (forall b, In b budgets -> In k (columns b) -> admissible (left b (set w k 0)) (costs b k) q) ->
    sweep budgets (set w k q).

(** The grid of the weights holds 0, so that what is cut to it comes nearer to 0. *)
Definition toward_zero (r q : Z) : Prop := 0 <= q <= r \/ r <= q <= 0.

(** Brevitas' form: one real number inside the limits of every register of the column, rounded and cut to the grid. *)
Inductive joint_sweep (u : Q) (budgets : list budget) : (nat -> Z) -> Prop :=
| joint_begins : joint_sweep u budgets (fun _ => 0)
| joint_takes w k y r q : joint_sweep u budgets w ->
    (forall b, In b budgets -> In k (columns b) -> within_joint_limits u (left b (set w k 0)) (costs b k) y) ->
    rounds_to y r -> toward_zero r q -> joint_sweep u budgets (set w k q).

(** The paper's form: as much for the positives as for the negatives, whatever the other sign leaves. For operands in [α, β],
    α <= 0 <= β, and no constant, [span] is [α, β] and [each_side] of P bits is 2^(P - 1) - 1. *)
Definition span (c : cost) : interval := Interval (- against_sign c) (with_sign c).
Definition each_side (a : account) : Z := Z.min (above a) (below a).
Inductive published_sweep (u : Q) (budgets : list budget) : (nat -> Z) -> Prop :=
| published_begins : published_sweep u budgets (fun _ => 0)
| published_takes w k y r q : published_sweep u budgets w ->
    (forall b, In b budgets -> In k (columns b) ->
       let others := map (set w k 0) (columns b) in
       within_published_limits u (each_side (room b)) (span (costs b k)) (positives others) (negatives others) y) ->
    rounds_to y r -> toward_zero r q -> published_sweep u budgets (set w k q).

(** One box, and one offset, for all columns of a register. *)
Definition same_costs (b : budget) : Prop := forall j k, In j (columns b) -> In k (columns b) -> costs b j = costs b k.

(** Registers that no weights of the grid can overdraw, which lib/constraint/budget.cpp leaves out of its plan. *)
Definition most_above (grid : interval) (c : cost) : Z :=
  Z.max (Z.max 0 (upper grid) * with_sign c) (Z.max 0 (- lower grid) * against_sign c).
Definition most_below (grid : interval) (c : cost) : Z :=
  Z.max (Z.max 0 (upper grid) * against_sign c) (Z.max 0 (- lower grid) * with_sign c).
Definition never_binds (grid : interval) (b : budget) : Prop :=
  sum (map (fun k => most_above grid (costs b k)) (columns b)) <= above (room b) /\
  sum (map (fun k => most_below grid (costs b k)) (columns b)) <= below (room b).

(** ** The budgets of a datapath *)

(** Columns of the registers of stage s, when those of the values below it are [groups]. *)
Definition columns_of_stage (s : stage) (groups : list (list nat)) : list (list nat) := map (@concat nat) (dealt s groups).
Definition single_columns (count : nat) : list (list nat) := map (fun k => [k]) (seq 0 count).

(** A column whose operands lie in [box] and, in a register that holds the row's constant, whose offset less the zero point
    lies in [offset - spread, offset]. *)
Definition column_cost (holds_constant : bool) (box : interval) (offset spread : Z) : cost :=
  if holds_constant
  then Cost (Z.max 0 (upper box) + Z.max 0 offset) (Z.max 0 (- lower box) + Z.max 0 (spread - offset))
  else Cost (Z.max 0 (upper box)) (Z.max 0 (- lower box)).
Definition stage_room (holds_constant : bool) (s : stage) (bias : Z) : account :=
  if holds_constant
  then Account (upper (limits s) - Z.max 0 bias) (- lower (limits s) - Z.max 0 (- bias))
  else Account (upper (limits s)) (- lower (limits s)).

Definition stage_budgets (holds_constant : bool) (s : stage) (boxes : nat -> interval) (offsets : nat -> Z) (spread bias : Z)
    (groups : list (list nat)) : list budget :=
  map (fun g => Budget g (fun k => column_cost holds_constant (boxes k) (offsets k) spread) (stage_room holds_constant s bias))
    (columns_of_stage s groups).

(** The constant is held by the stage that starts from it and by every stage above. [below]: a stage below held it. *)
Fixpoint budgets_above (below : bool) (stages : list stage) (boxes : nat -> interval) (offsets : nat -> Z) (spread bias : Z)
    (groups : list (list nat)) : list budget :=
  match stages with
  | [] => []
  | s :: stages' => let holds_constant := below || starts_from_constant s in
      stage_budgets holds_constant s boxes offsets spread bias groups ++
      budgets_above holds_constant stages' boxes offsets spread bias (columns_of_stage s groups)
  end.
Definition budgets := budgets_above false.

(** What every stage has left when all weights are 0. *)
Fixpoint rooms_above (below : bool) (stages : list stage) (bias : Z) : list account :=
  match stages with
  | [] => []
  | s :: stages' => let holds_constant := below || starts_from_constant s in
      stage_room holds_constant s bias :: rooms_above holds_constant stages' bias
  end.
Definition rooms := rooms_above false.

(** The row's constant enters in one stage at most, and there in one register. *)
Fixpoint constant_enters_once (stages : list stage) (groups : list (list nat)) : Prop :=
  match stages with
  | [] => True
  | s :: stages' =>
      if starts_from_constant s
      then length (columns_of_stage s groups) = 1%nat /\ Forall (fun t => initial t = InitialZero) stages'
      else constant_enters_once stages' (columns_of_stage s groups)
  end.
