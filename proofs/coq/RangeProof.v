(** The ranges of Range.v are right: they hold every value that a register can reach, over all inputs in the box, all
    constants, all orders of summation and all subsets ([range_holds_everything]), and both ends are reached, by one
    choice of inputs for all upper ends of a row ([upper_ends_reached]) and one for all lower ends
    ([lower_ends_reached]). *)
From Coq Require Import ZArith List Permutation Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range.
Import ListNotations.
Open Scope Z_scope.

(** ** Sums *)

Lemma sum_app l m : sum (l ++ m) = sum l + sum m.
Proof. induction l; simpl; lia. Qed.

Lemma sum_permutation l m : Permutation l m -> sum l = sum m.
Proof. induction 1; simpl; lia. Qed.

Lemma sum_concat ls : sum (concat ls) = sum (map sum ls).
Proof. induction ls; simpl; [reflexivity|]. rewrite sum_app. lia. Qed.

(** ** One product *)

Theorem product_range_holds w x b : inside x b -> inside (w * x) (product_range w b).
Proof. unfold inside, product_range; simpl. intros. destruct (Z.le_gt_cases 0 w); nia. Qed.

Lemma upper_product w b : lower b <= upper b -> w * upper_input w b = upper (product_range w b).
Proof. unfold upper_input; simpl. intros. destruct (Z.leb_spec 0 w); nia. Qed.

Lemma lower_product w b : lower b <= upper b -> w * lower_input w b = lower (product_range w b).
Proof. unfold lower_input; simpl. intros. destruct (Z.leb_spec 0 w); nia. Qed.

Lemma products_inside weights : forall inputs box, Forall2 inside inputs box ->
  Forall2 inside (products weights inputs) (product_ranges weights box).
Proof.
  induction weights as [|w weights IH]; intros inputs box H; simpl; [constructor|].
  destruct H; constructor; [apply product_range_holds; assumption | apply IH; assumption].
Qed.

Definition not_empty (b : interval) : Prop := lower b <= upper b.

Lemma upper_products weights : forall box, Forall not_empty box ->
  products weights (inputs_by upper_input weights box) = map upper (product_ranges weights box).
Proof.
  induction weights as [|w weights IH]; intros box H; simpl; [reflexivity|].
  destruct H; simpl; [reflexivity|]. f_equal; [apply upper_product; assumption | apply IH; assumption].
Qed.

Lemma lower_products weights : forall box, Forall not_empty box ->
  products weights (inputs_by lower_input weights box) = map lower (product_ranges weights box).
Proof.
  induction weights as [|w weights IH]; intros box H; simpl; [reflexivity|].
  destruct H; simpl; [reflexivity|]. f_equal; [apply lower_product; assumption | apply IH; assumption].
Qed.

(** The inputs that reach the upper ends lie in the box, *)
Theorem upper_inputs_inside weights : forall box, length weights = length box -> Forall not_empty box ->
  Forall2 inside (inputs_by upper_input weights box) box.
Proof.
  induction weights as [|w weights IH]; intros box L H; destruct box as [|b box]; simpl in *; try discriminate;
    constructor; inversion H; subst.
  - unfold upper_input, inside, not_empty in *. destruct (0 <=? w); lia.
  - apply IH; congruence.
Qed.

(** and so do those that reach the lower ones. *)
Theorem lower_inputs_inside weights : forall box, length weights = length box -> Forall not_empty box ->
  Forall2 inside (inputs_by lower_input weights box) box.
Proof.
  induction weights as [|w weights IH]; intros box L H; destruct box as [|b box]; simpl in *; try discriminate;
    constructor; inversion H; subst.
  - unfold lower_input, inside, not_empty in *. destruct (0 <=? w); lia.
  - apply IH; congruence.
Qed.

(** ** One register *)

Lemma sum_inside values ranges : Forall2 inside values ranges ->
  sum (map lower ranges) <= sum values <= sum (map upper ranges).
Proof. induction 1 as [|v r vs rs [? ?] ? IH]; simpl in *; lia. Qed.

Definition negative_part (v : Z) : Z := Z.min 0 v.
Definition positive_part (v : Z) : Z := Z.max 0 v.

Lemma sum_between_parts values : sum (map negative_part values) <= sum values <= sum (map positive_part values).
Proof. induction values as [|v values IH]; unfold negative_part, positive_part in *; simpl in *; lia. Qed.

Lemma parts_around_zero values : sum (map negative_part values) <= 0 <= sum (map positive_part values).
Proof. induction values as [|v values IH]; unfold negative_part, positive_part in *; simpl in *; lia. Qed.

(** A partial sum, in whatever order and of whatever subset, lies between the sum of the negative values and that of
    the positive ones. *)
Lemma subset_sum_between values p : subset_sum values p ->
  sum (map negative_part values) <= p <= sum (map positive_part values).
Proof.
  intros [used rest H].
  rewrite (sum_permutation _ _ (Permutation_map negative_part H)).
  rewrite (sum_permutation _ _ (Permutation_map positive_part H)).
  rewrite !map_app, !sum_app.
  pose proof (sum_between_parts used). pose proof (parts_around_zero rest). lia.
Qed.

Lemma parts_inside values ranges : Forall2 inside values ranges ->
  sum (map at_most_zero ranges) <= sum (map negative_part values) /\
  sum (map positive_part values) <= sum (map at_least_zero ranges).
Proof.
  induction 1 as [|v r vs rs [? ?] ? IH]; unfold at_most_zero, at_least_zero, negative_part, positive_part in *;
    simpl in *; lia.
Qed.

Lemma start_inside s c constant : inside c constant -> inside (start s c) (start_range s constant).
Proof. unfold start, start_range. destruct (initial s); unfold inside, point; simpl; lia. Qed.

Lemma register_range_holds s c constant values ranges x :
  inside c constant -> Forall2 inside values ranges -> reaches s c values x ->
  inside x (register_range s constant ranges).
Proof.
  intros Hc Hv Hx. apply (start_inside s) in Hc. unfold reaches, register_range in *. destruct (claim s).
  - destruct Hx as (p & Hp & ->). apply subset_sum_between in Hp. apply parts_inside in Hv.
    unfold inside, partial_range in *; simpl. lia.
  - subst x. apply sum_inside in Hv. unfold inside, final_range in *; simpl. lia.
Qed.

Lemma final_range_holds s c constant values ranges :
  inside c constant -> Forall2 inside values ranges ->
  inside (start s c + sum values) (final_range (start_range s constant) ranges).
Proof.
  intros Hc Hv. apply (start_inside s) in Hc. apply sum_inside in Hv. unfold inside, final_range in *; simpl. lia.
Qed.

(** The values above 0 first: their sum is a partial sum. *)
Definition positive_first (values : list Z) : list Z :=
  filter (Z.ltb 0) values ++ filter (fun v => negb (0 <? v)) values.
Definition negative_first (values : list Z) : list Z :=
  filter (fun v => v <? 0) values ++ filter (fun v => negb (v <? 0)) values.

Lemma filter_permutation (f : Z -> bool) values :
  Permutation values (filter f values ++ filter (fun v => negb (f v)) values).
Proof.
  induction values as [|v values IH]; simpl; [reflexivity|].
  destruct (f v); simpl; [constructor; exact IH|].
  transitivity (v :: filter f values ++ filter (fun v => negb (f v)) values); [constructor; exact IH|].
  apply Permutation_middle.
Qed.

Lemma positives_reached values : subset_sum values (sum (map positive_part values)).
Proof.
  replace (sum (map positive_part values)) with (sum (filter (Z.ltb 0) values)).
  - econstructor. apply filter_permutation.
  - induction values as [|v values IH]; simpl; [reflexivity|].
    unfold positive_part in *. destruct (Z.ltb_spec 0 v); simpl; lia.
Qed.

Lemma negatives_reached values : subset_sum values (sum (map negative_part values)).
Proof.
  replace (sum (map negative_part values)) with (sum (filter (fun v => v <? 0) values)).
  - econstructor. apply filter_permutation.
  - induction values as [|v values IH]; simpl; [reflexivity|].
    unfold negative_part in *. destruct (Z.ltb_spec v 0); simpl; lia.
Qed.

Lemma map_upper_parts ranges : map positive_part (map upper ranges) = map at_least_zero ranges.
Proof. rewrite map_map. reflexivity. Qed.
Lemma map_lower_parts ranges : map negative_part (map lower ranges) = map at_most_zero ranges.
Proof. rewrite map_map. reflexivity. Qed.

Lemma start_upper s constant : start s (upper constant) = upper (start_range s constant).
Proof. unfold start, start_range. destruct (initial s); reflexivity. Qed.
Lemma start_lower s constant : start s (lower constant) = lower (start_range s constant).
Proof. unfold start, start_range. destruct (initial s); reflexivity. Qed.

Lemma register_upper_reached s constant ranges :
  reaches s (upper constant) (map upper ranges) (upper (register_range s constant ranges)).
Proof.
  unfold reaches, register_range. rewrite start_upper. destruct (claim s); simpl.
  - exists (sum (map at_least_zero ranges)). split; [|reflexivity].
    rewrite <- map_upper_parts. apply positives_reached.
  - reflexivity.
Qed.

Lemma register_lower_reached s constant ranges :
  reaches s (lower constant) (map lower ranges) (lower (register_range s constant ranges)).
Proof.
  unfold reaches, register_range. rewrite start_lower. destruct (claim s); simpl.
  - exists (sum (map at_most_zero ranges)). split; [|reflexivity].
    rewrite <- map_lower_parts. apply negatives_reached.
  - reflexivity.
Qed.

(** ** One stage *)

Lemma dealt_related {A B} (R : A -> B -> Prop) s l m :
  Forall2 R l m -> Forall2 (Forall2 R) (dealt s l) (dealt s m).
Proof.
  intro H. unfold dealt. rewrite (related_length R l m H). apply registers_related. exact H.
Qed.

Lemma dealt_map {A B} (f : A -> B) s l : dealt s (map f l) = map (map f) (dealt s l).
Proof. unfold dealt. rewrite map_length. apply registers_map. Qed.

Lemma related_maps {A B C D} (R : C -> D -> Prop) (S : A -> B -> Prop) (f : A -> C) (g : B -> D) l m :
  (forall a b, S a b -> R (f a) (g b)) -> Forall2 S l m -> Forall2 R (map f l) (map g m).
Proof. intros H. induction 1; simpl; constructor; auto. Qed.

Lemma stage_finals_hold s c constant values ranges :
  inside c constant -> Forall2 inside values ranges ->
  Forall2 inside (stage_exact s c values) (stage_finals s constant ranges).
Proof.
  intros Hc Hv. unfold stage_exact, stage_finals.
  eapply related_maps; [|apply dealt_related; exact Hv].
  intros. apply final_range_holds; assumption.
Qed.

Lemma stage_upper s constant ranges :
  stage_exact s (upper constant) (map upper ranges) = map upper (stage_finals s constant ranges).
Proof.
  unfold stage_exact, stage_finals. rewrite dealt_map, !map_map. apply map_ext. intro g.
  rewrite start_upper. reflexivity.
Qed.

Lemma stage_lower s constant ranges :
  stage_exact s (lower constant) (map lower ranges) = map lower (stage_finals s constant ranges).
Proof.
  unfold stage_exact, stage_finals. rewrite dealt_map, !map_map. apply map_ext. intro g.
  rewrite start_lower. reflexivity.
Qed.

(** ** All stages below *)

Lemma values_after_inside below : forall c constant values ranges,
  inside c constant -> Forall2 inside values ranges ->
  Forall2 inside (values_after below c values) (ranges_after below constant ranges).
Proof.
  induction below as [|s below IH]; intros c constant values ranges Hc Hv; simpl; [exact Hv|].
  apply IH; [exact Hc|]. apply stage_finals_hold; assumption.
Qed.

Lemma values_after_upper below : forall constant ranges,
  values_after below (upper constant) (map upper ranges) = map upper (ranges_after below constant ranges).
Proof. induction below as [|s below IH]; intros; simpl; [reflexivity|]. rewrite stage_upper. apply IH. Qed.

Lemma values_after_lower below : forall constant ranges,
  values_after below (lower constant) (map lower ranges) = map lower (ranges_after below constant ranges).
Proof. induction below as [|s below IH]; intros; simpl; [reflexivity|]. rewrite stage_lower. apply IH. Qed.

(** The entry of stage s in [claimed_ranges] is its ranges over what the stages below it give. *)
Lemma claimed_ranges_split below s above : forall constant ranges,
  nth_error (claimed_ranges (below ++ s :: above) constant ranges) (length below) =
  Some (stage_ranges s constant (ranges_after below constant ranges)).
Proof. induction below as [|t below IH]; intros; simpl; [reflexivity|]. apply IH. Qed.

(** ** The theorems *)

(** Whatever a register reaches lies in its claimed range. *)
Theorem range_holds_everything below s weights inputs box c constant :
  Forall2 inside inputs box -> inside c constant ->
  Forall2 (fun values range => forall x, reaches s c values x -> inside x range)
    (dealt s (values_after below c (products weights inputs)))
    (stage_ranges s constant (ranges_after below constant (product_ranges weights box))).
Proof.
  intros Hx Hc. unfold stage_ranges.
  rewrite <- (map_id (dealt s (values_after _ _ _))).
  eapply related_maps; [|apply dealt_related, values_after_inside; [exact Hc | apply products_inside; exact Hx]].
  intros values ranges H x Hr. eapply register_range_holds; eassumption.
Qed.

(** One choice of inputs in the box, with the constant's upper end, reaches the upper end of every register of the row. *)
Theorem upper_ends_reached below s weights box constant :
  Forall not_empty box ->
  Forall2 (fun values range => reaches s (upper constant) values (upper range))
    (dealt s (values_after below (upper constant) (products weights (inputs_by upper_input weights box))))
    (stage_ranges s constant (ranges_after below constant (product_ranges weights box))).
Proof.
  intro H. rewrite upper_products by exact H. rewrite values_after_upper, dealt_map. unfold stage_ranges.
  eapply related_maps with (S := eq).
  - intros ? g ->. apply register_upper_reached.
  - induction (dealt s (ranges_after below constant (product_ranges weights box))); constructor; auto.
Qed.

Theorem lower_ends_reached below s weights box constant :
  Forall not_empty box ->
  Forall2 (fun values range => reaches s (lower constant) values (lower range))
    (dealt s (values_after below (lower constant) (products weights (inputs_by lower_input weights box))))
    (stage_ranges s constant (ranges_after below constant (product_ranges weights box))).
Proof.
  intro H. rewrite lower_products by exact H. rewrite values_after_lower, dealt_map. unfold stage_ranges.
  eapply related_maps with (S := eq).
  - intros ? g ->. apply register_lower_reached.
  - induction (dealt s (ranges_after below constant (product_ranges weights box))); constructor; auto.
Qed.

(** The constant c - z Σw lies in [constant_range] for every z in [0, spread], and both ends are reached. *)
Theorem constant_range_holds c spread weight_sum z :
  0 <= z <= spread -> inside (c - z * weight_sum) (constant_range c spread weight_sum).
Proof. unfold inside, constant_range; simpl. intro H. destruct (Z.le_gt_cases 0 weight_sum); nia. Qed.

Theorem constant_range_reached c spread weight_sum : 0 <= spread ->
  (exists z, 0 <= z <= spread /\ c - z * weight_sum = upper (constant_range c spread weight_sum)) /\
  (exists z, 0 <= z <= spread /\ c - z * weight_sum = lower (constant_range c spread weight_sum)).
Proof.
  intro H. unfold constant_range; simpl.
  assert (0 <= spread * weight_sum \/ spread * weight_sum <= 0) as [?|?] by lia;
    split; first [exists 0; split; lia | exists spread; split; lia].
Qed.
