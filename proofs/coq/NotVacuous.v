(** That the theorems speak of something: every datapath has runs ([every_datapath_runs]); a register that overflows does what
    its stage says ([saturating_run], [wrapping_run], [undefined_runs]); there are certificates that the checker calls safe,
    with and without a limit, and one that it calls unsafe ([a_certificate_is_safe], [a_limited_certificate_is_safe],
    [a_certificate_is_unsafe]), so the hypotheses of [safe_certificate_is_safe] and [overflowing_layer_overflows] can hold.
    The two rows are those of x86-avx2-maddubs. *)
From Coq Require Import ZArith List Lia.
From Axecert Require Import Grouping Datapath Machine Range Safety SafetyProof Checker Presets.
Import ListNotations.
Open Scope Z_scope.

(** ** The machine runs *)

Lemma register_run_exists s from values : exists t, register_runs s from values t.
Proof.
  destruct (something_settles s from) as (settled & Hs). destruct (adds_exists s values settled) as (later & r & Ha).
  exists (Trace (from :: later) r), values, settled, later. simpl. auto.
Qed.

(** Whatever the stages, the constant and the products are. *)
Theorem every_datapath_runs : forall stages constant values, exists traces, runs stages constant values traces.
Proof.
  induction stages as [|s stages IH]; intros constant values.
  - exists []. constructor.
  - assert (H : forall groups, exists ts, Forall2 (register_runs s (start s constant)) groups ts).
    { induction groups as [|g groups (ts & Hts)]; [exists []; constructor|].
      destruct (register_run_exists s (start s constant) g) as (t & Ht). exists (t :: ts). constructor; assumption. }
    destruct (H (dealt s values)) as (ts & Hts). destruct (IH constant (map content ts)) as (rest & Hr).
    exists (ts :: rest). econstructor; eassumption.
Qed.

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
