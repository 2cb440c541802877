(** Each kernel's rule, as a theorem about its preset: [maddubs_rule], [neon_rule], [sign_trick_exact] and what follows from
    them. *)
From Coq Require Import ZArith List Bool Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range RangeProof Safety SafetyProof Rewritings
  MultistageProof Presets.
Import ListNotations.
Open Scope Z_scope.

Lemma product_ranges_one_box box : forall row, product_ranges row (for_all box row) = map (fun w => product_range w box) row.
Proof. unfold for_all. induction row; simpl; congruence. Qed.

(** A stage's ranges over one box are those of the weights that it deals out. *)
Lemma stage_ranges_one_box s constant box row :
  stage_ranges s constant (product_ranges row (for_all box row)) =
  map (fun ws => register_range s constant (product_ranges ws (for_all box ws))) (dealt s row).
Proof.
  rewrite product_ranges_one_box. unfold stage_ranges. rewrite dealt_map, map_map. apply map_ext. intro ws.
  rewrite product_ranges_one_box. reflexivity.
Qed.

Lemma ranges_fit_one_box s constant box row :
  ranges_fit s (stage_ranges s constant (product_ranges row (for_all box row))) <->
  Forall (fun ws => within (register_range s constant (product_ranges ws (for_all box ws))) (limits s)) (dealt s row).
Proof. unfold ranges_fit. rewrite stage_ranges_one_box, Forall_map. reflexivity. Qed.

Lemma Forall_concat_iff {A} (P : A -> Prop) ls : Forall P (concat ls) -> Forall (Forall P) ls.
Proof. induction ls as [|l ls IH]; simpl; intro H; [constructor|]. apply Forall_app in H. destruct H. constructor; auto. Qed.

Lemma Forall_iff_in {A} (P Q : A -> Prop) l : (forall a, In a l -> (P a <-> Q a)) -> (Forall P l <-> Forall Q l).
Proof. intro H. rewrite !Forall_forall. split; intros HP a Ha; apply H; auto. Qed.

(** ** No register adds more values than its group *)

Lemma in_front_members {A} n : forall (row : list A) ls, Forall (fun l => (length l <= n)%nat) ls ->
  Forall (fun l => (length l <= S n)%nat) (in_front row ls).
Proof.
  induction row as [|v row IH]; intros ls H; simpl.
  - eapply Forall_impl; [|exact H]. simpl. lia.
  - destruct H as [|l ls Hl H]; constructor; simpl; try lia; apply IH; [constructor|exact H].
Qed.

Lemma lanes_members {A} stride (block : list A) :
  Forall (fun l => (length l <= length (blocks (length block) stride block))%nat) (lanes stride block).
Proof.
  unfold lanes. induction (blocks (length block) stride block) as [|row rows IH]; simpl; [constructor|].
  apply in_front_members. exact IH.
Qed.

Lemma dealt_members {A} s (values : list A) : valid_stage s -> 0 < group s ->
  Forall (fun g => Z.of_nat (length g) <= group s) (dealt s values).
Proof.
  intros Hs Hg. destruct values as [|v values]; [constructor|]. pose proof Hs as (_ & _ & Ht & _). unfold dealt.
  set (K := Z.of_nat (length (v :: values))). assert (HK : 1 <= K) by (subst K; simpl length; lia).
  set (size := Z.to_nat (block_length s K)). set (lane := Z.to_nat (Z.min (stride s) K)).
  assert (Hlane : (0 < lane)%nat) by (subst lane; lia).
  assert (Hsize : Z.of_nat size <= group s * Z.of_nat lane).
  { subst size lane. pose proof (block_length_positive s K Hs ltac:(lia)). rewrite !Z2Nat.id by lia. unfold block_length.
    destruct (Z.eqb_spec (group s) 0); [lia|]. simpl orb. destruct (Z.ltb_spec K (group s * stride s)).
    - destruct (Z.min_spec (stride s) K) as [(? & ->)|(? & ->)]; nia.
    - destruct (Z.min_spec (stride s) K) as [(? & ->)|(? & ->)]; nia. }
  unfold registers. apply Forall_forall. intros g Hin. apply in_flat_map in Hin. destruct Hin as (b & Hb & Hin).
  pose proof (blocks_short size (length (v :: values)) (v :: values)) as Hshort. rewrite Forall_forall in Hshort.
  specialize (Hshort b Hb). pose proof (lanes_members lane b) as Hmembers. rewrite Forall_forall in Hmembers.
  specialize (Hmembers g Hin). pose proof (blocks_length lane Hlane (length b) b) as Hcount.
  set (n := length (blocks (length b) lane b)) in *. nia.
Qed.

(** ** vpmaddubsw *)

(** With inputs in [0, 255], a register fits if and only if its positive weights sum to at most 128 and its negative ones to
    at least -128. Of the pairs of a row, and of any group of products in 16 bits. *)
Theorem maddubs_pair_rule constant ws :
  within (register_range maddubs_pair constant (product_ranges ws (for_all u8 ws))) (limits maddubs_pair) <->
  positives ws <= 128 /\ -128 <= negatives ws.
Proof.
  unfold register_range, for_all, start_range; cbn [claim initial maddubs_pair].
  rewrite reduction_of_partial by (unfold inside, u8; simpl; lia).
  replace (limits maddubs_pair) with (Interval (-32768) 32767) by reflexivity.
  unfold within, reduced, u8; cbn [lower upper point].
  pose proof (positives_not_negative ws). pose proof (negatives_not_positive ws).
  generalize dependent (positives ws). generalize dependent (negatives ws). intros. lia.
Qed.

Theorem maddubs_rule constant row :
  ranges_fit maddubs_pair (stage_ranges maddubs_pair constant (product_ranges row (for_all u8 row))) <->
  Forall (fun ws => positives ws <= 128 /\ -128 <= negatives ws) (dealt maddubs_pair row).
Proof. rewrite ranges_fit_one_box. apply Forall_iff_in. intros. apply maddubs_pair_rule. Qed.

(** Of the 65,536 pairs of weights it admits 49,279, and the industry's rule, weights in [-64, 63], 16,384. *)
Theorem maddubs_pairs_counted : count_of pair_rule = 49279 /\ count_of industry_rule = 16384.
Proof. split; vm_compute; reflexivity. Qed.

(** ** NEON *)

Lemma neon_range constant ws :
  register_range mull_mlal_pair constant (product_ranges ws (for_all s8 ws)) =
  Interval (-128 * positives ws + 127 * negatives ws) (127 * positives ws + -128 * negatives ws).
Proof.
  unfold register_range, for_all, start_range; cbn [claim initial mull_mlal_pair].
  rewrite reduction_of_partial by (unfold inside, s8; simpl; lia). reflexivity.
Qed.

(** With inputs in [-128, 127], of all pairs of 8-bit weights only -128, -128 does not fit: it reaches 32768. *)
Theorem neon_pair_rule constant a b : inside a s8 -> inside b s8 ->
  (within (register_range mull_mlal_pair constant (product_ranges [a; b] (for_all s8 [a; b]))) (limits mull_mlal_pair) <->
   ~ (a = -128 /\ b = -128)).
Proof.
  intros Ha Hb. rewrite neon_range. replace (limits mull_mlal_pair) with (Interval (-32768) 32767) by reflexivity.
  unfold within, positives, negatives, inside, s8 in *; cbn [lower upper map sum fold_right] in *. lia.
Qed.

(** So of a row exactly when no two products of one lane both have the weight -128. *)
Theorem neon_rule constant row : Forall (fun w => inside w s8) row ->
  (ranges_fit mull_mlal_pair (stage_ranges mull_mlal_pair constant (product_ranges row (for_all s8 row))) <->
   ~ In [-128; -128] (dealt mull_mlal_pair row)).
Proof.
  intro Hrow. rewrite ranges_fit_one_box.
  assert (Hvalid : valid_stage mull_mlal_pair) by (unfold valid_stage; simpl; repeat split; try lia; discriminate).
  pose proof (dealt_members mull_mlal_pair row Hvalid ltac:(simpl; lia)) as Hlength. simpl group in Hlength.
  assert (Hinside : Forall (Forall (fun w => inside w s8)) (dealt mull_mlal_pair row)).
  { apply Forall_concat_iff. eapply Permutation.Permutation_Forall; [|exact Hrow]. symmetry. apply dealt_permutation, Hvalid. }
  assert (Hone : forall ws, In ws (dealt mull_mlal_pair row) ->
    (within (register_range mull_mlal_pair constant (product_ranges ws (for_all s8 ws))) (limits mull_mlal_pair) <->
     ws <> [-128; -128])).
  { intros ws Hin. rewrite Forall_forall in Hlength, Hinside. specialize (Hlength ws Hin). specialize (Hinside ws Hin).
    destruct ws as [|a [|b [|c ws]]]; [| | |simpl length in Hlength; lia].
    - rewrite neon_range. split; [discriminate|]. intros _. vm_compute. split; discriminate.
    - rewrite neon_range. replace (limits mull_mlal_pair) with (Interval (-32768) 32767) by reflexivity.
      inversion Hinside; subst. unfold within, positives, negatives, inside, s8 in *; cbn [lower upper map sum fold_right] in *.
      split; [discriminate|lia].
    - inversion Hinside as [|? ? Ha Hrest]; subst. inversion Hrest as [|? ? Hb _]; subst.
      rewrite neon_pair_rule by assumption. split.
      + intros H E. injection E as -> ->. apply H. auto.
      + intros H (-> & ->). apply H. reflexivity. }
  rewrite Forall_forall. split.
  - intros H Hin. apply (Hone _ Hin) in H; [|exact Hin]. congruence.
  - intros H ws Hin. apply (Hone _ Hin). intros ->. contradiction.
Qed.

Theorem neon_corner constant :
  upper (register_range mull_mlal_pair constant (product_ranges [-128; -128] (for_all s8 [-128; -128]))) = 32768.
Proof. rewrite neon_range. reflexivity. Qed.

(** So it is enough that one operand never takes -128: the weights, *)
Theorem neon_weights_off_the_corner constant a b : inside a s8 -> inside b s8 -> a <> -128 \/ b <> -128 ->
  within (register_range mull_mlal_pair constant (product_ranges [a; b] (for_all s8 [a; b]))) (limits mull_mlal_pair).
Proof. intros. apply neon_pair_rule; [assumption..|lia]. Qed.

(** or the inputs. *)
Theorem neon_inputs_off_the_corner constant a b : inside a s8 -> inside b s8 ->
  within (register_range mull_mlal_pair constant (product_ranges [a; b] (for_all (Interval (-127) 127) [a; b])))
    (limits mull_mlal_pair).
Proof.
  intros Ha Hb. unfold register_range, for_all, start_range; cbn [claim initial mull_mlal_pair].
  rewrite reduction_of_partial by (unfold inside; simpl; lia).
  replace (limits mull_mlal_pair) with (Interval (-32768) 32767) by reflexivity.
  unfold within, reduced, positives, negatives, inside, s8 in *; cbn [lower upper map sum fold_right point] in *. lia.
Qed.

(** ** The sign trick *)

Lemma wrapped_small w x : 1 <= w -> - half w <= x <= half w - 1 -> wrapped w x = x.
Proof.
  intros Hw Hx. destruct (wrapped_congruent w x Hw) as (k & Hk). pose proof (wrapped_bounds w x Hw).
  eapply congruent_equal; eauto.
Qed.

(** |x| times vpsignb(y, x) is x y, but for y = -128 and x < 0. *)
Theorem sign_trick_exact x y : inside x s8 -> inside y s8 -> (Z.abs x * vpsignb y x = x * y <-> ~ (x < 0 /\ y = -128)).
Proof.
  unfold inside, s8; simpl. intros Hx Hy. unfold vpsignb. destruct (Z.ltb_spec x 0) as [H|H].
  - rewrite Z.abs_neq by lia. destruct (Z.eq_dec y (-128)) as [->|Hne].
    + change (wrapped 8 (- -128)) with (-128). lia.
    + rewrite wrapped_small by (change (half 8) with 128; lia). split; [lia|]. intro. ring.
  - rewrite Z.abs_eq by lia. destruct (Z.eqb_spec x 0) as [->|Hne]; lia.
Qed.

(** When y never takes -128, the pair of a sign trick always fits, the other operand at -128 included. *)
Theorem sign_trick_pair_fits constant a b : inside a s8 -> inside b s8 ->
  within (register_range maddubs_pair constant (product_ranges [a; b] (for_all (Interval (-127) 127) [a; b])))
    (limits maddubs_pair).
Proof.
  intros Ha Hb. unfold register_range, for_all, start_range; cbn [claim initial maddubs_pair].
  rewrite reduction_of_partial by (unfold inside; simpl; lia).
  replace (limits maddubs_pair) with (Interval (-32768) 32767) by reflexivity.
  unfold within, reduced, positives, negatives, inside, s8 in *; cbn [lower upper map sum fold_right point] in *. lia.
Qed.
