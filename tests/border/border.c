/* What the proof of range.c takes for granted, looked at while the checker runs: this axc_prove_layer stands before the one of range.c,
 * which is compiled here under another name, and demands its preconditions one by one (proofs/README.md, "The border"): those that a
 * program can look at, that is all but that memory exists. Main function: axc_prove_layer. It writes the two counters of border.h.
 * Requirements: TOR-106, TOR-201. */
#include "border.h"

#define axc_prove_layer axc_prove_layer_as_proved
#include "../../verify/checker/range.c"
#undef axc_prove_layer
void axc_prove_layer(const axc_layer* layer, int64_t* scratch, axc_finding* finding);

border_memory border_files;
long border_layers = 0;
const char* border_violated = NULL;

static void demand(int holds, const char* what) {
  if (!holds && border_violated == NULL) border_violated = what;
}

/* Whether `count` bytes from `at` on lie in the certificate (or in the weights file). */
static int lies_in(const unsigned char* at, uint64_t count, const unsigned char* bytes, size_t size) {
  return at >= bytes && at <= bytes + size && count <= (uint64_t)(bytes + size - at);
}
static int claimed(const unsigned char* at, int64_t count) {
  return count >= 0 && lies_in(at, (uint64_t)count, border_files.certificate, border_files.certificate_size);
}
static int given(const unsigned char* at, int64_t count) {
  return count >= 0 && lies_in(at, (uint64_t)count, border_files.weights, border_files.weights_size);
}

/* Registers of a stage, counted one by one as docs/certificate.md deals values out. */
static int64_t counted(const axc_stage* stage, int64_t values) {
  int64_t registers = 0;
  const int64_t group = stage->group == 0 ? values : stage->group;
  const int64_t block = group > values / stage->stride ? values : group * stage->stride;
  for (int64_t begin = 0; begin < values; begin += stage->group == 0 ? values : block) {
    const int64_t here = values - begin < block ? values - begin : block;
    registers += here < stage->stride ? here : stage->stride;
  }
  return registers;
}

static void demand_stages(const axc_layer* layer) {
  int64_t values = layer->cols;
  int constants = 0;
  demand(layer->stages >= 1 && layer->stages <= 16, "1 to 16 stages");
  for (int s = 0; s < layer->stages && border_violated == NULL; ++s) {
    const axc_stage* stage = &layer->stage[s];
    const int64_t bytes = stage->wide ? 8 : 4;
    demand(values >= 1 && values <= 16777216, "1 to 2^24 values");
    demand(stage->group >= 0 && stage->group <= 2147483647, "the group");
    demand(stage->stride >= 1 && stage->stride <= 2147483647, "the stride");
    demand(stage->width >= 1 && stage->width <= 64, "the width");
    if (border_violated != NULL) return;
    demand(stage->nodes >= 1 && stage->nodes == counted(stage, values), "the number of registers");
    demand(claimed(stage->lower, layer->rows * stage->nodes * bytes), "the lower claims");
    demand(claimed(stage->upper, layer->rows * stage->nodes * bytes), "the upper claims");
    constants += stage->from_constant != 0;
    demand(!stage->from_constant || stage->nodes == 1, "the constant enters one register");
    values = stage->nodes;
  }
  demand(constants <= 1, "the constant enters once");
}

static void demand_inputs(const axc_layer* layer) {
  demand(layer->channels == 1 || layer->channels == layer->cols, "the channels");
  demand(claimed(layer->box_lower, 4 * layer->channels) && claimed(layer->box_upper, 4 * layer->channels), "the box");
  demand(claimed(layer->witness, 4 * layer->cols), "the witness");
  demand(layer->offsets == 0 || layer->offsets == 1 || layer->offsets == layer->cols, "the offsets' number");
  demand(layer->offsets == 0 || claimed(layer->offset, 4 * layer->offsets), "the offsets");
  demand(layer->limit >= 0 && layer->limit <= INT64_C(281474976710656), "the limit");
  demand(layer->spread >= 0 && layer->spread <= 16777216, "the spread");
  for (int64_t k = 0; k < layer->channels && border_violated == NULL; ++k) {
    const int64_t lower = axc_entry32(layer->box_lower, k), upper = axc_entry32(layer->box_upper, k);
    demand(-16777216 <= lower && lower <= upper && upper <= 16777216, "a channel's box");
    demand(layer->limit == 0 || (lower <= 0 && upper >= 0), "0 in the box under a limit");
  }
  for (int64_t k = 0; k < layer->offsets && border_violated == NULL; ++k) {
    const int64_t offset = axc_entry32(layer->offset, k);
    demand(-16777216 <= offset && offset <= 16777216, "an offset");
  }
}

void axc_prove_layer(const axc_layer* layer, int64_t* scratch, axc_finding* finding) {
  ++border_layers;
  demand(layer->rows >= 1 && layer->rows <= INT64_C(2147483648), "1 to 2^31 rows");
  demand(layer->cols >= 1 && layer->cols <= 16777216, "1 to 2^24 columns");
  if (border_violated == NULL) demand_stages(layer);
  if (border_violated == NULL) demand_inputs(layer);
  demand(given((const unsigned char*)layer->weights, layer->rows * layer->cols), "the weights");
  demand(layer->bias == NULL || given(layer->bias, 8 * layer->rows), "the bias");
  for (int64_t row = 0; layer->bias != NULL && row < layer->rows && border_violated == NULL; ++row) {
    const int64_t bias = axc_entry64(layer->bias, row);
    demand(-(INT64_C(1) << 62) <= bias && bias <= INT64_C(1) << 62, "a row's bias");
  }
  demand(layer->worst_row >= 0 && layer->worst_row < layer->rows, "the worst row");
  demand(layer->worst_stage >= 0 && layer->worst_stage < layer->stages, "the worst stage");
  if (border_violated == NULL) {
    demand(layer->worst_node >= 0 && layer->worst_node < layer->stage[layer->worst_stage].nodes, "the worst register");
  }
  demand(layer->worst_upper == 0 || layer->worst_upper == 1, "the worst end");
  demand(layer->verdict == AXC_SAFE || layer->verdict == AXC_UNSAFE, "the verdict");
  demand(scratch == border_files.scratch && (uint64_t)layer->stage[0].nodes * 32 <= border_files.scratch_size,
         "scratch");
  if (border_violated == NULL) axc_prove_layer_as_proved(layer, scratch, finding);
}
