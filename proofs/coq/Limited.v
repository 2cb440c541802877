(** Inputs that keep a limit besides their boxes: the magnitudes of the operands that one register of the lowest stage adds
    may sum to L at most ([keeps_limit]). [limited_range] is what such a register can reach, [input_ranges] what a
    certificate must state of all stages, with a limit or without one (docs/certificate.md, "Acceptance"). Every box holds 0
    where there is a limit, so a register reaches no more in between than at its end, and both forms of claim have the same
    range. No proofs here, but that magnitudes are ordered totally, which the sort demands. *)
From Coq Require Import ZArith List Orders Mergesort Lia.
From Axecert Require Import Grouping Datapath Machine Range.
Import ListNotations.
Open Scope Z_scope.

(** A product that is still to come: its weight, and the box of its operand. The heaviest first. *)
Module FallingMagnitude <: TotalLeBool.
  Definition t : Type := Z * interval.
  Definition leb (p q : t) : bool := Z.abs (fst q) <=? Z.abs (fst p).
  Theorem leb_total : forall p q, leb p q = true \/ leb q p = true.
  Proof. intros. unfold leb. rewrite !Z.leb_le. lia. Qed.
End FallingMagnitude.
Module Falling := Sort FallingMagnitude.

(** How far from 0 the operand may go in the direction of its weight's sign. *)
Definition cap (p : Z * interval) : Z := if 0 <? fst p then upper (snd p) else - lower (snd p).

(** What [left] yields when each product in turn takes of it what its box allows. *)
Fixpoint greedy (left : Z) (ps : list (Z * interval)) : Z :=
  match ps with
  | [] => 0
  | p :: ps' => let taken := Z.min (cap p) left in Z.abs (fst p) * taken + greedy (left - taken) ps'
  end.

(** The greatest Σ w x with x in the boxes and Σ abs(x) <= limit, and with the weights' signs changed the least. *)
Definition greatest (limit : Z) (ps : list (Z * interval)) : Z := greedy limit (Falling.sort ps).
#[global] Arguments greatest : simpl never.
Definition negated (p : Z * interval) : Z * interval := (- fst p, snd p).

Definition limited_range (limit : Z) (from : interval) (ps : list (Z * interval)) : interval :=
  Interval (lower from - greatest limit (map negated ps)) (upper from + greatest limit ps).

Definition limited_stage (limit : Z) (s : stage) (constant : interval) (ps : list (Z * interval)) : list interval :=
  map (limited_range limit (start_range s constant)) (dealt s ps).

(** The claims of a row: the lowest stage by the limit when there is one, the stages above it as ever. *)
Definition input_ranges (limit : option Z) (stages : list stage) (constant : interval) (weights : list Z)
    (box : list interval) : list (list interval) :=
  match limit, stages with
  | Some most, s :: above =>
      let ranges := limited_stage most s constant (combine weights box) in ranges :: claimed_ranges above constant ranges
  | _, _ => claimed_ranges stages constant (product_ranges weights box)
  end.

(** Without a limit, or a stage to keep it, every input keeps it. *)
Definition keeps_limit (limit : option Z) (stages : list stage) (inputs : list Z) : Prop :=
  match limit, stages with
  | Some most, s :: _ => Forall (fun operands => sum (map Z.abs operands) <= most) (dealt s inputs)
  | _, _ => True
  end.

(** What a limit demands of itself and of the boxes. *)
Definition limit_applies (limit : option Z) (box : list interval) : Prop :=
  match limit with Some most => 0 <= most /\ Forall (inside 0) box | None => True end.
