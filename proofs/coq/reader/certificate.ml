(* The strict reader of an .axec file (docs/certificate.md): it moves over the canonical form only, so that equal claims have
   equal bytes. Limits and claims are not judged here, that is the proved part; here every byte has its place, and the digest
   and the layers' order are right. Main function: read. No side effects. *)
open Cursor

type array_of_bytes = { start : int; count : int }

type layer = {
  name : string;
  rows : int;
  cols : int;
  weight_hash : string;
  weight_range : Proved.interval;
  bias_hash : string option;
  source : Proved.source;
  spread : int;
  input_limit : int option;
  weight_operand : Proved.interval;
  activation_operand : Proved.interval;
  stages : Proved.stage list;
  says_safe : bool;
  worst : Proved.register_end;
}

type arrays = {
  box_lower : int list;   (* [1] or [cols] *)
  box_upper : int list;
  offset : int list;      (* [0], [1] or [cols] *)
  claimed : Proved.interval list list list;  (* row, stage, register *)
  witness : int list;     (* [cols] *)
}

let most_header = 100_000_000
let most_rows = 1 lsl 31
let most_cols = 1 lsl 24
let most_input = 1 lsl 24
let most_limit = 1 lsl 48

let lower_case x = (x >= 'a' && x <= 'z') || is_digit x
let letter x = lower_case x || (x >= 'A' && x <= 'Z')
let word c good most = match run c good most with "" -> refuse c "expected a word" | text -> text
let plain x = x >= ' ' && x <= '~' && x <> '"' && x <> '\\'

let hash c =
  let text = run c (fun x -> is_digit x || (x >= 'a' && x <= 'f')) 64 in
  if String.length text <> 64 then refuse c "expected a hash";
  text

let rec one_of c = function
  | [] -> refuse c "an unknown word"
  | (text, value) :: others -> if accept c text then value else one_of c others

let interval c =
  let lower = z c in
  expect c " ";
  let upper = z c in
  { Proved.lower; upper }

(* ,"LAYER.KEY":" ... " *)
let opening i name = Printf.sprintf ",\"%d.%s\":\"" i name
let key c i name = expect c (opening i name)
let finish c = expect c "\""
let labelled c label read = expect c label; read c

let read_stage c i s =
  key c i (Printf.sprintf "stage.%d" s);
  ignore (word c (fun x -> lower_case x || x = '_' || x = '-') 64);
  let width = labelled c " width=" z in
  let group = labelled c " group=" z in
  let stride = labelled c " stride=" z in
  expect c " overflow=";
  let on_overflow = one_of c ["wrap", Proved.Wrap; "saturate", Proved.Saturate; "undefined", Proved.Undefined] in
  expect c " limits=";
  let limit_kind = one_of c ["symmetric", Proved.Symmetric; "full", Proved.Full] in
  expect c " initial=";
  let initial = one_of c ["zero", Proved.InitialZero; "constant", Proved.InitialConstant] in
  expect c " claim=";
  let claim = one_of c ["every-partial-sum", Proved.EveryPartialSum; "final-value", Proved.FinalValue] in
  finish c;
  { Proved.width; group; stride; on_overflow; limit_kind; initial; claim }

let in_order count read = List.rev (List.fold_left (fun done_ i -> read i :: done_) [] (List.init count Fun.id))

let read_layer c i =
  key c i "name";
  let name = word c (fun x -> letter x || String.contains "_./-" x) max_int in
  finish c;
  key c i "shape";
  let rows = number c 1 most_rows in
  expect c " ";
  let cols = number c 1 most_cols in
  finish c;
  key c i "weight.sha256";
  let weight_hash = hash c in
  finish c;
  key c i "weight.range";
  let weight_range = interval c in
  finish c;
  key c i "bias.sha256";
  let bias_hash = if accept c "none" then None else Some (hash c) in
  finish c;
  key c i "input.source";
  let source = one_of c ["clamped", Proved.Clamped; "given", Proved.Given; "calibrated", Proved.Calibrated] in
  finish c;
  key c i "zero_point.spread";
  let spread = number c 0 most_input in
  finish c;
  let input_limit =
    if accept c (opening i "input.limit") then (let most = number c 1 most_limit in finish c; Some most) else None in
  key c i "datapath";
  ignore (word c (fun x -> letter x || String.contains "_.:=,/-" x) 200);
  finish c;
  key c i "operands";
  expect c "weights ";
  let weight_operand = interval c in
  expect c " activations ";
  let activation_operand = interval c in
  expect c " ";
  one_of c ["raw", (); "recentred", (); "boxed", ()];
  finish c;
  key c i "stages";
  let stage_count = number c 1 16 in
  finish c;
  let stages = in_order stage_count (read_stage c i) in
  key c i "verdict";
  let says_safe = one_of c ["safe", true; "unsafe", false] in
  finish c;
  key c i "worst";
  let at_row = z c in
  let at_stage = labelled c " " z in
  let at_register = labelled c " " z in
  expect c " ";
  let at_side = one_of c ["lower", Proved.Lower; "upper", Proved.Upper] in
  finish c;
  { name; rows; cols; weight_hash; weight_range; bias_hash; source; spread; input_limit; weight_operand;
    activation_operand; stages; says_safe; worst = { Proved.at_row; at_stage; at_register; at_side } }

(* One array's entry in the header, whose shape is [outer] and then, with [inner], one length more; [stop] is where it must
   begin, and is moved behind it. Returns its place, its last length and whether it is I64. *)
let read_array c data_begin stop name outer inner =
  expect c (Printf.sprintf ",\"%s\":{\"dtype\":\"" name);
  let wide = one_of c ["I32", false; "I64", true] in
  expect c "\",\"shape\":[";
  let first = number c 0 most_rows in
  (match outer with Some rows when rows <> first -> refuse c "another shape" | _ -> ());
  let last = if inner then (expect c ","; number c 1 most_cols) else first in
  let width = if wide then 8 else 4 in
  let count = if inner then first * last else first in
  if count > (String.length c.text - !stop) / width then refuse c "the file ends too early";
  let start = !stop in
  stop := start + width * count;
  expect c (Printf.sprintf "],\"data_offsets\":[%d,%d]}" (start - data_begin) (!stop - data_begin));
  { start; count }, last, wide

let fits_int32 x = Int64.compare x (-0x80000000L) >= 0 && Int64.compare x 0x7fffffffL <= 0

let rec take n l = if n = 0 then [], l else match l with
  | x :: rest -> let taken, left = take (n - 1) rest in x :: taken, left
  | [] -> [], []
let rec in_rows n count l = if count = 0 then [] else let row, rest = take n l in row :: in_rows n (count - 1) rest

let read_arrays c data_begin stop i layer =
  let vector name outer =
    let place, length, wide = read_array c data_begin stop (Printf.sprintf "%d.%s" i name) outer false in
    if wide then refuse c "expected I32";
    int32s c.text place.start length in
  let is_channels values = List.compare_length_with values 1 = 0 || List.compare_length_with values layer.cols = 0 in
  let box_lower = vector "box.lower" None in
  if not (is_channels box_lower) then refuse c "another shape";
  let box_upper = vector "box.upper" (Some (List.length box_lower)) in
  let offset = vector "offset" None in
  if not (offset = [] || is_channels offset) then refuse c "another shape";
  let stage s =
    let ends name =
      let place, nodes, wide =
        read_array c data_begin stop (Printf.sprintf "%d.stage.%d.%s" i s name) (Some layer.rows) true in
      let values = if wide then int64s c.text place.start place.count
        else List.map Int64.of_int (int32s c.text place.start place.count) in
      values, nodes, wide in
    let lower, nodes, wide = ends "lower" in
    let upper, nodes', wide' = ends "upper" in
    if nodes <> nodes' || wide <> wide' then refuse c "another type or shape";
    if wide && List.for_all fits_int32 lower && List.for_all fits_int32 upper then refuse c "wider than needed";
    in_rows nodes layer.rows
      (List.map2 (fun l u -> { Proved.lower = z_of_int64 l; upper = z_of_int64 u }) lower upper) in
  let by_stage = in_order (List.length layer.stages) stage in
  let witness = vector "worst.witness" (Some layer.cols) in
  (* from [stage][row] to [row][stage] *)
  let claimed = List.fold_right (List.map2 (fun registers row -> registers :: row)) by_stage
      (List.init layer.rows (fun _ -> [])) in
  { box_lower; box_upper; offset; claimed; witness }

let assumption_names = [
  "constant-added-outside", Proved.ConstantAddedOutside; "float-sum-outside", Proved.FloatSumOutside;
  "input-calibrated", Proved.InputCalibrated; "input-clamped", Proved.InputClamped; "input-given", Proved.InputGiven;
  "input-limited", Proved.InputLimited; "product-order-as-stated", Proved.ProductOrderAsStated;
  "products-exact", Proved.ProductsExact; "sha256-collision-free", Proved.Sha256CollisionFree ]

let rec assumptions c =
  let name = word c (fun x -> lower_case x || x = '-') max_int in
  match List.assoc_opt name assumption_names with
  | None -> refuse c "an unknown assumption"
  | Some value -> if accept c " " then value :: assumptions c else [value]

(* The layers with their arrays, and the assumptions listed. *)
let read text =
  let size = String.length text in
  let broken reason = raise (Refused (reason, 0)) in
  if size < 8 then broken "the file ends too early";
  let header = String.get_int64_le text 0 in
  if Int64.compare header 0L < 0 || Int64.compare header (Int64.of_int most_header) > 0 || Int64.rem header 8L <> 0L then
    broken "an impossible header length";
  let data_begin = 8 + Int64.to_int header in
  if data_begin > size then broken "the file ends too early";
  let c = { text; at = 8; stop = data_begin } in
  expect c "{\"__metadata__\":{\"format\":\"axec 1\",\"digest\":\"";
  let digest_at = c.at in
  let digest = hash c in
  let blank = Bytes.of_string text in
  Bytes.fill blank digest_at 64 '0';
  if Sha256.of_string (Bytes.unsafe_to_string blank) <> digest then refuse c "another digest";
  expect c "\",\"tool\":\"";
  ignore (run c plain max_int);
  expect c "\",\"assumptions\":\"";
  let listed = assumptions c in
  expect c "\",\"layers\":\"";
  let count = number c 1 most_header in
  finish c;
  (* one after another: a count that is a lie ends at the first layer that is not there *)
  let rec layers i previous =
    if i = count then [] else begin
      let layer = read_layer c i in
      (match previous with
       | Some name when String.compare name layer.name >= 0 -> refuse c "the layers are not sorted by distinct names"
       | _ -> ());
      layer :: layers (i + 1) (Some layer.name)
    end in
  let layers = layers 0 None in
  expect c "}";
  let stop = ref data_begin in
  let arrays = List.mapi (read_arrays c data_begin stop) layers in
  expect c "}";
  ignore (run c (fun x -> x = ' ') 7);
  if c.at <> c.stop then refuse c "something follows the header";
  if !stop <> size then broken "bytes follow the last array";
  List.combine layers arrays, listed
