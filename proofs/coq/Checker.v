(** The checker: the acceptance predicate of docs/certificate.md as a program over layers that have been read already.
    [check_layer] judges one layer, [check] a certificate; CheckerProof.v says what their answers mean. What stays outside
    is the reading of bytes: the canonical header, the hashes, and that the box, the limit and the offsets are those of the
    weights file (proofs/coq/reader). No proofs here. *)
From Coq Require Import ZArith List Bool.
From Axecert Require Import Grouping Datapath Machine Range Safety Limited.
Import ListNotations.
Open Scope Z_scope.

Inductive side := Lower | Upper.
Inductive source := Clamped | Given | Calibrated.

(** Which register: row, stage and register from 0, and which end of its range. *)
Record register_end := RegisterEnd { at_row : Z; at_stage : Z; at_register : Z; at_side : side }.

Record layer := Layer {
  weights : list (list Z);                (* rows of columns *)
  weight_range : interval;
  weight_operand : interval;
  activation_operand : interval;
  box : list interval;                    (* one for each column *)
  input_limit : option Z;                 (* of the magnitudes that one register of the lowest stage adds *)
  offsets : list Z;                       (* one for each column *)
  biases : list Z;                        (* one for each row *)
  spread : Z;                             (* zero points may lie this far above the least *)
  has_constant : bool;                    (* there is a bias, an offset or a spread *)
  input_source : source;
  stages : list stage;                    (* lowest first *)
  claimed : list (list (list interval));  (* row, stage, register *)
  says_safe : bool;
  worst : register_end;
  witness : list Z }.                     (* one for each column *)

(** The row's constant: bias + Σ w (offset - z), 0 <= z <= spread. *)
Definition row_constant (l : layer) (row : list Z) (bias : Z) : interval :=
  constant_range (bias + dot row (offsets l)) (spread l) (sum row).

(** ** Limits of the format *)

Definition most_columns : Z := 2 ^ 24.
Definition most_rows : Z := 2 ^ 31.
Definition most_input : interval := Interval (- 2 ^ 24) (2 ^ 24).
Definition most_limit : Z := 2 ^ 48.
Definition most_bias : interval := Interval (- 2 ^ 62) (2 ^ 62).
Definition weight_type : interval := Interval (-128) 127.
Definition most_group : Z := 2 ^ 31 - 1.
Definition most_stages : Z := 16.

Definition count {A} (l : list A) : Z := Z.of_nat (length l).

Definition is_stage (s : stage) : bool :=
  is_inside (width s) (Interval 1 64) && is_inside (group s) (Interval 0 most_group) &&
  is_inside (stride s) (Interval 1 most_group) &&
  match claim s, on_overflow s with FinalValue, Wrap => true | FinalValue, _ => false | EveryPartialSum, _ => true end.

Definition starts_from_constant (s : stage) : bool := match initial s with InitialConstant => true | InitialZero => false end.

(** At most one stage starts from the constant, and it has one register. *)
Definition one_constant (l : layer) : bool :=
  (count (filter starts_from_constant (stages l)) <=? 1) &&
  forallb (fun row => forallb (fun sr => negb (starts_from_constant (fst sr)) || (count (snd sr) =? 1))
                        (combine (stages l) row)) (claimed l).

Definition is_range (r outer : interval) : bool := (lower r <=? upper r) && is_within r outer.

(** A limit, where there is one, is in its range, and every box holds 0. *)
Definition is_limit (limit : option Z) (box : list interval) : bool :=
  match limit with Some most => is_inside most (Interval 1 most_limit) && forallb (is_inside 0) box | None => true end.

Definition is_within_limits (l : layer) : bool :=
  is_inside (count (weights l)) (Interval 1 most_rows) && is_inside (count (box l)) (Interval 1 most_columns) &&
  (count (offsets l) =? count (box l)) && (count (witness l) =? count (box l)) &&
  (count (biases l) =? count (weights l)) &&
  forallb (fun row => count row =? count (box l)) (weights l) &&
  is_range (weight_operand l) weight_type && is_range (weight_range l) (weight_operand l) &&
  forallb (forallb (fun w => is_inside w (weight_range l))) (weights l) &&
  is_range (activation_operand l) most_input && forallb (fun b => is_range b (activation_operand l)) (box l) &&
  is_limit (input_limit l) (box l) &&
  forallb (fun c => is_inside c most_input) (offsets l) && forallb (fun b => is_inside b most_bias) (biases l) &&
  is_inside (spread l) (Interval 0 (upper most_input)) &&
  is_inside (count (stages l)) (Interval 1 most_stages) && forallb is_stage (stages l) && one_constant l.

(** ** Ranges *)

Fixpoint same {A} (equal : A -> A -> bool) (l m : list A) : bool :=
  match l, m with
  | [], [] => true
  | a :: l', b :: m' => if equal a b then same equal l' m' else false
  | _, _ => false
  end.
Definition same_interval (a b : interval) : bool := (lower a =? lower b) && (upper a =? upper b).

Definition row_ranges (l : layer) (row : list Z) (bias : Z) : list (list interval) :=
  input_ranges (input_limit l) (stages l) (row_constant l row bias) row (box l).

(** Every row with its bias. *)
Definition rows (l : layer) : list (list Z * Z) := combine (weights l) (biases l).

Fixpoint claims_are (l : layer) (rows : list (list Z * Z)) (claims : list (list (list interval))) : bool :=
  match rows, claims with
  | [], [] => true
  | (row, bias) :: rows', claim :: claims' =>
      if same (same same_interval) claim (row_ranges l row bias) then claims_are l rows' claims' else false
  | _, _ => false
  end.

(** ** The worst register *)

(** Members of a list with their numbers. *)
Fixpoint numbered {A} (from : Z) (l : list A) : list (Z * A) :=
  match l with [] => [] | a :: l' => (from, a) :: numbered (from + 1) l' end.

(** The distance from a range to its register's limits, and the end that is nearer: the upper one when both are. *)
Definition margin (s : stage) (r : interval) : Z * side :=
  let above := upper (limits s) - upper r in
  let below := lower r - lower (limits s) in
  if above <=? below then (above, Upper) else (below, Lower).

(** Every register with its margin, in the order of rows, stages, registers. *)
Definition margins (l : layer) : list (register_end * Z) :=
  flat_map (fun '(r, row) =>
    flat_map (fun '(i, (s, ranges)) =>
      map (fun '(n, range) => let '(m, end_) := margin s range in (RegisterEnd r i n end_, m)) (numbered 0 ranges))
    (numbered 0 (combine (stages l) row)))
  (numbered 0 (claimed l)).

(** The first of the least. *)
Fixpoint first_least {A} (best : A * Z) (others : list (A * Z)) : A * Z :=
  match others with
  | [] => best
  | other :: others' => first_least (if snd other <? snd best then other else best) others'
  end.

Definition same_side (a b : side) : bool :=
  match a, b with Lower, Lower | Upper, Upper => true | _, _ => false end.
Definition same_end (a b : register_end) : bool :=
  (at_row a =? at_row b) && (at_stage a =? at_stage b) && (at_register a =? at_register b) &&
  same_side (at_side a) (at_side b).

(** ** The witness *)

Definition end_of (which : side) (r : interval) : Z := match which with Lower => lower r | Upper => upper r end.

(** The end of register [e] among the ranges of one row; nothing when there is no such register. *)
Definition end_at (e : register_end) (ranges : list (list interval)) : option Z :=
  match nth_error ranges (Z.to_nat (at_stage e)) with
  | Some registers => option_map (end_of (at_side e)) (nth_error registers (Z.to_nat (at_register e)))
  | None => None
  end.

Fixpoint all_inside (xs : list Z) (rs : list interval) : bool :=
  match xs, rs with
  | [], [] => true
  | x :: xs', r :: rs' => if is_inside x r then all_inside xs' rs' else false
  | _, _ => false
  end.

Definition is_limit_kept (limit : option Z) (stages : list stage) (inputs : list Z) : bool :=
  match limit, stages with
  | Some most, s :: _ => forallb (fun operands => sum (map Z.abs operands) <=? most) (dealt s inputs)
  | _, _ => true
  end.

(** The ranges when every box is pinned to one input. *)
Definition pinned_ranges (l : layer) (row : list Z) (bias : Z) (inputs : list Z) : list (list interval) :=
  claimed_ranges (stages l) (row_constant l row bias) (product_ranges row (map point inputs)).

(** On the witness alone the worst register reaches the claimed end. *)
Definition witness_attains (l : layer) : bool :=
  let e := worst l in
  match nth_error (rows l) (Z.to_nat (at_row e)), nth_error (claimed l) (Z.to_nat (at_row e)) with
  | Some (row, bias), Some ranges =>
      match end_at e ranges, end_at e (pinned_ranges l row bias (witness l)) with
      | Some x, Some y => x =? y
      | _, _ => false
      end
  | _, _ => false
  end.

(** ** One layer *)

Inductive judgement := Proved | Overflowing | Wrong.

Definition check_layer (l : layer) : judgement :=
  if is_within_limits l then
    if claims_are l (rows l) (claimed l) then
      match margins l with
      | [] => Wrong
      | first :: others =>
          let '(e, least) := first_least first others in
          if Bool.eqb (says_safe l) (0 <=? least) then
            if same_end (worst l) e then
              if all_inside (witness l) (box l) then
                if is_limit_kept (input_limit l) (stages l) (witness l) then
                  if witness_attains l then (if says_safe l then Proved else Overflowing) else Wrong
                else Wrong
              else Wrong
            else Wrong
          else Wrong
      end
    else Wrong
  else Wrong.

(** ** A certificate *)

Inductive assumption :=
| ConstantAddedOutside | FloatSumOutside | InputCalibrated | InputClamped | InputGiven | InputLimited
| ProductOrderAsStated | ProductsExact | Sha256CollisionFree.

Definition rests_on_constant_outside (l : layer) : bool :=
  has_constant l && negb (existsb starts_from_constant (stages l)).
Definition rests_on_float_sum (l : layer) : bool :=
  match claimed l with [] => false | row :: _ => 1 <? count (last row []) end.
Definition has_source (s : source) (l : layer) : bool :=
  match s, input_source l with Clamped, Clamped | Given, Given | Calibrated, Calibrated => true | _, _ => false end.

Definition is_limited (l : layer) : bool := match input_limit l with Some _ => true | None => false end.

(** The assumptions that the layers rest on, sorted by name. *)
Definition rests_on (layers : list layer) : list assumption :=
  (if existsb rests_on_constant_outside layers then [ConstantAddedOutside] else []) ++
  (if existsb rests_on_float_sum layers then [FloatSumOutside] else []) ++
  (if existsb (has_source Calibrated) layers then [InputCalibrated] else []) ++
  (if existsb (has_source Clamped) layers then [InputClamped] else []) ++
  (if existsb (has_source Given) layers then [InputGiven] else []) ++
  (if existsb is_limited layers then [InputLimited] else []) ++
  [ProductOrderAsStated; ProductsExact; Sha256CollisionFree].

Definition same_assumption (a b : assumption) : bool :=
  match a, b with
  | ConstantAddedOutside, ConstantAddedOutside | FloatSumOutside, FloatSumOutside | InputCalibrated, InputCalibrated
  | InputClamped, InputClamped | InputGiven, InputGiven | InputLimited, InputLimited
  | ProductOrderAsStated, ProductOrderAsStated | ProductsExact, ProductsExact | Sha256CollisionFree, Sha256CollisionFree =>
      true
  | _, _ => false
  end.

Inductive verdict := Safe | Unsafe | Incomplete | Refused.

Definition is_wrong (j : judgement) : bool := match j with Wrong => true | _ => false end.
Definition is_overflowing (j : judgement) : bool := match j with Overflowing => true | _ => false end.

(** [everything_covered]: every integer array NAME.weight of the weights file is a layer of the certificate. *)
Definition check (layers : list layer) (assumptions : list assumption) (everything_covered : bool) : verdict :=
  let judgements := map check_layer layers in
  if negb (1 <=? count layers) || negb (same same_assumption assumptions (rests_on layers)) || existsb is_wrong judgements
  then Refused
  else if existsb is_overflowing judgements then Unsafe
  else if everything_covered then Safe else Incomplete.
