(** That the theorems speak of something: every datapath has runs ([every_datapath_runs], SafetyProof.v); a register that
    overflows does what its stage says ([saturating_run], [wrapping_run], [undefined_runs]); there are certificates that the
    checker calls safe, with and without a limit, and one that it calls unsafe ([a_certificate_is_safe],
    [a_limited_certificate_is_safe], [a_certificate_is_unsafe]), so the hypotheses of [safe_certificate_is_safe] and
    [overflowing_layer_overflows] can hold; each form of AXE's sweep chooses weights ([sweeps_choose_weights]), and what is
    supposed of its datapath can hold ([chosen_weights_fit]). And what a theorem supposes is needed: a box that holds 0
    ([published_form_needs_zero]), every order ([prefixes_are_not_enough]), starts that can wait ([starts_have_to_wait]).
    The two rows of the certificates are those of x86-avx2-maddubs. *)
From Coq Require Import ZArith QArith List Permutation Lia.
From Axecert Require Import Grouping Datapath Machine Range RangeProof Safety SafetyProof Checker Presets Rewritings StrictConstraint
  StrictConstraintProof Bracketing.
Import ListNotations.
Open Scope Z_scope.

(** ** The machine runs *)

(** 255 * 100 + 255 * 30 = 33,150 in 16 bits. *)
Definition pair_that (o : overflow_behaviour) : stage := Stage 16 0 1 o Full InitialZero EveryPartialSum.

Lemma one_run o r : settles (pair_that o) 33150 r ->
  runs [pair_that o] 0 [25500; 7650] [[Trace [0; 25500; 33150] r]].
Proof.
  intro H. econstructor; [|constructor].
  change (dealt (pair_that o) [25500; 7650]) with [[25500; 7650]]. constructor; [|constructor].
  exists [25500; 7650], 0, [25500; 33150]. split; [reflexivity|]. split; [|split; [|reflexivity]].
  - destruct o; unfold settles; simpl; reflexivity || auto.
  - change 25500 with (0 + 25500) at 2. apply adds_one with (settled := 25500).
    + destruct o; unfold settles; simpl; reflexivity || auto.
    + change 33150 with (25500 + 7650). apply adds_one with (settled := r); [exact H | constructor].
Qed.

Theorem saturating_run : runs [pair_that Saturate] 0 [25500; 7650] [[Trace [0; 25500; 33150] 32767]].
Proof. apply one_run. reflexivity. Qed.
Theorem wrapping_run : runs [pair_that Wrap] 0 [25500; 7650] [[Trace [0; 25500; 33150] (-32386)]].
Proof. apply one_run. reflexivity. Qed.
Theorem undefined_runs r : runs [pair_that Undefined] 0 [25500; 7650] [[Trace [0; 25500; 33150] r]].
Proof. apply one_run. unfold settles, fits, inside, limits, half. simpl. lia. Qed.

(** ** Certificates of every verdict *)

Definition example_layer (row : list Z) (limit : option Z) (claim : list (list interval)) (safe : bool) (inputs : list Z) :=
  Layer [row] s8 s8 u8 (map (fun _ => u8) row) limit (map (fun _ => 0) row) [1000] 0 true Clamped x86_avx2_maddubs [claim]
    safe (RegisterEnd 0 0 0 Upper) inputs.

Definition safe_layer := example_layer [100; -30; 28] None
  [[Interval (-7650) 25500; Interval 0 7140]; [Interval (-6650) 33640]] true [255; 0; 0].
Definition limited_layer := example_layer [100; 30] (Some 255) [[Interval 0 25500]; [Interval 1000 26500]] true [255; 0].
Definition unsafe_layer := example_layer [100; 30] None [[Interval 0 33150]; [Interval 1000 34150]] false [255; 255].

Theorem a_certificate_is_safe : check [safe_layer] (rests_on [safe_layer]) true = Safe.
Proof. vm_compute. reflexivity. Qed.
Theorem a_limited_certificate_is_safe : check [limited_layer] (rests_on [limited_layer]) true = Safe.
Proof. vm_compute. reflexivity. Qed.
Theorem a_certificate_is_unsafe : check [safe_layer; unsafe_layer] (rests_on [safe_layer; unsafe_layer]) true = Unsafe.
Proof. vm_compute. reflexivity. Qed.

(** ** Sweeps *)

(** Two products into a 16-bit register that starts from the constant, which is widened to 32 bits: bias 1000, u8 operands. *)
Definition bias_below := [Stage 16 0 1 Saturate Full InitialConstant EveryPartialSum;
                          Stage 32 0 1 Wrap Symmetric InitialZero EveryPartialSum].
Definition example_budgets := budgets bias_below (fun _ => u8) (fun _ => 0) 0 1000 (single_columns 2).
Definition example_weights := set (set (fun _ => 0) 0 100) 1 (-20).
Definition double : Q := 1 # 2 ^ 53.

Ltac compute_inequality := vm_compute; discriminate.

Theorem sweeps_choose_weights : sweep example_budgets example_weights /\ joint_sweep double example_budgets example_weights /\
  published_sweep double example_budgets example_weights.
Proof.
  unfold example_weights. repeat split.
  - apply sweep_takes; [apply sweep_takes; [apply sweep_begins|]|]; intros b [<-|[<-|[]]] _;
      repeat split; compute_inequality.
  - apply joint_takes with (y := inject_Z (-20)) (r := -20);
      [apply joint_takes with (y := inject_Z 100) (r := 100); [apply joint_begins| | |]| | |];
      try (split; compute_inequality); try (left; lia); try (right; lia);
      intros b [<-|[<-|[]]] _; repeat split; intro Hunit;
      (left; compute_inequality) || (right; compute_inequality) || (destruct Hunit; reflexivity).
  - apply published_takes with (y := inject_Z (-20)) (r := -20);
      [apply published_takes with (y := inject_Z 100) (r := 100); [apply published_begins| | |]| | |];
      try (split; compute_inequality); try (left; lia); try (right; lia);
      intros b [<-|[<-|[]]] _; repeat split;
      (left; compute_inequality) || (right; compute_inequality).
Qed.

Theorem chosen_weights_fit :
  all_fit bias_below (constant_range 1000 0 80) (product_ranges [100; -20] [u8; u8]).
Proof.
  destruct sweeps_choose_weights as (_ & _ & H).
  apply (published_sweep_is_safe double bias_below 2 u8 0 0 1000 example_weights); try exact H.
  - repeat constructor; vm_compute; discriminate.
  - vm_compute. discriminate.
  - lia.
  - repeat constructor; vm_compute; discriminate.
  - repeat constructor; vm_compute; discriminate.
  - vm_compute. auto.
Qed.

(** The paper's form, eqs. 19-21, over operands [1, 2] and a limit of 7: 6.5 is inside, rounds to 7, and 7 * 2 = 14. *)
Theorem published_form_needs_zero : exists y,
  within_published_limits 0 7 (Interval 1 2) 0 0 y /\ rounds_to y 7 /\
  ~ within (partial_range (point 0) (product_ranges [7] [Interval 1 2])) (Interval (-7) 7).
Proof.
  exists (13 # 2). split; [split; [right|left]; compute_inequality|]. split; [split; compute_inequality|].
  intros (_ & H). vm_compute in H. apply H. reflexivity.
Qed.

(** ** Bracketings *)

Definition byte := Stage 8 0 1 Saturate Full InitialZero EveryPartialSum.
Definition byte_with_start := Stage 8 0 1 Saturate Full InitialConstant EveryPartialSum.

(** 100 - 100 + 100 fits in this order, and (100 + 100) - 100 does not: the range of a kernel's own order is not enough. *)
Theorem prefixes_are_not_enough :
  (forall n, (n <= 3)%nat -> fits byte (sum (firstn n [100; -100; 100]))) /\
  exists t, bracketed_register byte 0 [100; -100; 100] t /\ content t = 27.
Proof.
  split.
  - intros n Hn. destruct n as [|[|[|[|n]]]]; try lia; vm_compute; split; discriminate.
  - exists (Trace [200; 27] 27). split; [|reflexivity]. exists (Sum (Sum (Value 100) (Value 100)) (Value (-100))). split.
    + right. split; [reflexivity|]. simpl. apply perm_skip, perm_swap.
    + change [200; 27] with (([] ++ [] ++ [100 + 100]) ++ [] ++ [127 + -100]). repeat (econstructor; try reflexivity).
Qed.

(** 100 - 100 - 100 fits in every order that starts from 100, and (-100 - 100) + 100 does not. *)
Theorem starts_have_to_wait :
  within (register_range byte_with_start (point 100) (map point [-100; -100])) (limits byte_with_start) /\
  exists t, bracketed_register byte_with_start 100 [-100; -100] t /\ content t = -28.
Proof.
  split; [vm_compute; split; discriminate|].
  exists (Trace [-200; -28] (-28)). split; [|reflexivity]. exists (Sum (Sum (Value (-100)) (Value (-100))) (Value 100)). split.
  - left. simpl. apply (Permutation_cons_append [-100; -100] 100).
  - change [-200; -28] with (([] ++ [] ++ [-100 + -100]) ++ [] ++ [-128 + 100]). repeat (econstructor; try reflexivity).
Qed.
