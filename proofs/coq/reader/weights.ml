(* Walks over the header of a safetensors file from any writer: white space, any order of keys, escapes in metadata. Only names,
   types, shapes and offsets are looked at; every offset lies within the file. A name with an escape is refused, because it
   could spell another name. Main function: read. No side effects. *)
open Cursor

type entry = {
  name : string;
  dtype : string;
  shape : int list;  (* a length that no file can have is max_int *)
  file : string;     (* the bytes of the whole file *)
  start : int;       (* bytes of it *)
  stop : int;
}

let skip c = ignore (run c (fun x -> x = ' ' || x = '\t' || x = '\n' || x = '\r') max_int)
let token c literal = skip c; let there = accept c literal in if there then skip c; there
let need c literal = if not (token c literal) then refuse c ("expected " ^ literal)

(* A JSON string, escapes as they are written. *)
let text c may_escape =
  skip c;
  expect c "\"";
  let start = c.at in
  let rec walk () =
    if c.at >= c.stop then refuse c "a string without an end"
    else match c.text.[c.at] with
      | '"' -> ()
      | '\\' -> if not may_escape then refuse c "an escape"; c.at <- c.at + 2; walk ()
      | x when x < ' ' -> refuse c "a control character"
      | _ -> c.at <- c.at + 1; walk () in
  walk ();
  let value = String.sub c.text start (c.at - start) in
  expect c "\"";
  skip c;
  value

let count c =
  skip c;
  let start = c.at in
  let value = int64 c in
  if Int64.compare value 0L < 0 then (c.at <- start; refuse c "a negative number");
  if Int64.compare value (Int64.of_int max_int) > 0 then max_int else Int64.to_int value

let rec separated c close read =
  let value = read c in
  if token c "," then value :: separated c close read else (need c close; [value])

let metadata c =
  need c "{";
  if not (token c "}") then
    ignore (separated c "}" (fun c -> ignore (text c true); need c ":"; ignore (text c true)))

let width = function "I8" -> Some 1 | "I32" -> Some 4 | "I64" -> Some 8 | _ -> None

(* The product of lengths, or nothing when it exceeds [most]. *)
let elements shape most =
  if List.mem 0 shape then Some 0
  else List.fold_left (fun product length -> match product with
      | Some p when length <= most / p -> Some (p * length) | _ -> None) (Some 1) shape

let entry c name =
  let dtype = ref None and shape = ref None and offsets = ref None in
  let once place value = if !place <> None then refuse c "a key twice"; place := Some value in
  need c "{";
  ignore (separated c "}" (fun c ->
      let key = text c false in
      need c ":";
      match key with
      | "dtype" -> once dtype (text c false)
      | "shape" -> need c "["; once shape (if token c "]" then [] else separated c "]" count)
      | "data_offsets" ->
        need c "[";
        let first = count c in
        need c ",";
        let last = count c in
        need c "]";
        once offsets (first, last)
      | _ -> refuse c "an unknown key"));
  match !dtype, !shape, !offsets with
  | Some dtype, Some shape, Some (first, last) ->
    let room = String.length c.text - c.stop in
    if first > last || last > room then refuse c "offsets outside the file";
    (match width dtype with
     | Some w ->
       (match elements shape room with
        | Some n when w * n = last - first -> ()
        | _ -> refuse c "offsets that do not fit the shape")
     | None -> ());
    { name; dtype; shape; file = c.text; start = c.stop + first; stop = c.stop + last }
  | _ -> refuse c "a key is missing"

let read file =
  let size = String.length file in
  let header = if size < 8 then -1L else String.get_int64_le file 0 in
  if Int64.compare header 0L < 0 || Int64.compare header (Int64.of_int (size - 8)) > 0 then
    raise (Refused ("the weights file's header length is impossible", 0));
  let c = { text = file; at = 8; stop = 8 + Int64.to_int header } in
  expect c "{";
  let entries =
    if token c "}" then []
    else separated c "}" (fun c ->
        let name = text c false in
        need c ":";
        if name = "__metadata__" then (metadata c; None) else Some (entry c name)) in
  if c.at <> c.stop then refuse c "something follows the weights file's header";
  let entries = List.filter_map Fun.id entries in
  if List.fold_left (fun room e -> if room < 0 then room else room - (e.stop - e.start)) size entries < 0 then
    refuse c "arrays that overlap";
  entries

let is_integer entry = entry.dtype <> "" && (entry.dtype.[0] = 'I' || entry.dtype.[0] = 'U')
