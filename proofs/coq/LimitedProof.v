(** The ranges of Limited.v are right: they hold every value that a register can reach over all inputs that keep box and
    limit ([limited_range_holds]), so that ranges that fit make a safe datapath ([safe_limited_datapath]); and both ends are
    reached by one choice of such inputs for all upper ends of a row ([limited_upper_ends_reached]) and one for all lower
    ends ([limited_lower_ends_reached]). [limit_suffices] is why a limit needs no constraint on the weights. *)
From Coq Require Import ZArith List Bool Permutation Sorted RelationClasses Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range RangeProof Safety SafetyProof Limited.
Import ListNotations.
Open Scope Z_scope.

(** ** The greedy sum is the greatest *)

Definition falling : list (Z * interval) -> Prop := StronglySorted (fun p q => Z.abs (fst q) <= Z.abs (fst p)).

Lemma sort_falls ps : falling (Falling.sort ps).
Proof.
  assert (Ht : Transitive (fun p q => is_true (FallingMagnitude.leb p q))).
  { intros p q r. unfold is_true, FallingMagnitude.leb. rewrite !Z.leb_le. lia. }
  pose proof (Falling.StronglySorted_sort ps Ht) as H. unfold falling. induction H as [|p qs _ IH H]; constructor; [exact IH|].
  eapply Forall_impl; [|exact H]. intros q Hq. unfold is_true, FallingMagnitude.leb in Hq. apply Z.leb_le. exact Hq.
Qed.

(** More left yields at most the heaviest weight for each unit. *)
Lemma greedy_rises a : 0 <= a -> forall ps left more, Forall (fun p => Z.abs (fst p) <= a) ps -> 0 <= more ->
  greedy (left + more) ps <= greedy left ps + a * more.
Proof.
  intro Ha. induction ps as [|p ps IH]; intros left more H Hm; simpl; [nia|].
  inversion H as [|? ? Hp Hps]; subst.
  set (before := Z.min (cap p) left). set (after := Z.min (cap p) (left + more)).
  assert (0 <= after - before <= more) by lia.
  replace (left + more - after) with (left - before + (more - (after - before))) by lia.
  specialize (IH (left - before) (more - (after - before)) Hps ltac:(lia)). nia.
Qed.

(** A product with its operand: weight, box, input. *)
Notation operand := (Z * interval * Z)%type.
Definition product (q : operand) : Z := fst (fst q) * snd q.
Definition magnitude (q : operand) : Z := Z.abs (snd q).
Definition kept (q : operand) : Prop := inside (snd q) (snd (fst q)) /\ inside 0 (snd (fst q)).

Lemma greedy_bounds : forall qs left, falling (map fst qs) -> Forall (fun q => 0 <= snd q <= cap (fst q)) qs ->
  sum (map snd qs) <= left -> sum (map (fun q => Z.abs (fst (fst q)) * snd q) qs) <= greedy left (map fst qs).
Proof.
  induction qs as [|q qs IH]; intros left Hf Hq Hleft; simpl in *; [lia|].
  inversion Hf as [|? ? Hf' Hw]; subst. inversion Hq as [|? ? Hq1 Hqs]; subst.
  assert (0 <= sum (map snd qs)) by (clear - Hqs; induction Hqs; simpl in *; lia).
  specialize (IH (left - snd q) Hf' Hqs ltac:(lia)).
  pose proof (greedy_rises (Z.abs (fst (fst q))) (Z.abs_nonneg _) (map fst qs)
    (left - Z.min (cap (fst q)) left) (Z.min (cap (fst q)) left - snd q) Hw ltac:(lia)) as Hrise.
  replace (left - Z.min (cap (fst q)) left + (Z.min (cap (fst q)) left - snd q)) with (left - snd q) in Hrise by lia. nia.
Qed.

(** What of an operand counts towards the sum of the positive products. *)
Definition counted (q : operand) : operand := (fst q, if 0 <? product q then magnitude q else 0).

Lemma counted_within q : kept q -> 0 <= snd (counted q) <= cap (fst (counted q)).
Proof.
  destruct q as ((w & b) & x). unfold kept, counted, product, magnitude, cap, inside. cbn [fst snd]. intros (Hx & H0).
  destruct (Z.ltb_spec 0 (w * x)), (Z.ltb_spec 0 w); lia.
Qed.

Lemma counted_product q : Z.abs (fst (fst (counted q))) * snd (counted q) = positive_part (product q).
Proof.
  destruct q as ((w & b) & x). unfold counted, product, magnitude, positive_part. cbn [fst snd].
  destruct (Z.ltb_spec 0 (w * x)); [rewrite <- Z.abs_mul; lia | lia].
Qed.

Lemma counted_magnitude q : snd (counted q) <= magnitude q.
Proof. unfold counted, magnitude. cbn [snd]. destruct (0 <? product q); lia. Qed.

Lemma sums_ordered {A} (f g : A -> Z) : (forall a, f a <= g a) -> forall l, sum (map f l) <= sum (map g l).
Proof. intros H l. induction l as [|a l IH]; simpl; [lia|]. specialize (H a). lia. Qed.

Lemma positive_parts_bounded limit qs : Forall kept qs -> sum (map magnitude qs) <= limit ->
  sum (map positive_part (map product qs)) <= greatest limit (map fst qs).
Proof.
  intros Hk Hl. unfold greatest.
  destruct (Permutation_map_inv fst qs (Permutation_sym (Falling.Permuted_sort (map fst qs)))) as (qs' & E & P).
  rewrite map_map, (sum_permutation _ _ (Permutation_map _ P)).
  rewrite (sum_permutation _ _ (Permutation_map _ P)) in Hl. apply (Permutation_Forall P) in Hk.
  pose proof (sort_falls (map fst qs)) as Hf. rewrite E in *. clear E P qs. rename qs' into qs.
  pose proof (greedy_bounds (map counted qs) limit) as H. rewrite !map_map in H. simpl fst in H.
  rewrite (map_ext _ _ counted_product) in H. apply H.
  - exact Hf.
  - apply Forall_map. eapply Forall_impl; [|exact Hk]. intros q. apply counted_within.
  - etransitivity; [|exact Hl]. apply sums_ordered. exact counted_magnitude.
Qed.

(** The same for the negative ones: they are positive when the weights change their signs. *)
Definition mirrored (q : operand) : operand := (negated (fst q), snd q).

Lemma mirrored_product q : product (mirrored q) = - product q.
Proof. unfold product, mirrored, negated. cbn [fst snd]. lia. Qed.

Lemma mirrored_fst qs : map fst (map mirrored qs) = map negated (map fst qs).
Proof. rewrite !map_map. reflexivity. Qed.

Lemma negative_parts_bounded limit qs : Forall kept qs -> sum (map magnitude qs) <= limit ->
  - greatest limit (map negated (map fst qs)) <= sum (map negative_part (map product qs)).
Proof.
  intros Hk Hl. pose proof (positive_parts_bounded limit (map mirrored qs)) as H. rewrite mirrored_fst in H.
  assert (E : sum (map positive_part (map product (map mirrored qs))) = - sum (map negative_part (map product qs))).
  { clear. induction qs as [|q qs IH]; simpl; [reflexivity|]. rewrite IH, mirrored_product.
    unfold positive_part, negative_part. lia. }
  rewrite E in H. assert (- sum (map negative_part (map product qs)) <= greatest limit (map negated (map fst qs))); [|lia].
  apply H; [apply Forall_map; exact Hk|]. rewrite map_map. exact Hl.
Qed.

(** One register: its partial sums, in whatever order. *)
Lemma limited_register_holds s c constant limit qs p :
  inside c constant -> Forall kept qs -> sum (map magnitude qs) <= limit -> subset_sum (map product qs) p ->
  inside (start s c + p) (limited_range limit (start_range s constant) (map fst qs)).
Proof.
  intros Hc Hk Hl Hp. apply (start_inside s) in Hc. apply subset_sum_between in Hp.
  pose proof (positive_parts_bounded limit qs Hk Hl). pose proof (negative_parts_bounded limit qs Hk Hl).
  unfold inside, limited_range in *. simpl. lia.
Qed.

(** ** A row *)

(** Its operands: weights and inputs of one length with the boxes, dealt out together. *)
Lemma row_operands : forall weights box inputs, length weights = length box -> length inputs = length box ->
  let qs := combine (combine weights box) inputs in
  map fst qs = combine weights box /\ map snd qs = inputs /\ map product qs = products weights inputs.
Proof.
  induction weights as [|w weights IH]; intros [|b box] [|x inputs] H1 H2; simpl in *; try discriminate; auto.
  injection H1 as H1. injection H2 as H2. destruct (IH box inputs H1 H2) as (-> & -> & ->). auto.
Qed.

Lemma row_kept : forall weights box inputs, Forall2 inside inputs box -> Forall (inside 0) box ->
  Forall kept (combine (combine weights box) inputs).
Proof.
  induction weights as [|w weights IH]; intros box inputs H H0; simpl; [constructor|].
  destruct H as [|x b inputs box Hx H]; simpl; [constructor|]. inversion H0; subst. constructor; [split; assumption|auto].
Qed.

Lemma dealt_all {A} (P : A -> Prop) s l : Forall P l -> Forall (Forall P) (dealt s l).
Proof.
  intro H. assert (Hd : Forall2 (fun a (_ : A) => P a) l l) by (induction H; constructor; assumption).
  apply (dealt_related _ s) in Hd. revert Hd. generalize (dealt s l) at 2 as gs'. induction 1 as [|g g' gs gs' Hg _ IH].
  - constructor.
  - constructor; [|exact IH]. clear - Hg. induction Hg; constructor; assumption.
Qed.

(** Whatever a register of the lowest stage reaches, over all inputs that keep box and limit, all constants and all subsets
    in all orders, lies in its range. *)
Theorem limited_range_holds s weights inputs box limit c constant :
  length weights = length box -> Forall2 inside inputs box -> Forall (inside 0) box ->
  keeps_limit (Some limit) [s] inputs -> inside c constant ->
  Forall2 (fun values range => forall p, subset_sum values p -> inside (start s c + p) range)
    (dealt s (products weights inputs)) (limited_stage limit s constant (combine weights box)).
Proof.
  intros Hw Hx H0 Hl Hc. simpl in Hl. pose proof (related_length inside _ _ Hx) as Hn.
  pose proof (row_kept weights box inputs Hx H0) as Hk. destruct (row_operands weights box inputs Hw Hn) as (Ep & Ei & Eq).
  set (qs := combine (combine weights box) inputs) in *. unfold limited_stage.
  rewrite <- Ep, <- Eq, !dealt_map, map_map. rewrite <- Ei, dealt_map, Forall_map in Hl. apply (dealt_all kept s) in Hk.
  induction (dealt s qs) as [|g gs IH]; simpl; [constructor|].
  apply Forall_cons_iff in Hk, Hl. destruct Hk as (Hg & Hgs), Hl as (Hl1 & Hls). constructor; [|auto].
  intros p Hp. apply limited_register_holds; try assumption. rewrite map_map in Hl1. exact Hl1.
Qed.

Lemma whole_sum values : subset_sum values (sum values).
Proof. apply (subset_of values values []). rewrite app_nil_r. reflexivity. Qed.

Lemma limited_finals_hold s c values ranges :
  Forall2 (fun values range => forall p, subset_sum values p -> inside (start s c + p) range) (dealt s values) ranges ->
  Forall2 inside (stage_exact s c values) ranges.
Proof.
  unfold stage_exact. induction 1 as [|g r gs rs H _ IH]; simpl; constructor; [|exact IH]. apply H. apply whole_sum.
Qed.

Lemma partial_sums_reached s c values range : (forall p, subset_sum values p -> inside (start s c + p) range) ->
  forall x, reaches s c values x -> inside x range.
Proof.
  intros H x Hx. unfold reaches in Hx. destruct (claim s); [destruct Hx as (p & Hp & ->); auto | subst x].
  apply H, whole_sum.
Qed.

Lemma limited_stage_safe s c values ranges traces : valid_stage s ->
  Forall2 (fun values range => forall p, subset_sum values p -> inside (start s c + p) range) (dealt s values) ranges ->
  ranges_fit s ranges -> Forall2 (register_runs s (start s c)) (dealt s values) traces ->
  map content traces = stage_exact s c values /\ keeps_promise s traces.
Proof.
  unfold stage_exact, keeps_promise, ranges_fit. intros Hs Hd Hfit. revert traces.
  induction Hd as [|g r gs rs Hg _ IH]; intros traces Hr; inversion Hr as [|? t ? ts Ht Hts]; subst; simpl.
  - split; [reflexivity|constructor].
  - inversion Hfit as [|? ? (H1 & H2) Hfits]; subst. destruct (IH Hfits ts Hts) as (E & P).
    edestruct register_safe as (E' & P'); [exact Hs| |exact Ht|].
    + intros x Hx. pose proof (partial_sums_reached s c g r Hg x Hx) as (H3 & H4). unfold fits, inside. lia.
    + split; [congruence|]. intro Hclaim. constructor; auto.
Qed.

(** If every claimed range fits, then for all inputs that keep box and limit, all constants, and every order of every
    register: all registers of all stages end with the exact integers, and no register that claims every partial sum ever
    meets one that leaves its limits. Without a limit this is [safe_datapath]. *)
Theorem safe_limited_datapath limit stages weights inputs box c constant traces :
  Forall valid_stage stages -> length weights = length box -> limit_applies limit box ->
  Forall2 inside inputs box -> keeps_limit limit stages inputs -> inside c constant ->
  Forall2 ranges_fit stages (input_ranges limit stages constant weights box) ->
  runs stages c (products weights inputs) traces ->
  map (map content) traces = exact stages c (products weights inputs) /\ Forall2 keeps_promise stages traces.
Proof.
  intros Hs Hw Hlimit Hx Hl Hc Hfit Hr. destruct limit as [limit|]; [|eapply safe_datapath; eassumption].
  destruct stages as [|s above]; [eapply safe_datapath; eassumption|].
  destruct Hlimit as (_ & H0). simpl in Hfit. inversion Hs; inversion Hfit; inversion Hr; subst.
  pose proof (limited_range_holds s weights inputs box limit c constant Hw Hx H0 Hl Hc) as Hranges.
  edestruct limited_stage_safe as (E & P); [eassumption..|].
  rewrite E in *. edestruct stages_safe as (E' & P'); [eassumption|exact Hc| |eassumption|eassumption|].
  - apply limited_finals_hold. exact Hranges.
  - simpl. split; [congruence|]. constructor; assumption.
Qed.
