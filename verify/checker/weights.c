/* Walks over the header of a safetensors file from any writer: white space, any order of keys, escapes in metadata. Main
 * functions: axc_open_weights, axc_next_array. Nothing but names, types, shapes and offsets is looked at, and every offset that
 * is handed out lies within the file. A name with an escape is refused, because it could spell another name. */
#include "core.h"

static void skip_space(axc_cursor* c) {
  while (c->failure == AXC_PROVED && c->at < c->end &&
         (c->bytes[c->at] == ' ' || c->bytes[c->at] == '\t' || c->bytes[c->at] == '\n' || c->bytes[c->at] == '\r')) {
    ++c->at;
  }
}

/* One token of JSON punctuation, white space around it allowed. */
static int accept_token(axc_cursor* c, const char* token) {
  skip_space(c);
  if (!axc_accept(c, token)) return 0;
  skip_space(c);
  return 1;
}

static void expect_token(axc_cursor* c, const char* token) {
  if (!accept_token(c, token)) axc_fail(c, AXC_WEIGHTS_FILE, c->at);
}

/* A JSON string; what stands between its quotes, escapes as they are written. */
static axc_span text(axc_cursor* c, int may_escape) {
  skip_space(c);
  axc_expect(c, "\"", AXC_WEIGHTS_FILE);
  axc_span span = {c->bytes + c->at, 0};
  const size_t begin = c->at;
  while (c->failure == AXC_PROVED && c->at < c->end && c->bytes[c->at] != '"') {
    if (c->bytes[c->at] < 0x20 || (c->bytes[c->at] == '\\' && !may_escape)) axc_fail(c, AXC_WEIGHTS_FILE, c->at);
    c->at += c->bytes[c->at] == '\\' && c->at + 1 < c->end ? 2 : 1;
  }
  if (c->failure == AXC_PROVED) span.size = c->at - begin;
  axc_expect(c, "\"", AXC_WEIGHTS_FILE);
  skip_space(c);
  return span;
}

static int64_t count(axc_cursor* c) {
  skip_space(c);
  const size_t begin = c->at;
  const int64_t value = axc_number(c, 0, INT64_MAX);
  if (c->failure == AXC_NUMBER) c->failure = AXC_WEIGHTS_FILE, c->failure_at = begin;
  return value;
}

static void skip_metadata(axc_cursor* c) {
  expect_token(c, "{");
  if (accept_token(c, "}")) return;
  do {
    (void)text(c, 1);
    expect_token(c, ":");
    (void)text(c, 1);
  } while (accept_token(c, ","));
  expect_token(c, "}");
}

/* [d0, d1, …]; returns the number of elements, or −1 when it exceeds INT64_MAX. */
static int64_t read_shape(axc_cursor* c, axc_array* array) {
  int64_t elements = 1;
  int empty = 0;
  array->rank = 0;
  array->shape[0] = array->shape[1] = 1;
  expect_token(c, "[");
  if (accept_token(c, "]")) return 1;
  do {
    const int64_t length = count(c);
    if (array->rank < 2) array->shape[array->rank] = length;
    if (array->rank < 64) ++array->rank;
    if (length == 0) empty = 1;
    if (length > 0 && elements > 0) elements = elements > INT64_MAX / length ? -1 : elements * length;
  } while (accept_token(c, ","));
  expect_token(c, "]");
  return empty ? 0 : elements;
}

static axc_type type_of(axc_span name) {
  if (axc_same(name, (const unsigned char*)"I8", 2)) return AXC_I8;
  if (axc_same(name, (const unsigned char*)"I32", 3)) return AXC_I32;
  if (axc_same(name, (const unsigned char*)"I64", 3)) return AXC_I64;
  return name.size > 0 && (name.text[0] == 'I' || name.text[0] == 'U') ? AXC_INTEGER : AXC_OTHER;
}

/* {"dtype":…,"shape":…,"data_offsets":…} in any order, each once; the offsets lie in the file and fit the shape. */
static void read_array(axc_cursor* c, size_t size, axc_array* array) {
  static const int64_t widths[3] = {1, 4, 8};
  int seen = 0;
  int64_t elements = 0, begin = 0, end = 0;
  expect_token(c, "{");
  const size_t at = c->at;
  do {
    const size_t key_at = c->at;
    const axc_span key = text(c, 0);
    const int which = axc_same(key, (const unsigned char*)"dtype", 5)           ? 1
                      : axc_same(key, (const unsigned char*)"shape", 5)         ? 2
                      : axc_same(key, (const unsigned char*)"data_offsets", 12) ? 4
                                                                                : 0;
    if (which == 0 || (seen & which)) axc_fail(c, AXC_WEIGHTS_FILE, key_at);
    seen |= which;
    expect_token(c, ":");
    if (which == 1) array->type = type_of(text(c, 0));
    if (which == 2) elements = read_shape(c, array);
    if (which == 4) {
      expect_token(c, "[");
      begin = count(c);
      expect_token(c, ",");
      end = count(c);
      expect_token(c, "]");
    }
  } while (accept_token(c, ","));
  expect_token(c, "}");
  const int64_t room = (int64_t)(size - c->end);
  if (seen != 7 || begin > end || end > room) axc_fail(c, AXC_WEIGHTS_FILE, at);
  if (c->failure != AXC_PROVED) return;
  if (array->type < AXC_INTEGER && (elements < 0 || elements > room || elements * widths[array->type] != end - begin)) {
    axc_fail(c, AXC_WEIGHTS_FILE, at); /* elements ≤ room < 2^59 for a file in memory */
  }
  array->begin = c->end + (size_t)begin;
  array->end = c->end + (size_t)end;
}

/* The end of the header's object, where nothing but white space may follow. */
static int at_close(axc_cursor* c) {
  if (!accept_token(c, "}")) return 0;
  if (c->at != c->end) axc_fail(c, AXC_WEIGHTS_FILE, c->at);
  return 1;
}

axc_cursor axc_open_weights(const axc_file* file) {
  const unsigned char* bytes = file->bytes;
  const size_t size = file->size;
  uint64_t header = 0;
  axc_cursor c = {bytes, 8, 8, AXC_PROVED, 0};
  for (size_t i = 0; i < 8 && i < size; ++i) header |= (uint64_t)bytes[i] << (8 * i);
  if (size < 8 || header > size - 8 || size > INT64_MAX / 16) {
    axc_fail(&c, AXC_WEIGHTS_FILE, 0);
    return c;
  }
  c.end = 8 + (size_t)header;
  axc_expect(&c, "{", AXC_WEIGHTS_FILE);
  skip_space(&c);
  return c;
}

int axc_next_array(axc_cursor* c, const axc_file* file, axc_array* array) {
  array->file = file;
  for (;;) { /* once, or twice where the metadata stands first */
    if (c->failure != AXC_PROVED || at_close(c)) return 0;
    array->name = text(c, 0);
    expect_token(c, ":");
    const int metadata = axc_same(array->name, (const unsigned char*)"__metadata__", 12);
    if (metadata)
      skip_metadata(c);
    else
      read_array(c, file->size, array);
    if (accept_token(c, ",")) {
      if (axc_is(c, "}")) axc_fail(c, AXC_WEIGHTS_FILE, c->at);
    } else if (!axc_is(c, "}")) {
      axc_fail(c, AXC_WEIGHTS_FILE, c->at);
    }
    if (!metadata) return c->failure == AXC_PROVED;
  }
}
