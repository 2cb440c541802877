(** AXE's strict constraint keeps its invariant for every choice inside it. [admissible_exactly]: the exact form admits
    the integers that keep the account in balance and no others, 0 among them. [joint_limits_inside],
    [published_limits_keep]: so do the forms with slack. [sweep_keeps_balance], [sweep_is_safe]: whatever a sweep ends with, every
    range of every stage fits, so [safe_datapath] holds of it; so do [joint_sweep_is_safe] and [published_sweep_is_safe] say
    of the other forms, whose sweeps are sweeps of the exact one. *)
From Coq Require Import ZArith QArith Lqa List Permutation Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range RangeProof Safety SafetyProof Limited Checker
  CheckerProof Rewritings StrictConstraint.
Import ListNotations.
Open Scope Z_scope.

(** ** One choice *)

Lemma quotient_spec left unit x : 0 <= unit -> 0 <= left -> (at_most x (quotient left unit) <-> Z.max 0 x * unit <= left).
Proof.
  intros Hu Hl. unfold quotient. destruct (Z.eqb_spec unit 0) as [->|Hne]; simpl; [split; [lia|trivial]|].
  assert (Hd : left = unit * (left / unit) + left mod unit) by (apply Z.div_mod; lia).
  pose proof (Z.mod_pos_bound left unit). split; intro H'; [nia|].
  apply Z.div_le_lower_bound; [lia|]. destruct (Z.max_spec 0 x) as [(? & E)|(? & E)]; rewrite E in H'; nia.
Qed.

(** For an account in balance the exact form admits exactly the integers that leave it in balance. *)
Theorem admissible_exactly a c q : in_balance a -> not_negative c -> (admissible a c q <-> in_balance (draw c q a)).
Proof.
  intros (Ha & Hb) (Hw & Hg). unfold admissible, in_balance, draw, taken_above, taken_below; simpl.
  rewrite !quotient_spec by assumption.
  destruct (Z.le_gt_cases 0 q).
  - rewrite (Z.max_r 0 q), (Z.max_l 0 (- q)) by lia. lia.
  - rewrite (Z.max_l 0 q), (Z.max_r 0 (- q)) by lia. lia.
Qed.

Theorem zero_is_admissible a c : in_balance a -> not_negative c -> admissible a c 0.
Proof.
  intros Ha Hc. apply admissible_exactly; [assumption..|]. unfold in_balance, draw, taken_above, taken_below in *; simpl. lia.
Qed.

(** ** The forms with slack *)

Lemma at_least_one q : 1 <= q -> (1 <= inject_Z q)%Q.
Proof. intro H. change 1%Q with (inject_Z 1). rewrite <- Zle_Qle. exact H. Qed.

(** The half step pays for what the arithmetic adds. [others]: what the other weights of this sign have. *)
Lemma half_a_step_suffices (u x unit left others q : Q) : (0 < unit -> 0 <= left -> 0 <= others ->
  0 <= u -> u <= 1 # 4 -> u * left <= 1 # 4 -> unit * x == left ->
  q <= ((x * (1 + u) - (1 # 2)) * (1 + u) - others) * (1 + u) + (1 # 2) -> unit * (others + q) < left + 1)%Q.
Proof.
  intros Hunit Hl Ho Hu Hu4 Hul Ex Hq.
  assert (0 <= x)%Q by nra. assert (0 <= u * others)%Q by nra. assert (0 <= u * u)%Q by nra.
  assert ((q + others <= x * ((1 + u) * (1 + u) * (1 + u)))%Q) by lra.
  assert ((unit * (q + others) <= unit * (x * ((1 + u) * (1 + u) * (1 + u))))%Q) by (apply Qmult_le_l; assumption).
  assert ((unit * (others + q) <= left * ((1 + u) * (1 + u) * (1 + u)))%Q) by (rewrite <- Ex; lra).
  assert (left * u * u <= 1 # 16)%Q by nra. assert (left * u * u * u <= 1 # 64)%Q by nra. lra.
Qed.

Lemma rounded_quotient u y q left unit others : 0 < unit -> 0 <= left -> 0 <= others ->
  (0 <= u)%Q -> (u <= 1 # 4)%Q -> (u * inject_Z left <= 1 # 4)%Q ->
  (y <= ((inject_Z left / inject_Z unit * (1 + u) - (1 # 2)) * (1 + u) - inject_Z others) * (1 + u))%Q ->
  (inject_Z q - y <= 1 # 2)%Q -> unit * (others + q) <= left.
Proof.
  intros Hunit Hl Ho Hu Hu4 Hul Hy Hq.
  assert (Hpos : (0 < inject_Z unit)%Q) by (change 0%Q with (inject_Z 0); rewrite <- Zlt_Qlt; lia).
  assert (H : (inject_Z (unit * (others + q)) < inject_Z (left + 1))%Q).
  { rewrite inject_Z_mult, !inject_Z_plus. eapply half_a_step_suffices with (x := (inject_Z left / inject_Z unit)%Q).
    - exact Hpos.
    - change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact Hl.
    - change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact Ho.
    - exact Hu.
    - exact Hu4.
    - exact Hul.
    - apply Qmult_div_r. intro E. rewrite E in Hpos. lra.
    - lra. }
  rewrite <- Zlt_Qlt in H. lia.
Qed.

Lemma rounded_inside u y q left unit : 0 <= unit -> 0 <= left -> (0 <= u)%Q -> (u <= 1 # 4)%Q -> (u * inject_Z left <= 1 # 4)%Q ->
  half_inside u y left unit -> (inject_Z q - y <= 1 # 2)%Q -> at_most q (quotient left unit).
Proof.
  intros Hunit Hl Hu Hu4 Hul Hy Hq. apply quotient_spec; [assumption..|].
  destruct (Z.eq_dec unit 0) as [->|Hne]; [lia|]. destruct (Z.le_gt_cases q 0); [rewrite Z.max_l by lia; lia|].
  rewrite Z.max_r by lia. pose proof (at_least_one q ltac:(lia)). destruct (Hy Hne) as [Hy0|Hy0]; [exfalso; lra|].
  rewrite Z.mul_comm. apply (rounded_quotient u y q left unit 0); try assumption; try lia.
  assert (0 <= (inject_Z left / inject_Z unit * (1 + u) - (1 # 2)) * (1 + u))%Q by lra.
  change (inject_Z 0) with 0%Q. nra.
Qed.

(** A number inside Brevitas' limits, rounded to nearest, is admissible. *)
Theorem joint_limits_inside u a c y q : in_balance a -> not_negative c -> precise u a -> within_joint_limits u a c y ->
  rounds_to y q -> admissible a c q.
Proof.
  intros (Ha & Hb) (Hw & Hg) (Hu & Hu4 & Hua & Hub) (H1 & H2 & H3 & H4) (Hq1 & Hq2).
  assert (Hneg : (inject_Z (- q) - - y <= 1 # 2)%Q) by (rewrite inject_Z_opp; lra).
  repeat split; eapply rounded_inside; eassumption.
Qed.

(** The paper's form keeps the budgets of positives and of negatives, and these keep the range inside the limit. *)
Lemma published_side u D limit P y q : 0 <= D -> 0 <= limit -> 0 <= P -> D * P <= limit ->
  (0 <= u)%Q -> (u <= 1 # 4)%Q -> (u * inject_Z limit <= 1 # 4)%Q ->
  (y <= 0)%Q \/ (y <= ((inject_Z limit / inject_Z D * (1 + u) - (1 # 2)) * (1 + u) - inject_Z P) * (1 + u))%Q ->
  (inject_Z q - y <= 1 # 2)%Q -> D * (P + Z.max 0 q) <= limit.
Proof.
  intros HD Hl HP0 HP Hu Hu4 Hul Hy Hq. destruct (Z.eq_dec D 0) as [->|Hne]; [lia|].
  destruct (Z.le_gt_cases q 0); [rewrite Z.max_l by lia; lia|]. rewrite Z.max_r by lia.
  pose proof (at_least_one q ltac:(lia)). destruct Hy as [Hy0|Hy0]; [exfalso; lra|].
  eapply rounded_quotient; try eassumption; lia.
Qed.

Theorem published_limits_keep u limit box P N y q : lower box <= upper box -> 0 <= limit -> 0 <= P -> N <= 0 ->
  (0 <= u)%Q -> (u <= 1 # 4)%Q -> (u * inject_Z limit <= 1 # 4)%Q ->
  (upper box - lower box) * P <= limit -> (upper box - lower box) * - N <= limit ->
  within_published_limits u limit box P N y -> rounds_to y q ->
  (upper box - lower box) * (P + Z.max 0 q) <= limit /\ (upper box - lower box) * - (N + Z.min 0 q) <= limit.
Proof.
  intros Hb Hl HP0 HN0 Hu Hu4 Hul HP HN (H1 & H2) (Hq1 & Hq2). split.
  - eapply published_side; try eassumption; lia.
  - replace (- (N + Z.min 0 q)) with (- N + Z.max 0 (- q)) by lia.
    apply published_side with (u := u) (y := (- y)%Q); try assumption; try lia; [|rewrite inject_Z_opp; lra].
    rewrite inject_Z_opp. destruct H2 as [H2|H2]; [left; exact H2|right]. unfold Qminus. rewrite Qopp_involutive. exact H2.
Qed.

Theorem published_budgets_fit limit box weights : lower box <= 0 <= upper box ->
  (upper box - lower box) * positives weights <= limit -> (upper box - lower box) * - negatives weights <= limit ->
  within (partial_range (point 0) (product_ranges weights (map (fun _ => box) weights))) (Interval (- limit) limit).
Proof.
  intros Hb HP HN. rewrite reduction_of_partial by exact Hb. unfold within, reduced; simpl.
  pose proof (positives_not_negative weights). pose proof (negatives_not_positive weights).
  nia.
Qed.

(** ** The sweep *)

Lemma set_same w k q j : j <> k -> set w k q j = w j.
Proof. unfold set. intro. destruct (Nat.eqb_spec j k); congruence. Qed.
Lemma set_at w k q : set w k q k = q.
Proof. unfold set. rewrite PeanoNat.Nat.eqb_refl. reflexivity. Qed.

Lemma taken_nothing_above c : taken_above c 0 = 0. Proof. reflexivity. Qed.
Lemma taken_nothing_below c : taken_below c 0 = 0. Proof. reflexivity. Qed.
Lemma taken_not_negative c q : not_negative c -> 0 <= taken_above c q /\ 0 <= taken_below c q.
Proof. unfold not_negative, taken_above, taken_below. intros. split; nia. Qed.

Lemma sum_elsewhere (f : Z -> nat -> Z) w k q g : ~ In k g ->
  sum (map (fun j => f (set w k q j) j) g) = sum (map (fun j => f (w j) j) g).
Proof.
  intro H. f_equal. apply map_ext_in. intros j Hj. rewrite set_same; [reflexivity|]. intros ->. contradiction.
Qed.

Lemma sum_at_one (f : Z -> nat -> Z) w k q g : NoDup g -> In k g -> f 0 k = 0 ->
  sum (map (fun j => f (set w k q j) j) g) = f q k + sum (map (fun j => f (set w k 0 j) j) g).
Proof.
  induction 1 as [|j g Hnot Hg IH]; intros Hk H0; [contradiction|]. simpl.
  destruct Hk as [->|Hk].
  - rewrite !set_at, H0, !sum_elsewhere by assumption. lia.
  - assert (j <> k) by congruence. rewrite !(set_same w k _ j), IH by assumption. lia.
Qed.

Lemma left_elsewhere b w k q : ~ In k (columns b) -> left b (set w k q) = left b w.
Proof.
  intro H. unfold left. f_equal; f_equal.
  - apply (sum_elsewhere (fun x j => taken_above (costs b j) x)). exact H.
  - apply (sum_elsewhere (fun x j => taken_below (costs b j) x)). exact H.
Qed.

Lemma left_at b w k q : NoDup (columns b) -> In k (columns b) -> left b (set w k q) = draw (costs b k) q (left b (set w k 0)).
Proof.
  intros Hn Hk. unfold left, draw; simpl. f_equal.
  - rewrite (sum_at_one (fun x j => taken_above (costs b j) x) w k q) by (assumption || reflexivity). lia.
  - rewrite (sum_at_one (fun x j => taken_below (costs b j) x) w k q) by (assumption || reflexivity). lia.
Qed.

Definition sound_budget (b : budget) : Prop := in_balance (room b) /\ NoDup (columns b) /\ forall k, not_negative (costs b k).

(** After every step of every sweep every register's account is in balance. *)
Theorem sweep_keeps_balance budgets w : Forall sound_budget budgets -> sweep budgets w ->
  Forall (fun b => in_balance (left b w)) budgets.
Proof.
  intros Hs. rewrite Forall_forall in *. induction 1 as [|w k q Hw IH Hq]; intros b Hb; destruct (Hs b Hb) as (Hroom & Hn & Hc).
  - unfold left, in_balance in *; simpl.
    assert (E : forall f : nat -> Z, (forall k, f k = 0) -> sum (map f (columns b)) = 0)
      by (intros f Hf; induction (columns b); simpl; [reflexivity|]; rewrite Hf; inversion Hn; auto).
    rewrite !E by reflexivity. lia.
  - specialize (IH b Hb). destruct (in_dec PeanoNat.Nat.eq_dec k (columns b)) as [Hk|Hk]; [|rewrite left_elsewhere; assumption].
    rewrite left_at by assumption. apply admissible_exactly; [|apply Hc|apply Hq; assumption].
    assert (E : left b w = draw (costs b k) (w k) (left b (set w k 0))).
    { rewrite <- left_at by assumption. unfold left. f_equal; f_equal; f_equal; apply map_ext; intro j; unfold set;
        destruct (Nat.eqb_spec j k); subst; reflexivity. }
    rewrite E in IH. unfold in_balance, draw in *; simpl in *. pose proof (taken_not_negative (costs b k) (w k) (Hc k)). lia.
Qed.

(** ** The other sweeps are sweeps *)

Lemma left_without b w k : NoDup (columns b) -> In k (columns b) -> left b w = draw (costs b k) (w k) (left b (set w k 0)).
Proof.
  intros Hn Hk. rewrite <- left_at by assumption. unfold left. f_equal; f_equal; f_equal; apply map_ext; intro j; unfold set;
    destruct (Nat.eqb_spec j k); subst; reflexivity.
Qed.

Lemma balance_without b w k : sound_budget b -> In k (columns b) -> in_balance (left b w) -> in_balance (left b (set w k 0)).
Proof.
  intros (_ & Hn & Hc) Hk H. rewrite (left_without b w k Hn Hk) in H. unfold in_balance, draw in *; simpl in *.
  pose proof (taken_not_negative (costs b k) (w k) (Hc k)). lia.
Qed.

(** What a register admits is an interval around 0. *)
Lemma admissible_toward_zero a c r q : in_balance a -> not_negative c -> toward_zero r q -> admissible a c r -> admissible a c q.
Proof.
  intros Ha Hc Hrq Hr. apply admissible_exactly in Hr; [|assumption..]. apply admissible_exactly; [assumption..|].
  unfold in_balance, draw, taken_above, taken_below, not_negative in *; simpl in *.
  destruct Hrq as [H|H].
  - rewrite (Z.max_r 0 r), (Z.max_l 0 (- r)) in Hr by lia. rewrite (Z.max_r 0 q), (Z.max_l 0 (- q)) by lia. nia.
  - rewrite (Z.max_l 0 r), (Z.max_r 0 (- r)) in Hr by lia. rewrite (Z.max_l 0 q), (Z.max_r 0 (- q)) by lia. nia.
Qed.

Lemma left_within_room b w : sound_budget b -> above (left b w) <= above (room b) /\ below (left b w) <= below (room b).
Proof.
  intros (_ & _ & Hc). unfold left; simpl. enough (H : forall l, 0 <= sum (map (fun k => taken_above (costs b k) (w k)) l) /\
    0 <= sum (map (fun k => taken_below (costs b k) (w k)) l)) by (specialize (H (columns b)); lia).
  induction l as [|k l IH]; simpl; [lia|]. pose proof (taken_not_negative (costs b k) (w k) (Hc k)). lia.
Qed.

Lemma precise_within u a b : above a <= above b -> below a <= below b -> precise u b -> precise u a.
Proof.
  intros Ha Hb (Hu & Hu4 & H1 & H2). rewrite Zle_Qle in Ha, Hb. repeat split; try assumption; nra.
Qed.

(** Exact arithmetic is precise; so is double up to 2^51, and float32 up to 2^22. *)
Lemma exact_arithmetic_is_precise a : precise 0 a.
Proof. repeat split; lra. Qed.
Lemma precise_up_to u most a : (0 <= u)%Q -> (u <= 1 # 4)%Q -> (u * inject_Z most <= 1 # 4)%Q -> above a <= most -> below a <= most ->
  precise u a.
Proof. intros Hu Hu4 Hm Ha Hb. rewrite Zle_Qle in Ha, Hb. repeat split; try assumption; nra. Qed.
Theorem double_is_precise a : above a <= 2 ^ 51 -> below a <= 2 ^ 51 -> precise (1 # 2 ^ 53) a.
Proof. apply precise_up_to; discriminate. Qed.
Theorem float32_is_precise a : above a <= 2 ^ 22 -> below a <= 2 ^ 22 -> precise (1 # 2 ^ 24) a.
Proof. apply precise_up_to; discriminate. Qed.

Theorem joint_sweep_is_a_sweep u budgets w : Forall sound_budget budgets -> Forall (fun b => precise u (room b)) budgets ->
  joint_sweep u budgets w -> sweep budgets w.
Proof.
  intros Hs Hp. induction 1 as [|w k y r q Hw IH Hy Hr Hq]; [constructor|]. constructor; [exact IH|]. intros b Hb Hk.
  pose proof (sweep_keeps_balance budgets w Hs IH) as Hbalance. rewrite Forall_forall in *.
  assert (H0 : in_balance (left b (set w k 0))) by (apply balance_without; auto).
  assert (Hc : not_negative (costs b k)) by (destruct (Hs b Hb) as (_ & _ & Hc); apply Hc).
  eapply admissible_toward_zero; [assumption..|exact Hq|]. eapply joint_limits_inside; try eassumption; [|apply Hy; assumption].
  destruct (left_within_room b (set w k 0) (Hs b Hb)). eapply precise_within; eauto.
Qed.

(** The budget of each sign, and that the two together keep an account in balance. *)
Definition signs_in_budget (b : budget) (w : nat -> Z) : Prop :=
  forall k, In k (columns b) -> let D := upper (span (costs b k)) - lower (span (costs b k)) in
    D * positives (map w (columns b)) <= each_side (room b) /\ D * - negatives (map w (columns b)) <= each_side (room b).

Lemma taken_by_signs c w l :
  sum (map (fun k : nat => taken_above c (w k)) l) = positives (map w l) * with_sign c + - negatives (map w l) * against_sign c /\
  sum (map (fun k => taken_below c (w k)) l) = positives (map w l) * against_sign c + - negatives (map w l) * with_sign c.
Proof.
  unfold positives, negatives. induction l as [|k l (IHa & IHb)]; simpl; [lia|]. rewrite IHa, IHb. unfold taken_above, taken_below.
  replace (Z.max 0 (- w k)) with (- Z.min 0 (w k)) by lia. split; ring.
Qed.

Lemma signs_in_budget_balance b w : sound_budget b -> same_costs b -> signs_in_budget b w -> in_balance (left b w).
Proof.
  intros (Hroom & _ & Hc) Hsame H. unfold left, in_balance in *; simpl. unfold signs_in_budget in H.
  destruct (columns b) as [|k l] eqn:E; [simpl; lia|]. specialize (H k (or_introl eq_refl)). specialize (Hc k).
  rewrite <- E in *. assert (Hk : In k (columns b)) by (rewrite E; left; reflexivity).
  rewrite (map_ext_in _ (fun j => taken_above (costs b k) (w j))) by (intros j Hj; f_equal; auto).
  rewrite (map_ext_in (fun j => taken_below _ _) (fun j => taken_below (costs b k) (w j))) by (intros j Hj; f_equal; auto).
  destruct (taken_by_signs (costs b k) w (columns b)) as (-> & ->).
  pose proof (positives_not_negative (map w (columns b))). pose proof (negatives_not_positive (map w (columns b))).
  set (P := positives _) in *. set (N := negatives _) in *. unfold span, each_side, not_negative in *. simpl in H.
  destruct Hc as (Hw & Hg). destruct H as (HP & HN).
  set (D := with_sign (costs b k) - - against_sign (costs b k)) in *.
  destruct (Z.eq_dec D 0) as [E0|E0].
  - assert (with_sign (costs b k) = 0 /\ against_sign (costs b k) = 0) as (-> & ->) by lia. lia.
  - assert (0 < D) by lia. set (m := Z.min (above (room b)) (below (room b))) in *. subst D. nia.
Qed.

Lemma signs_at b w k q : NoDup (columns b) -> In k (columns b) ->
  positives (map (set w k q) (columns b)) = positives (map (set w k 0) (columns b)) + Z.max 0 q /\
  negatives (map (set w k q) (columns b)) = negatives (map (set w k 0) (columns b)) + Z.min 0 q.
Proof.
  intros Hn Hk. unfold positives, negatives. rewrite !map_map.
  rewrite (sum_at_one (fun x _ => Z.max 0 x) w k q), (sum_at_one (fun x _ => Z.min 0 x) w k q) by (assumption || reflexivity). lia.
Qed.

Theorem published_sweep_is_a_sweep u budgets w : Forall sound_budget budgets -> Forall same_costs budgets ->
  Forall (fun b => precise u (room b)) budgets -> published_sweep u budgets w -> sweep budgets w.
Proof.
  intros Hs Hsame Hp Hw. rewrite Forall_forall in *.
  enough (sweep budgets w /\ forall b, In b budgets -> signs_in_budget b w) by tauto.
  induction Hw as [|w k y r q _ (IH & Hsigns) Hy Hr Hq].
  - split; [constructor|]. intros b Hb k _. destruct (Hs b Hb) as ((Ha & Hb') & _). unfold each_side, positives, negatives.
    assert (E : forall f : Z -> Z, f 0 = 0 -> sum (map f (map (fun _ : nat => 0) (columns b))) = 0)
      by (intros f Hf; induction (columns b); simpl; [reflexivity|]; rewrite Hf; assumption).
    rewrite !E by reflexivity. lia.
  - assert (Hnew : forall b, In b budgets -> signs_in_budget b (set w k q)).
    { intros b Hb. destruct (Hs b Hb) as (Hroom & Hn & Hc).
      destruct (in_dec PeanoNat.Nat.eq_dec k (columns b)) as [Hk|Hk].
      - intros j Hj. rewrite (Hsame b Hb j k Hj Hk). specialize (Hsigns b Hb k Hk). specialize (Hy b Hb Hk).
        destruct (signs_at b w k (w k) Hn Hk) as (Ep & En). destruct (signs_at b w k q Hn Hk) as (-> & ->).
        assert (Ew : map (set w k (w k)) (columns b) = map w (columns b)).
        { apply map_ext. intro i. unfold set. destruct (Nat.eqb_spec i k); subst; reflexivity. }
        rewrite Ew in Ep, En. simpl in Hsigns, Hy.
        pose proof (positives_not_negative (map (set w k 0) (columns b))) as HP0.
        pose proof (negatives_not_positive (map (set w k 0) (columns b))) as HN0.
        set (P := positives (map (set w k 0) (columns b))) in *. set (N := negatives (map (set w k 0) (columns b))) in *.
        rewrite Ep, En in Hsigns. destruct (Hc k) as (Hw0 & Hg0).
        assert (HD : 0 <= upper (span (costs b k)) - lower (span (costs b k))) by (simpl; lia).
        destruct (Hp b Hb) as (Hu & Hu4 & Hua & Hub).
        destruct (published_limits_keep u (each_side (room b)) (span (costs b k)) P N y r) as (H1 & H2); try assumption.
        + lia.
        + unfold each_side, in_balance in *. lia.
        + unfold each_side. destruct (Z.min_spec (above (room b)) (below (room b))) as [(_ & ->)|(_ & ->)]; assumption.
        + simpl in *. nia.
        + simpl in *. nia.
        + cbv zeta. set (D := upper (span (costs b k)) - lower (span (costs b k))) in *. clearbody D. clear - H1 H2 HD Hq.
          destruct Hq; nia.
      - intros j Hj. unfold positives, negatives. rewrite !map_map.
        rewrite (sum_elsewhere (fun x _ => Z.max 0 x)), (sum_elsewhere (fun x _ => Z.min 0 x)) by assumption.
        rewrite <- !(map_map w). apply (Hsigns b Hb j Hj). }
    split; [|exact Hnew]. constructor; [exact IH|]. intros b Hb Hk. destruct (Hs b Hb) as (Hroom & Hn & Hc).
    assert (Hbalance : in_balance (left b w)) by (apply signs_in_budget_balance; auto).
    apply admissible_exactly; [apply balance_without; auto|apply Hc|]. rewrite <- left_at by assumption.
    apply signs_in_budget_balance; auto.
Qed.

(** ** Registers that the plan leaves out *)

Theorem never_bound_in_balance grid b w : sound_budget b -> never_binds grid b -> (forall k, inside (w k) grid) ->
  in_balance (left b w).
Proof.
  intros (_ & _ & Hc) (Ha & Hb) Hw. unfold left, in_balance; simpl.
  enough (H : forall l, sum (map (fun k => taken_above (costs b k) (w k)) l) <= sum (map (fun k => most_above grid (costs b k)) l) /\
    sum (map (fun k => taken_below (costs b k) (w k)) l) <= sum (map (fun k => most_below grid (costs b k)) l))
    by (specialize (H (columns b)); lia).
  induction l as [|k l IH]; simpl; [lia|]. specialize (Hw k). destruct (Hc k) as (Hp & Hg).
  enough (taken_above (costs b k) (w k) <= most_above grid (costs b k) /\
    taken_below (costs b k) (w k) <= most_below grid (costs b k)) by lia.
  unfold inside, taken_above, taken_below, most_above, most_below in *.
  destruct (Z.le_gt_cases 0 (w k)).
  - rewrite (Z.max_r 0 (w k)), (Z.max_l 0 (- w k)) by lia. split; nia.
  - rewrite (Z.max_l 0 (w k)), (Z.max_r 0 (- w k)) by lia. split; nia.
Qed.

(** ** From accounts in balance to ranges that fit *)

Definition pays_for (c : cost) (b : interval) : Prop :=
  lower b <= upper b /\ Z.max 0 (upper b) <= with_sign c /\ Z.max 0 (- lower b) <= against_sign c.

Lemma taken_holds w b c : pays_for c b ->
  at_least_zero (product_range w b) <= taken_above c w /\ - taken_below c w <= at_most_zero (product_range w b).
Proof.
  unfold pays_for, at_least_zero, at_most_zero, product_range, taken_above, taken_below; simpl. intros (Hb & Hw & Hg).
  destruct (Z.le_gt_cases 0 w).
  - rewrite (Z.max_r 0 w), (Z.max_l 0 (- w)) by lia.
    assert (w * lower b <= w * upper b) by nia. assert (w * upper b <= w * with_sign c) by nia.
    assert (w * - lower b <= w * against_sign c) by nia. assert (0 <= w * with_sign c /\ 0 <= w * against_sign c) by nia. lia.
  - rewrite (Z.max_l 0 w), (Z.max_r 0 (- w)) by lia.
    assert (w * upper b <= w * lower b) by nia. assert (- w * - lower b <= - w * against_sign c) by nia.
    assert (- w * upper b <= - w * with_sign c) by nia.
    assert (0 <= - w * with_sign c /\ 0 <= - w * against_sign c) by nia. lia.
Qed.

(** The final range of the products of some columns, all registers below starting from 0. *)
Definition group_range (r : nat -> interval) (g : list nat) : interval := box_sum (map r g).

Lemma group_range_concat r gs : final_range (point 0) (map (group_range r) gs) = group_range r (concat gs).
Proof.
  unfold group_range, box_sum, final_range; simpl. rewrite concat_map, !concat_map, !sum_concat, !map_map. reflexivity.
Qed.

Lemma stage_finals_of_columns s constant r groups : initial s = InitialZero ->
  stage_finals s constant (map (group_range r) groups) = map (group_range r) (columns_of_stage s groups).
Proof.
  intro H0. unfold stage_finals, columns_of_stage, start_range. rewrite H0, dealt_map, !map_map.
  apply map_ext. intro gs. apply group_range_concat.
Qed.

Lemma single_column_ranges weights boxes count :
  product_ranges (map weights (seq 0 count)) (map boxes (seq 0 count)) =
  map (group_range (fun k => product_range (weights k) (boxes k))) (single_columns count).
Proof.
  unfold single_columns. generalize (seq 0 count). induction l as [|k l IH]; simpl; [reflexivity|]. rewrite IH. f_equal.
  unfold group_range, box_sum, product_range; simpl. f_equal; lia.
Qed.

Lemma group_parts r g :
  at_least_zero (group_range r g) <= sum (map (fun k => at_least_zero (r k)) g) /\
  sum (map (fun k => at_most_zero (r k)) g) <= at_most_zero (group_range r g).
Proof.
  unfold group_range, box_sum, at_least_zero, at_most_zero; simpl. induction g as [|k g (IH1 & IH2)]; [simpl; lia|].
  cbn [map]. unfold sum in *. cbn [fold_right]. lia.
Qed.

Lemma sum_le {A} (f g : A -> Z) l : (forall a, In a l -> f a <= g a) -> sum (map f l) <= sum (map g l).
Proof.
  induction l as [|a l IH]; intro H; simpl; [lia|]. pose proof (H a (or_introl eq_refl)).
  assert (sum (map f l) <= sum (map g l)) by (apply IH; intros; apply H; right; assumption). lia.
Qed.

Lemma sum_opposite {A} (f : A -> Z) l : sum (map (fun a => - f a) l) = - sum (map f l).
Proof. unfold sum. induction l; cbn [map fold_right]; lia. Qed.

Lemma sum_of_two {A} (f g : A -> Z) l : sum (map (fun a => f a + g a) l) = sum (map f l) + sum (map g l).
Proof. unfold sum. induction l; cbn [map fold_right]; lia. Qed.

(** Whatever is claimed of a register over groups of columns: its ends lie within its start and the columns' parts. *)
Lemma register_range_within_parts s constant r gs :
  let parts := fun f : interval -> Z => sum (map (fun k => f (r k)) (concat gs)) in
  lower (start_range s constant) + parts at_most_zero <= lower (register_range s constant (map (group_range r) gs)) /\
  upper (register_range s constant (map (group_range r) gs)) <= upper (start_range s constant) + parts at_least_zero.
Proof.
  intro parts. subst parts. simpl.
  assert (Hpart : sum (map (fun k => at_most_zero (r k)) (concat gs)) <= sum (map at_most_zero (map (group_range r) gs)) /\
    sum (map at_least_zero (map (group_range r) gs)) <= sum (map (fun k => at_least_zero (r k)) (concat gs))).
  { rewrite !concat_map, !sum_concat, !map_map. split; apply sum_le; intros g _; apply group_parts. }
  assert (Hends : forall l, sum (map at_most_zero l) <= sum (map lower l) /\ sum (map upper l) <= sum (map at_least_zero l)).
  { intro l. split; apply sum_le; intros; unfold at_most_zero, at_least_zero; lia. }
  specialize (Hends (map (group_range r) gs)).
  unfold register_range, final_range, partial_range. destruct (claim s); simpl; lia.
Qed.

Lemma concat_of_concats {A} (ls : list (list (list A))) : concat (map (@concat A) ls) = concat (concat ls).
Proof. induction ls as [|l ls IH]; simpl; [reflexivity|]. rewrite IH, concat_app. reflexivity. Qed.

Lemma columns_permutation s groups : valid_stage s -> Permutation (concat (columns_of_stage s groups)) (concat groups).
Proof.
  intro Hs. unfold columns_of_stage. rewrite concat_of_concats.
  pose proof (dealt_permutation s groups Hs) as H.
  induction H; simpl; rewrite ?app_assoc.
  - reflexivity.
  - apply Permutation_app_head. assumption.
  - apply Permutation_app_tail, Permutation_app_comm.
  - etransitivity; eassumption.
Qed.

Lemma single_columns_concat count : concat (single_columns count) = seq 0 count.
Proof. unfold single_columns. generalize (seq 0 count). induction l; simpl; congruence. Qed.

Lemma nodup_app {A} (l m : list A) : NoDup (l ++ m) -> NoDup l /\ NoDup m.
Proof.
  induction l as [|a l IH]; simpl; intro H; [split; [constructor|exact H]|]. inversion H; subst.
  destruct (IH ltac:(assumption)) as (Hl & Hm). split; [|exact Hm]. constructor; [|exact Hl].
  intro Ha. match goal with N : ~ _ |- _ => apply N end. apply in_or_app. left. exact Ha.
Qed.

Lemma in_concat_nodup (gs : list (list nat)) g : In g gs -> NoDup (concat gs) -> NoDup g.
Proof.
  intros Hin. induction gs as [|h gs IH]; [contradiction|]. simpl. intro Hn. destruct Hin as [->|Hin].
  - apply (nodup_app _ _ Hn).
  - apply IH; [exact Hin|]. apply (nodup_app _ _ Hn).
Qed.

(** What the constant adds, column by column. *)
Lemma constant_parts (w : nat -> Z) (offsets : nat -> Z) bias spread l : 0 <= spread ->
  let constant := constant_range (bias + dot (map w l) (map offsets l)) spread (sum (map w l)) in
  upper constant <= bias + sum (map (fun k => Z.max 0 (w k) * Z.max 0 (offsets k) + Z.max 0 (- w k) * Z.max 0 (spread - offsets k)) l) /\
  bias - sum (map (fun k => Z.max 0 (w k) * Z.max 0 (spread - offsets k) + Z.max 0 (- w k) * Z.max 0 (offsets k)) l) <= lower constant.
Proof.
  intros Hs constant.
  assert (H : forall z, 0 <= z <= spread ->
    - sum (map (fun k => Z.max 0 (w k) * Z.max 0 (spread - offsets k) + Z.max 0 (- w k) * Z.max 0 (offsets k)) l) <=
    dot (map w l) (map offsets l) - z * sum (map w l) <=
    sum (map (fun k => Z.max 0 (w k) * Z.max 0 (offsets k) + Z.max 0 (- w k) * Z.max 0 (spread - offsets k)) l)).
  { intros z Hz. unfold dot, sum. clear constant. induction l as [|k l IH]; cbn [map products fold_right]; [lia|].
    set (A := fold_right Z.add 0 (map _ l)) in *. set (B := fold_right Z.add 0 (products _ _)) in *.
    set (C := fold_right Z.add 0 (map w l)) in *. set (D := fold_right Z.add 0 (map _ l)) in *.
    assert (- (Z.max 0 (w k) * Z.max 0 (spread - offsets k) + Z.max 0 (- w k) * Z.max 0 (offsets k)) <= w k * offsets k - z * w k
      <= Z.max 0 (w k) * Z.max 0 (offsets k) + Z.max 0 (- w k) * Z.max 0 (spread - offsets k)).
    { destruct (Z.le_gt_cases 0 (w k)).
      - rewrite (Z.max_r 0 (w k)), (Z.max_l 0 (- w k)) by lia. split; nia.
      - rewrite (Z.max_l 0 (w k)), (Z.max_r 0 (- w k)) by lia. split; nia. }
    lia. }
  subst constant. unfold constant_range; simpl.
  destruct (Z.le_gt_cases 0 (sum (map w l))).
  - pose proof (H 0 ltac:(lia)). pose proof (H spread ltac:(lia)). nia.
  - pose proof (H 0 ltac:(lia)). pose proof (H spread ltac:(lia)). nia.
Qed.

Lemma dealt_one {A} s (v : A) : valid_stage s -> dealt s [v] = [[v]].
Proof.
  intros (_ & Hg & Ht & _). unfold dealt, block_length. simpl length. change (Z.of_nat 1) with 1.
  rewrite Z.min_r by lia.
  replace (if (group s =? 0) || (1 <? group s * stride s) then 1 else group s * stride s) with 1; [reflexivity|].
  destruct (Z.eqb_spec (group s) 0); simpl; [reflexivity|]. destruct (Z.ltb_spec 1 (group s * stride s)); nia.
Qed.

(** One row whose registers' accounts are in balance. *)
Section Row.
Context (boxes : nat -> interval) (offsets : nat -> Z) (spread bias : Z) (w : nat -> Z) (count : nat).
Context (boxes_not_empty : forall k, not_empty (boxes k)) (spread_not_negative : 0 <= spread).
Let row := map w (seq 0 count).
Let constant := constant_range (bias + dot row (map offsets (seq 0 count))) spread (sum row).
Let r k := product_range (w k) (boxes k).
Let cost_of holds k := column_cost holds (boxes k) (offsets k) spread.

(** What the products of some columns can add lies within what is taken for them. *)
Lemma products_paid g :
  sum (map (fun k => at_least_zero (r k)) g) <= sum (map (fun k => taken_above (cost_of false k) (w k)) g) /\
  - sum (map (fun k => taken_below (cost_of false k) (w k)) g) <= sum (map (fun k => at_most_zero (r k)) g).
Proof.
  rewrite <- sum_opposite. split; apply sum_le; intros k _; apply taken_holds; unfold pays_for, cost_of, column_cost; simpl;
    specialize (boxes_not_empty k); unfold not_empty in *; lia.
Qed.

(** The same of all columns and the constant. *)
Lemma constant_paid g : Permutation g (seq 0 count) ->
  upper constant + sum (map (fun k => at_least_zero (r k)) g) <=
    Z.max 0 bias + sum (map (fun k => taken_above (cost_of true k) (w k)) g) /\
  - Z.max 0 (- bias) - sum (map (fun k => taken_below (cost_of true k) (w k)) g) <=
    lower constant + sum (map (fun k => at_most_zero (r k)) g).
Proof.
  intro Hg. pose proof (constant_parts w offsets bias spread (seq 0 count) spread_not_negative) as (Hcu & Hcl).
  fold row in Hcu, Hcl. fold constant in Hcu, Hcl.
  rewrite <- (sum_permutation _ _ (Permutation_map _ Hg)) in Hcu. rewrite <- (sum_permutation _ _ (Permutation_map _ Hg)) in Hcl.
  set (up := fun k => Z.max 0 (w k) * Z.max 0 (offsets k) + Z.max 0 (- w k) * Z.max 0 (spread - offsets k)) in *.
  set (down := fun k => Z.max 0 (w k) * Z.max 0 (spread - offsets k) + Z.max 0 (- w k) * Z.max 0 (offsets k)) in *.
  assert (Hpaid : sum (map (fun k => at_least_zero (r k) + up k) g) <= sum (map (fun k => taken_above (cost_of true k) (w k)) g) /\
    sum (map (fun k => - taken_below (cost_of true k) (w k)) g) <= sum (map (fun k => at_most_zero (r k) + - down k) g)).
  { split; apply sum_le; intros k _;
      destruct (taken_holds (w k) (boxes k) (Cost (Z.max 0 (upper (boxes k))) (Z.max 0 (- lower (boxes k)))))
        as (H1 & H2); try (unfold pays_for; simpl; specialize (boxes_not_empty k); unfold not_empty in *; lia);
      fold (r k) in H1, H2; unfold taken_above, taken_below, cost_of, column_cost, up, down in *; simpl in *; lia. }
  rewrite !sum_of_two, !sum_opposite in Hpaid. lia.
Qed.

Lemma balance_of_columns holds s groups :
  Forall (fun b => in_balance (left b w)) (stage_budgets holds s boxes offsets spread bias groups) ->
  forall g, In g (columns_of_stage s groups) ->
    sum (map (fun k => taken_above (cost_of holds k) (w k)) g) <= above (stage_room holds s bias) /\
    sum (map (fun k => taken_below (cost_of holds k) (w k)) g) <= below (stage_room holds s bias).
Proof.
  unfold stage_budgets. rewrite Forall_map, Forall_forall. intros H g Hg. specialize (H g Hg).
  unfold in_balance, left in H; simpl in H. unfold cost_of. lia.
Qed.

(** A stage below which the constant has not entered. *)
Lemma stage_in_balance_fits s groups : valid_stage s -> Permutation (concat groups) (seq 0 count) ->
  (initial s = InitialConstant -> length (columns_of_stage s groups) = 1%nat) ->
  Forall (fun b => in_balance (left b w)) (stage_budgets (starts_from_constant s) s boxes offsets spread bias groups) ->
  ranges_fit s (stage_ranges s constant (map (group_range r) groups)).
Proof.
  intros Hs Hperm Hsingle Hbalance. pose proof (columns_permutation s groups Hs) as Hcolumns.
  pose proof (balance_of_columns _ _ _ Hbalance) as Hleft.
  unfold ranges_fit, stage_ranges, columns_of_stage in *. rewrite dealt_map, map_map, Forall_map, Forall_forall. intros gs Hgs.
  specialize (Hleft (concat gs) (in_map _ _ _ Hgs)).
  pose proof (register_range_within_parts s constant r gs) as (Hlow & Hup). simpl in Hlow, Hup.
  unfold starts_from_constant, start_range, within in *. destruct (initial s) eqn:Hi; simpl in *.
  - pose proof (products_paid (concat gs)) as Hpaid. unfold cost_of, column_cost in *. simpl in *. lia.
  - assert (Hgroup : Permutation (concat gs) (seq 0 count)).
    { specialize (Hsingle eq_refl). rewrite map_length in Hsingle. destruct (dealt s groups) as [|g [|? ?]]; try discriminate.
      destruct Hgs as [->|[]]. simpl in Hcolumns. rewrite app_nil_r in Hcolumns. etransitivity; eassumption. }
    pose proof (constant_paid (concat gs) Hgroup) as Hpaid. unfold cost_of, column_cost in *. simpl in *. lia.
Qed.

(** What the register that starts from the constant ends with, and every register above it. *)
Definition with_constant (g : list nat) : interval := final_range constant (map r g).

Lemma with_constant_paid g : Permutation g (seq 0 count) ->
  upper (with_constant g) <= Z.max 0 bias + sum (map (fun k => taken_above (cost_of true k) (w k)) g) /\
  - Z.max 0 (- bias) - sum (map (fun k => taken_below (cost_of true k) (w k)) g) <= lower (with_constant g).
Proof.
  intro Hg. pose proof (constant_paid g Hg). unfold with_constant, final_range; cbn [lower upper]. rewrite !map_map.
  assert (Hends : sum (map (fun k => at_most_zero (r k)) g) <= sum (map (fun k => lower (r k)) g) /\
    sum (map (fun k => upper (r k)) g) <= sum (map (fun k => at_least_zero (r k)) g))
    by (split; apply sum_le; intros; unfold at_most_zero, at_least_zero; lia).
  lia.
Qed.

Lemma stages_above_constant_fit g : Permutation g (seq 0 count) -> forall stages,
  Forall valid_stage stages -> Forall (fun t => initial t = InitialZero) stages ->
  Forall (fun b => in_balance (left b w)) (budgets_above true stages boxes offsets spread bias [g]) ->
  all_fit stages constant [with_constant g].
Proof.
  intro Hg. induction stages as [|s stages IH]; intros Hs Hzero Hbalance; [constructor|].
  inversion Hs; inversion Hzero; subst. simpl in Hbalance. apply Forall_app in Hbalance. destruct Hbalance as (Hhere & Habove).
  assert (Ec : columns_of_stage s [g] = [g])
    by (unfold columns_of_stage; rewrite dealt_one by assumption; simpl; rewrite app_nil_r; reflexivity).
  rewrite Ec in Habove. unfold all_fit. simpl claimed_ranges. constructor.
  - pose proof (balance_of_columns _ _ _ Hhere g) as Hleft. rewrite Ec in Hleft. specialize (Hleft (or_introl eq_refl)).
    pose proof (with_constant_paid g Hg) as Hpaid. cbn [orb stage_room above below] in Hleft.
    assert (Hpos : 0 <= sum (map (fun k => taken_above (cost_of true k) (w k)) g) /\
      0 <= sum (map (fun k => taken_below (cost_of true k) (w k)) g)).
    { clear - g. induction g as [|k g IH]; [simpl; lia|]. cbn [map sum fold_right].
      destruct (taken_not_negative (cost_of true k) (w k)); [unfold not_negative, cost_of, column_cost; simpl; lia|].
      unfold sum in IH. lia. }
    unfold ranges_fit, stage_ranges. rewrite dealt_one by assumption. constructor; [|constructor].
    unfold register_range, final_range, partial_range, start_range, within. match goal with E : initial s = _ |- _ => rewrite E end.
    unfold point, at_most_zero, at_least_zero, sum. destruct (claim s); cbn [lower upper map fold_right]; lia.
  - replace (stage_finals s constant [with_constant g]) with [with_constant g]; [apply IH; assumption|].
    unfold stage_finals, start_range. rewrite dealt_one by assumption. match goal with E : initial s = _ |- _ => rewrite E end.
    destruct (with_constant g) as [a b]. unfold final_range, point, sum. cbn [map lower upper fold_right]. repeat f_equal; lia.
Qed.

Lemma stage_finals_with_constant s groups g : initial s = InitialConstant -> columns_of_stage s groups = [g] ->
  stage_finals s constant (map (group_range r) groups) = [with_constant g].
Proof.
  unfold stage_finals, columns_of_stage, start_range. intros -> E. rewrite dealt_map, map_map.
  destruct (dealt s groups) as [|gs [|? ?]]; try discriminate. injection E as <-. cbn [map]. f_equal.
  pose proof (group_range_concat r gs) as H. unfold with_constant, final_range, point, group_range, box_sum in *.
  cbn [lower upper] in *. injection H as Hl Hu. f_equal; lia.
Qed.

Lemma stages_in_balance_fit : forall stages groups,
  Forall valid_stage stages -> Permutation (concat groups) (seq 0 count) -> constant_enters_once stages groups ->
  Forall (fun b => in_balance (left b w)) (budgets stages boxes offsets spread bias groups) ->
  all_fit stages constant (map (group_range r) groups).
Proof.
  unfold budgets. induction stages as [|s stages IH]; intros groups Hs Hperm Honce Hbalance; [constructor|].
  inversion Hs; subst. simpl budgets_above in Hbalance. apply Forall_app in Hbalance. destruct Hbalance as (Hhere & Habove).
  assert (Hcolumns : Permutation (concat (columns_of_stage s groups)) (seq 0 count))
    by (etransitivity; [apply columns_permutation; assumption|exact Hperm]).
  unfold all_fit. simpl claimed_ranges. simpl in Honce. unfold starts_from_constant in *. destruct (initial s) eqn:Hi.
  - constructor; [apply stage_in_balance_fits; try assumption; unfold starts_from_constant; rewrite Hi; [discriminate|assumption]|].
    rewrite stage_finals_of_columns by exact Hi. apply IH; assumption.
  - destruct Honce as (Hsingle & Hzero).
    constructor; [apply stage_in_balance_fits; try assumption; [auto|]; unfold starts_from_constant; rewrite Hi; assumption|].
    destruct (columns_of_stage s groups) as [|g [|? ?]] eqn:Hg; try discriminate.
    rewrite (stage_finals_with_constant s groups g Hi Hg). simpl in Hcolumns. rewrite app_nil_r in Hcolumns.
    apply stages_above_constant_fit; assumption.
Qed.
End Row.

Lemma budgets_are_sound boxes offsets spread bias count : forall stages entered groups,
  Forall valid_stage stages -> Permutation (concat groups) (seq 0 count) ->
  Forall in_balance (rooms_above entered stages bias) ->
  Forall sound_budget (budgets_above entered stages boxes offsets spread bias groups).
Proof.
  induction stages as [|s stages IH]; intros entered groups Hs Hperm Hroom; [constructor|]. inversion Hs; inversion Hroom; subst.
  pose proof (columns_permutation s groups ltac:(assumption)) as Hcolumns.
  simpl. apply Forall_app. split; [|apply IH; try assumption; etransitivity; eassumption].
  unfold stage_budgets. rewrite Forall_map, Forall_forall. intros g Hg. unfold sound_budget; simpl. split; [assumption|]. split.
  - eapply in_concat_nodup; [exact Hg|]. eapply Permutation_NoDup; [symmetry; etransitivity; eassumption|apply seq_NoDup].
  - intro k. unfold not_negative, column_cost. destruct (entered || starts_from_constant s); simpl; lia.
Qed.

(** The datapaths that the checker accepts are as the sweeps suppose. *)
Lemma ranges_tell_constant constant : forall stages groups values, length values = length groups ->
  count (filter starts_from_constant stages) <= 1 ->
  Forall (fun sr => initial (fst sr) = InitialConstant -> count (snd sr) = 1) (combine stages (claimed_ranges stages constant values)) ->
  constant_enters_once stages groups.
Proof.
  induction stages as [|s stages IH]; intros groups values El Hone Hsingle; simpl; [trivial|].
  simpl in Hone, Hsingle. inversion Hsingle as [|? ? Hhere Habove]; subst. simpl in Hhere.
  assert (Ed : length (columns_of_stage s groups) = length (stage_ranges s constant values)).
  { unfold columns_of_stage, stage_ranges. rewrite !map_length. apply dealt_length. symmetry. exact El. }
  unfold starts_from_constant in *. destruct (initial s) eqn:Hi.
  - apply IH with (values := stage_finals s constant values); [|exact Hone|exact Habove].
    unfold stage_finals, columns_of_stage. rewrite !map_length. apply dealt_length. exact El.
  - specialize (Hhere eq_refl). unfold count in *. simpl in Hone. split; [lia|]. rewrite Forall_forall. intros t Ht.
    destruct (initial t) eqn:Et; [reflexivity|exfalso].
    assert (Hin : In t (filter (fun s => match initial s with InitialConstant => true | InitialZero => false end) stages))
      by (apply filter_In; rewrite Et; auto).
    apply in_split in Hin. destruct Hin as (l1 & l2 & E). rewrite E, app_length in Hone. simpl in Hone. lia.
Qed.

Theorem accepted_constant_enters_once l : accepted l -> constant_enters_once (stages l) (single_columns (length (box l))).
Proof.
  intros Ha. pose proof (limits_kept l Ha) as Hlim. pose proof (claims_are_ranges l Ha) as Hclaims.
  pose proof (constant_in_one_stage l Hlim) as Hone. pose proof (constant_in_one_register l Hlim) as Hsingle.
  assert (Hrow : exists row bias, In (row, bias) (rows l)).
  { pose proof (rows_in_limits l Hlim) as Hn. pose proof (biases_of_rows l Hlim) as Hb. unfold rows, count in *.
    destruct (weights l) as [|row ?]; [simpl in Hn; lia|]. destruct (biases l) as [|bias ?]; [simpl in Hb; lia|].
    exists row, bias. left. reflexivity. }
  destruct Hrow as (row & bias & Hrow). pose proof (row_of_columns l row bias Hlim Hrow) as Ew.
  unfold claims_right in Hclaims. apply in_split in Hrow. destruct Hrow as (before & after & Erows). rewrite Erows in Hclaims.
  apply Forall2_app_inv_l in Hclaims. destruct Hclaims as (c1 & c2 & _ & Hc & Ec). inversion Hc as [|? claim ? ? Eclaim _]; subst.
  rewrite Ec, Forall_app in Hsingle. destruct Hsingle as (_ & Hsingle). inversion Hsingle as [|? ? Hthis _]; subst.
  unfold row_ranges, input_ranges in Hthis. simpl in Hthis.
  assert (Ecolumns : length (single_columns (length (box l))) = length (box l))
    by (unfold single_columns; rewrite map_length, seq_length; reflexivity).
  assert (Eproducts : forall (ws : list Z) (bs : list interval), length ws = length bs -> length (product_ranges ws bs) = length bs).
  { induction ws as [|v ws IH]; intros [|b bs] E; simpl in *; try discriminate; [reflexivity|]. f_equal. apply IH. lia. }
  assert (Hplain : Forall (fun sr => initial (fst sr) = InitialConstant -> count (snd sr) = 1)
      (combine (stages l) (claimed_ranges (stages l) (row_constant l row bias) (product_ranges row (box l)))) ->
    constant_enters_once (stages l) (single_columns (length (box l)))).
  { intro H. eapply ranges_tell_constant; [|exact Hone|exact H]. rewrite Ecolumns. apply Eproducts. exact Ew. }
  destruct (input_limit l) as [most|]; [|auto]. destruct (stages l) as [|s above] eqn:Es; [exact I|].
  (* A limit changes ranges, not how many there are. *)
  apply Hplain. simpl in Hthis |- *. inversion Hthis as [|? ? Hhere Habove]; subst. simpl in Hhere.
  assert (Edealt : length (dealt s (combine row (box l))) = length (dealt s (product_ranges row (box l))))
    by (apply dealt_length; rewrite combine_length, Eproducts by exact Ew; lia).
  assert (Elow : forall c, length (limited_stage most s c (combine row (box l))) =
    length (stage_ranges s c (product_ranges row (box l))))
    by (intro c; unfold limited_stage, stage_ranges; rewrite !map_length; exact Edealt).
  constructor; [intro E; specialize (Hhere E); unfold count in *; simpl in *; rewrite <- Elow; exact Hhere|].
  assert (Eabove : length (limited_stage most s (row_constant l row bias) (combine row (box l))) =
    length (stage_finals s (row_constant l row bias) (product_ranges row (box l)))).
  { unfold limited_stage, stage_finals. rewrite !map_length. exact Edealt. }
  revert Habove Eabove. generalize (limited_stage most s (row_constant l row bias) (combine row (box l))).
  generalize (stage_finals s (row_constant l row bias) (product_ranges row (box l))). generalize (row_constant l row bias). clear.
  induction above as [|t above IH]; intros c values ranges H E; simpl in *; [constructor|].
  inversion H as [|? ? Hhere Habove]; subst. simpl in Hhere.
  constructor; [intro Ei; specialize (Hhere Ei); unfold count, stage_ranges in *; simpl in *; rewrite map_length in *|].
  - rewrite <- (dealt_length t ranges values E). exact Hhere.
  - apply (IH c _ (stage_finals t c ranges) Habove). unfold stage_finals. rewrite !map_length. apply dealt_length. exact E.
Qed.

Lemma single_columns_permutation count : Permutation (concat (single_columns count)) (seq 0 count).
Proof. rewrite single_columns_concat. reflexivity. Qed.

(** Whatever a sweep of the exact form ends with fits, every range of every stage. [plan]: the registers that it keeps account
    of; the others are those that no weights of the grid can overdraw. The boxes may exclude 0: the account pays for the
    partial sums that leave a column out. *)
Theorem planned_sweep_is_safe stages count boxes offsets spread bias grid plan w :
  Forall valid_stage stages -> (forall k, not_empty (boxes k)) -> 0 <= spread ->
  Forall in_balance (rooms stages bias) -> constant_enters_once stages (single_columns count) ->
  let all := budgets stages boxes offsets spread bias (single_columns count) in
  incl plan all -> (forall b, In b all -> In b plan \/ never_binds grid b) -> (forall k, inside (w k) grid) -> sweep plan w ->
  let row := map w (seq 0 count) in
  all_fit stages (constant_range (bias + dot row (map offsets (seq 0 count))) spread (sum row))
    (product_ranges row (map boxes (seq 0 count))).
Proof.
  intros Hs Hb Hspread Hroom Honce all Hincl Hleft Hgrid Hsweep row. subst row. rewrite single_column_ranges.
  pose proof (single_columns_permutation count) as Hperm.
  assert (Hsound : Forall sound_budget all) by (eapply budgets_are_sound; eassumption). rewrite Forall_forall in Hsound.
  apply stages_in_balance_fit; try assumption. rewrite Forall_forall. fold all. intros b Hin.
  destruct (Hleft b Hin) as [Hplan|Hnever]; [|eapply never_bound_in_balance; eauto].
  assert (Hbalance : Forall (fun b => in_balance (left b w)) plan).
  { apply sweep_keeps_balance; [|exact Hsweep]. rewrite Forall_forall. auto. }
  rewrite Forall_forall in Hbalance. auto.
Qed.

Theorem sweep_is_safe stages count boxes offsets spread bias w :
  Forall valid_stage stages -> (forall k, not_empty (boxes k)) -> 0 <= spread ->
  Forall in_balance (rooms stages bias) -> constant_enters_once stages (single_columns count) ->
  sweep (budgets stages boxes offsets spread bias (single_columns count)) w ->
  let row := map w (seq 0 count) in
  all_fit stages (constant_range (bias + dot row (map offsets (seq 0 count))) spread (sum row))
    (product_ranges row (map boxes (seq 0 count))).
Proof.
  intros Hs Hb Hspread Hroom Honce Hsweep row. subst row. rewrite single_column_ranges.
  pose proof (single_columns_permutation count) as Hperm.
  apply stages_in_balance_fit; try assumption. eapply sweep_keeps_balance; [|exact Hsweep]. eapply budgets_are_sound; eassumption.
Qed.

Lemma rooms_of_budgets (P : account -> Prop) boxes offsets spread bias : forall stages entered groups,
  Forall P (rooms_above entered stages bias) ->
  Forall (fun b => P (room b)) (budgets_above entered stages boxes offsets spread bias groups).
Proof.
  induction stages as [|s stages IH]; intros entered groups H; [constructor|]. inversion H; subst. simpl.
  apply Forall_app. split; [|apply IH; assumption]. unfold stage_budgets. rewrite Forall_map, Forall_forall. simpl. auto.
Qed.

(** Brevitas' form: the same, in arithmetic as precise as half a step needs. *)
Theorem joint_sweep_is_safe u stages count boxes offsets spread bias w :
  Forall valid_stage stages -> (forall k, not_empty (boxes k)) -> 0 <= spread ->
  Forall in_balance (rooms stages bias) -> Forall (precise u) (rooms stages bias) ->
  constant_enters_once stages (single_columns count) ->
  joint_sweep u (budgets stages boxes offsets spread bias (single_columns count)) w ->
  let row := map w (seq 0 count) in
  all_fit stages (constant_range (bias + dot row (map offsets (seq 0 count))) spread (sum row))
    (product_ranges row (map boxes (seq 0 count))).
Proof.
  intros Hs Hb Hspread Hroom Hu Honce Hsweep. apply sweep_is_safe; try assumption.
  eapply joint_sweep_is_a_sweep; [| |exact Hsweep].
  - eapply budgets_are_sound; try eassumption. apply single_columns_permutation.
  - apply rooms_of_budgets. exact Hu.
Qed.

Lemma budgets_of_one_cost box offset spread bias : forall stages entered groups,
  Forall same_costs (budgets_above entered stages (fun _ => box) (fun _ => offset) spread bias groups).
Proof.
  induction stages as [|s stages IH]; intros entered groups; [constructor|]. simpl. apply Forall_app. split; [|apply IH].
  unfold stage_budgets. rewrite Forall_map, Forall_forall. intros g _ j k _ _. reflexivity.
Qed.

(** The paper's form, which knows one box for all columns: the same. *)
Theorem published_sweep_is_safe u stages count box offset spread bias w :
  Forall valid_stage stages -> not_empty box -> 0 <= spread ->
  Forall in_balance (rooms stages bias) -> Forall (precise u) (rooms stages bias) ->
  constant_enters_once stages (single_columns count) ->
  published_sweep u (budgets stages (fun _ => box) (fun _ => offset) spread bias (single_columns count)) w ->
  let row := map w (seq 0 count) in
  all_fit stages (constant_range (bias + dot row (map (fun _ => offset) row)) spread (sum row))
    (product_ranges row (map (fun _ => box) row)).
Proof.
  intros Hs Hb Hspread Hroom Hu Honce Hsweep row. subst row. rewrite !map_map. apply sweep_is_safe; try assumption; [auto|].
  eapply published_sweep_is_a_sweep; [| | |exact Hsweep].
  - eapply budgets_are_sound; try eassumption. apply single_columns_permutation.
  - apply budgets_of_one_cost.
  - apply rooms_of_budgets. exact Hu.
Qed.

(** So every machine of the datapath computes the integers with it, whatever the corrector did. *)
Theorem sweep_computes_the_integers stages count boxes offsets spread bias w inputs z traces :
  Forall valid_stage stages -> (forall k, not_empty (boxes k)) ->
  Forall in_balance (rooms stages bias) -> constant_enters_once stages (single_columns count) ->
  sweep (budgets stages boxes offsets spread bias (single_columns count)) w ->
  let row := map w (seq 0 count) in
  Forall2 inside inputs (map boxes (seq 0 count)) -> 0 <= z <= spread ->
  let constant := bias + dot row (map offsets (seq 0 count)) - z * sum row in
  runs stages constant (products row inputs) traces ->
  map (map content) traces = exact stages constant (products row inputs) /\ Forall2 keeps_promise stages traces.
Proof.
  intros Hs Hb Hroom Honce Hsweep row Hx Hz constant Hr.
  eapply safe_datapath; [exact Hs|exact Hx| | |exact Hr].
  - apply constant_range_holds with (spread := spread). exact Hz.
  - apply sweep_is_safe; try assumption. lia.
Qed.
