(* proved_check CERTIFICATE WEIGHTS...: prints the verdict of the checker that was proved in Coq: safe, unsafe, incomplete or
   refused, and the reason where reading already failed. Exit codes as axecert-check: 0 to 3 in this order; 64 wrong usage,
   66 no input. proved_check --list reads paths from standard input, a certificate and its weights a line, tabs between, and
   prints one verdict a line. This file binds a certificate to its weights by shape and hash and hands both to Proved.check; side
   effects: reads files, writes standard output. *)
open Cursor

let refused reason = raise (Refused (reason, 0))

(* The arrays of one layer in the weights files; each may be there once, in all of them together. *)
let find entries name =
  match List.filter (fun (entry : Weights.entry) -> entry.name = name) entries with
  | [] -> None
  | [entry] -> Some entry
  | _ -> refused "an array twice"

let bytes (entry : Weights.entry) = String.sub entry.file entry.start (entry.stop - entry.start)

(* Int32 array of one length, among [lengths]. *)
let vector lengths (entry : Weights.entry option) =
  match entry with
  | None -> refused "the activation quantizer is missing"
  | Some { dtype = "I32"; shape = [n]; file; start; _ } when List.mem n lengths -> int32s file start n
  | Some _ -> refused "an array of another type or shape"

(* One for each column of what may be one for all. *)
let spread_out cols values = match values with [x] -> List.init cols (fun _ -> x) | _ -> values

let bind entries ((claims : Certificate.layer), (arrays : Certificate.arrays)) =
  let entry role = find entries (claims.name ^ role) in
  let weight = entry ".weight" and bias = entry ".bias" in
  let input_lower = entry ".input_lower" and input_upper = entry ".input_upper" in
  let input_shift = entry ".input_shift" and zero_point = entry ".input_zero_point" in
  let input_limit = entry ".input_limit" in
  let { Certificate.rows; cols; spread; _ } = claims in
  let weights = match weight with
    | Some ({ dtype = "I8"; shape = [r; k]; file; start; _ } as place) when r = rows && k = cols ->
      if Sha256.of_string (bytes place) <> claims.weight_hash then refused "other weights";
      List.init rows (fun row -> List.map z_of_int (int8s file (start + row * cols) cols))
    | Some _ -> refused "weights of another type or shape"
    | None -> refused "the layer is missing" in
  let biases = match bias, claims.bias_hash with
    | None, None -> List.init rows (fun _ -> Proved.Z0)
    | Some ({ dtype = "I64"; shape = [r]; file; start; _ } as place), Some hash when r = rows ->
      if Sha256.of_string (bytes place) <> hash then refused "other biases";
      List.map z_of_int64 (int64s file start rows)
    | _ -> refused "a bias that is not the certificate's" in
  let box_lower = spread_out cols arrays.box_lower and box_upper = spread_out cols arrays.box_upper in
  let offsets = if arrays.offset = [] then List.init cols (fun _ -> 0) else spread_out cols arrays.offset in
  let clamped = claims.source = Proved.Clamped in
  let channels entry = spread_out cols (vector [1; cols] entry) in
  (* the quantizer keeps a limit exactly when the certificate claims it; where nothing is clamped nobody keeps one *)
  if clamped then begin
    match input_limit, claims.input_limit with
    | None, None -> ()
    | Some { dtype = "I64"; shape = [1]; file; start; _ }, Some most when int64s file start 1 = [Int64.of_int most] -> ()
    | _ -> refused "another limit"
  end;
  if clamped && (channels input_lower <> box_lower || channels input_upper <> box_upper) then refused "another box";
  (* offset = shift - least zero point, spread = greatest - least; without a quantizer all are 0 *)
  if clamped || input_shift <> None || zero_point <> None then begin
    let least, greatest = match vector [1; 2] zero_point with
      | [z] -> z, z | [least; greatest] -> least, greatest | _ -> refused "zero points" in
    if List.map (fun shift -> shift - least) (channels input_shift) <> offsets then refused "other offsets";
    if greatest - least <> spread then refused "another spread of zero points"
  end else if spread <> 0 || List.exists (fun x -> x <> 0) offsets then refused "offsets without a quantizer";
  { Proved.weights; weight_range = claims.weight_range; weight_operand = claims.weight_operand;
    activation_operand = claims.activation_operand;
    box = List.map2 (fun l u -> { Proved.lower = z_of_int l; upper = z_of_int u }) box_lower box_upper;
    input_limit = Option.map z_of_int claims.input_limit;
    offsets = List.map z_of_int offsets; biases; spread = z_of_int spread;
    has_constant = bias <> None || arrays.offset <> [] || spread > 0;
    input_source = claims.source; stages = claims.stages; claimed = arrays.claimed; says_safe = claims.says_safe;
    worst = claims.worst; witness = List.map z_of_int arrays.witness }

let is_covered layers (entry : Weights.entry) =
  not (Weights.is_integer entry && String.ends_with ~suffix:".weight" entry.name)
  || List.exists (fun ((claims : Certificate.layer), _) -> claims.name ^ ".weight" = entry.name) layers

let check certificate weights =
  let layers, assumptions = Certificate.read certificate in
  let entries = List.concat_map Weights.read weights in
  Proved.check (List.map (bind entries) layers) assumptions (List.for_all (is_covered layers) entries)

let name = function
  | Proved.Safe -> "safe" | Proved.Unsafe -> "unsafe" | Proved.Incomplete -> "incomplete" | Proved.Refused -> "refused"
let code = function Proved.Safe -> 0 | Proved.Unsafe -> 1 | Proved.Incomplete -> 2 | Proved.Refused -> 3

let read_file path =
  let channel = open_in_bin path in
  Fun.protect ~finally:(fun () -> close_in channel) (fun () -> really_input_string channel (in_channel_length channel))

(* The verdict, and why it could not be read. *)
let judge certificate weights =
  match check (read_file certificate) (List.map read_file weights) with
  | verdict -> verdict, ""
  | exception Refused (reason, at) -> Proved.Refused, Printf.sprintf ": %s, byte %d" reason at

let rec judge_list () =
  match input_line stdin with
  | exception End_of_file -> 0
  | line ->
    (match String.split_on_char '\t' line with
     | certificate :: (_ :: _ as weights) -> print_endline (name (fst (judge certificate weights)))
     | _ -> prerr_endline "expected CERTIFICATE, a tab, WEIGHTS"; exit 64);
    judge_list ()

let () =
  exit (match Array.to_list Sys.argv with
      | [_; "--list"] -> judge_list ()
      | _ :: certificate :: (_ :: _ as weights) ->
        (match judge certificate weights with
         | verdict, reason -> print_endline (name verdict ^ reason); code verdict
         | exception Sys_error reason -> prerr_endline reason; 66)
      | _ -> prerr_endline "usage: proved_check CERTIFICATE.axec WEIGHTS.safetensors... | --list"; 64)
