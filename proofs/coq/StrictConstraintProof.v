(** AXE's strict constraint keeps its invariant for every choice inside it. [admissible_exactly]: the exact form admits
    the integers that keep the account in balance and no others, 0 among them. [joint_limits_inside],
    [published_limits_keep]: so do the forms with slack. [sweep_keeps_balance], [sweep_is_safe]: whatever a sweep ends with, every
    range of every stage fits, so [safe_datapath] holds of it. *)
From Coq Require Import ZArith QArith Lqa List Permutation Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range RangeProof Safety SafetyProof Checker CheckerProof
  Rewritings StrictConstraint.
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

Lemma rounded_inside y q left unit : 0 <= unit -> 0 <= left -> half_inside y left unit -> (inject_Z q - y <= 1 # 2)%Q ->
  at_most q (quotient left unit).
Proof.
  intros Hu Hl Hy Hq. apply quotient_spec; [assumption..|].
  destruct (Z.eq_dec unit 0) as [->|Hne]; [lia|]. destruct (Z.le_gt_cases q 0); [rewrite Z.max_l by lia; lia|].
  rewrite Z.max_r by lia. destruct (Hy Hne) as [H0|H0].
  - exfalso. assert (inject_Z 1 <= inject_Z q)%Q by (rewrite <- Zle_Qle; lia). unfold inject_Z in *. lra.
  - assert (Hpos : (0 < inject_Z unit)%Q) by (change 0%Q with (inject_Z 0); rewrite <- Zlt_Qlt; lia).
    assert (H1 : (inject_Z q <= inject_Z left / inject_Z unit)%Q) by lra.
    rewrite Zle_Qle, inject_Z_mult.
    apply Qmult_le_r with (z := inject_Z unit) in H1; [|exact Hpos].
    rewrite <- (Qmult_div_r (inject_Z left) (inject_Z unit)); [rewrite Qmult_comm in H1 |- *; lra|].
    intro E. rewrite E in Hpos. lra.
Qed.

(** A number inside Brevitas' limits, rounded to nearest, is admissible. *)
Theorem joint_limits_inside a c y q : in_balance a -> not_negative c -> within_joint_limits a c y -> rounds_to y q ->
  admissible a c q.
Proof.
  intros (Ha & Hb) (Hw & Hg) (H1 & H2 & H3 & H4) (Hq1 & Hq2).
  assert (Hneg : (inject_Z (- q) - - y <= 1 # 2)%Q) by (rewrite inject_Z_opp; lra).
  repeat split; eapply rounded_inside; eassumption.
Qed.

(** The paper's form keeps the budgets of positives and of negatives, and these keep the range inside the limit. *)
Lemma published_side D limit P y q : 0 < D -> D * P <= limit ->
  (y <= 0)%Q \/ (y <= inject_Z limit / inject_Z D - (1 # 2) - inject_Z P)%Q -> (inject_Z q - y <= 1 # 2)%Q ->
  D * (P + Z.max 0 q) <= limit.
Proof.
  intros HD HP Hy Hq. destruct (Z.le_gt_cases q 0); [rewrite Z.max_l by lia; lia|]. rewrite Z.max_r by lia.
  destruct Hy as [H0|H0].
  - exfalso. assert (inject_Z 1 <= inject_Z q)%Q by (rewrite <- Zle_Qle; lia). unfold inject_Z in *. lra.
  - assert (Hpos : (0 < inject_Z D)%Q) by (change 0%Q with (inject_Z 0); rewrite <- Zlt_Qlt; lia).
    assert (H1 : (inject_Z P + inject_Z q <= inject_Z limit / inject_Z D)%Q) by lra.
    rewrite Zle_Qle, inject_Z_mult, inject_Z_plus.
    apply Qmult_le_r with (z := inject_Z D) in H1; [|exact Hpos].
    rewrite <- (Qmult_div_r (inject_Z limit) (inject_Z D)); [rewrite Qmult_comm in H1 |- *; lra|].
    intro E. rewrite E in Hpos. lra.
Qed.

Theorem published_limits_keep limit box P N y q : lower box < upper box ->
  (upper box - lower box) * P <= limit -> (upper box - lower box) * - N <= limit ->
  within_published_limits limit box P N y -> rounds_to y q ->
  (upper box - lower box) * (P + Z.max 0 q) <= limit /\ (upper box - lower box) * - (N + Z.min 0 q) <= limit.
Proof.
  intros Hb HP HN (H1 & H2) (Hq1 & Hq2). split.
  - eapply published_side; [lia|exact HP|exact H1|exact Hq1].
  - replace (- (N + Z.min 0 q)) with (- N + Z.max 0 (- q)) by lia.
    apply published_side with (y := (- y)%Q); [lia|exact HN| |rewrite inject_Z_opp; lra].
    destruct H2 as [H2|H2]; [left; exact H2|right]. rewrite inject_Z_opp. lra.
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

(** One stage whose registers' accounts are in balance. *)
Section Stage.
Context (boxes : nat -> interval) (offsets : nat -> Z) (spread bias : Z) (w : nat -> Z) (count : nat).
Let row := map w (seq 0 count).
Let constant := constant_range (bias + dot row (map offsets (seq 0 count))) spread (sum row).
Let r k := product_range (w k) (boxes k).

Lemma stage_in_balance_fits s groups : (forall k, not_empty (boxes k)) -> 0 <= spread ->
  valid_stage s -> Permutation (concat groups) (seq 0 count) ->
  (initial s = InitialConstant -> length (columns_of_stage s groups) = 1%nat) ->
  Forall (fun b => in_balance (left b w)) (stage_budgets s boxes offsets spread bias groups) ->
  ranges_fit s (stage_ranges s constant (map (group_range r) groups)).
Proof.
  intros Hb Hspread Hs Hperm Hsingle Hbalance. pose proof (columns_permutation s groups Hs) as Hcolumns.
  unfold ranges_fit, stage_ranges, stage_budgets, columns_of_stage in *. rewrite dealt_map.
  rewrite !map_map in *. rewrite Forall_map in *. rewrite Forall_forall in *. intros gs Hgs.
  destruct (Hbalance gs Hgs) as (Ha & Hl). simpl in Ha, Hl.
  pose proof (register_range_within_parts s constant r gs) as (Hlow & Hup). simpl in Hlow, Hup.
  destruct (initial s) eqn:Hi.
  - assert (Hpaid : sum (map (fun k => at_least_zero (r k)) (concat gs)) <=
        sum (map (fun k => taken_above (column_cost s (boxes k) (offsets k) spread) (w k)) (concat gs)) /\
      sum (map (fun k => - taken_below (column_cost s (boxes k) (offsets k) spread) (w k)) (concat gs)) <=
        sum (map (fun k => at_most_zero (r k)) (concat gs))).
    { split; apply sum_le; intros k _; apply taken_holds; unfold pays_for, column_cost; rewrite Hi; simpl;
        specialize (Hb k); unfold not_empty in Hb; lia. }
    rewrite sum_opposite in Hpaid. unfold stage_room, start_range, within in *. rewrite Hi in *. simpl in *. lia.
  - assert (Hgroup : Permutation (concat gs) (seq 0 count)).
    { specialize (Hsingle eq_refl). rewrite map_length in Hsingle. destruct (dealt s groups) as [|g [|? ?]]; try discriminate.
      destruct Hgs as [->|[]]. simpl in Hcolumns. rewrite app_nil_r in Hcolumns. etransitivity; eassumption. }
    pose proof (constant_parts w offsets bias spread (seq 0 count) Hspread) as (Hcu & Hcl).
    fold row in Hcu, Hcl. fold constant in Hcu, Hcl.
    rewrite <- (sum_permutation _ _ (Permutation_map _ Hgroup)) in Hcu. rewrite <- (sum_permutation _ _ (Permutation_map _ Hgroup)) in Hcl.
    set (up := fun k => Z.max 0 (w k) * Z.max 0 (offsets k) + Z.max 0 (- w k) * Z.max 0 (spread - offsets k)) in *.
    set (down := fun k => Z.max 0 (w k) * Z.max 0 (spread - offsets k) + Z.max 0 (- w k) * Z.max 0 (offsets k)) in *.
    assert (Hpaid : sum (map (fun k => at_least_zero (r k) + up k) (concat gs)) <=
        sum (map (fun k => taken_above (column_cost s (boxes k) (offsets k) spread) (w k)) (concat gs)) /\
      sum (map (fun k => - taken_below (column_cost s (boxes k) (offsets k) spread) (w k)) (concat gs)) <=
        sum (map (fun k => at_most_zero (r k) + - down k) (concat gs))).
    { split; apply sum_le; intros k _;
        destruct (taken_holds (w k) (boxes k) (Cost (Z.max 0 (upper (boxes k))) (Z.max 0 (- lower (boxes k)))))
          as (H1 & H2); try (unfold pays_for; simpl; specialize (Hb k); unfold not_empty in Hb; lia);
        fold (r k) in H1, H2; unfold taken_above, taken_below, column_cost, up, down in *; rewrite Hi; simpl in *; lia. }
    rewrite !sum_of_two, !sum_opposite in Hpaid. unfold stage_room, start_range, within in *. rewrite Hi in *. simpl in *. lia.
Qed.

Lemma stages_in_balance_fit : (forall k, not_empty (boxes k)) -> 0 <= spread -> forall stages groups,
  Forall valid_stage stages -> Permutation (concat groups) (seq 0 count) -> constant_at_the_top stages groups ->
  Forall (fun b => in_balance (left b w)) (budgets stages boxes offsets spread bias groups) ->
  all_fit stages constant (map (group_range r) groups).
Proof.
  intros Hb Hspread. induction stages as [|s stages IH]; intros groups Hs Hperm Htop Hbalance; [constructor|].
  inversion Hs; subst. simpl budgets in Hbalance. apply Forall_app in Hbalance. destruct Hbalance as (Hhere & Habove).
  unfold all_fit. simpl claimed_ranges. constructor.
  - apply stage_in_balance_fits; try assumption.
    destruct stages; simpl in Htop; [exact Htop|]. destruct Htop as (E & _). congruence.
  - destruct stages as [|t stages]; [constructor|]. destruct Htop as (E & Htop). rewrite stage_finals_of_columns by exact E.
    apply IH; try assumption. etransitivity; [apply columns_permutation; assumption|exact Hperm].
Qed.
End Stage.

Lemma budgets_are_sound boxes offsets spread bias count : forall stages groups,
  Forall valid_stage stages -> Permutation (concat groups) (seq 0 count) ->
  Forall (fun s => in_balance (stage_room s bias)) stages ->
  Forall sound_budget (budgets stages boxes offsets spread bias groups).
Proof.
  induction stages as [|s stages IH]; intros groups Hs Hperm Hroom; [constructor|]. inversion Hs; inversion Hroom; subst.
  pose proof (columns_permutation s groups ltac:(assumption)) as Hcolumns.
  simpl. apply Forall_app. split; [|apply IH; try assumption; etransitivity; eassumption].
  unfold stage_budgets. rewrite Forall_map, Forall_forall. intros g Hg. unfold sound_budget; simpl. split; [assumption|]. split.
  - eapply in_concat_nodup; [exact Hg|]. eapply Permutation_NoDup; [symmetry; etransitivity; eassumption|apply seq_NoDup].
  - intro k. unfold not_negative, column_cost. destruct (initial s); simpl; lia.
Qed.

(** Whatever a sweep ends with fits, every range of every stage. The boxes may exclude 0: the account pays for the partial
    sums that leave a column out. *)
Theorem sweep_is_safe stages count boxes offsets spread bias w :
  Forall valid_stage stages -> (forall k, not_empty (boxes k)) -> 0 <= spread ->
  Forall (fun s => in_balance (stage_room s bias)) stages -> constant_at_the_top stages (single_columns count) ->
  sweep (budgets stages boxes offsets spread bias (single_columns count)) w ->
  let row := map w (seq 0 count) in
  all_fit stages (constant_range (bias + dot row (map offsets (seq 0 count))) spread (sum row))
    (product_ranges row (map boxes (seq 0 count))).
Proof.
  intros Hs Hb Hspread Hroom Htop Hsweep row. subst row. rewrite single_column_ranges.
  assert (Hperm : Permutation (concat (single_columns count)) (seq 0 count)) by (rewrite single_columns_concat; reflexivity).
  apply stages_in_balance_fit; try assumption. eapply sweep_keeps_balance; [|exact Hsweep]. eapply budgets_are_sound; eassumption.
Qed.

(** So every machine of the datapath computes the integers with it, whatever the corrector did. *)
Theorem sweep_computes_the_integers stages count boxes offsets spread bias w inputs z traces :
  Forall valid_stage stages -> (forall k, not_empty (boxes k)) ->
  Forall (fun s => in_balance (stage_room s bias)) stages -> constant_at_the_top stages (single_columns count) ->
  sweep (budgets stages boxes offsets spread bias (single_columns count)) w ->
  let row := map w (seq 0 count) in
  Forall2 inside inputs (map boxes (seq 0 count)) -> 0 <= z <= spread ->
  let constant := bias + dot row (map offsets (seq 0 count)) - z * sum row in
  runs stages constant (products row inputs) traces ->
  map (map content) traces = exact stages constant (products row inputs) /\ Forall2 keeps_promise stages traces.
Proof.
  intros Hs Hb Hroom Htop Hsweep row Hx Hz constant Hr.
  eapply safe_datapath; [exact Hs|exact Hx| | |exact Hr].
  - apply constant_range_holds with (spread := spread). exact Hz.
  - apply sweep_is_safe; try assumption. lia.
Qed.
