/* What the contracts in range.c speak about: one layer as mathematical integers, and the lemmas that the proof rests on, each a ghost
 * function that Frama-C/WP proves like the rest. Comments all of it: a C compiler sees nothing. The definitions are those of
 * docs/certificate.md, "Acceptance". Sums run over first, first + step, … below end, and are defined from the front, so that no count occurs.
 *
 * Nothing here reads memory: the functions that no axiom defines (weights, boxes, groups, claims, …) are the layer, whatever it is, and
 * the predicates at the end say that they are what lies in memory. Every contract is about any layer. */
#ifndef AXECERT_CHECKER_MEANING_H
#define AXECERT_CHECKER_MEANING_H

/*@ logic integer least(integer a, integer b) = a < b ? a : b;
    logic integer greatest(integer a, integer b) = a > b ? a : b;
    logic integer magnitude(integer a) = a < 0 ? -a : a;

    // Row r >= 0 over the layer's box, and -1 - r: the same row when every input is the witness's, without a limit.
    axiomatic Layer {
      logic integer rows;
      logic integer cols;
      logic integer weight(integer r, integer k);
      logic integer least_input(integer r, integer k);
      logic integer greatest_input(integer r, integer k);
      logic integer input_limit(integer r); // of the magnitudes in one register of stage 0; 0: there is none
      logic integer least_constant(integer r);
      logic integer greatest_constant(integer r);
      // Of stage s: how many values it has, how many adjacent ones make a block, the stride, whether a register starts from the constant.
      logic integer values(integer s);
      logic integer block(integer s);
      logic integer stride(integer s);
      predicate constant_enters(integer s);
    }

    // The constant of row r: its bias, and Σ w_k (offset_k - z) for z = 0 … spread.
    axiomatic Constants {
      logic integer bias(integer r);
      logic integer offset(integer k);
      logic integer spread;
      logic integer moved(integer r, integer k); // what the offset of input k adds
      axiom moved_is: \forall integer r, k; moved(r, k) == weight(r, k) * offset(k);
      logic integer weights_sum(integer r, integer first, integer end);
      logic integer offsets_sum(integer r, integer first, integer end);
      axiom weights_sum_none: \forall integer r, first, end; first >= end ==> weights_sum(r, first, end) == 0;
      axiom weights_sum_more: \forall integer r, first, end; first < end ==>
        weights_sum(r, first, end) == weight(r, first) + weights_sum(r, first + 1, end);
      axiom offsets_sum_none: \forall integer r, first, end; first >= end ==> offsets_sum(r, first, end) == 0;
      axiom offsets_sum_more: \forall integer r, first, end; first < end ==>
        offsets_sum(r, first, end) == moved(r, first) + offsets_sum(r, first + 1, end);
      logic integer taken(integer r); // by the greatest zero point
      axiom taken_is: \forall integer r; taken(r) == spread * weights_sum(r, 0, values(0));
      axiom least_constant_is: \forall integer r;
        least_constant(r) == bias(r) + offsets_sum(r, 0, values(0)) - greatest(0, taken(r));
      axiom greatest_constant_is: \forall integer r;
        greatest_constant(r) == bias(r) + offsets_sum(r, 0, values(0)) - least(0, taken(r));
    }
    logic integer lanes(integer s) = least(stride(s), block(s));

    // Register n adds the values first(s, n), first(s, n) + stride(s), … below end(s, n); registers(s, v) of them have their first value
    // at v or behind it.
    axiomatic Registers {
      logic integer first(integer s, integer n);
      logic integer limit(integer s, integer n);
      logic integer registers(integer s, integer v);
      axiom first_block: \forall integer s, n; 0 <= n < lanes(s) ==> first(s, n) == n;
      axiom limit_block: \forall integer s, n; 0 <= n < lanes(s) ==> limit(s, n) == block(s);
      axiom first_next: \forall integer s, n; 1 <= lanes(s) <= n ==> first(s, n) == block(s) + first(s, n - lanes(s));
      axiom limit_next: \forall integer s, n; 1 <= lanes(s) <= n ==> limit(s, n) == block(s) + limit(s, n - lanes(s));
      axiom registers_none: \forall integer s, v; v >= values(s) ==> registers(s, v) == 0;
      axiom registers_more: \forall integer s, v; block(s) >= 1 && v < values(s) ==>
        registers(s, v) == least(lanes(s), values(s) - v) + registers(s, v + block(s));
    }
    logic integer end(integer s, integer n) = least(limit(s, n), values(s));
    predicate geometry(integer s) = 1 <= values(s) <= 16777216 && 1 <= block(s) <= values(s) && 1 <= stride(s) <= 2147483647;
    // The next register is `node`, the next value `begin`, which begins a block.
    predicate at_block(integer s, integer node, integer begin) =
      0 <= node <= begin && node + registers(s, begin) == registers(s, 0) &&
      (\forall integer n; node <= n < node + lanes(s) ==> first(s, n) == begin + (n - node)) &&
      (\forall integer n; node <= n < node + lanes(s) ==> limit(s, n) == begin + block(s));

    // P = Σ max(w_k, 0) and N = Σ min(w_k, 0) of row r.
    axiomatic Weights {
      logic integer above(integer r, integer step, integer first, integer end);
      logic integer below(integer r, integer step, integer first, integer end);
      axiom above_none: \forall integer r, step, first, end; first >= end ==> above(r, step, first, end) == 0;
      axiom above_more: \forall integer r, step, first, end; step >= 1 && first < end ==>
        above(r, step, first, end) == greatest(weight(r, first), 0) + above(r, step, first + step, end);
      axiom below_none: \forall integer r, step, first, end; first >= end ==> below(r, step, first, end) == 0;
      axiom below_more: \forall integer r, step, first, end; step >= 1 && first < end ==>
        below(r, step, first, end) == least(weight(r, first), 0) + below(r, step, first + step, end);
    }

    // The inputs that the certificate names, and the magnitudes in one register of stage 0.
    axiomatic Witness {
      logic integer witness(integer k);
      logic integer magnitudes(integer step, integer first, integer end);
      axiom magnitudes_none: \forall integer step, first, end; first >= end ==> magnitudes(step, first, end) == 0;
      axiom magnitudes_more: \forall integer step, first, end; step >= 1 && first < end ==>
        magnitudes(step, first, end) == magnitude(witness(first)) + magnitudes(step, first + step, end);
      axiom pinned_least: \forall integer r, k; r < 0 ==> least_input(r, k) == witness(k);
      axiom pinned_greatest: \forall integer r, k; r < 0 ==> greatest_input(r, k) == witness(k);
      axiom pinned_weight: \forall integer r, k; r < 0 ==> weight(r, k) == weight(-1 - r, k);
      axiom pinned_limit: \forall integer r; r < 0 ==> input_limit(r) == 0;
      axiom pinned_bias: \forall integer r; r < 0 ==> bias(r) == bias(-1 - r);
    }

    // Under a limit: how far input k goes up (towards the upper end) or down; cap(…, a, …) is how far those go whose weights have magnitude
    // a, caps(…, a, …) those of magnitude 1 to a; spent: what is left goes to the greatest magnitudes first. No axiom has a product of
    // two unknowns but spent_more.
    logic integer room(integer up, integer r, integer k) =
      weight(r, k) > 0 ? (up == 1 ? greatest_input(r, k) : -least_input(r, k)) : (up == 1 ? -least_input(r, k) : greatest_input(r, k));
    axiomatic Limited {
      logic integer cap(integer up, integer r, integer a, integer step, integer first, integer end);
      axiom cap_none: \forall integer up, r, a, step, first, end; first >= end ==> cap(up, r, a, step, first, end) == 0;
      axiom cap_more: \forall integer up, r, a, step, first, end; step >= 1 && first < end ==>
        cap(up, r, a, step, first, end) ==
          (magnitude(weight(r, first)) == a ? room(up, r, first) : 0) + cap(up, r, a, step, first + step, end);
      logic integer caps(integer up, integer r, integer a, integer step, integer first, integer end);
      axiom caps_none: \forall integer up, r, step, first, end; caps(up, r, 0, step, first, end) == 0;
      axiom caps_more: \forall integer up, r, a, step, first, end; a >= 1 ==>
        caps(up, r, a, step, first, end) == cap(up, r, a, step, first, end) + caps(up, r, a - 1, step, first, end);
      logic integer spent(integer up, integer r, integer a, integer step, integer first, integer end, integer left);
      axiom spent_none: \forall integer up, r, step, first, end, left; spent(up, r, 0, step, first, end, left) == 0;
      axiom spent_more: \forall integer up, r, a, step, first, end, left; a >= 1 ==>
        spent(up, r, a, step, first, end, left) ==
          a * least(cap(up, r, a, step, first, end), left) +
          spent(up, r, a - 1, step, first, end, left - least(cap(up, r, a, step, first, end), left));
    }

    // The ends of a value or register have a number: 0 lower and 1 upper end of the complete sum, 2 lower and 3 upper end of all partial
    // sums. The values of stage 0 are products, those above are the registers below.
    axiomatic Ranges {
      logic integer value(integer which, integer r, integer s, integer v);
      logic integer sum(integer which, integer r, integer s, integer step, integer first, integer end);
      logic integer initial(integer which, integer r, integer s);
      logic integer reached(integer which, integer r, integer s, integer n);
      axiom least_product: \forall integer r, k;
        value(0, r, 0, k) == least(weight(r, k) * least_input(r, k), weight(r, k) * greatest_input(r, k));
      axiom greatest_product: \forall integer r, k;
        value(1, r, 0, k) == greatest(weight(r, k) * least_input(r, k), weight(r, k) * greatest_input(r, k));
      axiom least_below: \forall integer r, s, v; s >= 1 ==> value(0, r, s, v) == reached(0, r, s - 1, v);
      axiom greatest_below: \forall integer r, s, v; s >= 1 ==> value(1, r, s, v) == reached(1, r, s - 1, v);
      axiom lower_part: \forall integer r, s, v; value(2, r, s, v) == least(0, value(0, r, s, v));
      axiom upper_part: \forall integer r, s, v; value(3, r, s, v) == greatest(0, value(1, r, s, v));
      axiom sum_none: \forall integer which, r, s, step, first, end; first >= end ==> sum(which, r, s, step, first, end) == 0;
      axiom sum_more: \forall integer which, r, s, step, first, end; step >= 1 && first < end ==>
        sum(which, r, s, step, first, end) == value(which, r, s, first) + sum(which, r, s, step, first + step, end);
      axiom initial_none: \forall integer which, r, s; !constant_enters(s) ==> initial(which, r, s) == 0;
      axiom initial_lower: \forall integer which, r, s; constant_enters(s) && (which == 0 || which == 2) ==>
        initial(which, r, s) == least_constant(r);
      axiom initial_upper: \forall integer which, r, s; constant_enters(s) && (which == 1 || which == 3) ==>
        initial(which, r, s) == greatest_constant(r);
      axiom reach_is: \forall integer which, r, s, n; s != 0 || input_limit(r) == 0 ==>
        reached(which, r, s, n) == initial(which, r, s) + sum(which, r, s, stride(s), first(s, n), end(s, n));
      axiom reach_down: \forall integer which, r, n; input_limit(r) > 0 && (which == 0 || which == 2) ==>
        reached(which, r, 0, n) ==
          initial(which, r, 0) - spent(0, r, 128, stride(0), first(0, n), end(0, n), input_limit(r));
      axiom reach_up: \forall integer which, r, n; input_limit(r) > 0 && (which == 1 || which == 3) ==>
        reached(which, r, 0, n) ==
          initial(which, r, 0) + spent(1, r, 128, stride(0), first(0, n), end(0, n), input_limit(r));
    }

    // No sum leaves int64_t (core.h): size(s, v) bounds the products in value v of stage s and their parts, 2^31 each, and extra(s) the
    // constant, which is in it when a stage below starts from it: |value| <= size + extra <= 2^55 + (2^62 + 2^56).
    axiomatic Sizes {
      logic integer size(integer s, integer v);
      logic integer sizes(integer s, integer step, integer first, integer end);
      logic integer lane_sizes(integer s, integer step, integer from, integer to, integer end);
      logic integer extra(integer s);
      axiom size_product: \forall integer k; size(0, k) == 2147483648;
      axiom size_register: \forall integer s, n; s >= 1 ==> size(s, n) == sizes(s - 1, stride(s - 1), first(s - 1, n), end(s - 1, n));
      axiom sizes_none: \forall integer s, step, first, end; first >= end ==> sizes(s, step, first, end) == 0;
      axiom sizes_more: \forall integer s, step, first, end; step >= 1 && first < end ==>
        sizes(s, step, first, end) == size(s, first) + sizes(s, step, first + step, end);
      axiom lanes_none: \forall integer s, step, from, to, end; from >= to ==> lane_sizes(s, step, from, to, end) == 0;
      axiom lanes_more: \forall integer s, step, from, to, end; from < to ==>
        lane_sizes(s, step, from, to, end) == sizes(s, step, from, end) + lane_sizes(s, step, from + 1, to, end);
      axiom extra_none: extra(0) == 0;
      axiom extra_enters: \forall integer s; s >= 0 && constant_enters(s) ==> extra(s + 1) == 4683743612465315840;
      axiom extra_stays: \forall integer s; s >= 0 && !constant_enters(s) ==> extra(s + 1) == extra(s);
    }
    predicate one_constant(integer s) =
      (extra(s) == 0 || (extra(s) == 4683743612465315840 && values(s) == 1 && !constant_enters(s)));
    predicate constant_within(integer r) = -4683743612465315840 <= least_constant(r) <= greatest_constant(r) <= 4683743612465315840;

    predicate inputs_within(integer r) = 0 <= input_limit(r) <= 281474976710656 &&
      (\forall integer k; 0 <= k < values(0) ==> -128 <= weight(r, k) <= 127) &&
      (\forall integer k; 0 <= k < values(0) ==> -16777216 <= least_input(r, k) <= greatest_input(r, k) <= 16777216) &&
      (\forall integer k; 0 <= k < values(0) && input_limit(r) > 0 ==> least_input(r, k) <= 0 <= greatest_input(r, k));
    predicate sized(integer s) = \forall integer v; 0 <= v < values(s) ==> size(s, v) >= 0;
    predicate values_within(integer r, integer s) =
      (\forall integer v; 0 <= v < values(s) ==> value(0, r, s, v) <= value(1, r, s, v)) &&
      (\forall integer v; 0 <= v < values(s) ==> -size(s, v) - extra(s) <= value(0, r, s, v)) &&
      (\forall integer v; 0 <= v < values(s) ==> value(1, r, s, v) <= size(s, v) + extra(s));
    // All of it: what the sums of stage s rest on.
    predicate within(integer r, integer s) = 0 <= s && geometry(s) && sized(s) && values_within(r, s) && one_constant(s) &&
      constant_within(r) && inputs_within(r) && sizes(s, 1, 0, values(s)) <= 36028797018963968;
    predicate reach_within(integer r, integer s, integer n) =
      reached(0, r, s, n) <= reached(1, r, s, n) && reached(2, r, s, n) <= reached(3, r, s, n) &&
      -size(s + 1, n) - extra(s + 1) <= reached(0, r, s, n) && reached(1, r, s, n) <= size(s + 1, n) + extra(s + 1) &&
      -9223372036854775807 <= reached(0, r, s, n) && reached(1, r, s, n) <= 9223372036854775807 &&
      -9223372036854775807 <= reached(2, r, s, n) && reached(3, r, s, n) <= 9223372036854775807;

    axiomatic Rows {
      logic integer claims_start(integer s, integer r);
      logic integer row_start(integer r);
      axiom claims_start_is: \forall integer s, r; claims_start(s, r) == r * registers(s, 0);
      axiom row_start_is: \forall integer r; row_start(r) == r * values(0);
    }

    // What lies in memory. Entry k of an array of little-endian int32: two's complement, the lowest byte first.
    axiomatic Entries {
      logic integer entry32{L}(unsigned char* b, integer k) reads b[4 * k .. 4 * k + 3];
      logic integer entry64{L}(unsigned char* b, integer k) reads b[8 * k .. 8 * k + 7];
      axiom entry64_is{L}: \forall unsigned char* b, integer k;
        entry64(b, k) == entry32(b, 2 * k) + 4294967296 * entry32(b, 2 * k + 1) + (entry32(b, 2 * k) < 0 ? 4294967296 : 0);
      axiom entry32_is{L}: \forall unsigned char* b, integer k;
        entry32(b, k) == b[4 * k] + 256 * b[4 * k + 1] + 65536 * b[4 * k + 2] +
                         16777216 * (b[4 * k + 3] < 128 ? b[4 * k + 3] : b[4 * k + 3] - 256);
    }
    predicate box_for_all{L}(unsigned char* l, unsigned char* u, integer r) = \valid_read(l + (0 .. 3)) && \valid_read(u + (0 .. 3)) &&
      (\forall integer k; 0 <= k < values(0) ==> least_input(r, k) == entry32(l, 0)) &&
      (\forall integer k; 0 <= k < values(0) ==> greatest_input(r, k) == entry32(u, 0));
    predicate box_each{L}(unsigned char* l, unsigned char* u, integer r) =
      \valid_read(l + (0 .. 4 * values(0) - 1)) && \valid_read(u + (0 .. 4 * values(0) - 1)) &&
      (\forall integer k; 0 <= k < values(0) ==> least_input(r, k) == entry32(l, k)) &&
      (\forall integer k; 0 <= k < values(0) ==> greatest_input(r, k) == entry32(u, k));
    predicate is_row{L}(signed char* w, integer r) = \valid_read(w + (0 .. values(0) - 1)) &&
      (\forall integer k; 0 <= k < values(0) ==> w[k] == weight(r, k));
    predicate four_arrays{L}(int64_t* a, int64_t* b, int64_t* c, int64_t* d, integer n) =
      \valid(a + (0 .. n - 1)) && \valid(b + (0 .. n - 1)) && \valid(c + (0 .. n - 1)) && \valid(d + (0 .. n - 1)) &&
      \separated(a + (0 .. n - 1), b + (0 .. n - 1), c + (0 .. n - 1), d + (0 .. n - 1));
    predicate is_stage{L}(int64_t* a, int64_t* b, int64_t* c, int64_t* d, integer r, integer s, integer n) =
      (\forall integer i; 0 <= i < n ==> a[i] == reached(0, r, s, i)) && (\forall integer i; 0 <= i < n ==> b[i] == reached(1, r, s, i)) &&
      (\forall integer i; 0 <= i < n ==> c[i] == reached(2, r, s, i)) && (\forall integer i; 0 <= i < n ==> d[i] == reached(3, r, s, i));
    predicate is_below{L}(int64_t* a, int64_t* b, integer r, integer s, integer n) =
      (\forall integer v; n <= v < values(s) ==> a[v] == value(0, r, s, v)) &&
      (\forall integer v; n <= v < values(s) ==> b[v] == value(1, r, s, v));
*/

// max(w, 0) and min(w, 0) as numbers that a lemma can be given.
/*@ ghost
  /@ terminates \true;
     assigns \nothing;
     ensures \result == greatest(w, 0); @/
  int64_t part_above(int64_t w) { return w > 0 ? w : 0; }
*/

/*@ ghost
  /@ terminates \true;
     assigns \nothing;
     ensures \result == least(w, 0); @/
  int64_t part_below(int64_t w) { return w < 0 ? w : 0; }
*/

// Weight k of row r as a number.
/*@ ghost
  /@ requires is_row(w, r) && 0 <= k < values(0);
     terminates \true;
     assigns \nothing;
     ensures \result == weight(r, k) && -128 <= \result <= 127; @/
  int64_t weight_at(int64_t r, const signed char* w, int64_t k) { return w[k]; }
*/

// The ends of one product over its box, and of its part of a partial sum. With w >= 0 the greater input gives the upper end, else the lesser.
/*@ ghost
  /@ requires -128 <= w <= 127 && l <= u && -16777216 <= l && u <= 16777216;
     requires a == greatest(w, 0) && b == least(w, 0) && l0 == least(0, l) && u0 == greatest(0, u);
     terminates \true;
     assigns \nothing;
     ensures least(w * l, w * u) == l * a + u * b;
     ensures greatest(w * l, w * u) == u * a + l * b;
     ensures least(0, least(w * l, w * u)) == l0 * a + u0 * b;
     ensures greatest(0, greatest(w * l, w * u)) == u0 * a + l0 * b; @/
  void ends_of_product(int64_t w, int64_t l, int64_t u, int64_t l0, int64_t u0, int64_t a, int64_t b) {
    if (w >= 0) {
      /@ assert w * l <= w * u; @/
      ;
    } else {
      /@ assert w * u <= w * l; @/
      ;
    }
  }
*/

// Product k of row r, from the numbers that make it.
/*@ ghost
  /@ requires w == weight(r, k) && l == least_input(r, k) && u == greatest_input(r, k);
     terminates \true;
     assigns \nothing;
     ensures value(0, r, 0, k) == least(w * l, w * u);
     ensures value(1, r, 0, k) == greatest(w * l, w * u);
     ensures value(2, r, 0, k) == least(0, least(w * l, w * u));
     ensures value(3, r, 0, k) == greatest(0, greatest(w * l, w * u)); @/
  void product_is(int64_t r, int64_t k, int64_t w, int64_t l, int64_t u) {}
*/

/*@ ghost
  /@ terminates \true;
     assigns \nothing;
     ensures l * (a + p) + u * (b + n) == (l * a + u * b) + (l * p + u * n); @/
  void distribute(int64_t l, int64_t u, int64_t a, int64_t b, int64_t p, int64_t n) {
    /@ assert l * (a + p) == l * a + l * p; @/
    /@ assert u * (b + n) == u * b + u * n; @/
    ;
  }
*/

// Σ w·[lower, upper] = [lower·P + upper·N, upper·P + lower·N], and for partial sums the same with the box stretched to hold 0.
/*@ ghost
  /@ requires is_row(w, r) && 0 <= first <= 4294967296 && end <= values(0) <= 16777216 && 1 <= step <= 2147483647;
     requires -16777216 <= lower <= upper <= 16777216 && l0 == least(0, lower) && u0 == greatest(0, upper);
     requires \forall integer k; 0 <= k < end ==> least_input(r, k) == lower && greatest_input(r, k) == upper;
     requires p == above(r, step, first, end) && n == below(r, step, first, end);
     requires -1099511627776 - 128 * first <= p <= 1099511627776 && -1099511627776 <= n <= 1099511627776 + 128 * first;
     terminates \true;
     decreases 4294967296 - first;
     assigns \nothing;
     ensures sum(0, r, 0, step, first, end) == lower * p + upper * n;
     ensures sum(1, r, 0, step, first, end) == upper * p + lower * n;
     ensures sum(2, r, 0, step, first, end) == l0 * p + u0 * n;
     ensures sum(3, r, 0, step, first, end) == u0 * p + l0 * n; @/
  void one_box(int64_t r, const signed char* w, int64_t lower, int64_t upper, int64_t l0, int64_t u0, int64_t step, int64_t first,
               int64_t end, int64_t p, int64_t n) {
    if (first < end) {
      int64_t x = weight_at(r, w, first);
      int64_t a = part_above(x);
      int64_t b = part_below(x);
      one_box(r, w, lower, upper, l0, u0, step, first + step, end, p - a, n - b);
      product_is(r, first, x, lower, upper);
      ends_of_product(x, lower, upper, l0, u0, a, b);
      distribute(lower, upper, a, b, p - a, n - b);
      distribute(upper, lower, a, b, p - a, n - b);
      distribute(l0, u0, a, b, p - a, n - b);
      distribute(u0, l0, a, b, p - a, n - b);
      /@ assert value(0, r, 0, first) == lower * a + upper * b; @/
      /@ assert sum(0, r, 0, step, first, end) == (lower * a + upper * b) + (lower * (p - a) + upper * (n - b)); @/
      /@ assert value(1, r, 0, first) == upper * a + lower * b; @/
      /@ assert sum(1, r, 0, step, first, end) == (upper * a + lower * b) + (upper * (p - a) + lower * (n - b)); @/
      /@ assert value(2, r, 0, first) == l0 * a + u0 * b; @/
      /@ assert sum(2, r, 0, step, first, end) == (l0 * a + u0 * b) + (l0 * (p - a) + u0 * (n - b)); @/
      /@ assert value(3, r, 0, first) == u0 * a + l0 * b; @/
      /@ assert sum(3, r, 0, step, first, end) == (u0 * a + l0 * b) + (u0 * (p - a) + l0 * (n - b)); @/
    } else {
      /@ assert p == 0 && n == 0; @/
      ;
    }
  }
*/

// |a| <= 2^24 and |b| <= 2^31: |a b| <= 2^55.
/*@ ghost
  /@ requires -16777216 <= a <= 16777216 && -2147483648 <= b <= 2147483648;
     terminates \true;
     assigns \nothing;
     ensures -36028797018963968 <= a * b <= 36028797018963968; @/
  void product_bounded(int64_t a, int64_t b) {
    if (a >= 0) {
      /@ assert a * b <= a * 2147483648; @/
      /@ assert a * b >= a * -2147483648; @/
      ;
    } else {
      /@ assert a * b <= a * -2147483648; @/
      /@ assert a * b >= a * 2147483648; @/
      ;
    }
  }
*/

/*@ ghost
  /@ requires w == weight(r, k) && o == offset(k);
     terminates \true;
     assigns \nothing;
     ensures moved(r, k) == w * o; @/
  void moved_by(int64_t r, int64_t k, int64_t w, int64_t o) {}
*/

// Σ w of a row as a number, and with one offset for all Σ w offset = offset Σ w.
/*@ ghost
  /@ requires is_row(w, r) && 0 <= first <= end && end == values(0) <= 16777216 && -16777216 <= o <= 16777216;
     requires one != 0 ==> \forall integer k; 0 <= k < values(0) ==> offset(k) == o;
     terminates \true;
     decreases end - first;
     assigns \nothing;
     ensures \result == weights_sum(r, first, end) && -128 * (end - first) <= \result <= 127 * (end - first);
     ensures \result == above(r, 1, first, end) + below(r, 1, first, end);
     ensures one != 0 ==> offsets_sum(r, first, end) == o * \result; @/
  int64_t sum_of_row(int64_t r, const signed char* w, int64_t o, int one, int64_t first, int64_t end) {
    int64_t sum = 0;
    if (first < end) {
      int64_t rest = sum_of_row(r, w, o, one, first + 1, end);
      int64_t x = weight_at(r, w, first);
      sum = x + rest;
      /@ assert x == weight(r, first); @/
      /@ assert o * sum == o * x + o * rest; @/
      if (one) {
        moved_by(r, first, x, o);
        /@ assert offsets_sum(r, first, end) == x * o + o * rest; @/
        /@ assert offsets_sum(r, first, end) == o * sum; @/
      }
    }
    return sum;
  }
*/

// |w| <= 2^7 and |x| <= 2^24: |w x| <= 2^31.
/*@ ghost
  /@ terminates \true;
     assigns \nothing;
     ensures \forall integer w, x; -128 <= w <= 127 && -16777216 <= x <= 16777216 ==> -2147483648 <= w * x <= 2147483648; @/
  void products_bounded(void) {
    /@ assert \forall integer w, x; 0 <= w <= 127 && -16777216 <= x <= 16777216 ==> w * -16777216 <= w * x <= w * 16777216; @/
    /@ assert \forall integer w, x; -128 <= w < 0 && -16777216 <= x <= 16777216 ==> w * 16777216 <= w * x <= w * -16777216; @/
    ;
  }
*/

// The products of a row keep their bounds.
/*@ ghost
  /@ requires inputs_within(r);
     terminates \true;
     assigns \nothing;
     ensures sized(0) && values_within(r, 0); @/
  void products_within(int64_t r) {
    products_bounded();
    /@ assert \forall integer k; 0 <= k < values(0) ==> -2147483648 <= weight(r, k) * least_input(r, k) <= 2147483648; @/
    /@ assert \forall integer k; 0 <= k < values(0) ==> -2147483648 <= weight(r, k) * greatest_input(r, k) <= 2147483648; @/
    ;
  }
*/

// So do their sums, and those of values of a higher stage.
/*@ ghost
  /@ requires geometry(s) && sized(s) && values_within(r, s) && one_constant(s);
     requires 0 <= first <= 4294967296 && end <= values(s) && 1 <= step <= 2147483647;
     terminates \true;
     decreases 4294967296 - first;
     assigns \nothing;
     ensures sizes(s, step, first, end) >= 0;
     ensures sum(0, r, s, step, first, end) <= sum(1, r, s, step, first, end);
     ensures sum(2, r, s, step, first, end) <= 0 <= sum(3, r, s, step, first, end);
     ensures -sizes(s, step, first, end) - extra(s) <= sum(0, r, s, step, first, end);
     ensures -sizes(s, step, first, end) - extra(s) <= sum(2, r, s, step, first, end);
     ensures sum(1, r, s, step, first, end) <= sizes(s, step, first, end) + extra(s);
     ensures sum(3, r, s, step, first, end) <= sizes(s, step, first, end) + extra(s); @/
  void sums_within(int64_t r, int64_t s, int64_t step, int64_t first, int64_t end) {
    if (first < end) {
      sums_within(r, s, step, first + step, end);
      /@ assert extra(s) != 0 ==> first + step >= end; @/
    }
  }
*/

// Sums of sizes: a later start, an earlier end or a stride makes them no greater.
/*@ ghost
  /@ requires sized(s) && 0 <= first <= to && end <= values(s) <= 16777216 && to <= 4294967296;
     terminates \true;
     decreases to - first;
     assigns \nothing;
     ensures sizes(s, 1, to, end) <= sizes(s, 1, first, end); @/
  void sizes_later(int64_t s, int64_t first, int64_t to, int64_t end) {
    if (first < to) sizes_later(s, first + 1, to, end);
  }
*/

/*@ ghost
  /@ requires sized(s) && 0 <= first <= 4294967296 && end <= stop <= values(s) <= 16777216;
     terminates \true;
     decreases 4294967296 - first;
     assigns \nothing;
     ensures 0 <= sizes(s, 1, first, end) <= sizes(s, 1, first, stop); @/
  void sizes_earlier(int64_t s, int64_t first, int64_t end, int64_t stop) {
    if (first < stop) sizes_earlier(s, first + 1, end, stop);
  }
*/

/*@ ghost
  /@ requires sized(s) && 0 <= first <= 4294967296 && end <= values(s) <= 16777216 && 1 <= step <= 2147483647;
     terminates \true;
     decreases 4294967296 - first;
     assigns \nothing;
     ensures 0 <= sizes(s, step, first, end) <= sizes(s, 1, first, end); @/
  void sizes_strided(int64_t s, int64_t step, int64_t first, int64_t end) {
    if (first < end) {
      sizes_strided(s, step, first + step, end);
      sizes_later(s, first + 1, first + step, end);
    }
  }
*/

// So a register's values have no more products than all values of the stage.
/*@ ghost
  /@ requires geometry(s) && sized(s) && 0 <= first <= 4294967296 && end <= stop && stop == values(s) && 1 <= step <= 2147483647;
     terminates \true;
     assigns \nothing;
     ensures 0 <= sizes(s, step, first, end) <= sizes(s, 1, 0, values(s)); @/
  void register_within(int64_t s, int64_t step, int64_t first, int64_t end, int64_t stop) {
    sizes_strided(s, step, first, end);
    sizes_earlier(s, first, end, stop);
    sizes_later(s, 0, first, stop);
  }
*/

// The lanes of a block share out its values: W(b) = Σ over x in [b, b + step) of the strided sums from x = all values from b on, because
// W(b) = size(b) + W(b + 1).
/*@ ghost
  /@ requires 0 <= from <= to <= 8589934592 && 1 <= step <= 2147483647 && end <= 16777216;
     terminates \true;
     decreases to - from;
     assigns \nothing;
     ensures lane_sizes(s, step, from, to + 1, end) == lane_sizes(s, step, from, to, end) + sizes(s, step, to, end); @/
  void one_lane_more(int64_t s, int64_t step, int64_t from, int64_t to, int64_t end) {
    if (from < to) one_lane_more(s, step, from + 1, to, end);
  }
*/

/*@ ghost
  /@ requires 0 <= from && end <= from <= 8589934592 && to <= 8589934592 && end <= 16777216;
     terminates \true;
     decreases 8589934592 - from;
     assigns \nothing;
     ensures lane_sizes(s, step, from, to, end) == 0; @/
  void no_lanes(int64_t s, int64_t step, int64_t from, int64_t to, int64_t end) {
    if (from < to) no_lanes(s, step, from + 1, to, end);
  }
*/

/*@ ghost
  /@ requires 0 <= begin <= 16777217 && 1 <= step <= 2147483647 && end <= 16777216;
     terminates \true;
     decreases 4294967296 - begin;
     assigns \nothing;
     ensures lane_sizes(s, step, begin, begin + step, end) == sizes(s, 1, begin, end); @/
  void lanes_share(int64_t s, int64_t step, int64_t begin, int64_t end) {
    if (begin < end) {
      lanes_share(s, step, begin + 1, end);
      one_lane_more(s, step, begin + 1, begin + step, end);
    } else {
      no_lanes(s, step, begin, begin + step, end);
    }
  }
*/

/*@ ghost
  /@ requires 0 <= from <= cut <= to <= 8589934592 && end <= cut <= 16777216;
     terminates \true;
     decreases cut - from;
     assigns \nothing;
     ensures lane_sizes(s, step, from, to, end) == lane_sizes(s, step, from, cut, end); @/
  void lanes_cut(int64_t s, int64_t step, int64_t from, int64_t cut, int64_t to, int64_t end) {
    if (from < cut)
      lanes_cut(s, step, from + 1, cut, to, end);
    else
      no_lanes(s, step, cut, to, end);
  }
*/

/*@ ghost
  /@ requires geometry(s) && 0 <= first <= middle <= values(s);
     terminates \true;
     decreases middle - first;
     assigns \nothing;
     ensures sizes(s, 1, first, values(s)) == sizes(s, 1, first, middle) + sizes(s, 1, middle, values(s)); @/
  void sizes_split(int64_t s, int64_t first, int64_t middle) {
    if (first < middle) sizes_split(s, first + 1, middle);
  }
*/

// There are not more registers than values.
/*@ ghost
  /@ requires geometry(s) && values == values(s) && block == block(s) && 0 <= v <= 33554432;
     terminates \true;
     decreases 33554432 - v;
     assigns \nothing;
     ensures 0 <= registers(s, v) && registers(s, v) <= greatest(0, values(s) - v); @/
  void registers_counted(int64_t s, int64_t values, int64_t block, int64_t v) {
    if (v < values) registers_counted(s, values, block, v + block);
  }
*/

// The block behind: its registers come next. Returns their place.
/*@ ghost
  /@ requires geometry(s) && at_block(s, node, begin) && begin < values && values == values(s) && block == block(s);
     requires count == least(lanes(s), values(s) - begin);
     terminates \true;
     assigns \nothing;
     ensures begin + block(s) < values(s) ==> at_block(s, node + count, begin + block(s));
     ensures begin + block(s) >= values(s) ==> node + count == registers(s, 0);
     ensures node + count <= registers(s, 0); @/
  void next_block(int64_t s, int64_t values, int64_t block, int64_t node, int64_t begin, int64_t count) {
    registers_counted(s, values, block, begin + block);
    if (begin + block < values) {
      /@ assert count == lanes(s); @/
      /@ assert \forall integer n; node + count <= n < node + count + lanes(s) ==> first(s, n) == block(s) + first(s, n - lanes(s)); @/
      /@ assert \forall integer n; node + count <= n < node + count + lanes(s) ==> limit(s, n) == block(s) + limit(s, n - lanes(s)); @/
      ;
    }
  }
*/

// Where registers lie: from `begin` on, before the last value, and each has a value.
/*@ ghost
  /@ requires geometry(s) && at_block(s, node, begin) && begin < values && values == values(s) && block == block(s) && lanes == lanes(s);
     terminates \true;
     decreases values - begin;
     assigns \nothing;
     ensures \forall integer n; node <= n < registers(s, 0) ==> n <= first(s, n) + node - begin && begin <= first(s, n) < values(s);
     ensures \forall integer n; node <= n < registers(s, 0) ==> first(s, n) < limit(s, n) <= 33554432; @/
  void places(int64_t s, int64_t values, int64_t block, int64_t lanes, int64_t node, int64_t begin) {
    int64_t count = lanes < values - begin ? lanes : values - begin;
    next_block(s, values, block, node, begin, count);
    if (begin + block < values) places(s, values, block, lanes, node + count, begin + block);
  }
*/

// The registers of a stage have all products of its values, no more and no fewer: first those of one block, then of all from it on.
/*@ ghost
  /@ requires geometry(s) && at_block(s, node, begin) && 0 <= s && values(s + 1) == registers(s, 0);
     requires 0 <= lane <= count && count <= lanes(s) && count <= values(s) - begin && node + count <= registers(s, 0);
     terminates \true;
     decreases count - lane;
     assigns \nothing;
     ensures sizes(s + 1, 1, node + lane, values(s + 1)) ==
       lane_sizes(s, stride(s), begin + lane, begin + count, least(begin + block(s), values(s))) +
       sizes(s + 1, 1, node + count, values(s + 1)); @/
  void sizes_of_block(int64_t s, int64_t node, int64_t begin, int64_t lane, int64_t count) {
    if (lane < count) {
      sizes_of_block(s, node, begin, lane + 1, count);
      /@ assert first(s, node + lane) == begin + lane && end(s, node + lane) == least(begin + block(s), values(s)); @/
      /@ assert size(s + 1, node + lane) == sizes(s, stride(s), begin + lane, least(begin + block(s), values(s))); @/
    }
  }
*/

/*@ ghost
  /@ requires geometry(s) && at_block(s, node, begin) && begin < values && values == values(s) && block == block(s);
     requires stride == stride(s) && 0 <= s && values(s + 1) == registers(s, 0);
     terminates \true;
     decreases values - begin;
     assigns \nothing;
     ensures sizes(s + 1, 1, node, values(s + 1)) == sizes(s, 1, begin, values(s)); @/
  void sizes_kept(int64_t s, int64_t values, int64_t block, int64_t stride, int64_t node, int64_t begin) {
    int64_t end = begin + block < values ? begin + block : values;
    int64_t count = stride < end - begin ? stride : end - begin;
    next_block(s, values, block, node, begin, count);
    sizes_of_block(s, node, begin, 0, count);
    lanes_share(s, stride, begin, end);
    if (count < stride) lanes_cut(s, stride, begin, begin + count, begin + stride, end);
    sizes_split(s, begin, end);
    /@ assert sizes(s + 1, 1, node, values(s + 1)) == sizes(s, 1, begin, end) + sizes(s + 1, 1, node + count, values(s + 1)); @/
    if (end < values) {
      /@ assert end == begin + block; @/
      sizes_kept(s, values, block, stride, node + count, end);
    }
  }
*/

// The greedy sum under a limit lies between 0 and 128 times all that can be spent, which is at most 2^24 for each input.
/*@ ghost
  /@ requires 0 <= a <= 128 && (input_limit(r) > 0 ==> \forall integer b; 1 <= b <= a ==> cap(up, r, b, step, first, end) >= 0);
     terminates \true;
     decreases a;
     assigns \nothing;
     ensures input_limit(r) > 0 ==> caps(up, r, a, step, first, end) >= 0;
     ensures \forall integer left; left >= 0 && input_limit(r) > 0 ==> 0 <= spent(up, r, a, step, first, end, left) <= 128 * caps(up, r, a, step, first, end); @/
  void spent_within(int64_t up, int64_t r, int64_t a, int64_t step, int64_t first, int64_t end) {
    if (a > 0) {
      spent_within(up, r, a - 1, step, first, end);
      /@ assert \forall integer t; t >= 0 ==> 0 <= a * t <= 128 * t; @/
      /@ assert \forall integer left; left >= 0 && input_limit(r) > 0 ==> 0 <= least(cap(up, r, a, step, first, end), left) <= cap(up, r, a, step, first, end); @/
      /@ assert \forall integer left; left >= 0 && input_limit(r) > 0 ==>
           0 <= a * least(cap(up, r, a, step, first, end), left) <= 128 * cap(up, r, a, step, first, end); @/
    }
  }
*/

/*@ ghost
  /@ requires 0 <= a <= 128 && first < end && step >= 1;
     terminates \true;
     decreases a;
     assigns \nothing;
     ensures caps(up, r, a, step, first, end) == caps(up, r, a, step, first + step, end) +
       (1 <= magnitude(weight(r, first)) <= a ? room(up, r, first) : 0); @/
  void caps_step(int64_t up, int64_t r, int64_t a, int64_t step, int64_t first, int64_t end) {
    if (a > 0) caps_step(up, r, a - 1, step, first, end);
  }
*/

/*@ ghost
  /@ requires 0 <= a <= 128 && first >= end;
     terminates \true;
     decreases a;
     assigns \nothing;
     ensures caps(up, r, a, step, first, end) == 0 && (\forall integer b; cap(up, r, b, step, first, end) == 0); @/
  void no_caps(int64_t up, int64_t r, int64_t a, int64_t step, int64_t first, int64_t end) {
    if (a > 0) no_caps(up, r, a - 1, step, first, end);
  }
*/

/*@ ghost
  /@ requires geometry(0) && inputs_within(r) && 0 <= up <= 1;
     requires 0 <= first <= 4294967296 && end <= values(0) && 1 <= step <= 2147483647;
     terminates \true;
     decreases 4294967296 - first;
     assigns \nothing;
     ensures input_limit(r) > 0 ==> \forall integer a; cap(up, r, a, step, first, end) >= 0;
     ensures input_limit(r) > 0 ==> 128 * caps(up, r, 128, step, first, end) <= sizes(0, step, first, end); @/
  void caps_within(int64_t up, int64_t r, int64_t step, int64_t first, int64_t end) {
    if (first < end) {
      /@ assert input_limit(r) > 0 ==> 0 <= room(up, r, first) <= 16777216; @/
      caps_within(up, r, step, first + step, end);
      caps_step(up, r, 128, step, first, end);
    } else {
      no_caps(up, r, 128, step, first, end);
    }
  }
*/

/*@ ghost
  /@ requires geometry(0) && inputs_within(r) && 0 <= first <= 4294967296 && end <= values(0) && 1 <= step <= 2147483647;
     terminates \true;
     assigns \nothing;
     ensures input_limit(r) > 0 ==> 0 <= spent(0, r, 128, step, first, end, input_limit(r)) <= sizes(0, step, first, end);
     ensures input_limit(r) > 0 ==> 0 <= spent(1, r, 128, step, first, end, input_limit(r)) <= sizes(0, step, first, end); @/
  void limited_within(int64_t r, int64_t step, int64_t first, int64_t end) {
    caps_within(0, r, step, first, end);
    spent_within(0, r, 128, step, first, end);
    caps_within(1, r, step, first, end);
    spent_within(1, r, 128, step, first, end);
  }
*/

// Every register keeps its bounds: one, those of a block, those from a block on.
/*@ ghost
  /@ requires within(r, s) && values(s) == values && step == stride(s) && 0 <= first < end && first == first(s, n) && end == end(s, n);
     terminates \true;
     assigns \nothing;
     ensures reach_within(r, s, n) && size(s + 1, n) >= 0; @/
  void register_reaches(int64_t r, int64_t s, int64_t values, int64_t step, int64_t n, int64_t first, int64_t end) {
    sums_within(r, s, step, first, end);
    register_within(s, step, first, end, values);
    /@ assert size(s + 1, n) == sizes(s, step, first, end); @/
    if (s == 0) {
      /@ assert input_limit(r) == 0 ==> reach_within(r, s, n); @/
      limited_within(r, step, first, end);
      /@ assert input_limit(r) > 0 ==> reach_within(r, s, n); @/
    }
  }
*/

/*@ ghost
  /@ requires within(r, s) && at_block(s, node, begin) && values(s) == values && step == stride(s);
     requires end == least(begin + block(s), values(s));
     requires 0 <= lane <= count && count <= lanes(s) && count <= values - begin && node + count <= registers(s, 0);
     terminates \true;
     decreases count - lane;
     assigns \nothing;
     ensures \forall integer n; node + lane <= n < node + count ==> reach_within(r, s, n) && size(s + 1, n) >= 0; @/
  void block_reaches(int64_t r, int64_t s, int64_t values, int64_t step, int64_t node, int64_t begin, int64_t end, int64_t lane,
                     int64_t count) {
    if (lane < count) {
      block_reaches(r, s, values, step, node, begin, end, lane + 1, count);
      register_reaches(r, s, values, step, node + lane, begin + lane, end);
    }
  }
*/

/*@ ghost
  /@ requires within(r, s) && at_block(s, node, begin) && begin < values && values(s) == values && block == block(s) && step == stride(s);
     terminates \true;
     decreases values - begin;
     assigns \nothing;
     ensures \forall integer n; node <= n < registers(s, 0) ==> reach_within(r, s, n) && size(s + 1, n) >= 0; @/
  void registers_reach(int64_t r, int64_t s, int64_t values, int64_t block, int64_t step, int64_t node, int64_t begin) {
    int64_t end = begin + block < values ? begin + block : values;
    int64_t count = step < end - begin ? step : end - begin;
    next_block(s, values, block, node, begin, count);
    block_reaches(r, s, values, step, node, begin, end, 0, count);
    if (end < values) registers_reach(r, s, values, block, step, node + count, end);
  }
*/

// Therefore the stage above, if there is one, keeps them too.
/*@ ghost
  /@ requires within(r, s) && values(s) == values && block == block(s) && step == stride(s) && values(s + 1) == registers(s, 0);
     requires constant_enters(s) ==> registers(s, 0) == 1 && extra(s) == 0;
     terminates \true;
     assigns \nothing;
     ensures registers(s, 0) <= values(s);
     ensures \forall integer n; 0 <= n < registers(s, 0) ==> reach_within(r, s, n);
     ensures geometry(s + 1) && (extra(s + 1) != 0 ==> !constant_enters(s + 1)) ==> within(r, s + 1); @/
  void stage_within(int64_t r, int64_t s, int64_t values, int64_t block, int64_t step) {
    registers_counted(s, values, block, 0);
    registers_reach(r, s, values, block, step, 0, 0);
    sizes_kept(s, values, block, step, 0, 0);
    /@ assert sized(s + 1); @/
    /@ assert extra(s) != 0 ==> registers(s, 0) <= 1; @/
    /@ assert geometry(s + 1) && (extra(s + 1) != 0 ==> !constant_enters(s + 1)) ==> one_constant(s + 1); @/
    /@ assert values_within(r, s + 1); @/
  }
*/

// When every input is the witness's, which lies in the box, a row keeps its bounds.
/*@ ghost
  /@ requires r >= 0 && inputs_within(r);
     requires \forall integer k; 0 <= k < values(0) ==> least_input(r, k) <= witness(k) <= greatest_input(r, k);
     terminates \true;
     assigns \nothing;
     ensures inputs_within(-1 - r); @/
  void pinned_within(int64_t r) {}
*/

// The products of a row have 2^31 each.
/*@ ghost
  /@ requires 0 <= first <= end <= 16777216;
     terminates \true;
     decreases end - first;
     assigns \nothing;
     ensures sizes(0, 1, first, end) == 2147483648 * (end - first); @/
  void sizes_of_products(int64_t first, int64_t end) {
    if (first < end) sizes_of_products(first + 1, end);
  }
*/

// first(s, n) and limit(s, n) as numbers.
/*@ ghost
  /@ requires geometry(s) && lanes == lanes(s) && block == block(s) && n >= 0 && first(s, n) <= 16777216;
     terminates \true;
     decreases n;
     assigns \nothing;
     ensures \result == first(s, n) && \result >= 0 && limit(s, n) <= \result + block(s); @/
  int64_t find_first(int64_t s, int64_t lanes, int64_t block, int64_t n) {
    if (n < lanes) return n;
    int64_t before = find_first(s, lanes, block, n - lanes);
    return block + before;
  }
*/

/*@ ghost
  /@ requires geometry(s) && lanes == lanes(s) && block == block(s) && n >= 0 && limit(s, n) <= 33554432;
     terminates \true;
     decreases n;
     assigns \nothing;
     ensures \result == limit(s, n) && \result >= 0; @/
  int64_t find_limit(int64_t s, int64_t lanes, int64_t block, int64_t n) {
    if (n < lanes) return block;
    int64_t before = find_limit(s, lanes, block, n - lanes);
    return block + before;
  }
*/

// A sum of magnitudes is not negative.
/*@ ghost
  /@ requires 0 <= first <= 4294967296 && end <= 16777216 && 1 <= step <= 2147483647;
     terminates \true;
     decreases 4294967296 - first;
     assigns \nothing;
     ensures magnitudes(step, first, end) >= 0; @/
  void magnitudes_positive(int64_t step, int64_t first, int64_t end) {
    if (first < end) magnitudes_positive(step, first + step, end);
  }
*/

// Their number by division: v and the j blocks and `rest` values behind it are all values.
/*@ ghost
  /@ requires geometry(0) && values == values(0) && block == block(0) && lanes == lanes(0) && 0 <= j <= 16777216 && 0 <= v <= values;
     requires 0 <= rest < block && v + j * block + rest == values;
     terminates \true;
     decreases j;
     assigns \nothing;
     ensures registers(0, v) == j * lanes + least(lanes, rest); @/
  void registers_by_division(int64_t values, int64_t block, int64_t lanes, int64_t v, int64_t j, int64_t rest) {
    if (j > 0) {
      /@ assert j * block == (j - 1) * block + block; @/
      /@ assert (j - 1) * block >= 0; @/
      /@ assert j * lanes == (j - 1) * lanes + lanes; @/
      registers_by_division(values, block, lanes, v + block, j - 1, rest);
    } else {
      /@ assert registers(0, v + block) == 0; @/
      ;
    }
  }
*/

// One step of the greedy sum.
/*@ ghost
  /@ requires 1 <= a <= 128 && 0 <= left <= 281474976710656 && taken == least(cap(up, r, a, step, first, end), left) && taken >= 0;
     terminates \true;
     assigns \nothing;
     ensures spent(up, r, a, step, first, end, left) == a * taken + spent(up, r, a - 1, step, first, end, left - taken);
     ensures 0 <= a * taken <= 128 * taken; @/
  void spent_step(int64_t up, int64_t r, int64_t a, int64_t step, int64_t first, int64_t end, int64_t left, int64_t taken) {}
*/

// What a block's registers add, by their place in it.
/*@ ghost
  /@ requires geometry(0) && values == values(0) && at_block(0, node, begin) && begin < values && 0 <= count <= lanes(0);
     requires end == least(begin + block(0), values(0));
     terminates \true;
     decreases count;
     assigns \nothing;
     ensures \forall integer n; node <= n < node + count ==>
       above(r, stride(0), first(0, n), end(0, n)) == above(r, stride(0), begin + (n - node), end);
     ensures \forall integer n; node <= n < node + count ==>
       below(r, stride(0), first(0, n), end(0, n)) == below(r, stride(0), begin + (n - node), end); @/
  void sums_of_block(int64_t r, int64_t values, int64_t node, int64_t begin, int64_t end, int64_t count) {
    if (count > 0) {
      sums_of_block(r, values, node, begin, end, count - 1);
      /@ assert first(0, node + count - 1) == begin + count - 1; @/
      /@ assert limit(0, node + count - 1) == begin + block(0); @/
      /@ assert end(0, node + count - 1) == end; @/
    }
  }
*/

// What the zero points take away at most, from the numbers that make it; nobody needs Σ w when there is only one.
/*@ ghost
  /@ requires z == spread && (z != 0 ==> total == weights_sum(r, 0, values(0)));
     terminates \true;
     assigns \nothing;
     ensures z * total == taken(r); @/
  void spread_is(int64_t r, int64_t z, int64_t total) {
    if (z != 0) {
      /@ assert z * total == spread * weights_sum(r, 0, values(0)); @/
      ;
    } else {
      /@ assert spread * weights_sum(r, 0, values(0)) == 0; @/
      ;
    }
  }
*/

// One offset for all inputs: Σ w offset from the numbers that make it.
/*@ ghost
  /@ requires one != 0 ==> offsets_sum(r, 0, values(0)) == o * all && (o != 0 ==> total == all);
     terminates \true;
     assigns \nothing;
     ensures one != 0 ==> o * total == offsets_sum(r, 0, values(0)); @/
  void offset_is(int64_t r, int64_t o, int one, int64_t total, int64_t all) {
    if (o != 0) {
      /@ assert one != 0 ==> o * total == o * all; @/
      ;
    } else {
      /@ assert o * total == 0 && o * all == 0; @/
      ;
    }
  }
*/

// within(r, s) under a name that provers do not look behind, because none of their facts holds a term `key`: seal and unseal alone do.
/*@ axiomatic Sealed {
      logic integer key(integer k, integer r, integer s);
      predicate sealed(integer r, integer s);
      axiom key_is: \forall integer k, r, s; key(k, r, s) == k;
      axiom sealed_is: \forall integer k, r, s; key(k, r, s) == k ==> (sealed(r, s) <==> within(r, s));
    } */
/*@ ghost
  /@ requires within(r, s);
     terminates \true;
     assigns \nothing;
     ensures sealed(r, s); @/
  void seal(int64_t r, int64_t s) {
    /@ assert key(1, r, s) == 1; @/
    ;
  }
*/

/*@ ghost
  /@ requires sealed(r, s);
     terminates \true;
     assigns \nothing;
     ensures within(r, s); @/
  void unseal(int64_t r, int64_t s) {
    /@ assert key(1, r, s) == 1; @/
    ;
  }
*/

// Where the claims of a row begin in a stage's arrays, and its weights among all.
/*@ ghost
  /@ requires nodes == registers(s, 0);
     terminates \true;
     assigns \nothing;
     ensures row * nodes == claims_start(s, row); @/
  void claims_start_is(int64_t s, int64_t row, int64_t nodes) {}
*/

/*@ ghost
  /@ requires count == values(0);
     terminates \true;
     assigns \nothing;
     ensures row * count == row_start(row); @/
  void row_start_is(int64_t row, int64_t count) {}
*/

#endif
