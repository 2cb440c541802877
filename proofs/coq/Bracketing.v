(** Additions in any bracketing: a register, or the lanes and adders of its width, add the values as a tree ([bracketed_register]),
    where Machine.v adds them one after another. Every sum of two operands settles in that width. What a row needs besides
    what it needs for every order ([starts_can_wait]): nothing, unless a register starts from a constant other than 0. No
    proofs here. *)
From Coq Require Import ZArith List Permutation.
From Axecert Require Import Grouping Datapath Machine Range.
Import ListNotations.
Open Scope Z_scope.

Inductive tree := Value (v : Z) | Sum (l r : tree).

Fixpoint leaves (t : tree) : list Z :=
  match t with Value v => [v] | Sum l r => leaves l ++ leaves r end.

(** [evaluates s t sums r]: the tree may pass through the exact sums [sums], each of what was really there, and end with r. An
    operand comes as it is, or is put into a register first. *)
Inductive evaluates (s : stage) : tree -> list Z -> Z -> Prop :=
| comes v : evaluates s (Value v) [] v
| is_put v r : settles s v r -> evaluates s (Value v) [v] r
| is_added l r a b c sums_l sums_r : evaluates s l sums_l a -> evaluates s r sums_r b -> settles s (a + b) c ->
    evaluates s (Sum l r) (sums_l ++ sums_r ++ [a + b]) c.

(** A register that starts from [from] is a tree over that and its values, in any order and any bracketing; one that starts
    from 0 may leave the 0 out. *)
Definition bracketed_register (s : stage) (from : Z) (values : list Z) (t : trace) : Prop :=
  exists tree, (Permutation (from :: values) (leaves tree) \/ from = 0 /\ Permutation values (leaves tree)) /\
    evaluates s tree (sums t) (content t).

(** [runs] of Machine.v with such registers. *)
Inductive bracketed_runs : list stage -> Z -> list Z -> list (list trace) -> Prop :=
| bracketed_out constant values : bracketed_runs [] constant values []
| bracketed_stage s stages constant values traces rest :
    Forall2 (bracketed_register s (start s constant)) (dealt s values) traces ->
    bracketed_runs stages constant (map content traces) rest ->
    bracketed_runs (s :: stages) constant values (traces :: rest).

(** A tree may add some values before what the register starts from, so their sum alone has to fit. *)
Fixpoint starts_can_wait (stages : list stage) (constant : Z) (values : list Z) : Prop :=
  match stages with
  | [] => True
  | s :: stages' =>
      (claim s = EveryPartialSum -> start s constant <> 0 ->
       Forall (fun g => forall p, subset_sum g p -> fits s p) (dealt s values)) /\
      starts_can_wait stages' constant (stage_exact s constant values)
  end.

(** The row's constant, or nothing yet. *)
Definition with_zero (constant : interval) : interval := Interval (at_most_zero constant) (at_least_zero constant).
