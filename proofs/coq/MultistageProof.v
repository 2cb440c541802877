(** Multi-stage accumulation. [inner_and_outer_compose]: inner registers that fit and an outer one as wide as its own range
    needs make a safe datapath. [outer_width_from_ranges]: that width is at most P_I + n whenever K <= T 2^n, so at most
    P_I + ⌈log2 (K / T)⌉. *)
From Coq Require Import ZArith List Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range RangeProof Safety SafetyProof Multistage.
Import ListNotations.
Open Scope Z_scope.

(** [width_for m] bits hold m, and no fewer do. *)
Theorem width_for_is_least m P : 0 <= m -> (m <= half P - 1 <-> width_for m <= P).
Proof.
  intro Hm. unfold width_for, half. pose proof (Z.log2_up_le_pow2 (m + 1) (P - 1) ltac:(lia)). lia.
Qed.

(** ** How many tiles there are *)

Lemma blocks_length {A} size : (0 < size)%nat -> forall fuel (l : list A),
  (length (blocks fuel size l) * size <= length l + size - 1)%nat.
Proof.
  intro Hs. induction fuel as [|fuel IH]; intro l; [simpl; lia|]. destruct l as [|a l]; [simpl; lia|].
  change (blocks (S fuel) size (a :: l)) with (firstn size (a :: l) :: blocks fuel size (skipn size (a :: l))).
  specialize (IH (skipn size (a :: l))). rewrite skipn_length in IH.
  destruct (PeanoNat.Nat.le_gt_cases (length (a :: l)) size) as [H|H].
  - rewrite (skipn_all2 _ H). replace (blocks fuel size []) with (@nil (list A)) by (destruct fuel; reflexivity). simpl length. lia.
  - cbn [length] in *. lia.
Qed.

Lemma blocks_short {A} size : forall fuel (l : list A), Forall (fun b => (length b <= size)%nat) (blocks fuel size l).
Proof.
  induction fuel as [|fuel IH]; intro l; [constructor|]. destruct l as [|a l]; [constructor|].
  change (blocks (S fuel) size (a :: l)) with (firstn size (a :: l) :: blocks fuel size (skipn size (a :: l))).
  constructor; [apply firstn_le_length|apply IH].
Qed.

Lemma in_front_length {A} : forall (row : list A) lanes, length (in_front row lanes) = Nat.max (length row) (length lanes).
Proof. induction row as [|v row IH]; intros [|l lanes]; simpl; try reflexivity; rewrite IH; simpl; lia. Qed.

Lemma lanes_length {A} stride (block : list A) : (length (lanes stride block) <= stride)%nat.
Proof.
  unfold lanes. induction (blocks_short stride (length block) block) as [|row rows Hr _ IH]; simpl; [lia|].
  rewrite in_front_length. lia.
Qed.

Lemma tile_count {A} s T n (values : list A) : is_tile s T -> 0 <= n -> Z.of_nat (length values) <= T * 2 ^ n ->
  Z.of_nat (length (dealt s values)) <= 2 ^ n.
Proof.
  intros (Hs & Hg & HT & Ht & _) Hn HK. pose proof (Z.pow_pos_nonneg 2 n ltac:(lia) Hn) as Hpow.
  destruct values as [|v values]; [cbn; lia|].
  set (K := Z.of_nat (length (v :: values))) in *. assert (HK1 : 1 <= K) by (subst K; simpl length; lia).
  unfold dealt. fold K. set (size := Z.to_nat (block_length s K)).
  assert (Hsize : (0 < size)%nat) by (subst size; pose proof (block_length_positive s K Hs ltac:(lia)); lia).
  assert (Hone : Z.to_nat (Z.min (stride s) K) = 1%nat) by lia. rewrite Hone.
  assert (Hreg : (length (registers size 1 (v :: values)) <= length (blocks (length (v :: values)) size (v :: values)))%nat).
  { unfold registers. induction (blocks (length (v :: values)) size (v :: values)) as [|b bs IH]; simpl flat_map; [simpl; lia|].
    rewrite app_length. pose proof (lanes_length 1 b). simpl length. lia. }
  pose proof (blocks_length size Hsize (length (v :: values)) (v :: values)) as Hb.
  set (tiles := length (blocks (length (v :: values)) size (v :: values))) in *.
  assert (Z.of_nat tiles * Z.of_nat size <= K + Z.of_nat size - 1) by (subst K; nia).
  assert (Z.of_nat tiles <= 2 ^ n); [|lia].
  subst size. unfold block_length in *. rewrite Hg, Ht, Z.mul_1_r in *.
  destruct (Z.eqb_spec T 0); [lia|]. simpl orb in *.
  destruct (Z.ltb_spec K T); rewrite Z2Nat.id in * by lia; nia.
Qed.

(** ** The outer range *)

Lemma sums_of_bounded u ranges : 0 <= u -> Forall (fun r => - u <= lower r /\ upper r <= u) ranges ->
  let n := Z.of_nat (length ranges) in
  - (n * u) <= sum (map lower ranges) /\ sum (map upper ranges) <= n * u /\
  - (n * u) <= sum (map at_most_zero ranges) /\ sum (map at_least_zero ranges) <= n * u.
Proof.
  intros Hu. induction 1 as [|r ranges Hr _ IH]; cbn [length map sum fold_right]; [simpl; lia|].
  unfold sum in *. cbn [fold_right map] in *. unfold at_most_zero, at_least_zero in *. rewrite Nat2Z.inj_succ, Z.mul_succ_l. lia.
Qed.

(** What n registers of at most ±u each do to the register above them. *)
Lemma register_over_bounded s constant u ranges : 0 <= u -> Forall (fun r => - u <= lower r /\ upper r <= u) ranges ->
  let n := Z.of_nat (length ranges) in
  lower (start_range s constant) - n * u <= lower (register_range s constant ranges) /\
  upper (register_range s constant ranges) <= upper (start_range s constant) + n * u.
Proof.
  intros Hu H n. pose proof (sums_of_bounded u ranges Hu H) as Hsum. fold n in Hsum. simpl in Hsum.
  unfold register_range, final_range, partial_range. destruct (claim s); simpl; lia.
Qed.

Lemma final_inside_claimed s constant ranges :
  within (final_range (start_range s constant) ranges) (register_range s constant ranges).
Proof.
  unfold within, register_range. destruct (claim s); simpl; [|lia].
  assert (sum (map at_most_zero ranges) <= sum (map lower ranges) /\ sum (map upper ranges) <= sum (map at_least_zero ranges)).
  { unfold sum, at_most_zero, at_least_zero. induction ranges as [|r ranges IH]; cbn [map fold_right]; lia. }
  lia.
Qed.

Lemma finals_fit s constant ranges : ranges_fit s (stage_ranges s constant ranges) ->
  Forall (fun r => within r (limits s)) (stage_finals s constant ranges).
Proof.
  unfold ranges_fit, stage_ranges, stage_finals. rewrite !Forall_map. apply Forall_impl. intros g H.
  pose proof (final_inside_claimed s constant g). unfold within in *. lia.
Qed.

Lemma dealt_all {A} s (values : list A) : group s = 0 -> Forall (fun g => (length g <= length values)%nat) (dealt s values).
Proof.
  intros Hg. unfold dealt, registers. apply Forall_forall. intros g H. apply in_flat_map in H. destruct H as (b & Hb & H).
  pose proof (blocks_short (Z.to_nat (block_length s (Z.of_nat (length values)))) (length values) values) as Hshort.
  rewrite Forall_forall in Hshort. specialize (Hshort b Hb). unfold block_length in Hshort. rewrite Hg in Hshort. simpl in Hshort.
  rewrite Nat2Z.id in Hshort.
  assert (Hlane : forall st, Forall (fun l => (length l <= length b)%nat) (lanes st b)).
  { intro st. destruct st as [|st].
    - unfold lanes. assert (E : fold_right in_front [] (blocks (length b) 0 b) = []).
      { generalize (length b). intro fuel. generalize b. induction fuel as [|fuel IH]; intros [|x l]; simpl; try reflexivity. apply IH. }
      rewrite E. constructor.
    - pose proof (concat_lanes (S st) b ltac:(lia)) as Hp. apply Forall_forall. intros l Hl.
      apply Permutation.Permutation_length in Hp. rewrite <- Hp. clear - Hl. induction (lanes (S st) b) as [|m ls IH]; [contradiction|].
      simpl. rewrite app_length. destruct Hl as [->|Hl]; [lia|]. specialize (IH Hl). lia. }
  specialize (Hlane (Z.to_nat (Z.min (stride s) (Z.of_nat (length values))))). rewrite Forall_forall in Hlane.
  specialize (Hlane g H). lia.
Qed.

(** The outer stage adds all tiles and starts from 0 (the row's constant is added outside): every one of its ranges needs
    at most P_I + n bits when there are at most T 2^n products. *)
Theorem outer_width_from_ranges inner outer T n constant values :
  is_tile inner T -> limit_kind inner = Symmetric -> group outer = 0 -> initial outer = InitialZero ->
  0 <= n -> Z.of_nat (length values) <= T * 2 ^ n -> ranges_fit inner (stage_ranges inner constant values) ->
  Forall (fun r => width_for (magnitude r) <= width inner + n)
    (stage_ranges outer constant (stage_finals inner constant values)).
Proof.
  intros Hinner Hsym Hg H0 Hn HK Hfit. pose proof Hinner as (Hs & _).
  assert (Hw : 1 <= width inner) by (destruct Hs; lia).
  pose proof (half_positive (width inner) Hw) as Hhalf. set (u := half (width inner) - 1).
  apply finals_fit in Hfit. set (tiles := stage_finals inner constant values) in *.
  assert (Hcount : Z.of_nat (length tiles) <= 2 ^ n)
    by (unfold tiles, stage_finals; rewrite map_length; eapply tile_count; eassumption).
  assert (Hbounded : Forall (fun r => - u <= lower r /\ upper r <= u) tiles).
  { eapply Forall_impl; [|exact Hfit]. intros r. unfold within, limits. rewrite Hsym. simpl. subst u. lia. }
  unfold stage_ranges. rewrite Forall_map.
  pose proof (dealt_all outer tiles Hg) as Hall.
  assert (Hparts : Forall (fun g => Forall (fun r => - u <= lower r /\ upper r <= u) g) (dealt outer tiles)).
  { clear - Hbounded. assert (H : Forall2 (fun a b => a = b /\ (- u <= lower a /\ upper a <= u)) tiles tiles)
      by (induction Hbounded; constructor; auto).
    apply (dealt_related _ outer) in H. revert H. generalize (dealt outer tiles) at 2. generalize (dealt outer tiles).
    intros l m H. induction H as [|g g' gs gs' Hg _ IH]; constructor; [|exact IH].
    clear - Hg. induction Hg as [|a b g g' (_ & Ha) _ IH]; constructor; assumption. }
  rewrite Forall_forall in *. intros g Hin. specialize (Hparts g Hin). specialize (Hall g Hin).
  pose proof (register_over_bounded outer constant u g ltac:(lia) Hparts) as (Hl & Hu). simpl in Hl, Hu.
  unfold start_range in Hl, Hu. rewrite H0 in Hl, Hu. simpl in Hl, Hu.
  assert (Hpow : half (width inner + n) = 2 ^ n * half (width inner)).
  { unfold half. replace (width inner + n - 1) with (n + (width inner - 1)) by lia. apply Z.pow_add_r; lia. }
  pose proof (Z.pow_pos_nonneg 2 n ltac:(lia) Hn) as Hpos.
  assert (Hsmall : Z.of_nat (length g) * u <= half (width inner + n) - 1) by (rewrite Hpow; subst u; nia).
  destruct (Z.le_gt_cases 0 (magnitude (register_range outer constant g))) as [Hm|Hm].
  - apply width_for_is_least; [exact Hm|]. unfold magnitude in *. lia.
  - unfold width_for. rewrite Z.log2_up_eqn0 by lia. lia.
Qed.

(** Inner registers that fit, and an outer register as wide as its ranges need: the whole datapath is safe. By the theorem
    above, P_I + n bits are always enough for the outer one. *)
Theorem inner_and_outer_compose inner outer constant values :
  ranges_fit inner (stage_ranges inner constant values) ->
  Forall (fun r => width_for (magnitude r) <= width outer /\ 0 <= magnitude r)
    (stage_ranges outer constant (stage_finals inner constant values)) ->
  all_fit [inner; outer] constant values.
Proof.
  intros Hi Ho. unfold all_fit; simpl. constructor; [exact Hi|]. constructor; [|constructor].
  unfold ranges_fit. eapply Forall_impl; [|exact Ho]. intros r (Hw & Hm). apply width_for_is_least in Hw; [|exact Hm].
  unfold magnitude, within, limits in *. destruct (limit_kind outer); simpl; lia.
Qed.
