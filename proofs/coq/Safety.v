(** What a proof of safety demands of a datapath ([all_fit]) and what it then promises of every run ([keeps_promise]);
    besides, the weaker condition for stages that wrap all the way ([narrows]). No proofs here. *)
From Coq Require Import ZArith List.
From Axecert Require Import Grouping Datapath Machine Range.
Import ListNotations.
Open Scope Z_scope.

(** Every claimed range of every register lies within the register's limits. *)
Definition ranges_fit (s : stage) (ranges : list interval) : Prop := Forall (fun r => within r (limits s)) ranges.
Definition all_fit (stages : list stage) (constant : interval) (values : list interval) : Prop :=
  Forall2 ranges_fit stages (claimed_ranges stages constant values).

(** A register that claims every partial sum never sees one that does not fit. *)
Definition keeps_promise (s : stage) (traces : list trace) : Prop :=
  claim s = EveryPartialSum -> Forall (fun t => Forall (fits s) (sums t)) traces.

(** How often the row's constant enters a dot product: once for every register that starts from it. *)
Fixpoint constants_added (stages : list stage) (values : list Z) : Z :=
  match stages with
  | [] => 0
  | s :: stages' =>
      (match initial s with InitialZero => 0 | InitialConstant => Z.of_nat (length (dealt s values)) end)
      + constants_added stages' (stage_exact s 0 values)
  end.

(** Stages that all wrap, none wider than the one below it, the topmost of [width_above] bits: what matters is kept
    modulo 2^width_above, whatever happens on the way. *)
Definition narrows (width_above : Z) (s : stage) : Prop := on_overflow s = Wrap /\ width_above <= width s.
