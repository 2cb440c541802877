(* A place in a text that is read from left to right, shared by the two parsers: literals, numbers, and the integers that
   arrays hold. Whatever does not match raises Refused with the reason and the byte. *)

exception Refused of string * int

type t = { text : string; mutable at : int; stop : int }

let refuse c reason = raise (Refused (reason, c.at))

let is c literal =
  let n = String.length literal in
  n <= c.stop - c.at && String.sub c.text c.at n = literal

let accept c literal = is c literal && (c.at <- c.at + String.length literal; true)
let expect c literal = if not (accept c literal) then refuse c ("expected " ^ literal)

(* The longest run of characters for which [good] holds, at most [most]. *)
let run c good most =
  let start = c.at in
  while c.at < c.stop && c.at - start < most && good c.text.[c.at] do c.at <- c.at + 1 done;
  String.sub c.text start (c.at - start)

let is_digit x = x >= '0' && x <= '9'

(* int = "0" | [ "-" ] digit19 { digit }, within int64. *)
let int64 c =
  let start = c.at in
  let minus = accept c "-" in
  let digits = run c is_digit max_int in
  let canonical = digits <> "" && (digits.[0] <> '0' || (digits = "0" && not minus)) in
  match if canonical then Int64.of_string_opt ((if minus then "-" else "") ^ digits) else None with
  | Some value -> value
  | None -> c.at <- start; refuse c "a number"

(* A number within [least, most], which an OCaml integer holds. *)
let number c least most =
  let start = c.at in
  let value = int64 c in
  if Int64.compare value (Int64.of_int least) < 0 || Int64.compare value (Int64.of_int most) > 0 then
    (c.at <- start; refuse c "a number out of its range");
  Int64.to_int value

(* Coq's integers. The magnitude of the least int64, 2^63, is read as an unsigned number. *)
let z_of_int64 value =
  let rec positive n =
    let rest = Int64.shift_right_logical n 1 in
    if rest = 0L then Proved.XH
    else if Int64.logand n 1L = 1L then Proved.XI (positive rest) else Proved.XO (positive rest) in
  if value = 0L then Proved.Z0
  else if Int64.compare value 0L > 0 then Proved.Zpos (positive value) else Proved.Zneg (positive (Int64.neg value))
let z_of_int value = z_of_int64 (Int64.of_int value)
let z c = z_of_int64 (int64 c)

(* Little-endian arrays, [count] entries from byte [at]. *)
let int8s text at count = List.init count (fun i -> String.get_int8 text (at + i))
let int32s text at count = List.init count (fun i -> Int32.to_int (String.get_int32_le text (at + 4 * i)))
let int64s text at count = List.init count (fun i -> String.get_int64_le text (at + 8 * i))
