(** If every claimed range fits its register, the machine computes the integers: [safe_datapath], for registers that wrap,
    saturate or are undefined alike, in every order of every register, for all inputs in the box. [unsafe_overflows] is
    the converse: where a range does not fit, the witness makes the register's exact sum leave its limits.
    [wrapping_tower] is the weaker condition for stages that wrap all the way up. *)
From Coq Require Import ZArith List Permutation Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range RangeProof Safety.
Import ListNotations.
Open Scope Z_scope.

(** ** One sum that settles *)

Lemma half_positive w : 1 <= w -> 1 <= half w.
Proof. unfold half. intro. pose proof (Z.pow_pos_nonneg 2 (w - 1)). lia. Qed.

Lemma wrapped_congruent w x : 1 <= w -> exists k, wrapped w x = x + k * (2 * half w).
Proof.
  intro Hw. pose proof (half_positive w Hw). unfold wrapped.
  exists (- ((x + half w) / (2 * half w))). rewrite Z.mod_eq by lia. lia.
Qed.

Lemma wrapped_bounds w x : 1 <= w -> - half w <= wrapped w x <= half w - 1.
Proof.
  intro Hw. pose proof (half_positive w Hw). unfold wrapped.
  pose proof (Z.mod_pos_bound (x + half w) (2 * half w)). lia.
Qed.

(** Two numbers of one register that differ by a multiple of 2^P are equal. *)
Lemma congruent_equal w x y k : 1 <= w -> - half w <= x <= half w - 1 -> - half w <= y <= half w - 1 ->
  x = y + k * (2 * half w) -> x = y.
Proof. intros Hw ? ? ?. pose proof (half_positive w Hw). assert (k = 0) by nia. lia. Qed.

Lemma limits_within_word s x : fits s x -> - half (width s) <= x <= half (width s) - 1.
Proof. unfold fits, inside, limits; simpl. destruct (limit_kind s); lia. Qed.

(** A sum that fits stays what it is, whatever the register does with others. *)
Theorem fitting_sum_settles s x r : 1 <= width s -> fits s x -> settles s x r -> r = x.
Proof.
  intros Hw Hx. pose proof (limits_within_word s x Hx). unfold settles. destruct (on_overflow s).
  - intros ->. destruct (wrapped_congruent (width s) x Hw) as (k & Hk).
    pose proof (wrapped_bounds (width s) x Hw). eapply congruent_equal; eauto.
  - intros ->. unfold clamped. unfold fits, inside in Hx. lia.
  - auto.
Qed.

(** A register can always go on. *)
Lemma something_settles s x : exists r, settles s x r.
Proof. unfold settles. destruct (on_overflow s); eauto. Qed.

(** ** One register *)

Lemma subset_sum_nil values : subset_sum values 0.
Proof. apply (subset_of values [] values). reflexivity. Qed.

Lemma prefix_sums_fit s : 1 <= width s -> forall content order later r, adds s content order later r ->
  (forall used rest, order = used ++ rest -> fits s (content + sum used)) ->
  r = content + sum order /\ Forall (fits s) later.
Proof.
  intro Hw. induction 1 as [content | content v values settled later r Hs Ha IH]; intro Hfit; simpl.
  - split; [lia | constructor].
  - assert (Hv : fits s (content + v)) by (specialize (Hfit [v] values eq_refl); simpl in Hfit; rewrite Z.add_0_r in Hfit; exact Hfit).
    apply fitting_sum_settles in Hs; [|assumption..]. subst settled.
    destruct IH as (-> & Hl).
    + intros used rest ->. specialize (Hfit (v :: used) rest eq_refl). simpl in Hfit.
      replace (content + v + sum used) with (content + (v + sum used)) by lia. exact Hfit.
    + split; [lia|]. constructor; assumption.
Qed.

(** Every partial sum fits: then no sum that the register meets leaves the limits, and it ends with the exact one. *)
Theorem register_with_fitting_partial_sums s from values t :
  1 <= width s -> (forall p, subset_sum values p -> fits s (from + p)) -> register_runs s from values t ->
  content t = from + sum values /\ Forall (fits s) (sums t).
Proof.
  intros Hw Hfit (order & settled & later & Hp & Hs & Ha & Ht).
  assert (H0 : fits s from) by (specialize (Hfit 0 (subset_sum_nil values)); rewrite Z.add_0_r in Hfit; exact Hfit).
  apply fitting_sum_settles in Hs; [|assumption..]. subst settled.
  apply prefix_sums_fit in Ha; [|assumption|].
  - destruct Ha as (-> & Hl). rewrite (sum_permutation _ _ Hp). split; [reflexivity|].
    rewrite Ht. constructor; assumption.
  - intros used rest ->. apply Hfit. econstructor. exact Hp.
Qed.

Lemma adds_wrapping s : 1 <= width s -> on_overflow s = Wrap ->
  forall content order later r, adds s content order later r ->
  exists k, r = content + sum order + k * (2 * half (width s)).
Proof.
  intros Hw Hwrap. induction 1 as [content | content v values settled later r Hs Ha (k & ->)]; simpl.
  - exists 0. ring.
  - unfold settles in Hs. rewrite Hwrap in Hs. subst settled.
    destruct (wrapped_congruent (width s) (content + v) Hw) as (j & ->). exists (k + j). ring.
Qed.

Lemma adds_stays_in_word s : 1 <= width s -> on_overflow s = Wrap ->
  forall content order later r, adds s content order later r ->
  - half (width s) <= content <= half (width s) - 1 -> - half (width s) <= r <= half (width s) - 1.
Proof.
  intros Hw Hwrap. induction 1 as [content | content v values settled later r Hs Ha IH]; intro H; [exact H|].
  apply IH. unfold settles in Hs. rewrite Hwrap in Hs. subst settled. apply wrapped_bounds. exact Hw.
Qed.

(** A register that wraps holds the exact final sum modulo 2^P, whatever happens on the way. *)
Lemma register_wrapping s from values t : 1 <= width s -> on_overflow s = Wrap -> register_runs s from values t ->
  (exists k, content t = from + sum values + k * (2 * half (width s))) /\
  - half (width s) <= content t <= half (width s) - 1.
Proof.
  intros Hw Hwrap (order & settled & later & Hp & Hs & Ha & Ht).
  unfold settles in Hs. rewrite Hwrap in Hs. subst settled. split.
  - apply adds_wrapping in Ha; [|assumption..]. destruct Ha as (k & ->).
    destruct (wrapped_congruent (width s) from Hw) as (j & ->). rewrite (sum_permutation _ _ Hp). exists (j + k). ring.
  - eapply adds_stays_in_word; [assumption..|exact Ha|]. apply wrapped_bounds. exact Hw.
Qed.

(** So its final value alone must fit: at a widening, or where it is read. *)
Theorem wrapping_register_with_fitting_final_value s from values t :
  1 <= width s -> on_overflow s = Wrap -> fits s (from + sum values) -> register_runs s from values t ->
  content t = from + sum values.
Proof.
  intros Hw Hwrap Hfit Hr. destruct (register_wrapping s from values t Hw Hwrap Hr) as ((k & Hk) & Hb).
  eapply congruent_equal; eauto using limits_within_word.
Qed.

(** What a stage needs, and what it then does, whatever is claimed of it. *)
Lemma register_safe s c values t :
  valid_stage s -> (forall x, reaches s c values x -> fits s x) -> register_runs s (start s c) values t ->
  content t = start s c + sum values /\ (claim s = EveryPartialSum -> Forall (fits s) (sums t)).
Proof.
  intros (Hw & _ & _ & Hclaim) Hfit Hr. unfold reaches in Hfit. destruct (claim s) eqn:E.
  - destruct (register_with_fitting_partial_sums s (start s c) values t) as (H1 & H2); [lia| |exact Hr|auto].
    intros p Hp. apply Hfit. eauto.
  - split; [|discriminate].
    apply wrapping_register_with_fitting_final_value with (s := s); auto. lia.
Qed.

(** ** All stages *)

Lemma reached_fits s constant c values ranges x :
  within (register_range s constant ranges) (limits s) -> inside c constant -> Forall2 inside values ranges ->
  reaches s c values x -> fits s x.
Proof.
  intros (H1 & H2) Hc Hv Hx. pose proof (register_range_holds s c constant values ranges x Hc Hv Hx) as (H3 & H4).
  unfold fits, inside. lia.
Qed.

Lemma stage_safe s c constant values ranges traces :
  valid_stage s -> inside c constant -> Forall2 inside values ranges -> ranges_fit s (stage_ranges s constant ranges) ->
  Forall2 (register_runs s (start s c)) (dealt s values) traces ->
  map content traces = stage_exact s c values /\ keeps_promise s traces.
Proof.
  intros Hs Hc Hv Hfit Hr. apply (dealt_related inside s) in Hv.
  unfold ranges_fit, stage_ranges in Hfit. unfold stage_exact, keeps_promise.
  revert traces Hr. generalize dependent (dealt s values).
  induction (dealt s ranges) as [|r rs IH]; intros gs Hv traces Hr; inversion Hv; subst; inversion Hr; subst; simpl in *.
  - split; [reflexivity|constructor].
  - inversion Hfit; subst. edestruct IH as (E & P); [eassumption..|].
    edestruct register_safe as (E' & P'); [exact Hs| |eassumption|].
    + intros reached Hx. eapply reached_fits; eassumption.
    + split; [congruence|]. intro Hclaim. constructor; auto.
Qed.

Lemma stages_safe : forall stages c constant values ranges traces,
  Forall valid_stage stages -> inside c constant -> Forall2 inside values ranges -> all_fit stages constant ranges ->
  runs stages c values traces ->
  map (map content) traces = exact stages c values /\ Forall2 keeps_promise stages traces.
Proof.
  induction stages as [|s stages IH]; intros c constant values ranges traces Hs Hc Hv Hfit Hr;
    inversion Hr; subst; simpl.
  - split; constructor.
  - inversion Hs; subst. inversion Hfit; subst.
    edestruct stage_safe as (E & P); [eassumption..|].
    rewrite E in *. edestruct IH as (E' & P'); [eassumption|exact Hc| |eassumption|eassumption|].
    + apply stage_finals_hold; assumption.
    + split; [congruence|]. constructor; assumption.
Qed.

(** If every claimed range fits, then for all inputs in the box, all constants, and every order of every register: all
    registers of all stages end with the exact integers, and no register that claims every partial sum ever meets one
    that leaves its limits. *)
Theorem safe_datapath stages weights inputs box c constant traces :
  Forall valid_stage stages -> Forall2 inside inputs box -> inside c constant ->
  all_fit stages constant (product_ranges weights box) ->
  runs stages c (products weights inputs) traces ->
  map (map content) traces = exact stages c (products weights inputs) /\ Forall2 keeps_promise stages traces.
Proof. intros. eapply stages_safe; eauto using products_inside. Qed.

(** ** The exact integers are the dot product *)

Lemma block_length_positive s count : valid_stage s -> 0 < count -> 0 < block_length s count.
Proof.
  intros (_ & Hg & Ht & _) Hc. unfold block_length.
  destruct (Z.eqb_spec (group s) 0); simpl; [lia|]. destruct (Z.ltb_spec count (group s * stride s)); nia.
Qed.

Lemma dealt_permutation {A} s (values : list A) : valid_stage s -> Permutation (concat (dealt s values)) values.
Proof.
  intro Hs. destruct values as [|v values]; [reflexivity|]. unfold dealt. apply registers_permutation.
  - pose proof (block_length_positive s (Z.of_nat (length (v :: values))) Hs). simpl length in *. lia.
  - destruct Hs as (_ & _ & ? & _). simpl length. lia.
Qed.

Lemma dealt_sum s values : valid_stage s -> sum (map sum (dealt s values)) = sum values.
Proof. intro Hs. rewrite <- sum_concat. apply sum_permutation, dealt_permutation, Hs. Qed.

Lemma sum_map_add a ls : sum (map (fun g => a + sum g) ls) = Z.of_nat (length ls) * a + sum (map sum ls).
Proof. induction ls; simpl map; simpl sum; simpl length; lia. Qed.

Lemma stage_exact_sum s c values : valid_stage s ->
  sum (stage_exact s c values) = Z.of_nat (length (dealt s values)) * start s c + sum values.
Proof. intro Hs. unfold stage_exact. rewrite sum_map_add, dealt_sum by exact Hs. reflexivity. Qed.

Lemma dealt_length {A B} s (l : list A) (m : list B) : length l = length m -> length (dealt s l) = length (dealt s m).
Proof.
  intro H. apply related_length with (R := Forall2 (fun _ _ => True)). apply dealt_related.
  revert m H. induction l; destruct m; simpl; intro; try discriminate; constructor; auto.
Qed.

Lemma constants_added_length : forall stages values values', length values = length values' ->
  constants_added stages values = constants_added stages values'.
Proof.
  induction stages as [|s stages IH]; intros values values' H; simpl; [reflexivity|].
  rewrite (dealt_length s values values' H). f_equal. apply IH.
  unfold stage_exact. rewrite !map_length. apply dealt_length. exact H.
Qed.

(** What the topmost registers hold adds up to Σ w x plus the row's constant as often as a register starts from it. *)
Theorem exact_is_dot_product : forall stages c weights inputs,
  Forall valid_stage stages -> stages <> [] ->
  sum (last (exact stages c (products weights inputs)) []) =
  dot weights inputs + constants_added stages (products weights inputs) * c.
Proof.
  intros stages c weights inputs. unfold dot. generalize (products weights inputs). clear.
  induction stages as [|s stages IH]; intros values Hs Hne; [congruence|]. inversion Hs; subst.
  simpl exact. simpl constants_added.
  assert (E : sum (stage_exact s c values) = sum values +
    (match initial s with InitialZero => 0 | InitialConstant => Z.of_nat (length (dealt s values)) end) * c).
  { rewrite stage_exact_sum by assumption. unfold start. destruct (initial s); lia. }
  destruct stages as [|t stages].
  - simpl. lia.
  - specialize (IH (stage_exact s c values)).
    rewrite (constants_added_length (t :: stages) (stage_exact s 0 values) (stage_exact s c values))
      by (unfold stage_exact; rewrite !map_length; reflexivity).
    change (last (stage_exact s c values :: exact (t :: stages) c (stage_exact s c values)) [])
      with (last (exact (t :: stages) c (stage_exact s c values)) []).
    rewrite IH by (assumption || discriminate). lia.
Qed.

(** ** Where a range does not fit *)

Lemma fits_dec s x : {fits s x} + {~ fits s x}.
Proof.
  unfold fits, inside. destruct (Z_le_dec (lower (limits s)) x); [|right; lia].
  destruct (Z_le_dec x (upper (limits s))); [left|right]; lia.
Qed.

Lemma adds_all_fitting s : 1 <= width s -> forall content order later r, adds s content order later r ->
  Forall (fits s) later -> forall used rest, order = used ++ rest -> fits s content -> fits s (content + sum used).
Proof.
  intro Hw. induction 1 as [content | content v values settled later r Hs Ha IH]; intros Hl used rest E Hc.
  - destruct used; [|discriminate]. simpl. rewrite Z.add_0_r. exact Hc.
  - destruct used as [|u used]; simpl; [rewrite Z.add_0_r; exact Hc|].
    injection E as -> E. inversion Hl; subst. apply fitting_sum_settles in Hs; [|assumption..]. subst settled.
    replace (content + (u + sum used)) with (content + u + sum used) by lia. eapply IH; eauto.
Qed.

(** Adding the values in an order with a partial sum that does not fit, every run meets a sum that does not fit. *)
Theorem overflow_is_met s from used rest settled later r : 1 <= width s -> ~ fits s (from + sum used) ->
  settles s from settled -> adds s settled (used ++ rest) later r -> Exists (fun x => ~ fits s x) (from :: later).
Proof.
  intros Hw Hnot Hs Ha. destruct (Exists_dec (fun x => ~ fits s x) (from :: later)) as [H|H]; [|exact H|].
  - intro x. destruct (fits_dec s x); [right|left]; auto.
  - exfalso. apply Hnot.
    assert (Hall : Forall (fits s) (from :: later)).
    { apply Forall_forall. intros x Hx. destruct (fits_dec s x); [assumption|]. exfalso. apply H.
      apply Exists_exists. eauto. }
    inversion Hall; subst. apply fitting_sum_settles in Hs; [|assumption..]. subst settled.
    eapply adds_all_fitting; eauto.
Qed.

Lemma adds_exists s : forall order content, exists later r, adds s content order later r.
Proof.
  induction order as [|v order IH]; intro content.
  - exists [], content. constructor.
  - destruct (something_settles s (content + v)) as (settled & Hs). destruct (IH settled) as (later & r & Ha).
    exists ((content + v) :: later), r. econstructor; eassumption.
Qed.

Lemma register_run_exists s from values : exists t, register_runs s from values t.
Proof.
  destruct (something_settles s from) as (settled & Hs). destruct (adds_exists s values settled) as (later & r & Ha).
  exists (Trace (from :: later) r), values, settled, later. simpl. auto.
Qed.

Lemma registers_run s from : forall groups, exists ts, Forall2 (register_runs s from) groups ts.
Proof.
  induction groups as [|g groups (ts & Hts)]; [exists []; constructor|].
  destruct (register_run_exists s from g) as (t & Ht). exists (t :: ts). constructor; assumption.
Qed.

(** Whatever the stages, the constant and the products are. *)
Theorem every_datapath_runs : forall stages constant values, exists traces, runs stages constant values traces.
Proof.
  induction stages as [|s stages IH]; intros constant values.
  - exists []. constructor.
  - destruct (registers_run s (start s constant) (dealt s values)) as (ts & Hts).
    destruct (IH constant (map content ts)) as (rest & Hr). exists (ts :: rest). econstructor; eassumption.
Qed.

(** A register whose claimed range leaves the limits: with the stages below it exact, inputs in the box and a constant
    drive it out of its limits. If it claims every partial sum, a run of it meets a sum that does not fit; if it claims
    the final value, the exact final value is not one of its limits. *)
Definition overflows (s : stage) (c : Z) (values : list Z) : Prop :=
  match claim s with
  | FinalValue => ~ fits s (start s c + sum values)
  | EveryPartialSum => exists t, register_runs s (start s c) values t /\ Exists (fun x => ~ fits s x) (sums t)
  end.

Lemma reaches_overflows s c values x : 1 <= width s -> reaches s c values x -> ~ fits s x -> overflows s c values.
Proof.
  intros Hw Hx Hnot. unfold reaches, overflows in *. destruct (claim s).
  - destruct Hx as (p & [used rest Hp] & ->).
    destruct (something_settles s (start s c)) as (settled & Hs).
    destruct (adds_exists s (used ++ rest) settled) as (later & r & Ha).
    exists (Trace (start s c :: later) r). split.
    + exists (used ++ rest), settled, later. simpl. auto.
    + simpl. eapply overflow_is_met; eassumption.
  - subst x. exact Hnot.
Qed.

Theorem unsafe_overflows below s weights box constant n range :
  1 <= width s -> length weights = length box -> Forall not_empty box -> not_empty constant ->
  nth_error (stage_ranges s constant (ranges_after below constant (product_ranges weights box))) n = Some range ->
  ~ within range (limits s) ->
  exists inputs c values, Forall2 inside inputs box /\ inside c constant /\
    nth_error (dealt s (values_after below c (products weights inputs))) n = Some values /\ overflows s c values.
Proof.
  intros Hw Hl Hb Hc Hn Hnot.
  assert (Hreach : forall c inputs pick, In (pick range) [lower range; upper range] ->
    Forall2 (fun values r => reaches s c values (pick r))
      (dealt s (values_after below c (products weights inputs)))
      (stage_ranges s constant (ranges_after below constant (product_ranges weights box))) ->
    exists values, nth_error (dealt s (values_after below c (products weights inputs))) n = Some values /\
      reaches s c values (pick range)).
  { intros c inputs pick _ H. clear - H Hn. revert n Hn. induction H as [|g r gs rs Hg H IH]; intros [|n] Hn;
      simpl in *; try discriminate; eauto. injection Hn as ->. eauto. }
  assert (~ fits s (lower range) \/ ~ fits s (upper range) \/ upper range < lower range) as Hcase.
  { destruct (fits_dec s (lower range)) as [H1|]; [|auto]. destruct (fits_dec s (upper range)) as [H2|]; [|auto].
    right; right. unfold fits, inside, within in *. lia. }
  assert (Hlower : ~ fits s (lower range) -> exists inputs c values, Forall2 inside inputs box /\ inside c constant /\
    nth_error (dealt s (values_after below c (products weights inputs))) n = Some values /\ overflows s c values).
  { intro H. destruct (Hreach (lower constant) (inputs_by lower_input weights box) lower) as (g & Hg & Hr);
      [simpl; auto | apply lower_ends_reached; exact Hb |].
    exists (inputs_by lower_input weights box), (lower constant), g.
    split; [apply lower_inputs_inside; assumption|]. split; [unfold inside, not_empty in *; lia|].
    split; [exact Hg|]. eapply reaches_overflows; eassumption. }
  destruct Hcase as [H|[H|H]].
  - exact (Hlower H).
  - destruct (Hreach (upper constant) (inputs_by upper_input weights box) upper) as (g & Hg & Hr);
      [simpl; auto | apply upper_ends_reached; exact Hb |].
    exists (inputs_by upper_input weights box), (upper constant), g.
    split; [apply upper_inputs_inside; assumption|]. split; [unfold inside, not_empty in *; lia|].
    split; [exact Hg|]. eapply reaches_overflows; eassumption.
  - exfalso.
    pose proof (lower_ends_reached below s weights box constant Hb) as Hlow.
    destruct (Hreach (lower constant) (inputs_by lower_input weights box) lower) as (g & Hg & Hr);
      [simpl; auto | exact Hlow |].
    pose proof (range_holds_everything below s weights (inputs_by lower_input weights box) box (lower constant) constant)
      as Hhold.
    assert (Hin : inside (lower range) range).
    { assert (Hboth : Forall2 (fun values r => forall x, reaches s (lower constant) values x -> inside x r)
        (dealt s (values_after below (lower constant) (products weights (inputs_by lower_input weights box))))
        (stage_ranges s constant (ranges_after below constant (product_ranges weights box)))).
      { apply Hhold; [apply lower_inputs_inside; assumption | unfold inside, not_empty in *; lia]. }
      clear - Hboth Hg Hn Hr. revert n Hg Hn. induction Hboth as [|a b la lb Hab _ IH]; intros [|n] Hg Hn;
        simpl in *; try discriminate; eauto. injection Hg as ->. injection Hn as ->. auto. }
    unfold inside in Hin. lia.
Qed.

(** ** Stages that wrap all the way *)

Lemma half_divides v w : 1 <= v -> v <= w -> exists m, 2 * half w = m * (2 * half v).
Proof.
  intros. exists (2 ^ (w - v)). unfold half.
  replace (w - 1) with ((w - v) + (v - 1)) by lia. rewrite Z.pow_add_r by lia. lia.
Qed.

(** Values that are congruent modulo 2^v stay so through stages of at least v bits that wrap. *)
Lemma narrowing_stage v s c : 1 <= v -> narrows v s -> valid_stage s -> forall groups groups' traces,
  Forall2 (Forall2 (fun a b => exists k, a = b + k * (2 * half v))) groups groups' ->
  Forall2 (register_runs s (start s c)) groups traces ->
  Forall2 (fun a b => exists k, a = b + k * (2 * half v)) (map content traces)
    (map (fun g => start s c + sum g) groups').
Proof.
  intros Hv (Hwrap & Hle) Hs groups groups' traces H. revert traces.
  induction H as [|g g' gs gs' Hg _ IH]; intros traces Hr; inversion Hr; subst; simpl; constructor; auto.
  destruct (register_wrapping s (start s c) g y) as ((k & ->) & _); [destruct Hs; lia|assumption..|].
  destruct (half_divides v (width s) Hv Hle) as (m & ->).
  assert (exists j, sum g = sum g' + j * (2 * half v)) as (j & ->).
  { clear - Hg. induction Hg as [|a b g g' (k & ->) _ (j & Hj)]; simpl; [exists 0; lia|]. exists (k + j). rewrite Hj. ring. }
  exists (k * m + j). ring.
Qed.

(** All stages below wrap and are at least as wide as the topmost one, whose single register's final value fits: it holds
    the exact value, whatever overflowed on the way. *)
Theorem wrapping_tower : forall below top c values values_seen traces result,
  Forall valid_stage (below ++ [top]) -> Forall (narrows (width top)) (below ++ [top]) ->
  values_seen = values ->
  runs (below ++ [top]) c values_seen traces -> last (exact (below ++ [top]) c values) [] = [result] ->
  fits top result -> map content (last traces []) = [result].
Proof.
  intros below top c values values_seen traces result Hs Hn -> Hr Hlast Hfit.
  assert (Hw : 1 <= width top) by (apply Forall_app in Hs; destruct Hs as (_ & Hs); inversion Hs as [|? ? (? & _)]; lia).
  assert (Hmod : forall seen traces, Forall2 (fun a b => exists k, a = b + k * (2 * half (width top))) seen values ->
    runs (below ++ [top]) c seen traces ->
    Forall2 (fun a b => exists k, a = b + k * (2 * half (width top))) (map content (last traces []))
      (last (exact (below ++ [top]) c values) []) /\
    Forall (fun t => - half (width top) <= content t <= half (width top) - 1) (last traces [])).
  { clear Hlast Hr. revert values. induction below as [|s below IH]; intros values seen tr Hseen Hr; simpl app in *.
    - inversion Hr as [|? ? ? ? ? ? Hreg Hrest]; subst. inversion Hrest; subst. simpl last. split.
      + unfold stage_exact. inversion Hs; inversion Hn; subst.
        eapply narrowing_stage; try eassumption. apply dealt_related. exact Hseen.
      + inversion Hn as [|? ? (Hwrap & _)]; subst. clear - Hreg Hwrap Hw.
        induction Hreg as [|g t gs ts Hg _ IH]; constructor; auto. eapply register_wrapping; eassumption.
    - inversion Hr as [|? ? ? ? ? ? Hreg Hrest]; subst. inversion Hs; inversion Hn; subst.
      assert (Hne : below ++ [top] <> []) by (destruct below; discriminate).
      edestruct IH as (E & F); [assumption..| |exact Hrest|].
      + eapply narrowing_stage; try eassumption. apply dealt_related. exact Hseen.
      + assert (Hrest' : rest <> []) by (inversion Hrest; subst; congruence).
        simpl exact. change (map (fun g => start s c + sum g) (dealt s values)) with (stage_exact s c values) in E.
        assert (He : exact (below ++ [top]) c (stage_exact s c values) <> []) by (destruct below; discriminate).
        destruct rest as [|r0 rest]; [congruence|].
        destruct (exact (below ++ [top]) c (stage_exact s c values)) as [|e0 es] eqn:Ee; [congruence|].
        split; [exact E | exact F]. }
  edestruct Hmod as (E & F); [|exact Hr|].
  - clear. induction values; constructor; auto. exists 0. ring.
  - rewrite Hlast in E. destruct (last traces []) as [|t [|t' ts]]; simpl in E; inversion E; subst;
      [|match goal with H : Forall2 _ (_ :: _) [] |- _ => inversion H end].
    simpl. f_equal. inversion F; subst.
    match goal with H : exists k, _ |- _ => destruct H as (k & Hk) end.
    eapply congruent_equal; [exact Hw| | |exact Hk]; [assumption|]. apply limits_within_word. exact Hfit.
Qed.
