(** Rewritings that change nothing: moving the origin of the operands ([recentring_exact], [proved_layer_computes_the_row]),
    one variable for all inputs of equal weights ([equal_weights_are_one_variable], [grouped_final_range],
    [grouped_partial_range]), and two sums of weights for a whole row when all channels share one box
    ([reduction_of_final], [reduction_of_partial]). Definitions and proofs together, because the definitions are one line
    each. *)
From Coq Require Import ZArith List Lia.
From Axecert Require Import Grouping Datapath Machine Range RangeProof Safety SafetyProof Limited Checker CheckerProof.
Import ListNotations.
Open Scope Z_scope.

Fixpoint each {A B C} (f : A -> B -> C) (l : list A) (m : list B) : list C :=
  match l, m with a :: l', b :: m' => f a b :: each f l' m' | _, _ => [] end.

(** ** Moving the origin *)

(** Σ w x = Σ w (x - c) + Σ w c, one c for each column: re-centred codes (c = 128), boxed ones (c the channel's offset). *)
Theorem recentring_exact : forall weights inputs centres, length inputs = length centres ->
  dot weights inputs = dot weights (each Z.sub inputs centres) + dot weights centres.
Proof.
  unfold dot. induction weights as [|w weights IH]; intros [|x inputs] [|c centres] H; simpl in *; try discriminate; try lia.
  injection H as H. rewrite (IH inputs centres H). lia.
Qed.

(** Σ w (x + offset - z) + bias is the dot product and the row's constant. *)
Lemma constant_completes_the_row : forall weights inputs offsets bias z,
  length weights = length inputs -> length inputs = length offsets ->
  dot weights (each (fun x offset => x + offset - z) inputs offsets) + bias =
  dot weights inputs + (bias + dot weights offsets - z * sum weights).
Proof.
  unfold dot. intros weights inputs offsets bias z. revert inputs offsets.
  induction weights as [|w weights IH]; intros [|x inputs] [|o offsets] H1 H2; simpl in *; try discriminate; [lia|].
  injection H1 as H1. injection H2 as H2. specialize (IH inputs offsets H1 H2). lia.
Qed.

(** So a proved layer whose constant enters once computes Σ w (x + offset - z) + bias, for every zero point z in its
    range: the contents of its topmost registers add up to that. *)
Theorem proved_layer_computes_the_row l : check_layer l = Proved ->
  forall row bias inputs z traces, In (row, bias) (rows l) ->
  Forall2 inside inputs (box l) -> keeps_limit (input_limit l) (stages l) inputs -> 0 <= z <= spread l ->
  constants_added (stages l) (products row inputs) = 1 ->
  runs (stages l) (bias + dot row (offsets l) - z * sum row) (products row inputs) traces ->
  sum (map content (last traces [])) = dot row (each (fun x offset => x + offset - z) inputs (offsets l)) + bias.
Proof.
  intros H row bias inputs z traces Hrow Hx Hl Hz Honce Hr.
  pose proof (proved_layer_computes l H row bias inputs z traces Hrow Hx Hl Hz Hr) as E. simpl in E.
  rewrite E, Honce, Z.mul_1_l. symmetry.
  apply check_layer_decides in H. destruct H as (Ha & _). pose proof (limits_kept l Ha) as Hlim.
  assert (length inputs = length (box l)) by (eapply GroupingProof.related_length; exact Hx).
  pose proof (offsets_of_columns l Hlim) as Ho. pose proof (rows_of_columns l Hlim) as Hw. unfold count in *.
  apply constant_completes_the_row; [|lia].
  rewrite Forall_forall in Hw. specialize (Hw row (in_combine_l _ _ _ _ Hrow)). lia.
Qed.

(** ** Equal weights *)

Definition box_sum (boxes : list interval) : interval := Interval (sum (map lower boxes)) (sum (map upper boxes)).

(** Every integer between the ends of a sum of boxes is a sum of members. *)
Theorem sums_fill_their_range : forall boxes y, Forall not_empty boxes ->
  (inside y (box_sum boxes) <-> exists inputs, Forall2 inside inputs boxes /\ sum inputs = y).
Proof.
  intros boxes y Hb. split.
  - revert y. induction Hb as [|b boxes Hb Hbs IH]; intros y Hy; unfold inside, box_sum, not_empty in *; simpl in *.
    + exists []. split; [constructor|]. simpl. lia.
    + set (x := Z.max (lower b) (Z.min (upper b) (y - sum (map lower boxes)))).
      assert (Hsum : sum (map lower boxes) <= sum (map upper boxes)).
      { clear - Hbs. induction Hbs; simpl in *; unfold not_empty in *; lia. }
      destruct (IH (y - x)) as (inputs & Hi & E); [lia|].
      exists (x :: inputs). split; [constructor; [unfold inside; lia|exact Hi]|]. simpl. lia.
  - intros (inputs & Hi & <-). clear Hb. unfold inside, box_sum. simpl. apply sum_inside in Hi. lia.
Qed.

Lemma dot_equal_weights w : forall inputs, dot (map (fun _ => w) inputs) inputs = w * sum inputs.
Proof. unfold dot. induction inputs; simpl; lia. Qed.

(** Inputs of one weight are one variable with the sum of their boxes: it reaches neither less nor more. *)
Theorem equal_weights_are_one_variable w boxes s : Forall not_empty boxes ->
  ((exists inputs, Forall2 inside inputs boxes /\ dot (map (fun _ => w) inputs) inputs = s) <->
   (exists y, inside y (box_sum boxes) /\ w * y = s)).
Proof.
  intro Hb. split.
  - intros (inputs & Hi & <-). exists (sum inputs). rewrite dot_equal_weights. split; [|reflexivity].
    apply sums_fill_their_range; eauto.
  - intros (y & Hy & <-). apply sums_fill_their_range in Hy; [|exact Hb]. destruct Hy as (inputs & Hi & <-).
    exists inputs. rewrite dot_equal_weights. auto.
Qed.

Lemma product_ranges_equal w : forall boxes, Forall not_empty boxes ->
  box_sum (product_ranges (map (fun _ => w) boxes) boxes) = product_range w (box_sum boxes).
Proof.
  assert (Hends : forall boxes, Forall not_empty boxes -> sum (map lower boxes) <= sum (map upper boxes)).
  { induction 1; simpl in *; unfold not_empty in *; lia. }
  induction 1 as [|b boxes Hb Hbs IH]; [unfold box_sum, product_range; simpl; f_equal; lia|].
  unfold box_sum, product_range in *; simpl in *. injection IH as IHl IHu. pose proof (Hends _ Hbs) as Hsum.
  unfold not_empty in Hb. rewrite IHl, IHu, !Z.mul_add_distr_l. destruct (Z.le_gt_cases 0 w).
  - assert (w * lower b <= w * upper b) by nia.
    assert (w * sum (map lower boxes) <= w * sum (map upper boxes)) by nia. f_equal; lia.
  - assert (w * upper b <= w * lower b) by nia.
    assert (w * sum (map upper boxes) <= w * sum (map lower boxes)) by nia. f_equal; lia.
Qed.

(** So the ranges of a register are those of its grouped variables. *)
Theorem grouped_final_range from w boxes others : Forall not_empty boxes ->
  final_range from (product_ranges (map (fun _ => w) boxes) boxes ++ others) =
  final_range from (product_range w (box_sum boxes) :: others).
Proof.
  intro Hb. pose proof (product_ranges_equal w boxes Hb) as E. unfold final_range, box_sum in *.
  rewrite !map_app, !sum_app. simpl in *. injection E as -> ->. f_equal; lia.
Qed.

Lemma parts_of_boxes_with_zero ranges : Forall (inside 0) ranges ->
  sum (map at_most_zero ranges) = sum (map lower ranges) /\ sum (map at_least_zero ranges) = sum (map upper ranges).
Proof. unfold inside, at_most_zero, at_least_zero. induction 1; simpl in *; lia. Qed.

Lemma product_range_with_zero w b : inside 0 b -> inside 0 (product_range w b).
Proof. unfold inside, product_range; simpl. intro. destruct (Z.le_gt_cases 0 w); nia. Qed.

Lemma product_ranges_with_zero : forall weights boxes, Forall (inside 0) boxes ->
  Forall (inside 0) (product_ranges weights boxes).
Proof.
  induction weights as [|w weights IH]; intros boxes H; simpl; [constructor|].
  destruct H; constructor; auto using product_range_with_zero.
Qed.

Lemma with_zero_not_empty b : inside 0 b -> not_empty b.
Proof. unfold inside, not_empty. lia. Qed.

(** Of every partial sum likewise, when every box holds 0. *)
Theorem grouped_partial_range from w boxes others : Forall (inside 0) boxes ->
  partial_range from (product_ranges (map (fun _ => w) boxes) boxes ++ others) =
  partial_range from (product_range w (box_sum boxes) :: others).
Proof.
  intro Hb.
  pose proof (product_ranges_equal w boxes (Forall_impl _ with_zero_not_empty Hb)) as E.
  destruct (parts_of_boxes_with_zero _ (product_ranges_with_zero (map (fun _ => w) boxes) boxes Hb)) as (El & Eu).
  assert (Hsum : inside 0 (box_sum boxes)).
  { clear - Hb. unfold box_sum, inside in *; simpl. induction Hb; simpl in *; lia. }
  pose proof (product_range_with_zero w _ Hsum) as H0.
  unfold partial_range. rewrite !map_app, !sum_app, El, Eu. simpl.
  unfold box_sum in E at 1. unfold at_most_zero, at_least_zero. rewrite <- E in *. unfold inside in H0; simpl in *. f_equal; lia.
Qed.

(** ** One box for all channels *)

Definition positives (weights : list Z) : Z := sum (map (Z.max 0) weights).
Definition negatives (weights : list Z) : Z := sum (map (Z.min 0) weights).

Definition reduced (box : interval) (weights : list Z) : interval :=
  Interval (lower box * positives weights + upper box * negatives weights)
           (upper box * positives weights + lower box * negatives weights).

Lemma reduction box : not_empty box -> forall weights,
  box_sum (product_ranges weights (map (fun _ => box) weights)) = reduced box weights.
Proof.
  unfold not_empty, box_sum, reduced, positives, negatives. intro Hb. induction weights as [|w weights IH]; simpl; [f_equal; lia|].
  injection IH as -> ->. unfold product_range; simpl. destruct (Z.le_gt_cases 0 w).
  - assert (w * lower box <= w * upper box) by nia. rewrite (Z.max_r 0 w), (Z.min_l 0 w) by lia. f_equal; lia.
  - assert (w * upper box <= w * lower box) by nia. rewrite (Z.max_l 0 w), (Z.min_r 0 w) by lia. f_equal; lia.
Qed.

(** The final range of a register is its start and [α P⁺ + β N⁻, β P⁺ + α N⁻], P⁺ and N⁻ the sums of its positive and of its
    negative weights. *)
Theorem reduction_of_final from box weights : not_empty box ->
  final_range from (product_ranges weights (map (fun _ => box) weights)) =
  Interval (lower from + lower (reduced box weights)) (upper from + upper (reduced box weights)).
Proof. intro Hb. rewrite <- (reduction box Hb weights). reflexivity. Qed.

(** The range of all its partial sums too, when α <= 0 <= β. *)
Theorem reduction_of_partial from box weights : inside 0 box ->
  partial_range from (product_ranges weights (map (fun _ => box) weights)) =
  Interval (lower from + lower (reduced box weights)) (upper from + upper (reduced box weights)).
Proof.
  intro Hb. rewrite <- (reduction box (with_zero_not_empty _ Hb) weights). unfold partial_range.
  assert (Hbs : Forall (inside 0) (map (fun _ => box) weights)) by (apply Forall_map; apply Forall_forall; auto).
  destruct (parts_of_boxes_with_zero _ (product_ranges_with_zero weights _ Hbs)) as (-> & ->). reflexivity.
Qed.

Lemma positives_not_negative weights : 0 <= positives weights.
Proof.
  unfold positives. induction weights as [|w weights IH]; [discriminate|].
  apply Z.add_nonneg_nonneg; [apply Z.le_max_l | exact IH].
Qed.

Lemma negatives_not_positive weights : negatives weights <= 0.
Proof.
  unfold negatives. induction weights as [|w weights IH]; [discriminate|].
  apply Z.add_nonpos_nonpos; [apply Z.le_min_l | exact IH].
Qed.
