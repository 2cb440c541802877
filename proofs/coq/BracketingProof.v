(** What is right in every order is right in every bracketing. [every_bracketing]: where every run of the machine ends with the
    exact integers and keeps its promise, so does every bracketed one, if what registers start from can wait. The machine is
    one of the bracketings ([order_is_a_bracketing]). [bracketed_datapath_is_safe], [bracketed_certificate_is_safe]: with the
    ranges of a certificate. [bracketing_overflows]: nothing less will do. *)
From Coq Require Import ZArith List Permutation Lia.
From Axecert Require Import Grouping GroupingProof Datapath Machine Range RangeProof Safety SafetyProof Limited LimitedProof
  Checker CheckerProof Bracketing.
Import ListNotations.
Open Scope Z_scope.

(** ** One after another is a bracketing *)

Lemma adds_by_tree s content order later r : adds s content order later r -> forall t before, evaluates s t before content ->
  exists t', leaves t' = leaves t ++ order /\ evaluates s t' (before ++ later) r.
Proof.
  induction 1 as [content|content v values settled later r Hs Ha IH]; intros t before Ht.
  - exists t. rewrite !app_nil_r. auto.
  - destruct (IH (Sum t (Value v)) (before ++ [] ++ [content + v])) as (t' & El & He).
    + econstructor; [exact Ht|constructor|exact Hs].
    + exists t'. split; [rewrite El; simpl; rewrite <- app_assoc; reflexivity|].
      simpl in He. rewrite <- app_assoc in He. exact He.
Qed.

Lemma register_is_bracketed s from values t : register_runs s from values t -> bracketed_register s from values t.
Proof.
  intros (order & settled & later & Hp & Hs & Ha & Ht).
  destruct (adds_by_tree _ _ _ _ _ Ha (Value from) [from]) as (tree & El & He); [constructor; exact Hs|].
  exists tree. rewrite El, Ht. simpl in *. auto.
Qed.

Theorem order_is_a_bracketing : forall stages c values traces, runs stages c values traces -> bracketed_runs stages c values traces.
Proof.
  induction 1 as [|s stages c values now later Hnow _ IH]; econstructor; [|exact IH].
  clear - Hnow. induction Hnow; constructor; auto using register_is_bracketed.
Qed.

(** ** One register *)

(** Every subset of the leaves fits: then every sum is exact and fits. *)
Lemma tree_with_fitting_subsets s : 1 <= width s -> forall t sums r, evaluates s t sums r ->
  (forall used rest, Permutation (leaves t) (used ++ rest) -> fits s (sum used)) ->
  r = sum (leaves t) /\ Forall (fits s) sums.
Proof.
  intro Hw. induction 1 as [v|v r Hs|l r a b c sums_l sums_r Hl IHl Hr IHr Hs]; intro Hfit.
  - simpl. split; [lia|constructor].
  - assert (Hv : fits s v) by (specialize (Hfit [v] [] (Permutation_refl _)); simpl in Hfit; rewrite Z.add_0_r in Hfit; exact Hfit).
    apply fitting_sum_settles in Hs; [|assumption..]. simpl. split; [lia|]. constructor; [exact Hv|constructor].
  - simpl in *. destruct IHl as (-> & Fl).
    { intros used rest Hp. apply (Hfit used (rest ++ leaves r)). rewrite app_assoc. apply Permutation_app_tail. exact Hp. }
    destruct IHr as (-> & Fr).
    { intros used rest Hp. apply (Hfit used (rest ++ leaves l)). rewrite app_assoc, <- Hp. apply Permutation_app_comm. }
    assert (Hsum : fits s (sum (leaves l) + sum (leaves r))).
    { rewrite <- sum_app. apply (Hfit (leaves l ++ leaves r) []). rewrite app_nil_r. reflexivity. }
    apply fitting_sum_settles in Hs; [|assumption..]. rewrite sum_app. split; [exact Hs|].
    rewrite !Forall_app. auto.
Qed.

(** Where sums wrap, a tree's value is its leaves' sum modulo 2^P. *)
Lemma tree_wraps s : 1 <= width s -> on_overflow s = Wrap -> forall t sums r, evaluates s t sums r ->
  (exists k, r = sum (leaves t) + k * (2 * half (width s))) /\
  (r = sum (leaves t) \/ - half (width s) <= r <= half (width s) - 1).
Proof.
  intros Hw Hwrap. induction 1 as [v|v r Hs|l r a b c sums_l sums_r Hl IHl Hr IHr Hs]; simpl.
  - split; [exists 0|left]; lia.
  - unfold settles in Hs. rewrite Hwrap in Hs. subst r. split; [|right; apply wrapped_bounds; exact Hw].
    destruct (wrapped_congruent (width s) v Hw) as (k & ->). exists k. lia.
  - unfold settles in Hs. rewrite Hwrap in Hs. subst c. split; [|right; apply wrapped_bounds; exact Hw].
    destruct IHl as ((i & ->) & _), IHr as ((j & ->) & _). rewrite sum_app.
    destruct (wrapped_congruent (width s) (sum (leaves l) + i * (2 * half (width s)) + (sum (leaves r) + j * (2 * half (width s)))) Hw)
      as (k & ->). exists (i + j + k). ring.
Qed.

(** A subset of what a register starts from and its values. *)
Lemma subset_with_start from values used rest : Permutation (from :: values) (used ++ rest) ->
  (exists p, subset_sum values p /\ sum used = from + p) \/ subset_sum values (sum used).
Proof.
  intro H. assert (Hin : In from (used ++ rest)) by (rewrite <- H; left; reflexivity).
  apply in_app_or in Hin. destruct Hin as [Hin|Hin]; apply in_split in Hin; destruct Hin as (l1 & l2 & ->).
  - left. exists (sum (l1 ++ l2)). split.
    + apply subset_of with (rest := rest). rewrite <- app_assoc in *. apply Permutation_cons_app_inv with (a := from). exact H.
    + rewrite !sum_app. simpl. lia.
  - right. apply subset_of with (rest := l1 ++ l2). rewrite app_assoc in *. apply Permutation_cons_app_inv with (a := from).
    exact H.
Qed.

(** Right in every order: then every subset fits together with the start. *)
Lemma right_in_every_order s from values : 1 <= width s ->
  (forall t, register_runs s from values t -> Forall (fits s) (sums t)) -> forall p, subset_sum values p -> fits s (from + p).
Proof.
  intros Hw H p [used rest Hp]. destruct (fits_dec s (from + sum used)) as [Hfit|Hno]; [exact Hfit|exfalso].
  destruct (something_settles s from) as (settled & Hs). destruct (adds_exists s (used ++ rest) settled) as (later & r & Ha).
  pose proof (overflow_is_met s from used rest settled later r Hw Hno Hs Ha) as Hmet.
  specialize (H (Trace (from :: later) r)). simpl in H.
  assert (Hrun : register_runs s from values (Trace (from :: later) r)) by (exists (used ++ rest), settled, later; auto).
  apply H in Hrun. apply Exists_exists in Hmet. destruct Hmet as (x & Hx & Hnot). rewrite Forall_forall in Hrun. auto.
Qed.

Lemma bracketed_register_right s c values t : valid_stage s ->
  (forall t, register_runs s (start s c) values t ->
     content t = start s c + sum values /\ (claim s = EveryPartialSum -> Forall (fits s) (sums t))) ->
  (claim s = EveryPartialSum -> start s c <> 0 -> forall p, subset_sum values p -> fits s p) ->
  bracketed_register s (start s c) values t ->
  content t = start s c + sum values /\ (claim s = EveryPartialSum -> Forall (fits s) (sums t)).
Proof.
  intros (Hw & _ & _ & Hclaim) Hright Hwait (tree & Hleaves & He).
  assert (Esum : sum (leaves tree) = start s c + sum values).
  { destruct Hleaves as [Hp|(-> & Hp)]; rewrite <- (sum_permutation _ _ Hp); simpl; lia. }
  destruct (claim s) eqn:E.
  - assert (Hfit : forall used rest, Permutation (leaves tree) (used ++ rest) -> fits s (sum used)).
    { assert (Hstart : forall p, subset_sum values p -> fits s (start s c + p)).
      { apply right_in_every_order; [lia|]. intros t' Ht'. apply Hright; auto. }
      assert (Halone : forall p, subset_sum values p -> fits s p).
      { intros p Hp. destruct (Z.eq_dec (start s c) 0) as [E0|E0]; [|apply Hwait; auto].
        specialize (Hstart p Hp). rewrite E0 in Hstart. exact Hstart. }
      intros used rest Hp. destruct Hleaves as [Hl|(_ & Hl)].
      - destruct (subset_with_start (start s c) values used rest) as [(p & Hs & ->)|Hs]; auto. etransitivity; eassumption.
      - apply Halone. econstructor. etransitivity; eassumption. }
    destruct (tree_with_fitting_subsets s ltac:(lia) tree _ _ He Hfit) as (-> & HF). auto.
  - split; [|discriminate]. specialize (Hclaim eq_refl).
    destruct (tree_wraps s ltac:(lia) Hclaim tree _ _ He) as ((k & Hk) & [Hr|Hr]); [congruence|].
    destruct (something_settles s (start s c)) as (settled & Hs). destruct (adds_exists s values settled) as (later & r & Ha).
    assert (Hrun : register_runs s (start s c) values (Trace (start s c :: later) r)) by (exists values, settled, later; auto).
    pose proof (register_wrapping s _ _ _ ltac:(lia) Hclaim Hrun) as (_ & Hword). apply Hright in Hrun. destruct Hrun as (Er & _).
    simpl in *. rewrite Esum in Hk. eapply congruent_equal; [| | |exact Hk]; lia.
Qed.

(** A tree whose every leaf is put into a register: if all its sums fit, its leaves' sum is one of them. *)
Lemma tree_meets_its_sum s : 1 <= width s -> forall t, exists sums r, evaluates s t sums r /\
  (Forall (fits s) sums -> r = sum (leaves t) /\ In (sum (leaves t)) sums).
Proof.
  intro Hw. induction t as [v|l (ls & a & Hl & Fl) r (rs & b & Hr & Fr)].
  - destruct (something_settles s v) as (x & Hx). exists [v], x. split; [constructor; exact Hx|]. intro F. inversion F; subst.
    apply fitting_sum_settles in Hx; [|assumption..]. simpl. split; [lia|left; lia].
  - destruct (something_settles s (a + b)) as (c & Hc). exists (ls ++ rs ++ [a + b]), c. split; [econstructor; eassumption|].
    rewrite !Forall_app. intros (F1 & F2 & F3). inversion F3; subst. apply fitting_sum_settles in Hc; [|assumption..].
    destruct (Fl F1) as (-> & _). destruct (Fr F2) as (-> & _). simpl. rewrite sum_app. split; [exact Hc|].
    apply in_or_app. right. apply in_or_app. right. left. reflexivity.
Qed.

Fixpoint tree_of (v : Z) (values : list Z) : tree :=
  match values with [] => Value v | v' :: values' => Sum (Value v) (tree_of v' values') end.
Lemma leaves_of v values : leaves (tree_of v values) = v :: values.
Proof. revert v. induction values; intro v; simpl; [reflexivity|]. rewrite IHvalues. reflexivity. Qed.

(** Every subset's sum is met by some tree, so that each has to fit: here without what the register starts from. *)
Theorem bracketing_overflows s from values v used rest : 1 <= width s -> Permutation values (v :: used ++ rest) ->
  ~ fits s (sum (v :: used)) -> exists t, bracketed_register s from values t /\ Exists (fun x => ~ fits s x) (sums t).
Proof.
  intros Hw Hp Hno.
  destruct (tree_meets_its_sum s Hw (tree_of v used)) as (sums_l & a & Hl & Fl).
  destruct (tree_meets_its_sum s Hw (tree_of from rest)) as (sums_r & b & Hr & _).
  destruct (something_settles s (a + b)) as (c & Hc). exists (Trace (sums_l ++ sums_r ++ [a + b]) c). split.
  - exists (Sum (tree_of v used) (tree_of from rest)). split; [|econstructor; eassumption]. left. simpl. rewrite !leaves_of.
    apply Permutation_cons_app. exact Hp.
  - apply Exists_app. left. destruct (Forall_Exists_dec (fits s) (fits_dec s) sums_l) as [F|E]; [exfalso|exact E].
    rewrite leaves_of in Fl. destruct (Fl F) as (_ & Hin). rewrite Forall_forall in F. auto.
Qed.

(** ** All stages *)

(** One register of a stage may run as it likes while the others run in some way. *)
Lemma stage_run_with s from before g after t : register_runs s from g t ->
  exists ts ts', Forall2 (register_runs s from) (before ++ g :: after) (ts ++ t :: ts') /\ length ts = length before.
Proof.
  intro H. destruct (registers_run s from before) as (ts & Hts). destruct (registers_run s from after) as (ts' & Hts').
  exists ts, ts'. split; [|symmetry; apply (related_length _ _ _ Hts)]. apply Forall2_app; [exact Hts|]. constructor; assumption.
Qed.

(** Right in every order, right in every bracketing. *)
Theorem every_bracketing : forall stages c values, Forall valid_stage stages ->
  (forall traces, runs stages c values traces ->
     map (map content) traces = exact stages c values /\ Forall2 keeps_promise stages traces) ->
  starts_can_wait stages c values ->
  forall traces, bracketed_runs stages c values traces ->
  map (map content) traces = exact stages c values /\ Forall2 keeps_promise stages traces.
Proof.
  induction stages as [|s stages IH]; intros c values Hs Hright Hwait traces Hr; inversion Hr; subst; simpl; [split; constructor|].
  inversion Hs as [|? ? Hvalid Hvalid']; subst. destruct Hwait as (Hwait & Hwait').
  match goal with H : Forall2 (bracketed_register _ _) _ ?ts |- _ => rename H into Hhere; rename ts into now end.
  match goal with H : bracketed_runs _ _ (map content now) ?ts |- _ => rename H into Habove; rename ts into later end.
  assert (Hregister : forall before g after, dealt s values = before ++ g :: after -> forall t, register_runs s (start s c) g t ->
    content t = start s c + sum g /\ (claim s = EveryPartialSum -> Forall (fits s) (sums t))).
  { intros before g after E t Ht. destruct (stage_run_with s (start s c) before g after t Ht) as (ts & ts' & Hts & El).
    rewrite <- E in Hts. destruct (every_datapath_runs stages c (map content (ts ++ t :: ts'))) as (above & Ha).
    destruct (Hright _ (runs_stage _ _ _ _ _ _ Hts Ha)) as (Hexact & Hpromise). simpl in Hexact. injection Hexact as Hexact _.
    unfold stage_exact in Hexact. rewrite E, !map_app in Hexact. apply app_parts in Hexact; [|rewrite !map_length; exact El].
    destruct Hexact as (_ & Hexact). injection Hexact as Hexact _. split; [exact Hexact|]. intro Hclaim.
    inversion Hpromise as [|? ? ? ? Hp _]; subst. specialize (Hp Hclaim). rewrite Forall_app in Hp. destruct Hp as (_ & Hp).
    inversion Hp; assumption. }
  assert (Hnow : map content now = stage_exact s c values /\ keeps_promise s now).
  { unfold stage_exact, keeps_promise.
    assert (Hall : Forall2 (fun g t => content t = start s c + sum g /\ (claim s = EveryPartialSum -> Forall (fits s) (sums t)))
      (dealt s values) now).
    { revert Hwait Hregister. clear - Hhere Hvalid. intros.
      enough (Hgen : forall gs ts, Forall2 (bracketed_register s (start s c)) gs ts -> forall before,
        (claim s = EveryPartialSum -> start s c <> 0 -> Forall (fun g => forall p, subset_sum g p -> fits s p) gs) ->
        (forall before' g after, before ++ gs = before' ++ g :: after -> forall t, register_runs s (start s c) g t ->
           content t = start s c + sum g /\ (claim s = EveryPartialSum -> Forall (fits s) (sums t))) ->
        Forall2 (fun g t => content t = start s c + sum g /\ (claim s = EveryPartialSum -> Forall (fits s) (sums t))) gs ts)
        by (apply (Hgen _ _ Hhere []); assumption).
      clear Hhere Hwait Hregister. induction 1 as [|g t gs ts Hg _ IH]; intros before Hw Hreg; constructor.
      - apply bracketed_register_right; try assumption.
        + apply (Hreg before g gs eq_refl).
        + intros Hc Hn. specialize (Hw Hc Hn). inversion Hw; assumption.
      - apply (IH (before ++ [g])).
        + intros Hc Hn. specialize (Hw Hc Hn). inversion Hw; assumption.
        + rewrite <- app_assoc. exact Hreg. }
    clear - Hall. induction Hall as [|g t gs ts (Hc & Hp) _ (IHc & IHp)]; simpl; [split; constructor|].
    split; [congruence|]. intro Hclaim. constructor; auto. }
  destruct Hnow as (En & Hpn). rewrite En in *.
  destruct (registers_run s (start s c) (dealt s values)) as (ts & Hts).
  destruct (IH c (stage_exact s c values)) with (traces := later) as (E' & P'); try assumption.
  - intros above Ha. destruct (every_datapath_runs stages c (map content ts)) as (some & Hsome).
    destruct (Hright _ (runs_stage _ _ _ _ _ _ Hts Hsome)) as (Hexact & _). simpl in Hexact. injection Hexact as Ets _.
    rewrite <- Ets in Ha. destruct (Hright _ (runs_stage _ _ _ _ _ _ Hts Ha)) as (Hexact & Hpromise). simpl in Hexact.
    injection Hexact as _ Hexact. inversion Hpromise; subst. auto.
  - split; [congruence|]. constructor; assumption.
Qed.

(** ** With ranges *)

Lemma with_zero_holds constant c : inside c constant -> inside c (with_zero constant) /\ inside 0 (with_zero constant).
Proof. unfold inside, with_zero, at_most_zero, at_least_zero; simpl. lia. Qed.

Lemma start_of_zero s : start s 0 = 0.
Proof. unfold start. destruct (initial s); reflexivity. Qed.

(** A row whose ranges fit with 0 for its constant, too. *)
Lemma ranges_let_starts_wait : forall stages c constant values ranges, inside c constant -> inside 0 constant ->
  Forall2 inside values ranges -> all_fit stages constant ranges -> starts_can_wait stages c values.
Proof.
  induction stages as [|s stages IH]; intros c constant values ranges Hc H0 Hv Hfit; simpl; [trivial|].
  unfold all_fit in Hfit. simpl in Hfit. inversion Hfit as [|? ? ? ? Hhere Habove]; subst. split.
  - intros Hclaim _. unfold ranges_fit, stage_ranges in Hhere. apply (dealt_related inside s) in Hv.
    clear - Hclaim H0 Hhere Hv. induction Hv as [|g rs gs rss Hg _ IH]; [constructor|]. inversion Hhere; subst.
    constructor; [|auto]. intros p Hp. eapply reached_fits; [eassumption|exact H0|exact Hg|].
    unfold reaches. rewrite Hclaim. exists p. rewrite start_of_zero. auto.
  - eapply IH; [exact Hc|exact H0|apply stage_finals_hold; [exact Hc|exact Hv]|exact Habove].
Qed.

Lemma limited_ranges_let_starts_wait limit stages weights inputs box c constant :
  length weights = length box -> limit_applies limit box ->
  Forall2 inside inputs box -> keeps_limit limit stages inputs -> inside c constant -> inside 0 constant ->
  Forall2 ranges_fit stages (input_ranges limit stages constant weights box) -> starts_can_wait stages c (products weights inputs).
Proof.
  intros Hw Hlimit Hx Hl Hc H0 Hfit.
  assert (Hv := products_inside weights inputs box Hx).
  destruct limit as [limit|]; [|eapply ranges_let_starts_wait; eassumption].
  destruct stages as [|s above]; [exact I|]. destruct Hlimit as (_ & Hb). simpl in Hfit.
  inversion Hfit as [|? ? ? ? Hhere Habove]; subst. simpl. split.
  - intros _ _. pose proof (limited_range_holds s weights inputs box limit 0 constant Hw Hx Hb Hl H0) as Hranges.
    unfold ranges_fit in Hhere. clear - Hhere Hranges.
    induction Hranges as [|g r gs rs Hg _ IH]; [constructor|]. inversion Hhere as [|? ? (H1 & H2) ?]; subst. constructor; [|auto].
    intros p Hp. specialize (Hg p Hp). rewrite start_of_zero in Hg. unfold fits, inside in *. lia.
  - eapply ranges_let_starts_wait; [exact Hc|exact H0| |exact Habove]. apply limited_finals_hold.
    eapply limited_range_holds; eassumption.
Qed.

(** Ranges that fit, with 0 counted in where a register starts from the constant, make a datapath safe in every bracketing. *)
Theorem bracketed_datapath_is_safe limit stages weights inputs box c constant traces :
  Forall valid_stage stages -> length weights = length box -> limit_applies limit box ->
  Forall2 inside inputs box -> keeps_limit limit stages inputs -> inside c constant ->
  Forall2 ranges_fit stages (input_ranges limit stages (with_zero constant) weights box) ->
  bracketed_runs stages c (products weights inputs) traces ->
  map (map content) traces = exact stages c (products weights inputs) /\ Forall2 keeps_promise stages traces.
Proof.
  intros Hs Hw Hlimit Hx Hl Hc Hfit. destruct (with_zero_holds constant c Hc) as (Hc' & H0').
  apply every_bracketing; [exact Hs| |].
  - intros ts Hts. eapply safe_limited_datapath; try eassumption.
  - eapply limited_ranges_let_starts_wait; eassumption.
Qed.

(** Without a stage that starts from the constant the ranges know nothing of it. *)
Lemma ranges_without_constant limit stages constant constant' weights box : Forall (fun s => initial s = InitialZero) stages ->
  input_ranges limit stages constant weights box = input_ranges limit stages constant' weights box.
Proof.
  intro H.
  assert (Hc : forall stages values, Forall (fun s => initial s = InitialZero) stages ->
    claimed_ranges stages constant values = claimed_ranges stages constant' values).
  { clear. induction stages as [|s stages IH]; intros values H; [reflexivity|]. inversion H as [|? ? E H']; subst. simpl.
    unfold stage_ranges, stage_finals, register_range, start_range. rewrite E. f_equal. apply IH. exact H'. }
  destruct limit as [limit|]; [|apply Hc; exact H]. destruct stages as [|s stages]; [reflexivity|].
  inversion H as [|? ? E H']; subst. simpl. unfold limited_stage, start_range. rewrite E. f_equal. apply Hc. exact H'.
Qed.

(** A certificate that the checker calls safe is safe in every bracketing, where no stage starts from the constant, or the
    ranges fit with 0 counted in. *)
Theorem bracketed_certificate_is_safe layers assumptions everything_covered :
  check layers assumptions everything_covered = Safe ->
  forall l, In l layers ->
  forall row bias inputs z traces, In (row, bias) (rows l) ->
  Forall (fun s => initial s = InitialZero) (stages l) \/
    Forall2 ranges_fit (stages l) (input_ranges (input_limit l) (stages l) (with_zero (row_constant l row bias)) row (box l)) ->
  Forall2 inside inputs (box l) -> keeps_limit (input_limit l) (stages l) inputs -> 0 <= z <= spread l ->
  let constant := bias + dot row (offsets l) - z * sum row in
  bracketed_runs (stages l) constant (products row inputs) traces ->
  map (map content) traces = exact (stages l) constant (products row inputs) /\
  Forall2 keeps_promise (stages l) traces.
Proof.
  intros H l Hl row bias inputs z traces Hrow Hzero Hx Hkeep Hz constant Hr. apply check_decides in H.
  destruct H as (_ & _ & F & _). rewrite Forall_forall in F. destruct (F l Hl) as (Ha & Hfit).
  unfold layer_fits in Hfit. rewrite Forall_forall in Hfit. specialize (Hfit _ Hrow). simpl in Hfit.
  pose proof (limits_kept l Ha) as Hlim.
  eapply bracketed_datapath_is_safe; [| | |exact Hx|exact Hkeep| | |exact Hr].
  - apply stages_are_valid, Hlim.
  - eapply row_of_columns; eassumption.
  - apply limit_of_layer_applies, Hlim.
  - apply constant_inside. exact Hz.
  - destruct Hzero as [Hzero|Hzero]; [|exact Hzero].
    rewrite (ranges_without_constant _ _ _ (row_constant l row bias)) by exact Hzero. exact Hfit.
Qed.
