(** AXE's soft threshold is the projection on a weighted l1 ball, over the rational numbers. [soft_threshold_projects]: when
    λ satisfies the Karush-Kuhn-Tucker conditions ([is_threshold]), no point of the ball is nearer than the thresholded
    one, and any other is farther by at least its squared distance to it. [threshold_exists], [threshold_is_unique]: every
    ball has such a λ, and only one. [threshold_bounds_every_set], [threshold_attains_a_set]: it is the greatest of
    (Σ c|u| - Z) / Σ c² over sets of terms, or 0, which is what lib/constraint/soft_threshold.hpp computes. Definitions and
    proofs together. Sources: Duchi et al., ICML 2008; AXE (arXiv 2409.17092) eqs. 14, 16. *)
From Coq Require Import QArith Qabs Lqa List Setoid Morphisms.
Import ListNotations.
Open Scope Q_scope.

(** A weight of the tile, in the ball's unit, and what one unit of it costs. *)
Record term := Term { value : Q; price : Q }.
Definition priced (t : term) : Prop := 0 <= price t.

Definition positive_part (x : Q) : Q := if Qlt_le_dec 0 x then x else 0.

(** sign(u) max(|u| - t, 0). *)
Definition shrink (t u : Q) : Q := positive_part (u - t) - positive_part (- u - t).
Definition thresholded (lambda : Q) (tile : list term) : list Q := map (fun k => shrink (lambda * price k) (value k)) tile.

(** Σ c |x|. *)
Fixpoint spent (tile : list term) (x : list Q) : Q :=
  match tile, x with k :: tile', a :: x' => price k * Qabs a + spent tile' x' | _, _ => 0 end.

(** Squared distances: of x to the tile, and of x to y. *)
Fixpoint distance (tile : list term) (x : list Q) : Q :=
  match tile, x with k :: tile', a :: x' => (a - value k) * (a - value k) + distance tile' x' | _, _ => 0 end.
Fixpoint gap (x y : list Q) : Q :=
  match x, y with a :: x', b :: y' => (a - b) * (a - b) + gap x' y' | _, _ => 0 end.

(** λ >= 0, the thresholded point lies in the ball of radius Z, and on its surface when λ > 0. *)
Definition is_threshold (tile : list term) (Z lambda : Q) : Prop :=
  0 <= lambda /\ spent tile (thresholded lambda tile) <= Z /\ (0 < lambda -> spent tile (thresholded lambda tile) == Z).

(** ** Projection *)

Lemma abs_bounds x : x <= Qabs x /\ - x <= Qabs x /\ 0 <= Qabs x.
Proof. apply Qabs_case; intros; lra. Qed.

Lemma shrink_direction t u x : 0 <= t -> t * (Qabs (shrink t u) - Qabs x) <= (x - shrink t u) * (shrink t u - u).
Proof.
  intro Ht. destruct (abs_bounds x) as (H1 & H2 & _). revert H1 H2. generalize (Qabs x). intros a H1 H2.
  unfold shrink, positive_part. destruct (Qlt_le_dec 0 (u - t)), (Qlt_le_dec 0 (- u - t)); try lra.
  - assert (0 <= t * (a - x)) by (apply Qmult_le_0_compat; lra). setoid_replace (Qabs (u - t - 0)) with (u - t).
    + setoid_replace (u - t - 0 - u) with (- t) by ring. setoid_replace ((x - (u - t - 0)) * - t) with (t * (u - t) - t * x) by ring.
      lra.
    + rewrite Qabs_pos; lra.
  - assert (0 <= t * (a + x)) by (apply Qmult_le_0_compat; lra). setoid_replace (Qabs (0 - (- u - t))) with (- u - t).
    + setoid_replace (0 - (- u - t) - u) with t by ring.
      setoid_replace ((x - (0 - (- u - t))) * t) with (t * (- u - t) + t * x) by ring. lra.
    + rewrite Qabs_neg; lra.
  - assert (0 <= (t - u) * (a + x)) by (apply Qmult_le_0_compat; lra).
    assert (0 <= (t + u) * (a - x)) by (apply Qmult_le_0_compat; lra).
    setoid_replace (Qabs (0 - 0)) with 0 by reflexivity. lra.
Qed.

Lemma shrink_nearer t u x : 0 <= t ->
  (shrink t u - u) * (shrink t u - u) + (x - shrink t u) * (x - shrink t u) + 2 * (t * (Qabs (shrink t u) - Qabs x))
  <= (x - u) * (x - u).
Proof.
  intro Ht. pose proof (shrink_direction t u x Ht) as H. revert H. generalize (Qabs (shrink t u)) (shrink t u) (Qabs x).
  intros w v a H.
  setoid_replace ((x - u) * (x - u)) with ((v - u) * (v - u) + (x - v) * (x - v) + 2 * ((x - v) * (v - u))) by ring. lra.
Qed.

Lemma thresholded_nearer lambda : 0 <= lambda -> forall tile x, Forall priced tile -> length x = length tile ->
  distance tile (thresholded lambda tile) + gap x (thresholded lambda tile) +
  2 * (lambda * (spent tile (thresholded lambda tile) - spent tile x)) <= distance tile x.
Proof.
  intro Hl. induction tile as [|k tile IH]; intros [|a x] Hp Hn; try discriminate;
    cbn [distance gap spent thresholded map]; [lra|].
  inversion Hp; subst. specialize (IH x ltac:(assumption) ltac:(injection Hn; auto)). unfold priced in *.
  pose proof (shrink_nearer (lambda * price k) (value k) a ltac:(apply Qmult_le_0_compat; assumption)) as Hk.
  fold (thresholded lambda tile). revert IH Hk.
  generalize (distance tile (thresholded lambda tile)) (gap x (thresholded lambda tile)) (spent tile (thresholded lambda tile))
    (spent tile x) (distance tile x) (Qabs (shrink (lambda * price k) (value k))) (shrink (lambda * price k) (value k)) (Qabs a).
  intros d g s sx dx w v b IH Hk.
  lra.
Qed.

(** No point of the ball is nearer to the tile than the thresholded one. *)
Theorem soft_threshold_projects tile Z lambda x : Forall priced tile -> is_threshold tile Z lambda ->
  length x = length tile -> spent tile x <= Z ->
  distance tile (thresholded lambda tile) + gap x (thresholded lambda tile) <= distance tile x.
Proof.
  intros Hp (Hl & _ & Hsurface) Hn Hx. pose proof (thresholded_nearer lambda Hl tile x Hp Hn) as H.
  assert (0 <= lambda * (spent tile (thresholded lambda tile) - spent tile x)); [|lra].
  destruct (Qlt_le_dec 0 lambda) as [H0|H0].
  - apply Qmult_le_0_compat; [exact Hl|]. rewrite (Hsurface H0). lra.
  - assert (E : lambda == 0) by lra. generalize (spent tile (thresholded lambda tile) - spent tile x). intro d. rewrite E. lra.
Qed.

Lemma square_not_negative x : 0 <= x * x.
Proof.
  destruct (Qlt_le_dec x 0).
  - assert (0 <= - x * - x) by (apply Qmult_le_0_compat; lra). lra.
  - apply Qmult_le_0_compat; assumption.
Qed.

Lemma gap_not_negative : forall x y, 0 <= gap x y.
Proof.
  induction x as [|a x IH]; intros [|b y]; cbn [gap]; try lra. specialize (IH y).
  pose proof (square_not_negative (a - b)). lra.
Qed.

Lemma gap_zero : forall x y, length x = length y -> gap x y <= 0 -> Forall2 Qeq x y.
Proof.
  induction x as [|a x IH]; intros [|b y] Hn H; try discriminate; cbn [gap] in *; constructor.
  - pose proof (gap_not_negative x y). pose proof (square_not_negative (a - b)). assert ((a - b) * (a - b) == 0) by lra.
    assert (a - b == 0) by (destruct (Qmult_integral (a - b) (a - b)); assumption). lra.
  - apply IH; [injection Hn; auto|]. pose proof (square_not_negative (a - b)). lra.
Qed.

(** And it is the only nearest one. *)
Theorem projection_is_unique tile Z lambda x : Forall priced tile -> is_threshold tile Z lambda ->
  length x = length tile -> spent tile x <= Z -> distance tile x <= distance tile (thresholded lambda tile) ->
  Forall2 Qeq x (thresholded lambda tile).
Proof.
  intros Hp Hl Hn Hx Hd. apply gap_zero; [unfold thresholded; rewrite map_length; exact Hn|].
  pose proof (soft_threshold_projects tile Z lambda x Hp Hl Hn Hx). lra.
Qed.

(** ** The threshold *)

#[local] Instance positive_part_proper : Proper (Qeq ==> Qeq) positive_part.
Proof. intros x y E. unfold positive_part. destruct (Qlt_le_dec 0 x), (Qlt_le_dec 0 y); lra. Qed.

Lemma positive_part_not_negative x : 0 <= positive_part x /\ x <= positive_part x.
Proof. unfold positive_part. destruct (Qlt_le_dec 0 x); lra. Qed.

Lemma positive_part_zero x : x <= 0 -> positive_part x == 0.
Proof. unfold positive_part. destruct (Qlt_le_dec 0 x); lra. Qed.

Lemma shrink_magnitude t u : 0 <= t -> Qabs (shrink t u) == positive_part (Qabs u - t).
Proof.
  intro Ht. unfold shrink. destruct (Qlt_le_dec 0 u) as [Hu|Hu].
  - rewrite (positive_part_zero (- u - t)) by lra. rewrite (Qabs_pos u) by lra.
    destruct (positive_part_not_negative (u - t)). rewrite Qabs_pos by lra. lra.
  - rewrite (positive_part_zero (u - t)) by lra. rewrite (Qabs_neg u) by lra.
    destruct (positive_part_not_negative (- u - t)). rewrite Qabs_neg by lra. lra.
Qed.

(** What a term spends at threshold λ. *)
Definition spends (lambda : Q) (k : term) : Q := price k * positive_part (Qabs (value k) - lambda * price k).
Fixpoint total (f : term -> Q) (tile : list term) : Q :=
  match tile with [] => 0 | k :: tile' => f k + total f tile' end.

Lemma spent_total lambda : 0 <= lambda -> forall tile, Forall priced tile ->
  spent tile (thresholded lambda tile) == total (spends lambda) tile.
Proof.
  intro Hl. induction 1 as [|k tile Hk _ IH]; cbn [spent thresholded map total]; [reflexivity|]. fold (thresholded lambda tile). rewrite IH.
  unfold spends. rewrite shrink_magnitude by (apply Qmult_le_0_compat; assumption). reflexivity.
Qed.

Lemma spends_falls lambda mu k : priced k -> lambda < mu ->
  0 <= spends mu k /\ spends mu k <= spends lambda k /\ (0 < spends mu k -> spends mu k < spends lambda k).
Proof.
  unfold priced, spends. intros Hk Hlt. set (a := Qabs (value k)). set (c := price k) in *.
  destruct (positive_part_not_negative (a - lambda * c)) as (H1 & H2).
  assert (H3 : 0 <= c * positive_part (a - lambda * c)) by (apply Qmult_le_0_compat; assumption).
  assert (H4 : c * (a - lambda * c) <= c * positive_part (a - lambda * c)).
  { rewrite !(Qmult_comm c). apply Qmult_le_compat_r; assumption. }
  unfold positive_part at 1 2 4 5. destruct (Qlt_le_dec 0 (a - mu * c)) as [H|H].
  - destruct (Qlt_le_dec 0 c) as [Hc|Hc].
    + assert (0 < c * (a - mu * c)) by (apply Qmult_lt_0_compat; assumption).
      assert (0 < c * (c * (mu - lambda))) by (repeat apply Qmult_lt_0_compat; lra).
      assert (c * (a - mu * c) < c * (a - lambda * c)) by lra. lra.
    + assert (E : c == 0) by lra. split; [|split]; rewrite E in *; lra.
  - lra.
Qed.

Lemma total_falls lambda mu tile : Forall priced tile -> lambda < mu ->
  0 <= total (spends mu) tile /\ total (spends mu) tile <= total (spends lambda) tile /\
  (0 < total (spends mu) tile -> total (spends mu) tile < total (spends lambda) tile).
Proof.
  intros Hp Hlt. induction Hp as [|k tile Hk _ IH]; cbn [total]; [lra|].
  destruct (spends_falls lambda mu k Hk Hlt) as (A1 & A2 & A3). destruct IH as (B1 & B2 & B3). split; [lra|]. split; [lra|].
  intro H. destruct (Qlt_le_dec 0 (spends mu k)) as [C|C]; [specialize (A3 C); lra|]. assert (D : 0 < total (spends mu) tile) by lra.
  specialize (B3 D). lra.
Qed.

(** There is only one threshold, for every ball with an inside. (With Z = 0, every λ that shrinks everything to 0 is one.) *)
Theorem threshold_is_unique tile Z lambda mu : Forall priced tile -> 0 < Z ->
  is_threshold tile Z lambda -> is_threshold tile Z mu -> lambda == mu.
Proof.
  intros Hp HZ.
  assert (Main : forall lambda mu, is_threshold tile Z lambda -> is_threshold tile Z mu -> lambda < mu -> False).
  { clear lambda mu. intros lambda mu (L1 & L2 & _) (M1 & M2 & M3) Hlt. rewrite spent_total in * by assumption.
    specialize (M3 ltac:(lra)). destruct (total_falls lambda mu tile Hp Hlt) as (_ & _ & H). lra. }
  intros HL HM. destruct (Qlt_le_dec lambda mu) as [H|H]; [exfalso; eauto|].
  destruct (Qlt_le_dec mu lambda) as [H'|H']; [exfalso; eauto|]. lra.
Qed.

(** ** The formula *)

(** Σ f over the terms that [set] chooses, one boolean for each. *)
Fixpoint total_of (set : list bool) (f : term -> Q) (tile : list term) : Q :=
  match set, tile with b :: set', k :: tile' => (if b then f k else 0) + total_of set' f tile' | _, _ => 0 end.
Definition reach (k : term) : Q := price k * Qabs (value k).
Definition square (k : term) : Q := price k * price k.

Lemma set_spends lambda : forall tile set, Forall priced tile ->
  total_of set reach tile - lambda * total_of set square tile <= total (spends lambda) tile.
Proof.
  intros tile set Hp. revert set. induction Hp as [|k tile Hk Hp IH]; intros [|b set]; cbn [total_of total]; try lra.
  - assert (0 <= total (spends lambda) tile) by (specialize (IH []); cbn [total_of] in IH; lra).
    destruct (positive_part_not_negative (Qabs (value k) - lambda * price k)) as (H1 & H2).
    assert (H3 : 0 <= spends lambda k) by (apply Qmult_le_0_compat; assumption). lra.
  - specialize (IH set). unfold priced in Hk.
    destruct (positive_part_not_negative (Qabs (value k) - lambda * price k)) as (H1 & H2).
    assert (H3 : 0 <= spends lambda k) by (apply Qmult_le_0_compat; assumption).
    assert (H4 : price k * (Qabs (value k) - lambda * price k) <= spends lambda k).
    { unfold spends. rewrite !(Qmult_comm (price k)). apply Qmult_le_compat_r; assumption. }
    unfold reach, square in *. destruct b; lra.
Qed.

Definition is_kept (lambda : Q) (k : term) : bool := if Qlt_le_dec 0 (Qabs (value k) - lambda * price k) then true else false.

Lemma kept_spend lambda : forall tile,
  total_of (map (is_kept lambda) tile) reach tile - lambda * total_of (map (is_kept lambda) tile) square tile ==
  total (spends lambda) tile.
Proof.
  induction tile as [|k tile IH]; cbn [map total_of total]; [lra|].
  unfold spends, positive_part, is_kept, reach, square in *. destruct (Qlt_le_dec 0 (Qabs (value k) - lambda * price k)); lra.
Qed.

(** Σ c|u| - Z <= λ Σ c² over every set of terms. *)
Theorem threshold_bounds_every_set tile Z lambda set : Forall priced tile -> is_threshold tile Z lambda ->
  total_of set reach tile - Z <= lambda * total_of set square tile.
Proof.
  intros Hp (Hl & Hin & _). rewrite spent_total in Hin by assumption. pose proof (set_spends lambda tile set Hp). lra.
Qed.

(** With equality for the terms that are not shrunk to 0, when λ > 0: it is the greatest of these quotients. *)
Theorem threshold_attains_a_set tile Z lambda : Forall priced tile -> is_threshold tile Z lambda -> 0 < lambda ->
  total_of (map (is_kept lambda) tile) reach tile - Z == lambda * total_of (map (is_kept lambda) tile) square tile.
Proof.
  intros Hp (Hl & _ & Hsurface) H0. specialize (Hsurface H0). rewrite spent_total in Hsurface by assumption.
  pose proof (kept_spend lambda tile). lra.
Qed.

(** ** There is one *)

Fixpoint all_sets (count : nat) : list (list bool) :=
  match count with O => [[]] | S n => map (cons true) (all_sets n) ++ map (cons false) (all_sets n) end.

Lemma in_all_sets {A} (f : A -> bool) : forall l, In (map f l) (all_sets (length l)).
Proof.
  induction l as [|a l IH]; cbn [map length all_sets]; [left; reflexivity|]. apply in_or_app.
  destruct (f a); [left|right]; apply in_map; exact IH.
Qed.

Lemma square_total tile : forall set, 0 <= total_of set square tile /\
  (total_of set square tile <= 0 -> total_of set reach tile == 0).
Proof.
  induction tile as [|k tile IH]; intros [|b set]; cbn [total_of]; try (split; [lra|intros; lra]).
  destruct (IH set) as (H1 & H2). pose proof (square_not_negative (price k)) as H3. unfold square in *. destruct b.
  - split; [lra|]. intro H. assert (E : price k * price k == 0) by lra.
    assert (price k == 0) as Ek by (destruct (Qmult_integral (price k) (price k) E); assumption).
    unfold reach. rewrite H2 by lra. rewrite Ek. lra.
  - split; [lra|]. intro H. rewrite H2 by lra. lra.
Qed.

Lemma greatest_quotient tile Z : 0 <= Z -> forall sets, exists lambda, 0 <= lambda /\
  (forall set, In set sets -> total_of set reach tile - Z <= lambda * total_of set square tile) /\
  (0 < lambda -> exists set, total_of set reach tile - Z == lambda * total_of set square tile).
Proof.
  intro HZ. induction sets as [|set sets (lambda & H1 & H2 & H3)].
  - exists 0. split; [lra|]. split; [intros set []|lra].
  - destruct (Qlt_le_dec (lambda * total_of set square tile) (total_of set reach tile - Z)) as [H|H].
    + destruct (square_total tile set) as (Hs & Hz).
      assert (Hpos : 0 < total_of set square tile).
      { destruct (Qlt_le_dec 0 (total_of set square tile)) as [Hp|Hp]; [exact Hp|]. specialize (Hz Hp).
        assert (E : total_of set square tile == 0) by lra. rewrite E in H. lra. }
      assert (E : (total_of set reach tile - Z) / total_of set square tile * total_of set square tile ==
        total_of set reach tile - Z) by (field; lra).
      revert E. generalize ((total_of set reach tile - Z) / total_of set square tile). intros mu E.
      assert (Hmu : lambda < mu).
      { rewrite <- E in H. apply Qmult_lt_r in H; assumption. }
      exists mu. split; [lra|]. split.
      * intros other [<-|Hin]; [lra|]. specialize (H2 other Hin). destruct (square_total tile other) as (Ho & _).
        assert (lambda * total_of other square tile <= mu * total_of other square tile) by (apply Qmult_le_compat_r; lra). lra.
      * intros _. exists set. lra.
    + exists lambda. split; [exact H1|]. split; [|exact H3]. intros other [<-|Hin]; [exact H|auto].
Qed.

(** Every tile and every ball have a threshold, namely that greatest quotient. *)
Theorem threshold_exists tile Z : Forall priced tile -> 0 <= Z -> exists lambda, is_threshold tile Z lambda.
Proof.
  intros Hp HZ. destruct (greatest_quotient tile Z HZ (all_sets (length tile))) as (lambda & H1 & H2 & H3).
  exists lambda. unfold is_threshold. rewrite spent_total by assumption.
  specialize (H2 _ (in_all_sets (is_kept lambda) tile)). pose proof (kept_spend lambda tile) as Hk.
  assert (Hin : total (spends lambda) tile <= Z) by lra. split; [exact H1|]. split; [exact Hin|].
  intro H0. destruct (H3 H0) as (set & E). pose proof (set_spends lambda tile set Hp). lra.
Qed.
