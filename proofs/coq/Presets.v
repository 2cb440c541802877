(** Three kernels as stages (lib/datapath/presets), their operands, and the instruction that ggml's and intgemm's sign trick
    rests on. No proofs here. *)
From Coq Require Import ZArith List Bool.
From Axecert Require Import Grouping Datapath Machine Range Rewritings.
Import ListNotations.
Open Scope Z_scope.

Definition u8 : interval := Interval 0 255.
Definition s8 : interval := Interval (-128) 127.

(** x86-avx2-maddubs: vpmaddubsw adds two products in a saturating int16; the rest is 32 bits wide. *)
Definition maddubs_pair : stage := Stage 16 2 1 Saturate Full InitialZero EveryPartialSum.
Definition wide_row : stage := Stage 32 0 1 Wrap Full InitialConstant EveryPartialSum.
Definition x86_avx2_maddubs : list stage := [maddubs_pair; wide_row].

(** neon-mull-mlal: smull and smlal add products k and k + 8 in a wrapping int16. *)
Definition mull_mlal_pair : stage := Stage 16 2 8 Wrap Full InitialZero EveryPartialSum.
Definition neon_mull_mlal : list stage := [mull_mlal_pair; wide_row].

(** The same box for every column of a row. *)
Definition for_all (box : interval) (row : list Z) : list interval := map (fun _ => box) row.

(** What oneDNN, MLAS and others ask for instead. *)
Definition industry_rule (ws : list Z) : bool := forallb (fun w => is_inside w (Interval (-64) 63)) ws.
Definition pair_rule (ws : list Z) : bool := (positives ws <=? 128) && (-128 <=? negatives ws).

Definition all_of_s8 : list Z := map (fun n => Z.of_nat n - 128) (seq 0 256).
Definition all_pairs : list (list Z) := flat_map (fun a => map (fun b => [a; b]) all_of_s8) all_of_s8.
Definition count_of (rule : list Z -> bool) : Z := fold_left (fun n ws => if rule ws then n + 1 else n) all_pairs 0.

(** vpsignb: y with the sign of x, in 8 bits. The sign trick multiplies |x| (unsigned) with it. *)
Definition vpsignb (y x : Z) : Z := if x <? 0 then wrapped 8 (- y) else if x =? 0 then 0 else y.
