/* The strict parser of a certificate (docs/certificate.md): a cursor that moves only over the canonical form, so that equal
 * claims have equal bytes. Main functions: axc_open, axc_next_layer. Every number is parsed with overflow detection, every
 * offset is checked before it is used. Failure is sticky: after the first one the cursor stands still. No side effects. */
#include "core.h"

/* ---- the cursor ---- */

void axc_fail(axc_cursor* c, axc_reason reason, size_t at) {
  if (c->failure != AXC_PROVED) return;
  c->failure = reason;
  c->failure_at = at;
}

int axc_is(const axc_cursor* c, const char* literal) {
  size_t i = 0;
  if (c->failure != AXC_PROVED) return 0;
  while (literal[i] != 0 && i < c->end - c->at && c->bytes[c->at + i] == (unsigned char)literal[i]) ++i;
  return literal[i] == 0;
}

int axc_accept(axc_cursor* c, const char* literal) {
  if (!axc_is(c, literal)) return 0;
  c->at += strlen(literal);
  return 1;
}

void axc_expect(axc_cursor* c, const char* literal, axc_reason otherwise) {
  if (!axc_accept(c, literal)) axc_fail(c, otherwise, c->at);
}

int axc_same(axc_span a, const unsigned char* text, size_t size) {
  size_t i = 0;
  while (i < size && i < a.size && a.text[i] == text[i]) ++i;
  return i == size && a.size == size;
}

/* A decimal integer in [least, greatest]: no plus sign, no leading zero, no −0. `least` when there is none. */
int64_t axc_number(axc_cursor* c, int64_t least, int64_t greatest) {
  const size_t begin = c->at;
  const int minus = axc_accept(c, "-");
  const size_t digits = c->at;
  uint64_t magnitude = 0;
  int good = c->failure == AXC_PROVED;
  while (good && c->at < c->end && c->bytes[c->at] >= '0' && c->bytes[c->at] <= '9' && c->at - digits < 20) {
    const uint64_t digit = (uint64_t)(c->bytes[c->at] - '0');
    good = magnitude <= ((uint64_t)INT64_MAX + 1 - digit) / 10; /* 10 · magnitude + digit ≤ 2^63 */
    if (good) magnitude = 10 * magnitude + digit;
    ++c->at;
  }
  good = good && c->at > digits && (c->bytes[digits] != '0' || (c->at == digits + 1 && !minus));
  good = good && (minus || magnitude <= INT64_MAX);
  const int64_t value = minus ? (magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1) : (int64_t)(good ? magnitude : 0);
  if (good && value >= least && value <= greatest) return value;
  axc_fail(c, AXC_NUMBER, begin);
  return least;
}

/* ---- pieces of the header ---- */

static int is_in(unsigned char x, const char* others) {
  for (size_t i = 0; others[i] != 0; ++i) {
    if (x == (unsigned char)others[i]) return 1;
  }
  return 0;
}

/* At most `most` characters, each a–z, 0–9, (with `capitals`) A–Z, or one of `others`; at least one. */
static axc_span word(axc_cursor* c, int capitals, const char* others, size_t most) {
  axc_span span = {c->bytes + c->at, 0};
  while (c->failure == AXC_PROVED && c->at < c->end && span.size < most) {
    const unsigned char x = c->bytes[c->at];
    const int good =
        (x >= 'a' && x <= 'z') || (x >= '0' && x <= '9') || (capitals && x >= 'A' && x <= 'Z') || is_in(x, others);
    if (!good) break;
    ++c->at;
    ++span.size;
  }
  if (span.size == 0) axc_fail(c, AXC_SYNTAX, c->at);
  return span;
}

/* Printable ASCII without '"' and '\', up to the closing quote. */
static axc_span plain_text(axc_cursor* c) {
  axc_span span = {c->bytes + c->at, 0};
  while (c->failure == AXC_PROVED && c->at < c->end && c->bytes[c->at] >= 0x20 && c->bytes[c->at] < 0x7f &&
         c->bytes[c->at] != '"' && c->bytes[c->at] != '\\') {
    ++c->at;
    ++span.size;
  }
  return span;
}

static void hash(axc_cursor* c, unsigned char out[32]) {
  for (int i = 0; i < 64; ++i) {
    const unsigned char x = c->at < c->end ? c->bytes[c->at] : 0;
    const int good = (x >= '0' && x <= '9') || (x >= 'a' && x <= 'f');
    if (!good) axc_fail(c, AXC_SYNTAX, c->at);
    if (c->failure != AXC_PROVED) return;
    const unsigned char nibble = (unsigned char)(x <= '9' ? x - '0' : x - 'a' + 10);
    out[i / 2] = (unsigned char)(i % 2 == 0 ? nibble << 4 : out[i / 2] | nibble);
    ++c->at;
  }
}

static void decimal(axc_cursor* c, int64_t value, axc_reason otherwise) {
  const size_t begin = c->at;
  if (axc_number(c, 0, INT64_MAX) != value) axc_fail(c, otherwise, begin);
}

/* ,"LAYER.NAME  — the rest of the key is the caller's. */
static void key(axc_cursor* c, int64_t layer, const char* name, axc_reason otherwise) {
  axc_expect(c, ",\"", otherwise);
  decimal(c, layer, otherwise);
  axc_expect(c, ".", otherwise);
  axc_expect(c, name, otherwise);
}

static void expect(axc_cursor* c, const char* literal) {
  axc_expect(c, literal, AXC_SYNTAX);
}

static void text_key(axc_cursor* c, int64_t layer, const char* name) {
  key(c, layer, name, AXC_SYNTAX);
  expect(c, "\":\"");
}
/* Whether an optional one is next; moves nothing. */
static int is_text_key(const axc_cursor* c, int64_t layer, const char* name) {
  axc_cursor ahead = *c;
  text_key(&ahead, layer, name);
  return ahead.failure == AXC_PROVED;
}

static void close_text(axc_cursor* c) {
  expect(c, "\"");
}

static int64_t labelled(axc_cursor* c, const char* label, int64_t least, int64_t greatest) {
  expect(c, label);
  return axc_number(c, least, greatest);
}

static axc_range range(axc_cursor* c, int64_t least, int64_t greatest, axc_reason otherwise) {
  axc_range r;
  const size_t begin = c->at;
  r.lower = axc_number(c, INT64_MIN, INT64_MAX);
  r.upper = labelled(c, " ", INT64_MIN, INT64_MAX);
  if (r.lower > r.upper || r.lower < least || r.upper > greatest) axc_fail(c, otherwise, begin);
  return r;
}

/* The index of the word that stands behind `label`: 0, 1 or 2 (c may be NULL for two words only). */
static int one_of(axc_cursor* cursor, const char* label, const char* a, const char* b, const char* c) {
  expect(cursor, label);
  if (axc_accept(cursor, a)) return 0;
  if (axc_accept(cursor, b)) return 1;
  if (c == NULL || !axc_accept(cursor, c)) axc_fail(cursor, AXC_SYNTAX, cursor->at);
  return 2;
}

/* ---- a layer's metadata ---- */

static void read_stage(axc_cursor* c, int64_t layer, int s, axc_stage* stage) {
  key(c, layer, "stage.", AXC_SYNTAX);
  decimal(c, s, AXC_SYNTAX);
  expect(c, "\":\"");
  (void)word(c, 0, "_-", 64);
  stage->width = (int)labelled(c, " width=", 1, 64);
  stage->group = labelled(c, " group=", 0, AXC_MOST_GROUP);
  stage->stride = labelled(c, " stride=", 1, AXC_MOST_GROUP);
  stage->wraps = one_of(c, " overflow=", "wrap", "saturate", "undefined") == 0;
  stage->full = one_of(c, " limits=", "symmetric", "full", NULL) == 1;
  stage->from_constant = one_of(c, " initial=", "zero", "constant", NULL) == 1;
  stage->final_value = one_of(c, " claim=", "every-partial-sum", "final-value", NULL) == 1;
  close_text(c);
}

static void read_stages(axc_cursor* c, int64_t number, axc_layer* layer) {
  int64_t values = layer->cols;
  int constants = 0;
  text_key(c, number, "stages");
  layer->stages_at = c->at;
  layer->stages = (int)axc_number(c, 1, AXC_MOST_STAGES);
  close_text(c);
  for (int s = 0; s < layer->stages && c->failure == AXC_PROVED; ++s) {
    axc_stage* stage = &layer->stage[s];
    const size_t begin = c->at;
    read_stage(c, number, s, stage);
    if (c->failure != AXC_PROVED) return;
    values = axc_nodes(stage, values);
    stage->nodes = values;
    constants += stage->from_constant;
    if (stage->final_value && !stage->wraps) axc_fail(c, AXC_FINAL_VALUE, begin);
    if (constants > 1) axc_fail(c, AXC_TWO_CONSTANTS, begin);
    if (stage->from_constant && stage->nodes > 1) axc_fail(c, AXC_MANY_CONSTANTS, begin);
  }
}

static void read_operands(axc_cursor* c, int64_t number, axc_layer* layer) {
  text_key(c, number, "operands");
  layer->operands_at = c->at;
  expect(c, "weights ");
  layer->weight_operand = range(c, INT8_MIN, INT8_MAX, AXC_OPERANDS);
  expect(c, " activations ");
  layer->activation_operand = range(c, -AXC_MOST_INPUT, AXC_MOST_INPUT, AXC_OPERANDS);
  (void)one_of(c, " ", "raw", "recentred", "boxed");
  close_text(c);
  if (layer->weight_range.lower < layer->weight_operand.lower ||
      layer->weight_range.upper > layer->weight_operand.upper) {
    axc_fail(c, AXC_WEIGHT_RANGE, layer->weight_range_at);
  }
}

static void read_worst(axc_cursor* c, int64_t number, axc_layer* layer) {
  text_key(c, number, "worst");
  layer->worst_at = c->at;
  layer->worst_row = axc_number(c, 0, layer->rows - 1);
  layer->worst_stage = (int)labelled(c, " ", 0, layer->stages - 1);
  if (c->failure != AXC_PROVED) return;
  layer->worst_node = labelled(c, " ", 0, layer->stage[layer->worst_stage].nodes - 1);
  layer->worst_upper = one_of(c, " ", "lower", "upper", NULL) == 1;
  close_text(c);
}

static void read_name(axc_cursor* c, int64_t number, axc_layer* layer) {
  text_key(c, number, "name");
  layer->name = word(c, 1, "_./-", SIZE_MAX);
  close_text(c);
}

static void read_metadata(axc_cursor* c, int64_t number, axc_layer* layer) {
  read_name(c, number, layer);
  text_key(c, number, "shape");
  layer->rows = axc_number(c, 1, AXC_MOST_ROWS);
  layer->cols = labelled(c, " ", 1, AXC_MOST_COLS);
  close_text(c);
  text_key(c, number, "weight.sha256");
  hash(c, layer->weight_hash);
  close_text(c);
  text_key(c, number, "weight.range");
  layer->weight_range_at = c->at;
  layer->weight_range = range(c, INT8_MIN, INT8_MAX, AXC_WEIGHT_RANGE);
  close_text(c);
  text_key(c, number, "bias.sha256");
  layer->has_bias = !axc_accept(c, "none");
  if (layer->has_bias) hash(c, layer->bias_hash);
  close_text(c);
  text_key(c, number, "input.source");
  layer->source = (axc_source)one_of(c, "", "clamped", "given", "calibrated");
  close_text(c);
  text_key(c, number, "zero_point.spread");
  layer->spread = axc_number(c, 0, AXC_MOST_INPUT);
  close_text(c);
  layer->limit = 0;
  if (is_text_key(c, number, "input.limit")) {
    text_key(c, number, "input.limit");
    layer->limit = axc_number(c, 1, AXC_MOST_LIMIT);
    close_text(c);
  }
  text_key(c, number, "datapath");
  (void)word(c, 1, "_.:=,/-", 200);
  close_text(c);
  read_operands(c, number, layer);
  read_stages(c, number, layer);
  text_key(c, number, "verdict");
  layer->verdict_at = c->at;
  layer->verdict = one_of(c, "", "safe", "unsafe", NULL) == 0 ? AXC_SAFE : AXC_UNSAFE;
  close_text(c);
  read_worst(c, number, layer);
}

/* ---- a layer's arrays ---- */

/* ,"LAYER.NAME[STAGE]END":{"dtype":…}: the array's bytes, or NULL. Its type is I64 when *wide, else I32; when wide is NULL: I32.
 * rows · nodes ≤ 2^31 · 2^24, so the count is exact. */
static const unsigned char* read_array(axc_certificate* f, int64_t number, const char* name, int stage,
                                       const char* tail, int64_t rows, int64_t nodes, int wide) {
  axc_cursor* c = &f->arrays;
  const size_t width = wide ? 8 : 4;
  key(c, number, name, AXC_LAYOUT);
  if (stage >= 0) decimal(c, stage, AXC_LAYOUT);
  axc_expect(c, tail, AXC_LAYOUT);
  axc_expect(c, "\":{\"dtype\":\"", AXC_LAYOUT);
  axc_expect(c, wide ? "I64" : "I32", AXC_LAYOUT);
  axc_expect(c, "\",\"shape\":[", AXC_LAYOUT);
  decimal(c, rows, AXC_LAYOUT);
  if (nodes >= 0) {
    axc_expect(c, ",", AXC_LAYOUT);
    decimal(c, nodes, AXC_LAYOUT);
  }
  axc_expect(c, "],\"data_offsets\":[", AXC_LAYOUT);
  const uint64_t count = (uint64_t)rows * (uint64_t)(nodes < 0 ? 1 : nodes);
  if (count > (f->size - f->data_at) / width) axc_fail(c, AXC_TRUNCATED, f->size);
  if (c->failure != AXC_PROVED) return NULL;
  const unsigned char* bytes = c->bytes + f->data_at;
  decimal(c, (int64_t)(f->data_at - f->data_begin), AXC_LAYOUT);
  axc_expect(c, ",", AXC_LAYOUT);
  f->data_at += (size_t)count * width;
  decimal(c, (int64_t)(f->data_at - f->data_begin), AXC_LAYOUT);
  axc_expect(c, "]}", AXC_LAYOUT);
  return c->failure == AXC_PROVED ? bytes : NULL;
}

/* The number that stands behind `literal`, without moving: a length or a type that the reader must know before it reads. */
static int64_t length_ahead(const axc_cursor* c, const char* until, int64_t greatest) {
  axc_cursor ahead = *c;
  while (ahead.failure == AXC_PROVED && ahead.at < ahead.end && !axc_is(&ahead, until) && ahead.bytes[ahead.at] != '}')
    ++ahead.at;
  axc_expect(&ahead, until, AXC_LAYOUT);
  return axc_number(&ahead, 0, greatest);
}

static int wide_ahead(const axc_cursor* c) {
  axc_cursor ahead = *c;
  while (ahead.failure == AXC_PROVED && ahead.at < ahead.end && !axc_is(&ahead, "\"dtype\":\"") &&
         ahead.bytes[ahead.at] != '}')
    ++ahead.at;
  return axc_is(&ahead, "\"dtype\":\"I64\"");
}

/* I64 only where I32 does not do. */
static int needs_wide(const axc_stage* stage, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t lower = axc_load64(stage->lower + 8 * i);
    const int64_t upper = axc_load64(stage->upper + 8 * i);
    if (lower < INT32_MIN || lower > INT32_MAX || upper < INT32_MIN || upper > INT32_MAX) return 1;
  }
  return 0;
}

static void check_box(axc_certificate* f, const axc_layer* layer) {
  axc_cursor* c = &f->arrays;
  for (int64_t k = 0; k < layer->channels && c->failure == AXC_PROVED; ++k) {
    const int64_t lower = axc_load32(layer->box_lower + 4 * k);
    const int64_t upper = axc_load32(layer->box_upper + 4 * k);
    const int excludes_zero = lower > 0 || upper < 0;
    if (lower > upper || lower < layer->activation_operand.lower || upper > layer->activation_operand.upper ||
        (layer->limit > 0 && excludes_zero)) {
      axc_fail(c, AXC_BOX, (size_t)(layer->box_lower + 4 * k - c->bytes));
    }
  }
  for (int64_t k = 0; k < layer->offsets && c->failure == AXC_PROVED; ++k) {
    const int64_t offset = axc_load32(layer->offset + 4 * k);
    if (offset < -AXC_MOST_INPUT || offset > AXC_MOST_INPUT)
      axc_fail(c, AXC_OFFSET, (size_t)(layer->offset + 4 * k - c->bytes));
  }
}

static void read_arrays(axc_certificate* f, int64_t number, axc_layer* layer) {
  axc_cursor* c = &f->arrays;
  layer->channels = length_ahead(c, "\"shape\":[", AXC_MOST_COLS) == 1 ? 1 : layer->cols;
  layer->box_lower = read_array(f, number, "box.lower", -1, "", layer->channels, -1, 0);
  layer->box_upper = read_array(f, number, "box.upper", -1, "", layer->channels, -1, 0);
  layer->offsets = length_ahead(c, "\"shape\":[", AXC_MOST_COLS);
  if (layer->offsets > 1) layer->offsets = layer->cols;
  layer->offset = read_array(f, number, "offset", -1, "", layer->offsets, -1, 0);
  for (int s = 0; s < layer->stages; ++s) {
    axc_stage* stage = &layer->stage[s];
    const size_t begin = c->at;
    stage->wide = wide_ahead(c);
    stage->lower = read_array(f, number, "stage.", s, ".lower", layer->rows, stage->nodes, stage->wide);
    stage->upper = read_array(f, number, "stage.", s, ".upper", layer->rows, stage->nodes, stage->wide);
    if (c->failure != AXC_PROVED) return;
    if (stage->wide && !needs_wide(stage, layer->rows * stage->nodes)) axc_fail(c, AXC_WIDER_THAN_NEEDED, begin);
  }
  layer->witness = read_array(f, number, "worst.witness", -1, "", layer->cols, -1, 0);
  check_box(f, layer);
}

int axc_next_layer(axc_certificate* f, axc_layer* layer) {
  read_metadata(&f->claims, f->next, layer);
  if (f->claims.failure != AXC_PROVED) return 0;
  read_arrays(f, f->next, layer);
  ++f->next;
  return f->arrays.failure == AXC_PROVED;
}

int axc_next_name(axc_certificate* f, axc_span* name) {
  axc_layer layer;
  read_metadata(&f->claims, f->next, &layer);
  *name = layer.name;
  ++f->next;
  return f->claims.failure == AXC_PROVED;
}

/* ---- the whole ---- */

/* SHA-256 of the file with the digest's 64 characters at `at` read as '0'. */
static void check_digest(axc_cursor* c, size_t size, const axc_pause* pause) {
  const size_t piece = (size_t)1 << 20;
  static const unsigned char zeros[65] = "0000000000000000000000000000000000000000000000000000000000000000";
  const size_t at = c->at;
  unsigned char claimed[32] = {0};
  unsigned char computed[32];
  axc_sha256 state;
  hash(c, claimed);
  if (c->failure != AXC_PROVED) return;
  axc_sha256_start(&state);
  axc_sha256_add(&state, c->bytes, at);
  axc_sha256_add(&state, zeros, 64);
  for (size_t from = at + 64; from < size; from += piece) {
    axc_sha256_add(&state, c->bytes + from, size - from < piece ? size - from : piece);
    if (pause->call != NULL) pause->call(pause->context, size - from < piece ? size - from : piece);
  }
  axc_sha256_finish(&state, computed);
  for (int i = 0; i < 32; ++i) {
    if (claimed[i] != computed[i]) axc_fail(c, AXC_DIGEST, at);
  }
}

static int before(axc_span a, axc_span b) {
  size_t i = 0;
  while (i < a.size && i < b.size && a.text[i] == b.text[i]) ++i;
  return i < b.size && (i == a.size || a.text[i] < b.text[i]);
}

/* What the layers rest on, one bit each. */
enum {
  RESTS_ON_OUTSIDE_CONSTANT = 1,
  RESTS_ON_FLOAT_SUM = 2,
  RESTS_ON_CALIBRATED = 4,
  RESTS_ON_CLAMPED = 8,
  RESTS_ON_GIVEN = 16,
  RESTS_ON_LIMITED = 32
};

static int layer_rests_on(const axc_layer* layer) {
  int inside = 0;
  for (int s = 0; s < layer->stages; ++s) inside |= layer->stage[s].from_constant;
  return (!inside && (layer->has_bias || layer->offsets > 0 || layer->spread > 0) ? RESTS_ON_OUTSIDE_CONSTANT : 0) |
         (layer->stage[layer->stages - 1].nodes > 1 ? RESTS_ON_FLOAT_SUM : 0) |
         (layer->limit > 0 ? RESTS_ON_LIMITED : 0) |
         (layer->source == AXC_CALIBRATED ? RESTS_ON_CALIBRATED
          : layer->source == AXC_CLAMPED  ? RESTS_ON_CLAMPED
                                          : RESTS_ON_GIVEN);
}

static void check_assumptions(axc_cursor* c, int rests_on) {
  const size_t begin = c->at;
  if (rests_on & RESTS_ON_OUTSIDE_CONSTANT) axc_expect(c, "constant-added-outside ", AXC_ASSUMPTIONS);
  if (rests_on & RESTS_ON_FLOAT_SUM) axc_expect(c, "float-sum-outside ", AXC_ASSUMPTIONS);
  if (rests_on & RESTS_ON_CALIBRATED) axc_expect(c, "input-calibrated ", AXC_ASSUMPTIONS);
  if (rests_on & RESTS_ON_CLAMPED) axc_expect(c, "input-clamped ", AXC_ASSUMPTIONS);
  if (rests_on & RESTS_ON_GIVEN) axc_expect(c, "input-given ", AXC_ASSUMPTIONS);
  if (rests_on & RESTS_ON_LIMITED) axc_expect(c, "input-limited ", AXC_ASSUMPTIONS);
  axc_expect(c, "product-order-as-stated products-exact sha256-collision-free\"", AXC_ASSUMPTIONS);
  if (c->failure == AXC_ASSUMPTIONS) c->failure_at = begin;
}

/* First pass: every layer's metadata, to find where the arrays begin, and their names' order. */
static void read_all_metadata(axc_certificate* f) {
  axc_layer layer;
  axc_span previous = {NULL, 0};
  axc_cursor* c = &f->claims;
  f->arrays = *c;
  for (int64_t i = 0; i < f->layers && f->arrays.failure == AXC_PROVED; ++i) {
    const size_t begin = f->arrays.at;
    read_metadata(&f->arrays, i, &layer);
    if (f->arrays.failure == AXC_PROVED && i > 0 && !before(previous, layer.name))
      axc_fail(&f->arrays, AXC_ORDER, begin);
    previous = layer.name;
  }
  axc_expect(&f->arrays, "}", AXC_SYNTAX);
}

/* Second pass: every layer with its arrays, then the header's end and the file's. Returns what the layers rest on. */
static int read_all_layers(axc_certificate* f, size_t size, const axc_pause* pause) {
  int rests_on = 0;
  axc_layer layer;
  axc_cursor* c = &f->arrays;
  size_t at = f->data_at;
  for (int64_t i = 0; i < f->layers && axc_next_layer(f, &layer); ++i, at = f->data_at) {
    int64_t nodes = 0; /* ≤ 16 · 2^24 */
    rests_on |= layer_rests_on(&layer);
    for (int s = 0; s < layer.stages; ++s) nodes += layer.stage[s].nodes;
    if (layer.stage[0].nodes > f->most_nodes) f->most_nodes = layer.stage[0].nodes;
    if (pause->call != NULL) pause->call(pause->context, f->data_at - at);
    f->nodes_total += layer.rows * nodes; /* every register takes bytes of the file: their number is below its size */
  }
  expect(c, "}");
  for (int i = 0; i < 7; ++i) (void)axc_accept(c, " ");
  if (c->at != c->end) axc_fail(c, AXC_SYNTAX, c->at);
  if (f->data_at != size) axc_fail(c, AXC_TRAILING, f->data_at);
  return rests_on;
}

axc_reason axc_open(const unsigned char* bytes, size_t size, const axc_pause* pause, axc_certificate* f,
                    size_t* position) {
  uint64_t header = 0;
  *position = 0;
  if (size < 8) return *position = size, AXC_TRUNCATED;
  for (int i = 0; i < 8; ++i) header |= (uint64_t)bytes[i] << (8 * i);
  if (header > AXC_MOST_HEADER || header % 8 != 0) return AXC_HEADER_LENGTH;
  if (header > size - 8) return *position = size, AXC_TRUNCATED;
  const axc_cursor start = {bytes, 8, 8 + (size_t)header, AXC_PROVED, 0};
  f->claims = start;
  f->data_begin = f->data_at = start.end;
  f->size = size;
  f->next = f->nodes_total = f->most_nodes = f->layers = 0;
  axc_cursor* c = &f->claims;
  expect(c, "{\"__metadata__\":{\"format\":\"axec 1\",\"digest\":\"");
  check_digest(c, size, pause);
  expect(c, "\",\"tool\":\"");
  (void)plain_text(c);
  expect(c, "\",\"assumptions\":\"");
  axc_cursor assumptions = *c;
  (void)plain_text(c);
  expect(c, "\",\"layers\":\"");
  f->layers = axc_number(c, 1, AXC_MOST_HEADER);
  close_text(c);
  if (c->failure != AXC_PROVED) return *position = c->failure_at, c->failure;
  read_all_metadata(f);
  if (f->arrays.failure != AXC_PROVED) return *position = f->arrays.failure_at, f->arrays.failure;
  const axc_certificate first = *f;
  const int rests_on = read_all_layers(f, size, pause);
  if (f->arrays.failure != AXC_PROVED) return *position = f->arrays.failure_at, f->arrays.failure;
  check_assumptions(&assumptions, rests_on);
  if (assumptions.failure != AXC_PROVED) return *position = assumptions.failure_at, assumptions.failure;
  f->claims = first.claims;
  f->arrays = first.arrays;
  f->data_at = first.data_at;
  f->next = 0;
  return AXC_PROVED;
}
