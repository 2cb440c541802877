(** What the checker's answers mean. [check_layer_decides]: it answers exactly what the acceptance predicate says.
    [proved_layer_is_safe]: a layer that it calls proved computes the integers on every machine of that datapath.
    [overflowing_layer_overflows]: in one that it calls overflowing, the witness drives the worst register out of its
    limits. [check_decides]: the same for a certificate. *)
From Coq Require Import ZArith List Bool Permutation Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range RangeProof Safety SafetyProof Limited LimitedProof
  Checker.
Import ListNotations.
Open Scope Z_scope.

(** ** The acceptance predicate, in words of logic *)

Definition stage_within_limits (s : stage) : Prop :=
  valid_stage s /\ group s <= most_group /\ stride s <= most_group.

Definition range_of (r outer : interval) : Prop := lower r <= upper r /\ within r outer.

Record within_limits (l : layer) : Prop := {
  rows_in_limits : 1 <= count (weights l) <= most_rows;
  columns_in_limits : 1 <= count (box l) <= most_columns;
  offsets_of_columns : count (offsets l) = count (box l);
  witness_of_columns : count (witness l) = count (box l);
  biases_of_rows : count (biases l) = count (weights l);
  rows_of_columns : Forall (fun row => count row = count (box l)) (weights l);
  operand_in_limits : range_of (weight_operand l) weight_type;
  range_in_operand : range_of (weight_range l) (weight_operand l);
  weights_in_range : Forall (Forall (fun w => inside w (weight_range l))) (weights l);
  activations_in_limits : range_of (activation_operand l) most_input;
  box_in_operand : Forall (fun b => range_of b (activation_operand l)) (box l);
  limit_in_limits : forall most, input_limit l = Some most -> 1 <= most <= most_limit /\ Forall (inside 0) (box l);
  offsets_in_limits : Forall (fun c => inside c most_input) (offsets l);
  biases_in_limits : Forall (fun b => inside b most_bias) (biases l);
  spread_in_limits : 0 <= spread l <= 2 ^ 24;
  stages_in_limits : 1 <= count (stages l) <= most_stages;
  stages_valid : Forall stage_within_limits (stages l);
  constant_in_one_stage : count (filter starts_from_constant (stages l)) <= 1;
  constant_in_one_register : Forall (fun row => Forall (fun sr =>
    initial (fst sr) = InitialConstant -> count (snd sr) = 1) (combine (stages l) row)) (claimed l) }.

(** claimed(n) = range(n) for every register n. *)
Definition claims_right (l : layer) : Prop :=
  Forall2 (fun rb claim => claim = row_ranges l (fst rb) (snd rb)) (rows l) (claimed l).

(** range(n) lies within limits(n) for every register n. *)
Definition layer_fits (l : layer) : Prop :=
  Forall (fun rb => Forall2 ranges_fit (stages l) (row_ranges l (fst rb) (snd rb))) (rows l).

(** [e] is the first among [all] with the least margin. *)
Definition is_first_least {A} (all : list (A * Z)) (e : A) (m : Z) : Prop :=
  exists before after, all = before ++ (e, m) :: after /\
    Forall (fun other => m < snd other) before /\ Forall (fun other => m <= snd other) after.

Definition attains (l : layer) : Prop :=
  exists row bias ranges x,
    nth_error (rows l) (Z.to_nat (at_row (worst l))) = Some (row, bias) /\
    nth_error (claimed l) (Z.to_nat (at_row (worst l))) = Some ranges /\
    end_at (worst l) ranges = Some x /\
    end_at (worst l) (pinned_ranges l row bias (witness l)) = Some x.

Record accepted (l : layer) : Prop := {
  limits_kept : within_limits l;
  claims_are_ranges : claims_right l;
  verdict_right : says_safe l = true <-> layer_fits l;
  worst_right : exists m, is_first_least (margins l) (worst l) m;
  witness_in_box : Forall2 inside (witness l) (box l);
  witness_in_limit : keeps_limit (input_limit l) (stages l) (witness l);
  witness_attains_worst : attains l }.

(** ** From programs to predicates *)

Lemma is_inside_spec x r : is_inside x r = true <-> inside x r.
Proof. unfold is_inside, inside. rewrite andb_true_iff, !Z.leb_le. reflexivity. Qed.

Lemma is_within_spec r outer : is_within r outer = true <-> within r outer.
Proof. unfold is_within, within. rewrite andb_true_iff, !Z.leb_le. reflexivity. Qed.

Lemma is_range_spec r outer : is_range r outer = true <-> range_of r outer.
Proof. unfold is_range, range_of. rewrite andb_true_iff, Z.leb_le, is_within_spec. reflexivity. Qed.

Lemma forallb_spec {A} (f : A -> bool) (P : A -> Prop) l :
  (forall a, f a = true <-> P a) -> (forallb f l = true <-> Forall P l).
Proof.
  intro H. rewrite forallb_forall, Forall_forall. split; intros Hl a Ha; apply H, Hl, Ha.
Qed.

Lemma same_spec {A} (equal : A -> A -> bool) : (forall a b, equal a b = true <-> a = b) ->
  forall l m, same equal l m = true <-> l = m.
Proof.
  intro H. induction l as [|a l IH]; intros [|b m]; simpl; try (split; congruence).
  destruct (equal a b) eqn:E.
  - apply H in E. subst. rewrite IH. split; congruence.
  - split; [discriminate|]. intro Eq. injection Eq as -> ->. assert (equal b b = true) by (apply H; reflexivity). congruence.
Qed.

Lemma same_interval_spec a b : same_interval a b = true <-> a = b.
Proof.
  unfold same_interval. rewrite andb_true_iff, !Z.eqb_eq. destruct a, b; simpl. split; [intros (-> & ->); reflexivity|].
  intro E. injection E as -> ->. auto.
Qed.

Lemma same_end_spec a b : same_end a b = true <-> a = b.
Proof.
  unfold same_end. rewrite !andb_true_iff, !Z.eqb_eq. destruct a as [? ? ? []], b as [? ? ? []]; simpl;
    split; try (intros (((-> & ->) & ->) & H); congruence); intro E; inversion E; auto.
Qed.

Lemma same_assumption_spec a b : same_assumption a b = true <-> a = b.
Proof. destruct a, b; simpl; split; congruence. Qed.

Lemma all_inside_spec : forall xs rs, all_inside xs rs = true <-> Forall2 inside xs rs.
Proof.
  induction xs as [|x xs IH]; intros [|r rs]; simpl; try (split; [discriminate | intro H; inversion H]).
  - split; constructor.
  - destruct (is_inside x r) eqn:E.
    + apply is_inside_spec in E. rewrite IH. split; [constructor; assumption | intro H; inversion H; assumption].
    + split; [discriminate|]. intro H. inversion H; subst.
      assert (is_inside x r = true) by (apply is_inside_spec; assumption). congruence.
Qed.

Lemma is_stage_spec s : is_stage s = true <-> stage_within_limits s.
Proof.
  unfold is_stage, stage_within_limits, valid_stage. rewrite !andb_true_iff, !is_inside_spec.
  unfold inside; cbn [lower upper].
  split.
  - intros (((? & ?) & ?) & Hclaim). repeat split; try tauto; try lia.
    intro E. rewrite E in Hclaim. destruct (on_overflow s); congruence.
  - intros ((? & ? & ? & Hclaim) & ? & ?). repeat split; try tauto; try lia.
    destruct (claim s); [reflexivity|]. rewrite Hclaim; reflexivity.
Qed.

Lemma one_constant_spec l : one_constant l = true <->
  count (filter starts_from_constant (stages l)) <= 1 /\
  Forall (fun row => Forall (fun sr => initial (fst sr) = InitialConstant -> count (snd sr) = 1)
    (combine (stages l) row)) (claimed l).
Proof.
  unfold one_constant. rewrite andb_true_iff, Z.leb_le. apply and_iff_compat_l.
  apply forallb_spec. intro row. apply forallb_spec. intros (s & r). simpl.
  unfold starts_from_constant. destruct (initial s); simpl; [split; [discriminate|auto] | rewrite Z.eqb_eq; tauto].
Qed.

Lemma is_limit_spec limit box : is_limit limit box = true <->
  forall most, limit = Some most -> 1 <= most <= most_limit /\ Forall (inside 0) box.
Proof.
  unfold is_limit. destruct limit as [most|]; [|split; [discriminate|reflexivity]].
  rewrite andb_true_iff, is_inside_spec, (forallb_spec _ _ _ (is_inside_spec 0)).
  split; [intros H ? E; injection E as <-; exact H | intro H; exact (H most eq_refl)].
Qed.

Lemma is_limit_kept_spec limit stages inputs : is_limit_kept limit stages inputs = true <-> keeps_limit limit stages inputs.
Proof.
  unfold is_limit_kept, keeps_limit. destruct limit as [most|]; [|tauto]. destruct stages as [|s above]; [tauto|].
  apply forallb_spec. intro. apply Z.leb_le.
Qed.

Lemma is_within_limits_spec l : is_within_limits l = true <-> within_limits l.
Proof.
  unfold is_within_limits. rewrite !andb_true_iff, !is_inside_spec, !Z.eqb_eq, !is_range_spec, is_limit_spec.
  rewrite (forallb_spec _ _ _ (fun row => Z.eqb_eq (count row) (count (box l)))).
  rewrite (forallb_spec _ _ (weights l) (fun row => forallb_spec _ _ row (fun w => is_inside_spec w (weight_range l)))).
  rewrite (forallb_spec _ _ _ (fun b => is_range_spec b (activation_operand l))).
  rewrite (forallb_spec _ _ _ (fun c => is_inside_spec c most_input)).
  rewrite (forallb_spec _ _ _ (fun b => is_inside_spec b most_bias)).
  rewrite (forallb_spec _ _ _ is_stage_spec), one_constant_spec.
  split.
  - intros H. decompose [and] H. constructor; assumption.
  - intros []. repeat (split; [|assumption || (split; assumption)]). assumption.
Qed.

Lemma claims_are_spec l : forall rows claims, claims_are l rows claims = true <->
  Forall2 (fun rb claim => claim = row_ranges l (fst rb) (snd rb)) rows claims.
Proof.
  induction rows as [|(row, bias) rs IH]; intros [|claim claims]; simpl;
    try (split; [discriminate | intro H; inversion H]).
  - split; constructor.
  - destruct (same (same same_interval) claim _) eqn:E.
    + apply (same_spec _ (same_spec _ same_interval_spec)) in E. rewrite IH.
      split; [constructor; assumption | intro H; inversion H; assumption].
    + split; [discriminate|]. intro H. inversion H; subst. simpl in *.
      assert (same (same same_interval) (row_ranges l row bias) (row_ranges l row bias) = true)
        by (apply (same_spec _ (same_spec _ same_interval_spec)); reflexivity). congruence.
Qed.

(** ** The worst register *)

Lemma first_least_spec {A} : forall others (best : A * Z) before seen,
  Forall (fun other => snd best < snd other) before -> Forall (fun other => snd best <= snd other) seen ->
  is_first_least (before ++ best :: seen ++ others) (fst (first_least best others)) (snd (first_least best others)).
Proof.
  induction others as [|other others IH]; intros best before seen Hb Hs; simpl.
  - exists before, seen. rewrite app_nil_r. destruct best. auto.
  - destruct (Z.ltb_spec (snd other) (snd best)).
    + specialize (IH other (before ++ best :: seen) []). simpl in IH. rewrite <- app_assoc in IH. simpl in IH.
      apply IH; [|constructor]. apply Forall_app. split; [|constructor]; try lia.
      * eapply Forall_impl; [|exact Hb]. simpl. intros. lia.
      * eapply Forall_impl; [|exact Hs]. simpl. intros. lia.
    + specialize (IH best before (seen ++ [other])). rewrite <- app_assoc in IH. simpl in IH.
      apply IH; [exact Hb|]. apply Forall_app. split; [exact Hs|]. constructor; [lia|constructor].
Qed.

Lemma first_least_unique {A} (all : list (A * Z)) e m e' m' :
  is_first_least all e m -> is_first_least all e' m' -> e = e' /\ m = m'.
Proof.
  intros (b & a & E & Hb & Ha) (b' & a' & E' & Hb' & Ha'). subst all. revert b' Hb' E'.
  induction b as [|x b IH]; intros [|x' b'] Hb' E'; simpl in *.
  - injection E' as -> -> ->. auto.
  - injection E' as <- ->. exfalso. inversion Hb'; subst. simpl in *.
    rewrite Forall_forall in Ha. specialize (Ha (e', m')). simpl in Ha.
    assert (m <= m') by (apply Ha, in_or_app; right; left; reflexivity). lia.
  - injection E' as -> <-. exfalso. inversion Hb; subst. simpl in *.
    rewrite Forall_forall in Ha'. specialize (Ha' (e, m)). simpl in Ha'.
    assert (m' <= m) by (apply Ha', in_or_app; right; left; reflexivity). lia.
  - injection E' as -> E'. inversion Hb; inversion Hb'; subst. eauto.
Qed.

Lemma first_least_bound {A} (all : list (A * Z)) e m : is_first_least all e m -> forall k,
  (k <= m <-> Forall (fun other => k <= snd other) all).
Proof.
  intros (b & a & -> & Hb & Ha) k. rewrite Forall_app, Forall_cons_iff. simpl. split; [|tauto].
  intro H. split; [|split; [exact H|]]; eapply Forall_impl; try eassumption; simpl; intros; lia.
Qed.

Lemma margin_spec s r : 0 <= fst (margin s r) <-> within r (limits s).
Proof. unfold margin, within. destruct (Z.leb_spec (upper (limits s) - upper r) (lower r - lower (limits s))); cbn [fst]; lia. Qed.

Lemma numbered_forall {A} (P : A -> Prop) : forall l from, Forall (fun na => P (snd na)) (numbered from l) <-> Forall P l.
Proof.
  induction l as [|a l IH]; intro from; simpl; rewrite ?Forall_cons_iff; simpl; [split; constructor|].
  rewrite IH. reflexivity.
Qed.

Lemma forall_flat_map {A B} (P : B -> Prop) (f : A -> list B) l :
  Forall P (flat_map f l) <-> Forall (fun a => Forall P (f a)) l.
Proof. induction l; simpl; rewrite ?Forall_app, ?Forall_cons_iff; [split; constructor | tauto]. Qed.

Lemma Forall_iff {A} (P Q : A -> Prop) l : (forall a, P a <-> Q a) -> (Forall P l <-> Forall Q l).
Proof. intro H. split; apply Forall_impl; intro; apply H. Qed.

(** No margin is below 0 exactly when every claimed range fits its register. *)
Lemma margins_fit l : Forall (fun other => 0 <= snd other) (margins l) <->
  Forall (fun row => Forall (fun sr => ranges_fit (fst sr) (snd sr)) (combine (stages l) row)) (claimed l).
Proof.
  unfold margins. rewrite forall_flat_map. rewrite <- (numbered_forall _ (claimed l) 0).
  apply Forall_iff. intros (r & row). simpl. rewrite forall_flat_map. rewrite <- (numbered_forall _ (combine (stages l) row) 0).
  apply Forall_iff. intros (i & (s & ranges)). simpl. rewrite Forall_map. unfold ranges_fit.
  rewrite <- (numbered_forall _ ranges 0). apply Forall_iff. intros (n & range). simpl.
  destruct (margin s range) eqn:E. simpl. rewrite <- margin_spec, E. reflexivity.
Qed.

Lemma forall2_combine {A B} (P : A -> B -> Prop) : forall l m, length l = length m ->
  (Forall2 P l m <-> Forall (fun ab => P (fst ab) (snd ab)) (combine l m)).
Proof.
  induction l as [|a l IH]; intros [|b m] H; simpl in *; try discriminate; [split; constructor|].
  injection H as H. rewrite Forall_cons_iff, <- IH by exact H. simpl. split.
  - intro F. inversion F; auto.
  - intros (? & ?). constructor; assumption.
Qed.

Lemma claimed_ranges_length : forall ss c values, length (claimed_ranges ss c values) = length ss.
Proof. induction ss; simpl; intros; auto. Qed.

Lemma input_ranges_length limit ss c row box : length (input_ranges limit ss c row box) = length ss.
Proof.
  unfold input_ranges. destruct limit; [destruct ss|]; simpl; rewrite ?claimed_ranges_length; reflexivity.
Qed.

Lemma margins_layer_fits l : claims_right l ->
  (Forall (fun other => 0 <= snd other) (margins l) <-> layer_fits l).
Proof.
  intro H. rewrite margins_fit. unfold layer_fits, claims_right in *.
  induction H as [|rb claim rbs claims E _ IH]; [split; constructor|].
  rewrite !Forall_cons_iff, IH. apply and_iff_compat_r. subst claim.
  rewrite forall2_combine; [reflexivity|]. symmetry. apply input_ranges_length.
Qed.

Lemma witness_attains_spec l : witness_attains l = true <-> attains l.
Proof.
  unfold witness_attains, attains. split.
  - destruct (nth_error (rows l) _) as [(row, bias)|] eqn:E1; [|discriminate].
    destruct (nth_error (claimed l) _) as [ranges|] eqn:E2; [|discriminate].
    destruct (end_at (worst l) ranges) as [x|] eqn:E3; [|discriminate].
    destruct (end_at (worst l) (pinned_ranges _ _ _ _)) as [y|] eqn:E4; [|discriminate].
    rewrite Z.eqb_eq. intros ->. exists row, bias, ranges, y. auto.
  - intros (row & bias & ranges & x & -> & -> & -> & ->). apply Z.eqb_refl.
Qed.

(** ** The checker decides the predicate *)

Theorem check_layer_decides l :
  (check_layer l = Proved <-> accepted l /\ layer_fits l) /\
  (check_layer l = Overflowing <-> accepted l /\ ~ layer_fits l) /\
  (check_layer l = Wrong <-> ~ accepted l).
Proof.
  assert (Main : (accepted l /\ check_layer l = (if says_safe l then Proved else Overflowing)) \/
                 (~ accepted l /\ check_layer l = Wrong)).
  { unfold check_layer.
    destruct (is_within_limits l) eqn:E1; [apply is_within_limits_spec in E1|right; split; [|reflexivity]];
      [|intros [H _ _ _ _ _ _]; apply is_within_limits_spec in H; congruence].
    destruct (claims_are l (rows l) (claimed l)) eqn:E2; [apply claims_are_spec in E2|right; split; [|reflexivity]];
      [|intros [_ H _ _ _ _ _]; apply claims_are_spec in H; congruence].
    pose proof (margins_layer_fits l E2) as Hfit.
    destruct (margins l) as [|first others] eqn:E3.
    { right; split; [|reflexivity]. intros [_ _ _ (m & b & a & H & _) _ _ _]. rewrite E3 in H. destruct b; discriminate. }
    pose proof (first_least_spec others first [] [] (Forall_nil _) (Forall_nil _)) as Hleast. simpl in Hleast.
    destruct (first_least first others) as (e, least) eqn:E4. simpl in Hleast.
    pose proof (first_least_bound _ _ _ Hleast 0) as Hbound. rewrite Hfit in Hbound.
    destruct (Bool.eqb (says_safe l) (0 <=? least)) eqn:E5; [|right; split; [|reflexivity]].
    2:{ intros [_ _ H _ _ _ _]. apply Bool.eqb_false_iff in E5. apply E5. apply Bool.eq_iff_eq_true.
        rewrite H, Z.leb_le, Hbound. reflexivity. }
    assert (Hverdict : says_safe l = true <-> layer_fits l).
    { apply Bool.eqb_prop in E5. rewrite E5, Z.leb_le. exact Hbound. }
    destruct (same_end (worst l) e) eqn:E6; [apply same_end_spec in E6|right; split; [|reflexivity]].
    2:{ intros [_ _ _ (m & H) _ _ _]. rewrite E3 in H. destruct (first_least_unique _ _ _ _ _ H Hleast) as (H' & _).
        apply same_end_spec in H'. congruence. }
    destruct (all_inside (witness l) (box l)) eqn:E7; [apply all_inside_spec in E7|right; split; [|reflexivity]];
      [|intros [_ _ _ _ H _ _]; apply all_inside_spec in H; congruence].
    destruct (is_limit_kept _ _ _) eqn:E9; [apply is_limit_kept_spec in E9|right; split; [|reflexivity]];
      [|intros [_ _ _ _ _ H _]; apply is_limit_kept_spec in H; congruence].
    destruct (witness_attains l) eqn:E8; [apply witness_attains_spec in E8|right; split; [|reflexivity]];
      [|intros [_ _ _ _ _ _ H]; apply witness_attains_spec in H; congruence].
    left. split; [|reflexivity]. constructor; try assumption. exists least. rewrite E3, E6. exact Hleast. }
  destruct Main as [(Ha & ->) | (Ha & ->)].
  - pose proof (verdict_right l Ha) as Hv. destruct (says_safe l).
    + assert (layer_fits l) by (apply Hv; reflexivity). (split; [|split]); split; intros; try discriminate; tauto.
    + assert (~ layer_fits l) by (intro H; apply Hv in H; discriminate). (split; [|split]); split; intros; try discriminate; tauto.
  - (split; [|split]); split; intros; try discriminate; tauto.
Qed.

(** ** What a proved layer does *)

Lemma stages_are_valid l : within_limits l -> Forall valid_stage (stages l).
Proof. intro H. eapply Forall_impl; [|exact (stages_valid l H)]. intros s (Hs & _). exact Hs. Qed.

Lemma constant_inside l row bias z : 0 <= z <= spread l ->
  inside (bias + dot row (offsets l) - z * sum row) (row_constant l row bias).
Proof. apply constant_range_holds. Qed.

Lemma limit_of_layer_applies l : within_limits l -> limit_applies (input_limit l) (box l).
Proof.
  intro H. pose proof (limit_in_limits l H) as Hl. unfold limit_applies. destruct (input_limit l) as [most|]; [|exact I].
  destruct (Hl most eq_refl) as (? & ?). split; [lia|assumption].
Qed.

Lemma row_of_columns l row bias : within_limits l -> In (row, bias) (rows l) -> length row = length (box l).
Proof.
  intros H Hrow. pose proof (rows_of_columns l H) as Hw. rewrite Forall_forall in Hw.
  specialize (Hw row (in_combine_l _ _ _ _ Hrow)). unfold count in Hw. lia.
Qed.

(** For every row, all inputs that keep the box and the limit, every zero point and every run of the machine, whatever its registers do with a
    sum that does not fit and in whatever order they add: every register of every stage ends with the exact integer, and
    a register that claims every partial sum meets none outside its limits. *)
Theorem proved_layer_is_safe l : check_layer l = Proved ->
  forall row bias inputs z traces, In (row, bias) (rows l) ->
  Forall2 inside inputs (box l) -> keeps_limit (input_limit l) (stages l) inputs -> 0 <= z <= spread l ->
  let constant := bias + dot row (offsets l) - z * sum row in
  runs (stages l) constant (products row inputs) traces ->
  map (map content) traces = exact (stages l) constant (products row inputs) /\
  Forall2 keeps_promise (stages l) traces.
Proof.
  intros H row bias inputs z traces Hrow Hx Hl Hz constant Hr. apply check_layer_decides in H. destruct H as (Ha & Hfit).
  unfold layer_fits in Hfit. rewrite Forall_forall in Hfit. specialize (Hfit _ Hrow). simpl in Hfit.
  pose proof (limits_kept l Ha) as Hlim.
  eapply safe_limited_datapath; [| | |exact Hx|exact Hl| |exact Hfit|exact Hr].
  - apply stages_are_valid, Hlim.
  - eapply row_of_columns; eassumption.
  - apply limit_of_layer_applies, Hlim.
  - apply constant_inside. exact Hz.
Qed.

(** What the topmost registers of a proved layer hold adds up to the dot product, and the row's constant where a stage
    starts from it: with one topmost register and a stage that starts from the constant, it holds Σ w (x + offset - z)
    plus the bias. *)
Theorem proved_layer_computes l : check_layer l = Proved ->
  forall row bias inputs z traces, In (row, bias) (rows l) ->
  Forall2 inside inputs (box l) -> keeps_limit (input_limit l) (stages l) inputs -> 0 <= z <= spread l ->
  let constant := bias + dot row (offsets l) - z * sum row in
  runs (stages l) constant (products row inputs) traces ->
  sum (map content (last traces [])) = dot row inputs + constants_added (stages l) (products row inputs) * constant.
Proof.
  intros H row bias inputs z traces Hrow Hx Hl Hz constant Hr.
  destruct (proved_layer_is_safe l H row bias inputs z traces Hrow Hx Hl Hz Hr) as (E & _). fold constant in E.
  apply check_layer_decides in H. destruct H as (Ha & _).
  rewrite <- (exact_is_dot_product (stages l) constant row inputs).
  - fold constant in E. rewrite <- E. f_equal. clear. induction traces as [|t traces IH]; [reflexivity|].
    destruct traces; [reflexivity|exact IH].
  - apply stages_are_valid, limits_kept, Ha.
  - pose proof (stages_in_limits l (limits_kept l Ha)) as Hs. intro E'. rewrite E' in Hs. unfold count in Hs. simpl in Hs. lia.
Qed.

(** ** What an overflowing layer does *)

Lemma nth_error_numbered {A} : forall (l : list A) from n a, nth_error (numbered from l) n = Some a ->
  nth_error l n = Some (snd a) /\ fst a = from + Z.of_nat n.
Proof.
  induction l as [|b l IH]; intros from [|n] a H; simpl in *; try discriminate.
  - injection H as <-. simpl. split; [reflexivity|]. lia.
  - apply IH in H. destruct H as (H1 & H2). split; [exact H1|]. lia.
Qed.

Lemma in_numbered {A} (l : list A) from n a : In (n, a) (numbered from l) -> nth_error l (Z.to_nat (n - from)) = Some a /\ from <= n.
Proof.
  intro H. apply In_nth_error in H. destruct H as (i & H). apply nth_error_numbered in H. simpl in H. destruct H as (H & E).
  split; [|lia]. replace (Z.to_nat (n - from)) with i by lia. exact H.
Qed.

Lemma nth_error_combine {A B} : forall (l : list A) (m : list B) n a b, nth_error (combine l m) n = Some (a, b) ->
  nth_error l n = Some a /\ nth_error m n = Some b.
Proof.
  induction l as [|x l IH]; intros [|y m] [|n] a b H; simpl in *; try discriminate; [injection H as -> ->; auto|]. eauto.
Qed.

(** The worst register is one of the claimed ones, and its margin is the distance of the named end to the limit. *)
Lemma worst_is_there l e m : In (e, m) (margins l) ->
  exists ranges s registers range,
    nth_error (claimed l) (Z.to_nat (at_row e)) = Some ranges /\
    nth_error (stages l) (Z.to_nat (at_stage e)) = Some s /\
    nth_error ranges (Z.to_nat (at_stage e)) = Some registers /\
    nth_error registers (Z.to_nat (at_register e)) = Some range /\ margin s range = (m, at_side e).
Proof.
  unfold margins. rewrite in_flat_map. intros ((r & row) & Hrow & H). rewrite in_flat_map in H.
  destruct H as ((i & (s & registers)) & Hs & H). rewrite in_map_iff in H. destruct H as ((n & range) & E & Hn).
  destruct (margin s range) as (m', which) eqn:Em. injection E as <- <-.
  apply in_numbered in Hrow. apply in_numbered in Hs. apply in_numbered in Hn. rewrite !Z.sub_0_r in *.
  destruct Hrow as (Hrow & _), Hs as (Hs & _), Hn as (Hn & _). apply nth_error_combine in Hs. destruct Hs as (Hs & Hr).
  exists row, s, registers, range. auto.
Qed.

Lemma nth_error_forall2 {A B} (R : A -> B -> Prop) l m : Forall2 R l m -> forall n b, nth_error m n = Some b ->
  exists a, nth_error l n = Some a /\ R a b.
Proof.
  induction 1 as [|a b l m H _ IH]; intros [|n] b' E; simpl in *; try discriminate; eauto. injection E as ->. eauto.
Qed.

Lemma products_pinned : forall row inputs, product_ranges row (map point inputs) = map point (products row inputs).
Proof.
  induction row as [|w row IH]; intros [|x inputs]; simpl; try reflexivity. rewrite IH. f_equal.
  unfold product_range, point. simpl. rewrite Z.min_id, Z.max_id. reflexivity.
Qed.

(** The witness of an overflowing layer: inputs that keep the box and the limit, with some zero point, for which the worst register leaves its
    limits, the registers below it holding exact integers. When it claims every partial sum, one of its runs meets a sum
    outside the limits; when it claims the final value, the exact one lies outside. *)
Theorem overflowing_layer_overflows l : check_layer l = Overflowing ->
  Forall2 inside (witness l) (box l) /\ keeps_limit (input_limit l) (stages l) (witness l) /\
  exists row bias z below s above values,
    nth_error (rows l) (Z.to_nat (at_row (worst l))) = Some (row, bias) /\ 0 <= z <= spread l /\
    stages l = below ++ s :: above /\ length below = Z.to_nat (at_stage (worst l)) /\
    let constant := bias + dot row (offsets l) - z * sum row in
    nth_error (dealt s (values_after below constant (products row (witness l)))) (Z.to_nat (at_register (worst l)))
      = Some values /\
    overflows s constant values.
Proof.
  intro H. apply check_layer_decides in H. destruct H as (Ha & Hnot). split; [exact (witness_in_box l Ha)|].
  split; [exact (witness_in_limit l Ha)|].
  destruct (worst_right l Ha) as (m & Hm). pose proof (first_least_bound _ _ _ Hm 0) as Hbound.
  rewrite (margins_layer_fits l (claims_are_ranges l Ha)) in Hbound.
  assert (Hneg : m < 0) by (destruct (Z.lt_ge_cases m 0); tauto).
  assert (Hin : In (worst l, m) (margins l)).
  { destruct Hm as (b & a & -> & _). apply in_or_app. right. left. reflexivity. }
  destruct (worst_is_there l _ _ Hin) as (ranges & s & registers & range & Hranges & Hs & Hregisters & Hrange & Hmargin).
  destruct (witness_attains_worst l Ha) as (row & bias & ranges' & x & Hrow & Hranges' & Hend & Hreached).
  rewrite Hranges in Hranges'. injection Hranges' as <-.
  destruct (nth_error_split _ _ Hs) as (below & above & Hsplit & Hlength).
  pose proof (limits_kept l Ha) as Hlim.
  assert (Hvalid : valid_stage s).
  { pose proof (stages_are_valid l Hlim) as Hv. rewrite Hsplit in Hv. apply Forall_app in Hv. destruct Hv as (_ & Hv).
    inversion Hv; assumption. }
  assert (Hspread : 0 <= spread l) by apply (spread_in_limits l Hlim).
  (* what the pinned box reaches *)
  unfold pinned_ranges in Hreached. rewrite Hsplit, products_pinned in Hreached.
  unfold end_at in Hreached, Hend. rewrite Hregisters, Hrange in Hend. simpl in Hend. injection Hend as Hend.
  rewrite <- Hlength, claimed_ranges_split in Hreached.
  destruct (nth_error (stage_ranges s _ _) _) as [pinned|] eqn:Hpinned; [|discriminate]. simpl in Hreached.
  injection Hreached as Hreached.
  set (c := bias + dot row (offsets l)). fold c in Hpinned.
  destruct (constant_range_reached c (spread l) (sum row) Hspread) as ((zu & Hzu & Eu) & (zl & Hzl & El)).
  assert (Hnotfit : ~ fits s x).
  { unfold fits, inside. unfold margin in Hmargin.
    destruct (upper (limits s) - upper range <=? lower range - lower (limits s));
      pose proof (f_equal fst Hmargin) as Em; pose proof (f_equal snd Hmargin) as Es; cbn [fst snd] in Em, Es;
      rewrite <- Es in Hend; cbn [end_of] in Hend; lia. }
  assert (Hpoint : Forall not_empty (map point (witness l))).
  { apply Forall_forall. intros b Hb. apply in_map_iff in Hb. destruct Hb as (y & <- & _). unfold not_empty. simpl. lia. }
  assert (Hall : forall choose, (forall w y, choose w (point y) = y) -> forall ws inputs,
    products ws (inputs_by choose ws (map point inputs)) = products ws inputs).
  { intros choose Hc. induction ws as [|w ws IH]; intros [|y ys]; simpl; try reflexivity. rewrite Hc, IH. reflexivity. }
  rewrite <- products_pinned in Hpinned.
  exists row, bias.
  destruct (at_side (worst l)) eqn:Eside; simpl in Hreached.
  - exists zl, below, s, above.
    pose proof (lower_ends_reached below s row (map point (witness l)) (row_constant l row bias) Hpoint) as Hl.
    rewrite (Hall lower_input) in Hl by (intros; unfold lower_input; simpl; destruct (0 <=? w); reflexivity).
    destruct (nth_error_forall2 _ _ _ Hl _ _ Hpinned) as (values & Hvalues & Hreach).
    exists values. split; [exact Hrow|]. split; [exact Hzl|]. split; [exact Hsplit|]. split; [exact Hlength|].
    unfold row_constant in Hvalues, Hreach. fold c in Hvalues, Hreach. rewrite <- El in Hvalues, Hreach.
    split; [exact Hvalues|]. eapply reaches_overflows; [apply Hvalid|exact Hreach|]. rewrite Hreached. exact Hnotfit.
  - exists zu, below, s, above.
    pose proof (upper_ends_reached below s row (map point (witness l)) (row_constant l row bias) Hpoint) as Hl.
    rewrite (Hall upper_input) in Hl by (intros; unfold upper_input; simpl; destruct (0 <=? w); reflexivity).
    destruct (nth_error_forall2 _ _ _ Hl _ _ Hpinned) as (values & Hvalues & Hreach).
    exists values. split; [exact Hrow|]. split; [exact Hzu|]. split; [exact Hsplit|]. split; [exact Hlength|].
    unfold row_constant in Hvalues, Hreach. fold c in Hvalues, Hreach. rewrite <- Eu in Hvalues, Hreach.
    split; [exact Hvalues|]. eapply reaches_overflows; [apply Hvalid|exact Hreach|]. rewrite Hreached. exact Hnotfit.
Qed.

(** ** A certificate *)

Lemma existsb_map {A B} (f : A -> B) (g : B -> bool) l : existsb g (map f l) = existsb (fun a => g (f a)) l.
Proof. induction l; simpl; congruence. Qed.

(** Safe: there are layers, the assumptions listed are those that they rest on, every one of them is accepted and fits, and
    nothing is left uncovered. *)
Theorem check_decides layers assumptions everything_covered :
  (check layers assumptions everything_covered = Safe <->
     layers <> [] /\ assumptions = rests_on layers /\ Forall (fun l => accepted l /\ layer_fits l) layers /\
     everything_covered = true) /\
  (check layers assumptions everything_covered = Refused <->
     ~ (layers <> [] /\ assumptions = rests_on layers /\ Forall accepted layers)).
Proof.
  unfold check. rewrite !existsb_map.
  assert (Hempty : (1 <=? count layers) = true <-> layers <> []).
  { rewrite Z.leb_le. unfold count. destruct layers; simpl length; [split; [lia|congruence]|]. split; [congruence|lia]. }
  pose proof (same_spec _ same_assumption_spec assumptions (rests_on layers)) as Hassumed.
  assert (Hwrong : existsb (fun l => is_wrong (check_layer l)) layers = false <-> Forall accepted layers).
  { clear. induction layers as [|l layers IH]; cbn [existsb]; [split; constructor|].
    rewrite orb_false_iff, Forall_cons_iff, IH. apply and_iff_compat_r.
    destruct (check_layer_decides l) as (H1 & H2 & H3). destruct (check_layer l); cbn [is_wrong].
    - split; [intros _; apply H1; reflexivity|reflexivity].
    - split; [intros _; apply H2; reflexivity|reflexivity].
    - split; [discriminate|]. intro. exfalso. apply H3; auto. }
  assert (Hover : existsb (fun l => is_wrong (check_layer l)) layers = false ->
    (existsb (fun l => is_overflowing (check_layer l)) layers = false <->
     Forall (fun l => accepted l /\ layer_fits l) layers)).
  { clear. induction layers as [|l layers IH]; cbn [existsb]; [split; constructor|].
    rewrite !orb_false_iff, Forall_cons_iff. intros (Hw & Hws). rewrite (IH Hws). apply and_iff_compat_r.
    destruct (check_layer_decides l) as (H1 & H2 & H3). destruct (check_layer l); cbn [is_wrong is_overflowing] in *; try discriminate.
    - split; [intros _; apply H1; reflexivity|reflexivity].
    - split; [discriminate|]. intro H. apply H1 in H. discriminate. }
  destruct (1 <=? count layers); cbn [negb orb].
  2:{ assert (Hno : ~ layers <> []) by (rewrite <- Hempty; discriminate).
      split; (split; [discriminate || (intros _; tauto) | tauto || reflexivity]). }
  destruct (same same_assumption assumptions (rests_on layers)); cbn [negb orb].
  2:{ assert (Hno : assumptions <> rests_on layers) by (rewrite <- Hassumed; discriminate).
      split; (split; [discriminate || (intros _; tauto) | tauto || reflexivity]). }
  assert (layers <> []) by (apply Hempty; reflexivity). assert (assumptions = rests_on layers) by (apply Hassumed; reflexivity).
  destruct (existsb (fun l => is_wrong (check_layer l)) layers) eqn:Ew.
  - split; split; try discriminate; try tauto.
    + intros (_ & _ & F & _). exfalso. assert (Ha : Forall accepted layers) by (eapply Forall_impl; [|exact F]; simpl; tauto).
      apply Hwrong in Ha. discriminate.
    + intros _ (_ & _ & Ha). apply Hwrong in Ha. discriminate.
  - specialize (Hover eq_refl).
    destruct (existsb (fun l => is_overflowing (check_layer l)) layers) eqn:Eo; [|destruct everything_covered];
      split; split; try discriminate; try tauto.
    + intros (_ & _ & F & _). apply Hover in F. discriminate.
    + intros (_ & _ & _ & F). discriminate.
Qed.

(** So a certificate that is called safe is safe, every layer of it, on every machine. *)
Theorem safe_certificate_is_safe layers assumptions everything_covered :
  check layers assumptions everything_covered = Safe ->
  forall l, In l layers ->
  forall row bias inputs z traces, In (row, bias) (rows l) ->
  Forall2 inside inputs (box l) -> keeps_limit (input_limit l) (stages l) inputs -> 0 <= z <= spread l ->
  let constant := bias + dot row (offsets l) - z * sum row in
  runs (stages l) constant (products row inputs) traces ->
  map (map content) traces = exact (stages l) constant (products row inputs) /\
  Forall2 keeps_promise (stages l) traces.
Proof.
  intros H l Hl. apply check_decides in H. destruct H as (_ & _ & F & _). rewrite Forall_forall in F.
  apply proved_layer_is_safe. apply check_layer_decides. apply F. exact Hl.
Qed.
