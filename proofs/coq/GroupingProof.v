(** Facts about Grouping.v: nothing is lost and nothing added ([registers_permutation]), dealing out commutes with every
    function ([registers_map]) and keeps every relation between the values ([registers_related]), and no register is
    empty ([registers_not_empty]). *)
From Coq Require Import List Permutation Lia Arith.
From Axecert Require Import Grouping.
Import ListNotations.

(** ** Related values stay related *)

Section Related.
Context {A B : Type} (R : A -> B -> Prop).

Lemma related_length l m : Forall2 R l m -> length l = length m.
Proof. induction 1; simpl; congruence. Qed.

Lemma firstn_related n : forall l m, Forall2 R l m -> Forall2 R (firstn n l) (firstn n m).
Proof. induction n; intros l m H; [constructor|]. destruct H; simpl; constructor; auto. Qed.

Lemma skipn_related n : forall l m, Forall2 R l m -> Forall2 R (skipn n l) (skipn n m).
Proof. induction n; intros l m H; [exact H|]. destruct H; simpl; auto. Qed.

Lemma blocks_related size : forall fuel l m,
  Forall2 R l m -> Forall2 (Forall2 R) (blocks fuel size l) (blocks fuel size m).
Proof.
  induction fuel as [|fuel IH]; intros l m H; simpl.
  - constructor.
  - destruct H; [constructor|].
    constructor; [apply firstn_related | apply IH, skipn_related]; constructor; assumption.
Qed.

Lemma in_front_related : forall r r', Forall2 R r r' -> forall l l', Forall2 (Forall2 R) l l' ->
  Forall2 (Forall2 R) (in_front r l) (in_front r' l').
Proof.
  induction 1 as [|v v' r r' Hv Hr IH]; intros l l' Hl; simpl; [assumption|].
  destruct Hl; constructor; auto.
Qed.

Lemma lanes_related stride l m : Forall2 R l m -> Forall2 (Forall2 R) (lanes stride l) (lanes stride m).
Proof.
  intro H. unfold lanes. rewrite (related_length l m H).
  induction (blocks_related stride (length m) l m H) as [|b b' bs bs' Hb Hbs IH]; simpl; [constructor|].
  apply in_front_related; assumption.
Qed.

Theorem registers_related size stride l m :
  Forall2 R l m -> Forall2 (Forall2 R) (registers size stride l) (registers size stride m).
Proof.
  intro H. unfold registers. rewrite (related_length l m H).
  induction (blocks_related size (length m) l m H) as [|b b' bs bs' Hb Hbs IH]; simpl; [constructor|].
  apply Forall2_app; [apply lanes_related|]; assumption.
Qed.
End Related.

(** ** Dealing out commutes with every function *)

Lemma related_by_map {A B} (f : A -> B) l m : Forall2 (fun a b => f a = b) l m <-> m = map f l.
Proof.
  split.
  - induction 1; simpl; congruence.
  - intros ->. induction l; simpl; constructor; auto.
Qed.

Theorem registers_map {A B} (f : A -> B) size stride l :
  registers size stride (map f l) = map (map f) (registers size stride l).
Proof.
  apply related_by_map.
  assert (H : Forall2 (fun a b => f a = b) l (map f l)) by (apply related_by_map; reflexivity).
  apply (registers_related _ size stride) in H.
  induction H as [|g g' gs gs' Hg Hgs IH]; constructor; [|assumption].
  symmetry. apply related_by_map. assumption.
Qed.

(** ** Nothing is lost, nothing is added *)

Section Permutations.
Context {A : Type}.

Lemma concat_blocks size : size > 0 -> forall fuel (l : list A),
  length l <= fuel -> concat (blocks fuel size l) = l.
Proof.
  intro Hs. induction fuel as [|fuel IH]; intros l H; simpl.
  - destruct l; simpl in *; [reflexivity|lia].
  - destruct l as [|a l]; [reflexivity|].
    change (concat (firstn size (a :: l) :: blocks fuel size (skipn size (a :: l))) = a :: l).
    simpl concat. rewrite IH; [apply firstn_skipn|].
    rewrite skipn_length. simpl length in *. lia.
Qed.

Lemma concat_in_front : forall (row : list A) ls, Permutation (concat (in_front row ls)) (row ++ concat ls).
Proof.
  induction row as [|v row IH]; intros ls; simpl; [reflexivity|].
  destruct ls as [|l ls]; simpl.
  - constructor. rewrite IH. reflexivity.
  - constructor. rewrite IH. rewrite !app_assoc. apply Permutation_app_tail, Permutation_app_comm.
Qed.

Lemma concat_lanes stride (block : list A) : stride > 0 -> Permutation (concat (lanes stride block)) block.
Proof.
  intro Hs. unfold lanes.
  transitivity (concat (blocks (length block) stride block)).
  - induction (blocks (length block) stride block) as [|b bs IH]; simpl; [reflexivity|].
    rewrite concat_in_front. apply Permutation_app_head. exact IH.
  - rewrite concat_blocks by (assumption || lia). reflexivity.
Qed.

Theorem registers_permutation size stride (l : list A) : size > 0 -> stride > 0 ->
  Permutation (concat (registers size stride l)) l.
Proof.
  intros Hs Ht. unfold registers.
  transitivity (concat (blocks (length l) size l)).
  - induction (blocks (length l) size l) as [|b bs IH]; simpl; [reflexivity|].
    rewrite concat_app. apply Permutation_app; [apply concat_lanes; assumption | exact IH].
  - rewrite concat_blocks by (assumption || lia). reflexivity.
Qed.

Lemma in_front_not_empty : forall (row : list A) ls, Forall (fun g => g <> []) ls ->
  Forall (fun g => g <> []) (in_front row ls).
Proof.
  induction row as [|v row IH]; intros ls H; simpl; [assumption|].
  destruct H; constructor; try discriminate; auto.
Qed.

Theorem registers_not_empty size stride (l : list A) : Forall (fun g => g <> []) (registers size stride l).
Proof.
  unfold registers. induction (blocks (length l) size l) as [|b bs IH]; simpl; [constructor|].
  apply Forall_app. split; [|exact IH]. unfold lanes.
  induction (blocks (length b) stride b) as [|r rs IHr]; simpl; [constructor|].
  apply in_front_not_empty. exact IHr.
Qed.
End Permutations.

(** ** Register n adds exactly the values v with v / B * min(stride, B) + (v mod B) mod stride = n *)
