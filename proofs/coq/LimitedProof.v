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

(** ** The ends are reached *)

(** Inputs that spend as the greedy sum does, each in the direction of its weight. *)
Lemma greedy_spent : forall ps left, 0 <= left -> Forall (fun p => inside 0 (snd p)) ps ->
  exists qs, map fst qs = ps /\ Forall kept qs /\ sum (map magnitude qs) <= left /\
    Forall (fun q => 0 <= product q) qs /\ sum (map product qs) = greedy left ps.
Proof.
  induction ps as [|p ps IH]; intros left Hl H0; [exists []; repeat split; try constructor; exact Hl|].
  inversion H0 as [|? ? Hp Hps]; subst. set (taken := Z.min (cap p) left).
  assert (Hcap : 0 <= cap p) by (unfold cap; unfold inside in Hp; destruct (0 <? fst p); lia).
  destruct (IH (left - taken) ltac:(lia) Hps) as (qs & E & Hk & Hm & Hpos & Hsum).
  exists ((p, if 0 <? fst p then taken else - taken) :: qs).
  assert (Ht : 0 <= taken <= cap p) by lia.
  assert (Hx : kept (p, if 0 <? fst p then taken else - taken)).
  { unfold kept. cbn [fst snd]. split; [|exact Hp]. clearbody taken. clear - Ht Hp. unfold cap, inside in *.
    destruct (0 <? fst p); lia. }
  assert (Hw : product (p, if 0 <? fst p then taken else - taken) = Z.abs (fst p) * taken).
  { unfold product. cbn [fst snd].
    destruct (Z.ltb_spec 0 (fst p)); [rewrite Z.abs_eq by lia | rewrite Z.abs_neq by lia]; ring. }
  assert (Ha : magnitude (p, if 0 <? fst p then taken else - taken) = taken).
  { unfold magnitude. cbn [snd]. clearbody taken. destruct (0 <? fst p); lia. }
  cbn [map]. split; [simpl; congruence|]. split; [constructor; assumption|].
  split; [simpl; rewrite Ha; lia|]. split; [constructor; [rewrite Hw; nia|assumption]|].
  simpl. fold taken. rewrite Hw, Hsum. reflexivity.
Qed.

Lemma greatest_spent limit ps : 0 <= limit -> Forall (fun p => inside 0 (snd p)) ps ->
  exists qs, map fst qs = ps /\ Forall kept qs /\ sum (map magnitude qs) <= limit /\
    Forall (fun q => 0 <= product q) qs /\ sum (map product qs) = greatest limit ps.
Proof.
  intros Hl H0. pose proof (Falling.Permuted_sort ps) as Hsort.
  destruct (greedy_spent (Falling.sort ps) limit Hl (Permutation_Forall Hsort H0)) as (qs & E & Hk & Hm & Hpos & Hsum).
  rewrite <- E in Hsort. destruct (Permutation_map_inv fst qs Hsort) as (qs' & -> & P). exists qs'.
  split; [reflexivity|]. split; [exact (Permutation_Forall P Hk)|].
  split; [rewrite <- (sum_permutation _ _ (Permutation_map magnitude P)); exact Hm|].
  split; [exact (Permutation_Forall P Hpos)|].
  rewrite <- (sum_permutation _ _ (Permutation_map product P)). exact Hsum.
Qed.

Lemma least_spent limit ps : 0 <= limit -> Forall (fun p => inside 0 (snd p)) ps ->
  exists qs, map fst qs = ps /\ Forall kept qs /\ sum (map magnitude qs) <= limit /\
    Forall (fun q => product q <= 0) qs /\ sum (map product qs) = - greatest limit (map negated ps).
Proof.
  intros Hl H0. destruct (greatest_spent limit (map negated ps) Hl) as (qs & E & Hk & Hm & Hpos & Hsum).
  { apply Forall_map. exact H0. }
  exists (map mirrored qs). rewrite mirrored_fst, E. split; [|split; [|split; [|split]]].
  - rewrite map_map. rewrite <- (map_id ps) at 2. apply map_ext. intros (w & b). unfold negated. cbn [fst snd].
    rewrite Z.opp_involutive. reflexivity.
  - apply Forall_map. exact Hk.
  - rewrite map_map. exact Hm.
  - apply Forall_map. eapply Forall_impl; [|exact Hpos]. intros q Hq. cbv beta in *. rewrite mirrored_product. lia.
  - rewrite <- Hsum. clear. induction qs as [|q qs IH]; [reflexivity|]. simpl. rewrite IH, mirrored_product. lia.
Qed.

(** What is dealt out can be chosen register by register. *)
Lemma values_by_key {B} (d : B) : forall (keys : list nat) (values : list B), NoDup keys -> length keys = length values ->
  exists g, map g keys = values.
Proof.
  induction keys as [|k keys IH]; intros [|v values] Hk Hl; simpl in *; try discriminate; [exists (fun _ => d); reflexivity|].
  inversion Hk as [|? ? Hnot Hkeys]; subst. injection Hl as Hl. destruct (IH values Hkeys Hl) as (g & <-).
  exists (fun i => if Nat.eqb i k then v else g i). rewrite PeanoNat.Nat.eqb_refl. f_equal.
  apply map_ext_in. intros i Hi. destruct (PeanoNat.Nat.eqb_spec i k); [subst; contradiction|reflexivity].
Qed.

Lemma app_parts {A} : forall (a c b d : list A), length a = length c -> a ++ b = c ++ d -> a = c /\ b = d.
Proof.
  induction a as [|x a IH]; intros [|y c] b d L E; simpl in *; try discriminate; [auto|].
  injection L as L. injection E as -> E. destruct (IH c b d L E) as (-> & ->). auto.
Qed.

Lemma concat_shaped {A B} (g : A -> B) is ls : Forall2 (fun (i : list A) (l : list B) => length i = length l) is ls ->
  map g (concat is) = concat ls -> map (map g) is = ls.
Proof.
  induction 1 as [|i l is ls Hl _ IH]; simpl; [reflexivity|]. rewrite map_app. intro E.
  apply app_parts in E; [|rewrite map_length; exact Hl]. destruct E as (-> & E). f_equal. auto.
Qed.

Lemma concat_length {A B} (is : list (list A)) (ls : list (list B)) :
  Forall2 (fun i l => length i = length l) is ls -> length (concat is) = length (concat ls).
Proof. induction 1; simpl; [reflexivity|]. rewrite !app_length. congruence. Qed.

Lemma shape_of_map {A B} (f : A -> B) ls : Forall2 (fun i l => length i = length l) (map (map f) ls) ls.
Proof. induction ls; simpl; constructor; [apply map_length|assumption]. Qed.

Theorem dealt_onto {A B} (f : B -> A) s l (groups : list (list B)) : valid_stage s -> map (map f) groups = dealt s l ->
  exists m, map f m = l /\ dealt s m = groups.
Proof.
  intros Hs Hg. destruct l as [|a l].
  { exists []. split; [reflexivity|]. unfold dealt, registers in Hg. simpl in Hg. destruct groups; [reflexivity|discriminate]. }
  set (n := length (a :: l)). set (number := seq 0 n). set (nth_of := fun i => nth i (a :: l) a).
  assert (El : a :: l = map nth_of number).
  { unfold number, nth_of, n. clear. generalize (a :: l) as m. intro m. induction m as [|b m IH]; [reflexivity|].
    simpl. f_equal. rewrite <- seq_shift, map_map. exact IH. }
  set (keys := dealt s number). assert (Hkeys : map (map nth_of) keys = map (map f) groups).
  { unfold keys. rewrite <- dealt_map, <- El, Hg. reflexivity. }
  assert (Hperm : Permutation (concat keys) number) by apply dealt_permutation, Hs.
  assert (Hshape : Forall2 (fun i l => length i = length l) keys groups).
  { clear - Hkeys. revert groups Hkeys. induction keys as [|k ks IH]; intros [|g gs] E; simpl in *; try discriminate; constructor.
    - injection E as E _. rewrite <- (map_length nth_of k), E, map_length. reflexivity.
    - injection E as _ E. auto. }
  pose proof (concat_length _ _ Hshape) as Hlength.
  destruct (concat groups) as [|d values] eqn:Egroups.
  { exfalso. rewrite (Permutation_length Hperm) in Hlength. unfold number, n in Hlength. rewrite seq_length in Hlength. discriminate. }
  destruct (values_by_key d (concat keys) (d :: values)) as (g & Eg).
  { eapply Permutation_NoDup; [symmetry; exact Hperm|]. apply seq_NoDup. }
  { exact Hlength. }
  exists (map g number). split.
  - rewrite El at 1. rewrite map_map. apply map_ext_in. intros i Hi.
    apply (Permutation_in _ (Permutation_sym Hperm)) in Hi.
    assert (E : map (fun i => f (g i)) (concat keys) = map nth_of (concat keys)).
    { rewrite <- (map_map g f), Eg, <- Egroups, !concat_map, Hkeys. reflexivity. }
    clear - E Hi. induction (concat keys) as [|k ks IH]; simpl in *; [contradiction|].
    injection E as E1 E2. destruct Hi as [->|Hi]; auto.
  - rewrite dealt_map. fold keys. apply concat_shaped; [exact Hshape|]. rewrite Eg, Egroups. reflexivity.
Qed.

(** One choice of operands for every register of the lowest stage, and so of inputs for the row. *)
Lemma inputs_chosen (good : list operand -> Prop) s weights box :
  valid_stage s -> length weights = length box -> Forall (inside 0) box ->
  (forall ps, Forall (fun p => inside 0 (snd p)) ps -> exists qs, map fst qs = ps /\ good qs) ->
  exists qs, let inputs := map snd qs in
    length inputs = length box /\ map fst qs = combine weights box /\ qs = combine (combine weights box) inputs /\
    Forall good (dealt s qs).
Proof.
  intros Hs Hw H0 Hgood.
  assert (Hboxes : Forall (fun p : Z * interval => inside 0 (snd p)) (combine weights box)).
  { clear - H0. revert weights. induction H0 as [|b box Hb _ IH]; intros [|w weights]; simpl; constructor; auto. }
  assert (Hgroups : exists groups, map (map fst) groups = dealt s (combine weights box) /\ Forall good groups).
  { apply (dealt_all _ s) in Hboxes. induction Hboxes as [|ps pss Hps _ (groups & E & Hg)].
    - exists []. split; [reflexivity|constructor].
    - destruct (Hgood ps Hps) as (qs & Eq & Hq). exists (qs :: groups). simpl. split; [congruence|constructor; assumption]. }
  destruct Hgroups as (groups & E & Hg). destruct (dealt_onto fst s (combine weights box) groups Hs E) as (qs & Eq & Ed).
  exists qs. cbn zeta. split; [|split; [exact Eq|split]].
  - rewrite map_length, <- (map_length fst qs), Eq, combine_length, Hw. apply PeanoNat.Nat.min_id.
  - rewrite <- Eq. clear. induction qs as [|(p & x) qs IH]; simpl; congruence.
  - rewrite Ed. exact Hg.
Qed.

Lemma kept_inside : forall box weights inputs, length weights = length box -> length inputs = length box ->
  Forall kept (combine (combine weights box) inputs) -> Forall2 inside inputs box.
Proof.
  induction box as [|b box IH]; intros [|w weights] [|x inputs] H1 H2 H; simpl in *; try discriminate; constructor.
  - inversion H as [|? ? (Hx & _)]; subst. exact Hx.
  - inversion H; subst. eapply IH; [|injection H2 as H2; exact H2|eassumption]. injection H1 as H1. exact H1.
Qed.

Lemma all_of_dealt {A} (P : A -> Prop) s l : valid_stage s -> Forall (Forall P) (dealt s l) -> Forall P l.
Proof.
  intros Hs H. apply (Permutation_Forall (dealt_permutation s l Hs)).
  induction H as [|g gs Hg _ IH]; simpl; [constructor|]. apply Forall_app. auto.
Qed.

(** A register's operands keep their boxes and the limit. *)
Definition spent (limit : Z) (qs : list operand) : Prop := Forall kept qs /\ sum (map magnitude qs) <= limit.

Lemma chosen_keep limit s above weights box qs : valid_stage s -> length weights = length box ->
  length (map snd qs) = length box -> qs = combine (combine weights box) (map snd qs) -> Forall (spent limit) (dealt s qs) ->
  Forall2 inside (map snd qs) box /\ keeps_limit (Some limit) (s :: above) (map snd qs).
Proof.
  intros Hs Hw Hi E H. split.
  - apply (kept_inside box weights); [assumption..|]. rewrite <- E. apply (all_of_dealt kept s); [exact Hs|].
    eapply Forall_impl; [|exact H]. intros g (Hk & _). exact Hk.
  - simpl. rewrite dealt_map, Forall_map. eapply Forall_impl; [|exact H]. intros g (_ & Hm). rewrite map_map. exact Hm.
Qed.

Lemma products_of weights box qs : length weights = length box -> length (map snd qs) = length box ->
  qs = combine (combine weights box) (map snd qs) -> products weights (map snd qs) = map product qs.
Proof.
  intros Hw Hi E. destruct (row_operands weights box (map snd qs) Hw Hi) as (_ & _ & Ep). rewrite <- E in Ep. symmetry. exact Ep.
Qed.

(** One choice of inputs that keep box and limit, with the constant's upper end, reaches the upper end of every register of
    the row, of every stage. *)
Theorem limited_upper_ends_reached limit s above weights box constant :
  valid_stage s -> length weights = length box -> 0 <= limit -> Forall (inside 0) box ->
  exists inputs, Forall2 inside inputs box /\ keeps_limit (Some limit) (s :: above) inputs /\
    forall below t rest, s :: above = below ++ t :: rest -> exists ranges,
      nth_error (input_ranges (Some limit) (s :: above) constant weights box) (length below) = Some ranges /\
      Forall2 (fun values range => reaches t (upper constant) values (upper range))
        (dealt t (values_after below (upper constant) (products weights inputs))) ranges.
Proof.
  intros Hs Hw Hlimit H0.
  destruct (inputs_chosen (fun qs => spent limit qs /\ Forall (fun q => 0 <= product q) qs /\
      sum (map product qs) = greatest limit (map fst qs)) s weights box Hs Hw H0) as (qs & Hi & Ef & E & Hgood).
  { intros ps Hps. destruct (greatest_spent limit ps Hlimit Hps) as (qs & <- & ? & ? & ? & ?).
    exists qs. unfold spent. auto. }
  exists (map snd qs).
  destruct (chosen_keep limit s above weights box qs Hs Hw Hi E) as (Hx & Hl).
  { eapply Forall_impl; [|exact Hgood]. simpl. tauto. }
  split; [exact Hx|]. split; [exact Hl|]. intros below t rest Esplit.
  rewrite (products_of weights box qs Hw Hi E).
  assert (Hexact : stage_exact s (upper constant) (map product qs) = map upper (limited_stage limit s constant (combine weights box))).
  { unfold stage_exact, limited_stage. rewrite <- Ef, !dealt_map, !map_map. apply map_ext_in. intros g Hg.
    rewrite Forall_forall in Hgood. destruct (Hgood g Hg) as (_ & _ & Hsum). rewrite Hsum, start_upper. reflexivity. }
  destruct below as [|s' below]; injection Esplit as -> Eabove; simpl.
  - eexists. split; [reflexivity|]. unfold limited_stage. rewrite <- Ef, !dealt_map, map_map. clear - Hgood.
    induction Hgood as [|g gs (_ & Hpos & Hsum) _ IH]; simpl; constructor; [|exact IH].
    unfold limited_range; simpl. rewrite <- start_upper, <- Hsum. unfold reaches. destruct (claim t); [|reflexivity].
    eexists. split; [apply whole_sum|reflexivity].
  - subst above. rewrite claimed_ranges_split. eexists. split; [reflexivity|].
    rewrite Hexact, values_after_upper, dealt_map. unfold stage_ranges.
    induction (dealt t (ranges_after below constant (limited_stage limit s' constant (combine weights box)))); simpl;
      constructor; [apply register_upper_reached|assumption].
Qed.

Theorem limited_lower_ends_reached limit s above weights box constant :
  valid_stage s -> length weights = length box -> 0 <= limit -> Forall (inside 0) box ->
  exists inputs, Forall2 inside inputs box /\ keeps_limit (Some limit) (s :: above) inputs /\
    forall below t rest, s :: above = below ++ t :: rest -> exists ranges,
      nth_error (input_ranges (Some limit) (s :: above) constant weights box) (length below) = Some ranges /\
      Forall2 (fun values range => reaches t (lower constant) values (lower range))
        (dealt t (values_after below (lower constant) (products weights inputs))) ranges.
Proof.
  intros Hs Hw Hlimit H0.
  destruct (inputs_chosen (fun qs => spent limit qs /\ Forall (fun q => product q <= 0) qs /\
      sum (map product qs) = - greatest limit (map negated (map fst qs))) s weights box Hs Hw H0) as (qs & Hi & Ef & E & Hgood).
  { intros ps Hps. destruct (least_spent limit ps Hlimit Hps) as (qs & <- & ? & ? & ? & ?).
    exists qs. unfold spent. auto. }
  exists (map snd qs).
  destruct (chosen_keep limit s above weights box qs Hs Hw Hi E) as (Hx & Hl).
  { eapply Forall_impl; [|exact Hgood]. simpl. tauto. }
  split; [exact Hx|]. split; [exact Hl|]. intros below t rest Esplit.
  rewrite (products_of weights box qs Hw Hi E).
  assert (Hexact : stage_exact s (lower constant) (map product qs) = map lower (limited_stage limit s constant (combine weights box))).
  { unfold stage_exact, limited_stage. rewrite <- Ef, !dealt_map, !map_map. apply map_ext_in. intros g Hg.
    rewrite Forall_forall in Hgood. destruct (Hgood g Hg) as (_ & _ & Hsum). rewrite Hsum, start_lower. reflexivity. }
  destruct below as [|s' below]; injection Esplit as -> Eabove; simpl.
  - eexists. split; [reflexivity|]. unfold limited_stage. rewrite <- Ef, !dealt_map, map_map. clear - Hgood.
    induction Hgood as [|g gs (_ & Hpos & Hsum) _ IH]; simpl; constructor; [|exact IH].
    unfold limited_range; simpl. unfold Z.sub. rewrite <- start_lower, <- Hsum. unfold reaches. destruct (claim t); [|reflexivity].
    eexists. split; [apply whole_sum|reflexivity].
  - subst above. rewrite claimed_ranges_split. eexists. split; [reflexivity|].
    rewrite Hexact, values_after_lower, dealt_map. unfold stage_ranges.
    induction (dealt t (ranges_after below constant (limited_stage limit s' constant (combine weights box)))); simpl;
      constructor; [apply register_lower_reached|assumption].
Qed.

(** ** Weights without a constraint *)

(** The limit times the largest weight bounds what a register adds, whatever its weights and boxes are. *)
Lemma greedy_at_most a : 0 <= a -> forall ps left, 0 <= left -> Forall (fun p => Z.abs (fst p) <= a) ps ->
  Forall (fun p => inside 0 (snd p)) ps -> 0 <= greedy left ps <= a * left.
Proof.
  intro Ha. induction ps as [|p ps IH]; intros left Hl Hw H0; simpl; [nia|].
  inversion Hw as [|? ? Hp Hps]; inversion H0 as [|? ? H0p H0ps]; subst. set (taken := Z.min (cap p) left).
  assert (0 <= cap p) by (unfold cap; unfold inside in H0p; destruct (0 <? fst p); lia).
  specialize (IH (left - taken) ltac:(lia) Hps H0ps). nia.
Qed.

(** So L = ⌊(2^(P-1) - 1) / max abs(w)⌋ needs no constraint on the weights: every register of a lowest stage of P bits that
    starts from 0 fits. *)
Theorem limit_suffices limit heaviest s constant weights box :
  0 <= limit -> 0 <= heaviest -> Forall (fun w => Z.abs w <= heaviest) weights -> Forall (inside 0) box ->
  initial s = InitialZero -> heaviest * limit <= half (width s) - 1 ->
  ranges_fit s (limited_stage limit s constant (combine weights box)).
Proof.
  intros Hl Hh Hw H0 Hs Hfit. unfold ranges_fit, limited_stage, start_range. rewrite Hs, Forall_map.
  assert (Hps : Forall (fun p : Z * interval => Z.abs (fst p) <= heaviest /\ inside 0 (snd p)) (combine weights box)).
  { clear - Hw H0. revert box H0. induction Hw as [|w weights Hw _ IH]; intros box H0; simpl; [constructor|].
    destruct H0; constructor; auto. }
  apply (dealt_all _ s) in Hps. eapply Forall_impl; [|exact Hps]. intros ps H. apply Forall_and_inv in H. destruct H as (Ha & Hb).
  assert (Hsort : forall qs, Forall (fun p => Z.abs (fst p) <= heaviest) qs -> Forall (fun p => inside 0 (snd p)) qs ->
    0 <= greatest limit qs <= heaviest * limit).
  { intros qs H1 H2. apply greedy_at_most; try assumption;
      (eapply Permutation_Forall; [apply Falling.Permuted_sort|assumption]). }
  pose proof (Hsort ps Ha Hb) as H1. pose proof (Hsort (map negated ps)) as H2. unfold within, limited_range, limits, point.
  cbn [lower upper]. assert (0 <= greatest limit (map negated ps) <= heaviest * limit).
  { apply H2; apply Forall_map; [|exact Hb]. eapply Forall_impl; [|exact Ha]. intros p Hp. unfold negated. cbn [fst]. rewrite Z.abs_opp. exact Hp. }
  destruct (limit_kind s); lia.
Qed.
