(** The machine: what the registers of a datapath can do with concrete integers. Every register starts from its initial
    value and adds its values one after another, in any order whatever; each exact sum then settles in the register, by
    wrapping, by saturating, or in a way that nobody knows. So one dot product has many runs, and a claim about the
    machine is a claim about all of them. [runs] is the main definition, [exact] is what a machine without widths would
    hold. The Coq reading of lib/datapath/machine.hpp, with any order where that has three. No proofs here. *)
From Coq Require Import ZArith List Permutation.
From Axecert Require Import Grouping Datapath.
Import ListNotations.
Open Scope Z_scope.

(** [settles s x r]: the register of stage s holds r after the exact sum x was put into it. Undefined: r is x when x fits,
    and anything at all when it does not. *)
Definition settles (s : stage) (x r : Z) : Prop :=
  match on_overflow s with
  | Wrap => r = wrapped (width s) x
  | Saturate => r = clamped (limits s) x
  | Undefined => fits s x -> r = x
  end.

(** [adds s content values sums r]: adding [values] one by one to [content] passes through the exact sums [sums], each of
    them from what the register really held, and ends with r in the register. *)
Inductive adds (s : stage) : Z -> list Z -> list Z -> Z -> Prop :=
| adds_nothing content : adds s content [] [] content
| adds_one content v values settled sums r :
    settles s (content + v) settled -> adds s settled values sums r ->
    adds s content (v :: values) ((content + v) :: sums) r.

(** What one register did: every exact sum that was put into it, its initial value first, and what it holds at the end. *)
Record trace := Trace { sums : list Z; content : Z }.

Definition register_runs (s : stage) (start : Z) (values : list Z) (t : trace) : Prop :=
  exists order settled later,
    Permutation values order /\ settles s start settled /\ adds s settled order later (content t) /\
    sums t = start :: later.

(** What a register starts from, when [constant] is the row's constant. *)
Definition start (s : stage) (constant : Z) : Z :=
  match initial s with InitialZero => 0 | InitialConstant => constant end.

(** [runs stages constant values traces]: the stages, lowest first, may do this to the products [values]. *)
Inductive runs : list stage -> Z -> list Z -> list (list trace) -> Prop :=
| runs_out constant values : runs [] constant values []
| runs_stage s stages constant values traces rest :
    Forall2 (register_runs s (start s constant)) (dealt s values) traces ->
    runs stages constant (map content traces) rest ->
    runs (s :: stages) constant values (traces :: rest).

(** ** The machine without widths *)

Definition stage_exact (s : stage) (constant : Z) (values : list Z) : list Z :=
  map (fun g => start s constant + sum g) (dealt s values).

Fixpoint exact (stages : list stage) (constant : Z) (values : list Z) : list (list Z) :=
  match stages with
  | [] => []
  | s :: stages' => let above := stage_exact s constant values in above :: exact stages' constant above
  end.

(** The products of weights and operands. *)
Fixpoint products (weights inputs : list Z) : list Z :=
  match weights, inputs with
  | w :: weights', x :: inputs' => w * x :: products weights' inputs'
  | _, _ => []
  end.
Definition dot (weights inputs : list Z) : Z := sum (products weights inputs).
