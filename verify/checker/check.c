/* Puts the checker together: opens the files, binds every layer of the certificate to its arrays by shape and hash, has the
 * core prove it, and looks for weights that nobody spoke of. Main function: axc_check_files. Side effect: it
 * allocates its scratch memory and an index of the arrays; axc_check_with allocates nothing. */
#include <stdlib.h>

#include "core.h"

#define AXC_REASON_NAME(code, name, sentence) name,
#define AXC_REASON_SENTENCE(code, name, sentence) sentence,
static const char* const reason_names[] = {AXC_REASONS(AXC_REASON_NAME)};
static const char* const reason_sentences[] = {AXC_REASONS(AXC_REASON_SENTENCE)};

const char* axc_reason_name(axc_reason reason) {
  return (unsigned)reason < AXC_REASON_COUNT ? reason_names[reason] : "unknown";
}
const char* axc_reason_sentence(axc_reason reason) {
  return (unsigned)reason < AXC_REASON_COUNT ? reason_sentences[reason] : "unknown";
}
const char* axc_verdict_name(axc_verdict verdict) {
  static const char* const names[] = {"safe", "unsafe", "incomplete", "refused"};
  return (unsigned)verdict < 4 ? names[verdict] : "unknown";
}

typedef struct {
  const unsigned char* certificate;
  const axc_file* files;
  size_t count;
  axc_pause pause;
  axc_report* report;
  axc_array*
      index; /* every array of all files, sorted by name, then by place; NULL: they are searched one after the other */
  size_t arrays; /* in the index */
} job;

enum { MOST_FILES = 1 << 20 };

static void name_layer(axc_report* report, axc_span name) {
  size_t i = 0;
  for (; i < name.size && i < AXC_NAME_SIZE - 1; ++i) report->layer[i] = (char)name.text[i];
  report->layer[i] = 0;
}

static void clear(axc_report* report) {
  const axc_report empty = {AXC_REFUSED, AXC_TRUNCATED, 0, 0, {0}, -1, -1, -1, {0, 0}, {0, 0}, {0, 0}, 0, 0, 0, 0};
  *report = empty;
}

static int conclude(axc_report* report, axc_verdict verdict, axc_reason reason, int in_weights, size_t position) {
  report->verdict = verdict;
  report->reason = reason;
  report->in_weights = in_weights;
  report->position = position;
  return 0;
}

/* The number of a weights file, from 1; it is below MOST_FILES. */
static int number_of(const job* j, const axc_file* file) {
  return (int)(file - j->files) + 1;
}

static int refuse_weights(const job* j, axc_reason reason, const axc_file* file, size_t position) {
  return conclude(j->report, AXC_REFUSED, reason, number_of(j, file), position);
}

/* Arrays that together take more bytes than their file has overlap: read layer by layer they could take time with its square. */
static int arrays_fit(const job* j) {
  axc_array array;
  for (size_t f = 0; f < j->count; ++f) {
    const axc_file* file = &j->files[f];
    axc_cursor c = axc_open_weights(file);
    size_t room = file->size;
    while (axc_next_array(&c, file, &array)) {
      if (array.end - array.begin > room)
        return refuse_weights(j, AXC_WEIGHTS_FILE, file, (size_t)(array.name.text - file->bytes));
      room -= array.end - array.begin;
    }
  }
  return 1;
}

/* ---- a layer's arrays in the weights files ---- */

enum { WEIGHT, BIAS, INPUT_LIMIT, INPUT_LOWER, INPUT_UPPER, INPUT_SHIFT, INPUT_ZERO_POINT, ROLES };
static const char* const role_names[ROLES] = {".weight",      ".bias",        ".input_limit",     ".input_lower",
                                              ".input_upper", ".input_shift", ".input_zero_point"};

/* What `name` is to `layer`: a role, or ROLES. */
static int role_of(axc_span name, axc_span layer) {
  const axc_span head = {name.text, layer.size};
  if (name.size <= layer.size || !axc_same(head, layer.text, layer.size)) return ROLES;
  const axc_span tail = {name.text + layer.size, name.size - layer.size};
  int role = 0;
  while (role < ROLES && !axc_same(tail, (const unsigned char*)role_names[role], strlen(role_names[role]))) ++role;
  return role;
}

/* An array that is not there: it ends at byte 0 of the first file. */
static axc_array absent(const job* j) {
  const axc_array none = {{NULL, 0}, AXC_OTHER, 0, {1, 1}, 0, 0, j->files};
  return none;
}

static int compare_spans(axc_span a, axc_span b) {
  const size_t both = a.size < b.size ? a.size : b.size;
  const int difference = both == 0 ? 0 : memcmp(a.text, b.text, both);
  return difference != 0 ? difference : (a.size > b.size) - (a.size < b.size);
}

/* Whether `a` stands before `b` in the files. */
static int stands_before(const axc_array* a, const axc_array* b) {
  return a->file != b->file ? a->file < b->file : a->name.text < b->name.text;
}

static int by_name_and_place(const void* left, const void* right) {
  const axc_array *a = left, *b = right;
  const int difference = compare_spans(a->name, b->name);
  return difference != 0 ? difference : stands_before(b, a) - stands_before(a, b);
}

/* `name` against the layer's array of this role, as compare_spans says. */
static int compare_to_role(axc_span name, axc_span layer, int role) {
  const axc_span head = {name.text, name.size < layer.size ? name.size : layer.size};
  const int difference = compare_spans(head, layer);
  const axc_span tail = {name.text + head.size, name.size - head.size};
  const axc_span wanted = {(const unsigned char*)role_names[role], strlen(role_names[role])};
  return difference != 0 ? difference : compare_spans(tail, wanted);
}

/* Makes j->index, unless there is no memory, or a file that cannot be read: the search one after the other says which. */
static void make_index(job* j) {
  size_t count = 0, filled = 0;
  for (size_t f = 0; f < j->count; ++f) {
    axc_array array;
    axc_cursor c = axc_open_weights(&j->files[f]);
    while (axc_next_array(&c, &j->files[f], &array)) ++count;
    if (c.failure != AXC_PROVED) return;
  }
  axc_array* index = count == 0 || count > SIZE_MAX / sizeof(axc_array) ? NULL : malloc(count * sizeof(axc_array));
  if (index == NULL) return;
  for (size_t f = 0; f < j->count; ++f) {
    axc_cursor c = axc_open_weights(&j->files[f]);
    while (filled < count && axc_next_array(&c, &j->files[f], &index[filled])) ++filled;
  }
  qsort(index, filled, sizeof(axc_array), by_name_and_place);
  j->index = index;
  j->arrays = filled; /* fewer only when a file changes meanwhile */
}

/* find_arrays with the index, in which the weights that are found are marked as covered. Of several arrays that are there twice the first second one in the files is refused, as without it. */
static int find_in_index(const job* j, const axc_layer* layer, axc_array found[ROLES]) {
  const axc_array* twice = NULL;
  for (int role = 0; role < ROLES; ++role) {
    size_t first = 0, end = j->arrays;
    while (first < end) { /* all before `first` stand before the wanted name, none from `end` on does */
      const size_t middle = first + (end - first) / 2;
      if (compare_to_role(j->index[middle].name, layer->name, role) < 0) {
        first = middle + 1;
      } else {
        end = middle;
      }
    }
    const size_t second = first + 1;
    if (first == j->arrays || compare_to_role(j->index[first].name, layer->name, role) != 0) continue;
    found[role] = j->index[first];
    if (role == WEIGHT) j->index[first].type = AXC_OTHER;
    if (second == j->arrays || compare_to_role(j->index[second].name, layer->name, role) != 0) continue;
    if (twice == NULL || stands_before(&j->index[second], twice)) twice = &j->index[second];
  }
  if (twice == NULL) return 1;
  return refuse_weights(j, AXC_TWICE, twice->file, (size_t)(twice->name.text - twice->file->bytes));
}

/* Finds the layer's arrays; each may be there once, in all files together. found[role].end is 0 for one that is not. */
static int find_arrays(const job* j, const axc_layer* layer, axc_array found[ROLES]) {
  axc_array array;
  for (int role = 0; role < ROLES; ++role) found[role] = absent(j);
  if (j->index != NULL) return find_in_index(j, layer, found);
  for (size_t f = 0; f < j->count; ++f) {
    const axc_file* file = &j->files[f];
    axc_cursor c = axc_open_weights(file);
    while (axc_next_array(&c, file, &array)) {
      const int role = role_of(array.name, layer->name);
      if (role == ROLES) continue;
      if (found[role].end != 0) return refuse_weights(j, AXC_TWICE, file, (size_t)(array.name.text - file->bytes));
      found[role] = array;
    }
    if (c.failure != AXC_PROVED) return refuse_weights(j, c.failure, file, c.failure_at);
  }
  return 1;
}

/* Where the array's name stands, for a report. */
static int refuse_name(const job* j, axc_reason reason, const axc_array* array) {
  return refuse_weights(j, reason, array->file, (size_t)(array->name.text - array->file->bytes));
}

static int is_channels(const axc_array* array, int64_t cols) {
  return array->type == AXC_I32 && array->rank == 1 && (array->shape[0] == 1 || array->shape[0] == cols);
}

/* Entry k of an int32 array that holds one for all, or one for each. */
static int64_t entry(const unsigned char* bytes, int64_t entries, int64_t k) {
  return axc_load32(bytes + 4 * (entries == 1 ? 0 : k));
}

/* The quantizer that clamps also keeps the claimed limit of Σ|x|, and no other; without a claim it has none. */
static int agree_with_limit(const job* j, const axc_layer* layer, const axc_array found[ROLES]) {
  const axc_array* limit = &found[INPUT_LIMIT];
  if (layer->source != AXC_CLAMPED || (layer->limit == 0 && limit->end == 0)) return 1;
  if (limit->end == 0) return refuse_weights(j, AXC_QUANTIZER_MISSING, found[WEIGHT].file, 0);
  if (limit->type != AXC_I64 || limit->rank != 1 || limit->shape[0] != 1) return refuse_name(j, AXC_SHAPE, limit);
  if (layer->limit == 0 || axc_load64(limit->file->bytes + limit->begin) != layer->limit) {
    return refuse_weights(j, AXC_QUANTIZER_BOX, limit->file, limit->begin);
  }
  return 1;
}

/* What the weights file says of the activation quantizer is what the certificate says: always offset = input_shift − the least
 * input_zero_point and spread = the greatest less the least (all are 0 when the file has neither), and box = [input_lower,
 * input_upper] when the box is clamped. */
static int agree_with_quantizer(const job* j, const axc_layer* layer, const axc_array found[ROLES]) {
  const int clamped = layer->source == AXC_CLAMPED;
  if (!agree_with_limit(j, layer, found)) return 0;
  const int shifted = clamped || found[INPUT_SHIFT].end != 0 || found[INPUT_ZERO_POINT].end != 0;
  const unsigned char* at[ROLES]; /* only what was found is read */
  for (int role = 0; role < ROLES; ++role) at[role] = found[role].file->bytes + found[role].begin;
  for (int role = INPUT_LOWER; role < ROLES; ++role) {
    if (!(role == INPUT_LOWER || role == INPUT_UPPER ? clamped : shifted)) continue;
    if (found[role].end == 0) return refuse_weights(j, AXC_QUANTIZER_MISSING, found[WEIGHT].file, 0);
    if (!is_channels(&found[role], role == INPUT_ZERO_POINT ? 2 : layer->cols)) {
      return refuse_name(j, AXC_SHAPE, &found[role]);
    }
  }
  const int64_t zero_point = shifted ? axc_load32(at[INPUT_ZERO_POINT]) : 0; /* one, or the least and the greatest */
  const int64_t greatest = shifted ? entry(at[INPUT_ZERO_POINT], found[INPUT_ZERO_POINT].shape[0], 1) : 0;
  if (greatest - zero_point != layer->spread) {
    return refuse_weights(j, AXC_QUANTIZER_ZERO_POINT, found[INPUT_ZERO_POINT].file, found[INPUT_ZERO_POINT].begin);
  }
  for (int64_t k = 0; k < layer->cols; ++k) {
    const int64_t lower = entry(layer->box_lower, layer->channels, k),
                  upper = entry(layer->box_upper, layer->channels, k);
    const int64_t offset = layer->offsets == 0 ? 0 : entry(layer->offset, layer->offsets, k);
    const int64_t shift = shifted ? entry(at[INPUT_SHIFT], found[INPUT_SHIFT].shape[0], k) : 0;
    if (clamped && entry(at[INPUT_LOWER], found[INPUT_LOWER].shape[0], k) != lower) {
      return refuse_weights(j, AXC_QUANTIZER_BOX, found[INPUT_LOWER].file, found[INPUT_LOWER].begin);
    }
    if (clamped && entry(at[INPUT_UPPER], found[INPUT_UPPER].shape[0], k) != upper) {
      return refuse_weights(j, AXC_QUANTIZER_BOX, found[INPUT_UPPER].file, found[INPUT_UPPER].begin);
    }
    if (shift - zero_point != offset) {
      return refuse_weights(j, AXC_QUANTIZER_OFFSET, found[INPUT_SHIFT].file, found[INPUT_SHIFT].begin);
    }
  }
  return 1;
}

static int has_hash(const unsigned char* bytes, size_t size, const unsigned char claimed[32]) {
  axc_sha256 hash;
  unsigned char digest[32];
  int same = 1;
  axc_sha256_start(&hash);
  axc_sha256_add(&hash, bytes, size);
  axc_sha256_finish(&hash, digest);
  for (int i = 0; i < 32; ++i) same &= digest[i] == claimed[i];
  return same;
}

static int bind_bias(const job* j, axc_layer* layer, const axc_array* bias) {
  layer->bias = NULL;
  if ((bias->end != 0) != layer->has_bias) return refuse_weights(j, AXC_BIAS_PRESENCE, bias->file, bias->begin);
  if (!layer->has_bias) return 1;
  if (bias->type != AXC_I64 || bias->rank != 1 || bias->shape[0] != layer->rows) {
    return refuse_name(j, AXC_SHAPE, bias);
  }
  layer->bias = bias->file->bytes + bias->begin;
  if (!has_hash(layer->bias, bias->end - bias->begin, layer->bias_hash))
    return refuse_weights(j, AXC_BIAS_HASH, bias->file, bias->begin);
  for (int64_t row = 0; row < layer->rows; ++row) {
    const int64_t value = axc_load64(layer->bias + 8 * row);
    if (value < -AXC_MOST_BIAS || value > AXC_MOST_BIAS)
      return refuse_weights(j, AXC_BIAS, bias->file, bias->begin + 8 * (size_t)row);
  }
  return 1;
}

/* Points `layer` to its arrays, having checked that they are the certificate's. */
static int bind_arrays(const job* j, axc_layer* layer) {
  axc_array found[ROLES];
  const axc_array* weight = &found[WEIGHT];
  if (!find_arrays(j, layer, found)) return 0;
  if (weight->end == 0) return refuse_weights(j, AXC_MISSING, weight->file, 0);
  if (weight->type != AXC_I8 || weight->rank != 2 || weight->shape[0] != layer->rows ||
      weight->shape[1] != layer->cols) {
    return refuse_name(j, AXC_SHAPE, weight);
  }
  layer->weight_file = weight->file;
  layer->weights = (const signed char*)(weight->file->bytes + weight->begin);
  if (!has_hash(weight->file->bytes + weight->begin, weight->end - weight->begin, layer->weight_hash)) {
    return refuse_weights(j, AXC_WEIGHT_HASH, weight->file, weight->begin);
  }
  return bind_bias(j, layer, &found[BIAS]) && agree_with_quantizer(j, layer, found);
}

/* ---- the verdict ---- */

/* Copies the core's finding. The first overflow stays in the report while later layers may still be refused. */
static int take_finding(const job* j, const axc_layer* layer, const axc_finding* finding) {
  axc_report* report = j->report;
  report->nodes_checked += finding->nodes_checked;
  if (finding->reason == AXC_PROVED || (finding->reason == AXC_OVERFLOW && report->verdict == AXC_UNSAFE)) return 1;
  name_layer(report, layer->name);
  report->row = finding->row;
  report->stage = finding->stage;
  report->node = finding->node;
  report->claimed = finding->claimed;
  report->recomputed = finding->recomputed;
  report->limits = finding->limits;
  const int in_weights = finding->reason == AXC_WEIGHT ? number_of(j, layer->weight_file) : 0;
  size_t position = finding->reason == AXC_VERDICT ? layer->verdict_at : layer->worst_at;
  if (finding->place != NULL)
    position = (size_t)(finding->place - (in_weights ? layer->weight_file->bytes : j->certificate));
  (void)conclude(report, finding->reason == AXC_OVERFLOW ? AXC_UNSAFE : AXC_REFUSED, finding->reason, in_weights,
                 position);
  return finding->reason == AXC_OVERFLOW;
}

static int is_weight_array(const axc_array* array) {
  const axc_span head = {array->name.text, array->name.size < 7 ? 0 : array->name.size - 7};
  return array->type != AXC_OTHER && role_of(array->name, head) == WEIGHT;
}

static int is_covered(axc_certificate all, axc_span name) {
  axc_span layer;
  while (all.next < all.layers && axc_next_name(&all, &layer)) {
    if (role_of(name, layer) == WEIGHT) return 1;
  }
  return 0;
}

/* The first integer array NAME.weight in the files of which no layer speaks. */
static int find_uncovered(const job* j, const axc_certificate* all, axc_array* first) {
  int found = 0;
  for (size_t i = 0; i < j->arrays; ++i) { /* in the index what layers speak of is marked */
    const axc_array* array = &j->index[i];
    if (is_weight_array(array) && (!found || stands_before(array, first))) found = 1, *first = *array;
  }
  for (size_t f = 0; f < j->count && j->index == NULL; ++f) {
    axc_cursor c = axc_open_weights(&j->files[f]);
    while (axc_next_array(&c, &j->files[f], first)) {
      if (is_weight_array(first) && !is_covered(*all, first->name)) return 1;
    }
  }
  return found;
}

/* Every layer owns exactly one array NAME.weight, all different: what integer ones exceed their number are not covered. */
static void look_for_uncovered(const job* j, const axc_certificate* all) {
  axc_array array;
  int64_t arrays = 0;
  for (size_t f = 0; f < j->count; ++f) {
    axc_cursor c = axc_open_weights(&j->files[f]);
    while (axc_next_array(&c, &j->files[f], &array)) arrays += is_weight_array(&array);
  }
  j->report->uncovered = arrays - all->layers;
  if (j->report->uncovered == 0 || j->report->verdict == AXC_UNSAFE) return;
  (void)conclude(j->report, AXC_INCOMPLETE, AXC_UNCOVERED, 1, 0);
  if (!find_uncovered(j, all, &array)) return;
  name_layer(j->report, array.name);
  (void)conclude(j->report, AXC_INCOMPLETE, AXC_UNCOVERED, number_of(j, array.file),
                 (size_t)(array.name.text - array.file->bytes));
}

static void check_layers(const job* j, axc_certificate* certificate, int64_t* scratch) {
  axc_layer layer;
  axc_finding finding;
  const axc_certificate all = *certificate;
  while (certificate->next < certificate->layers) {
    const size_t claims_at = certificate->data_at;
    if (!axc_next_layer(certificate, &layer)) {
      (void)conclude(j->report, AXC_REFUSED, AXC_LAYOUT, 0, 0); /* cannot happen: axc_open read it before */
      return;
    }
    if (!bind_arrays(j, &layer)) {
      name_layer(j->report, layer.name);
      return;
    }
    axc_prove_layer(&layer, scratch, &finding);
    if (!take_finding(j, &layer, &finding)) return;
    ++j->report->layers;
    if (j->pause.call != NULL) {
      j->pause.call(j->pause.context, (size_t)(layer.rows * layer.cols) + certificate->data_at - claims_at);
    }
  }
  look_for_uncovered(j, &all);
}

size_t axc_scratch_size(const unsigned char* bytes, size_t size) {
  const axc_pause none = {NULL, NULL};
  axc_certificate certificate;
  size_t position = 0;
  if (axc_open(bytes, size, &none, &certificate, &position) != AXC_PROVED) return 0;
  return (size_t)certificate.most_nodes * 4 * sizeof(int64_t);
}

/* With scratch NULL, allocates it, and an index of the arrays. */
static axc_verdict check(job* j, size_t certificate_size, void* scratch, size_t scratch_size) {
  axc_certificate certificate;
  size_t position = 0;
  clear(j->report);
  const axc_reason reason = axc_open(j->certificate, certificate_size, &j->pause, &certificate, &position);
  if (reason != AXC_PROVED) {
    (void)conclude(j->report, AXC_REFUSED, reason, 0, position);
    return j->report->verdict;
  }
  j->report->nodes_total = certificate.nodes_total;
  const size_t needed = (size_t)certificate.most_nodes * 4 * sizeof(int64_t);
  void* own = scratch == NULL ? malloc(needed) : NULL;
  if (scratch == NULL) scratch_size = needed;
  int64_t* memory = scratch == NULL ? own : scratch;
  if (scratch == NULL) make_index(j);
  (void)conclude(j->report, AXC_SAFE, AXC_PROVED, 0, 0);
  if (memory == NULL || scratch_size < needed) {
    (void)conclude(j->report, AXC_INCOMPLETE, AXC_NO_SCRATCH, 0, 0);
  } else if (arrays_fit(j)) {
    check_layers(j, &certificate, memory);
  }
  free(own);
  free(j->index);
  if (j->report->verdict == AXC_SAFE && j->report->nodes_checked != j->report->nodes_total) {
    (void)conclude(j->report, AXC_INCOMPLETE, AXC_NO_SCRATCH, 0, 0); /* cannot happen; safe is never a default */
  }
  return j->report->verdict;
}

axc_verdict axc_check_with(const unsigned char* certificate, size_t certificate_size, const unsigned char* weights,
                           size_t weights_size, void* scratch, size_t scratch_size, axc_report* report) {
  static int64_t none;
  const axc_file file = {weights, weights_size};
  job j = {certificate, &file, 1, {NULL, NULL}, report, NULL, 0};
  return check(&j, certificate_size, scratch == NULL ? &none : scratch, scratch == NULL ? 0 : scratch_size);
}

axc_verdict axc_check_files(const unsigned char* certificate, size_t certificate_size, const axc_file* weights,
                            size_t files, axc_between between, void* context, axc_report* report) {
  static const unsigned char nothing[1] = {0};
  static const axc_file no_file = {nothing, 0};
  const int some = files > 0 && files <= MOST_FILES;
  job j = {certificate, some ? weights : &no_file, some ? files : 1, {between, context}, report, NULL, 0};
  return check(&j, certificate_size, NULL, 0); /* a file of no bytes is refused */
}

axc_verdict axc_check(const unsigned char* certificate, size_t certificate_size, const unsigned char* weights,
                      size_t weights_size, axc_report* report) {
  const axc_file file = {weights, weights_size};
  return axc_check_files(certificate, certificate_size, &file, 1, NULL, NULL, report);
}
