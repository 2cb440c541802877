(** Which values meet in which register. A stage cuts the values of the level below into blocks of B; inside a block,
    value i goes to lane i mod stride. [registers B stride values] is the list of registers, each the list of values that
    it adds, in the order of docs/certificate.md ("Registers"). The functions are polymorphic: they deal out products,
    register contents and ranges alike, which is what makes ranges and contents comparable. No proofs here. *)
From Coq Require Import List.
Import ListNotations.

Section Grouping.
Context {A : Type}.

(** Consecutive blocks of [size] values; the last may be shorter. [fuel] is the number of values. *)
Fixpoint blocks (fuel size : nat) (values : list A) : list (list A) :=
  match fuel, values with
  | O, _ => []
  | _, [] => []
  | S fuel', _ => firstn size values :: blocks fuel' size (skipn size values)
  end.

(** Puts the values of [row] in front of one lane each; a lane that is not there yet begins. *)
Fixpoint in_front (row : list A) (lanes : list (list A)) : list (list A) :=
  match row, lanes with
  | [], _ => lanes
  | v :: row', [] => [v] :: in_front row' []
  | v :: row', lane :: lanes' => (v :: lane) :: in_front row' lanes'
  end.

(** Lane j of a block: its values j, j + stride, j + 2 stride, ... *)
Definition lanes (stride : nat) (block : list A) : list (list A) :=
  fold_right in_front [] (blocks (length block) stride block).

Definition registers (size stride : nat) (values : list A) : list (list A) :=
  flat_map (lanes stride) (blocks (length values) size values).

End Grouping.
