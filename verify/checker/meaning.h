/* What the contracts in range.c speak about: sums and ranges as mathematical integers, and the lemmas that the proof rests on, each
 * a ghost function that Frama-C/WP proves like the rest. Comments all of it: a C compiler sees nothing. The definitions are those of
 * docs/certificate.md, "Acceptance". Sums run over first, first + step, … below end, and are defined from the front, so that no count occurs. */
#ifndef AXECERT_CHECKER_MEANING_H
#define AXECERT_CHECKER_MEANING_H

/*@ logic integer least(integer a, integer b) = a < b ? a : b;
    logic integer greatest(integer a, integer b) = a > b ? a : b;

    // Entry k of an array of little-endian int32: two's complement, the lowest byte first.
    axiomatic Entries {
      logic integer entry32{L}(unsigned char* b, integer k) reads b[4 * k .. 4 * k + 3];
      axiom entry32_is{L}: \forall unsigned char* b, integer k;
        entry32(b, k) == b[4 * k] + 256 * b[4 * k + 1] + 65536 * b[4 * k + 2] +
                         16777216 * (b[4 * k + 3] < 128 ? b[4 * k + 3] : b[4 * k + 3] - 256);
    }

    // P = Σ max(w_k, 0) and N = Σ min(w_k, 0).
    axiomatic Weights {
      logic integer above{L}(signed char* w, integer step, integer first, integer end) reads w[..];
      logic integer below{L}(signed char* w, integer step, integer first, integer end) reads w[..];
      axiom above_none{L}: \forall signed char* w, integer step, first, end; first >= end ==> above(w, step, first, end) == 0;
      axiom above_more{L}: \forall signed char* w, integer step, first, end; step >= 1 && first < end ==>
        above(w, step, first, end) == greatest(w[first], 0) + above(w, step, first + step, end);
      axiom below_none{L}: \forall signed char* w, integer step, first, end; first >= end ==> below(w, step, first, end) == 0;
      axiom below_more{L}: \forall signed char* w, integer step, first, end; step >= 1 && first < end ==>
        below(w, step, first, end) == least(w[first], 0) + below(w, step, first + step, end);
    }

    // One row's products: a row is its weights and the box of its inputs (one entry for all of them, or one each). The ends of a
    // register have a number: 0 lower and 1 upper end of the complete sum, 2 lower and 3 upper end of all partial sums.
    axiomatic Products {
      type row;
      logic row row_of{L}(signed char* w, unsigned char* l, unsigned char* u, integer channels) reads w[..], l[..], u[..];
      logic integer weight(row r, integer k);
      logic integer least_input(row r, integer k);
      logic integer greatest_input(row r, integer k);
      axiom weight_is{L}: \forall signed char* w, unsigned char* l, unsigned char* u, integer channels, k;
        weight(row_of(w, l, u, channels), k) == w[k];
      axiom least_input_is{L}: \forall signed char* w, unsigned char* l, unsigned char* u, integer channels, k;
        channels != 1 ==> least_input(row_of(w, l, u, channels), k) == entry32(l, k);
      axiom least_input_one{L}: \forall signed char* w, unsigned char* l, unsigned char* u, integer k;
        least_input(row_of(w, l, u, 1), k) == entry32(l, 0);
      axiom greatest_input_is{L}: \forall signed char* w, unsigned char* l, unsigned char* u, integer channels, k;
        channels != 1 ==> greatest_input(row_of(w, l, u, channels), k) == entry32(u, k);
      axiom greatest_input_one{L}: \forall signed char* w, unsigned char* l, unsigned char* u, integer k;
        greatest_input(row_of(w, l, u, 1), k) == entry32(u, 0);

      logic integer product(integer end, row r, integer k);
      axiom least_product: \forall row r, integer k;
        product(0, r, k) == least(weight(r, k) * least_input(r, k), weight(r, k) * greatest_input(r, k));
      axiom greatest_product: \forall row r, integer k;
        product(1, r, k) == greatest(weight(r, k) * least_input(r, k), weight(r, k) * greatest_input(r, k));
      axiom lower_part: \forall row r, integer k; product(2, r, k) == least(0, product(0, r, k));
      axiom upper_part: \forall row r, integer k; product(3, r, k) == greatest(0, product(1, r, k));

      logic integer products(integer which, row r, integer step, integer first, integer end);
      axiom products_none: \forall row r, integer which, step, first, end; first >= end ==> products(which, r, step, first, end) == 0;
      axiom products_more: \forall row r, integer which, step, first, end; step >= 1 && first < end ==>
        products(which, r, step, first, end) == product(which, r, first) + products(which, r, step, first + step, end);
    }

    // The values of a higher stage: the ranges [lower[v], upper[v]] of the registers below. magnitude bounds every sum of some of them.
    axiomatic Values {
      logic integer value{L}(integer which, int64_t* lower, int64_t* upper, integer v) reads lower[v], upper[v];
      axiom value_lower{L}: \forall int64_t* lower, int64_t* upper, integer v; value(0, lower, upper, v) == lower[v];
      axiom value_upper{L}: \forall int64_t* lower, int64_t* upper, integer v; value(1, lower, upper, v) == upper[v];
      axiom value_lower_part{L}: \forall int64_t* lower, int64_t* upper, integer v; value(2, lower, upper, v) == least(0, lower[v]);
      axiom value_upper_part{L}: \forall int64_t* lower, int64_t* upper, integer v; value(3, lower, upper, v) == greatest(0, upper[v]);
      logic integer sum{L}(integer which, int64_t* lower, int64_t* upper, integer step, integer first, integer end)
        reads lower[..], upper[..];
      axiom sum_none{L}: \forall int64_t* lower, int64_t* upper, integer which, step, first, end; first >= end ==>
        sum(which, lower, upper, step, first, end) == 0;
      axiom sum_more{L}: \forall int64_t* lower, int64_t* upper, integer which, step, first, end; step >= 1 && first < end ==>
        sum(which, lower, upper, step, first, end) ==
          value(which, lower, upper, first) + sum(which, lower, upper, step, first + step, end);
      logic integer magnitude{L}(int64_t* a, integer step, integer first, integer end) reads a[..];
      axiom magnitude_none{L}: \forall int64_t* a, integer step, first, end; first >= end ==> magnitude(a, step, first, end) == 0;
      axiom magnitude_more{L}: \forall int64_t* a, integer step, first, end; step >= 1 && first < end ==>
        magnitude(a, step, first, end) == greatest(a[first], -a[first]) + magnitude(a, step, first + step, end);
    }

    // Registers. Of stage s: how many values it has, how many adjacent ones make a block, the stride. Register n adds the values
    // first(s, n), first(s, n) + stride(s), … below end(s, n); registers(s, v) of them have their first value at v or behind it.
    axiomatic Registers {
      logic integer values(integer s);
      logic integer block(integer s);
      logic integer stride(integer s);
      logic integer lanes(integer s) = least(stride(s), block(s));
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

    predicate inputs_within{L}(unsigned char* l, unsigned char* u, integer channels) =
      \forall integer k; 0 <= k < channels ==> -16777216 <= entry32(l, k) <= entry32(u, k) <= 16777216;

    predicate four_arrays{L}(int64_t* a, int64_t* b, int64_t* c, int64_t* d, integer n) =
      \valid(a + (0 .. n - 1)) && \valid(b + (0 .. n - 1)) && \valid(c + (0 .. n - 1)) && \valid(d + (0 .. n - 1)) &&
      \separated(a + (0 .. n - 1), b + (0 .. n - 1), c + (0 .. n - 1), d + (0 .. n - 1));

    // The row's constant, |constant| <= 2^62 + 2^57 (core.h), and what may be added to it without leaving int64_t.
    predicate constant_within(axc_range c) = -4755801206503243776 <= c.lower <= c.upper <= 4755801206503243776;
    predicate addable(integer magnitude) = magnitude <= 4467570830351532031;
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
  /@ requires \valid_read(w + (0 .. end - 1)) && 0 <= first <= 4294967296 && end <= 16777216 && 1 <= step <= 2147483647;
     requires entry32(l, 0) == lower && entry32(u, 0) == upper && -16777216 <= lower <= upper <= 16777216;
     requires l0 == least(0, lower) && u0 == greatest(0, upper);
     requires p == above(w, step, first, end) && n == below(w, step, first, end);
     requires -1099511627776 - 128 * first <= p <= 1099511627776 && -1099511627776 <= n <= 1099511627776 + 128 * first;
     terminates \true;
     decreases 4294967296 - first;
     assigns \nothing;
     ensures products(0, row_of(w, l, u, 1), step, first, end) == lower * p + upper * n;
     ensures products(1, row_of(w, l, u, 1), step, first, end) == upper * p + lower * n;
     ensures products(2, row_of(w, l, u, 1), step, first, end) == l0 * p + u0 * n;
     ensures products(3, row_of(w, l, u, 1), step, first, end) == u0 * p + l0 * n; @/
  void one_box(const signed char* w, const unsigned char* l, const unsigned char* u, int64_t lower, int64_t upper,
               int64_t l0, int64_t u0, int64_t step, int64_t first, int64_t end, int64_t p, int64_t n) {
    if (first < end) {
      int64_t x = w[first];
      int64_t a = part_above(x);
      int64_t b = part_below(x);
      one_box(w, l, u, lower, upper, l0, u0, step, first + step, end, p - a, n - b);
      ends_of_product(x, lower, upper, l0, u0, a, b);
      distribute(lower, upper, a, b, p - a, n - b);
      distribute(upper, lower, a, b, p - a, n - b);
      distribute(l0, u0, a, b, p - a, n - b);
      distribute(u0, l0, a, b, p - a, n - b);
      /@ assert product(0, row_of(w, l, u, 1), first) == lower * a + upper * b; @/
      /@ assert products(0, row_of(w, l, u, 1), step, first, end) == product(0, row_of(w, l, u, 1), first) + products(0, row_of(w, l, u, 1), step, first + step, end); @/
      /@ assert products(0, row_of(w, l, u, 1), step, first, end) == (lower * a + upper * b) + (lower * (p - a) + upper * (n - b)); @/
      /@ assert product(1, row_of(w, l, u, 1), first) == upper * a + lower * b; @/
      /@ assert products(1, row_of(w, l, u, 1), step, first, end) == product(1, row_of(w, l, u, 1), first) + products(1, row_of(w, l, u, 1), step, first + step, end); @/
      /@ assert products(1, row_of(w, l, u, 1), step, first, end) == (upper * a + lower * b) + (upper * (p - a) + lower * (n - b)); @/
      /@ assert product(2, row_of(w, l, u, 1), first) == l0 * a + u0 * b; @/
      /@ assert products(2, row_of(w, l, u, 1), step, first, end) == product(2, row_of(w, l, u, 1), first) + products(2, row_of(w, l, u, 1), step, first + step, end); @/
      /@ assert products(2, row_of(w, l, u, 1), step, first, end) == (l0 * a + u0 * b) + (l0 * (p - a) + u0 * (n - b)); @/
      /@ assert product(3, row_of(w, l, u, 1), first) == u0 * a + l0 * b; @/
      /@ assert products(3, row_of(w, l, u, 1), step, first, end) == product(3, row_of(w, l, u, 1), first) + products(3, row_of(w, l, u, 1), step, first + step, end); @/
      /@ assert products(3, row_of(w, l, u, 1), step, first, end) == (u0 * a + l0 * b) + (u0 * (p - a) + l0 * (n - b)); @/
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

// A sum of magnitudes is not negative.
/*@ ghost
  /@ requires 0 <= first <= 4294967296 && end <= 16777216 && 1 <= step <= 2147483647;
     terminates \true;
     decreases 4294967296 - first;
     assigns \nothing;
     ensures magnitude(a, step, first, end) >= 0; @/
  void magnitude_positive(const int64_t* a, int64_t step, int64_t first, int64_t end) {
    if (first < end) magnitude_positive(a, step, first + step, end);
  }
*/

// There are not more registers than values.
/*@ ghost
  /@ requires geometry(s) && values == values(s) && block == block(s) && 0 <= v <= 33554432;
     terminates \true;
     decreases 33554432 - v;
     assigns \nothing;
     ensures 0 <= registers(s, v) && registers(s, v) <= greatest(0, values(s) - v); @/
  void registers_counted(int s, int64_t values, int64_t block, int64_t v) {
    if (v < values) registers_counted(s, values, block, v + block);
  }
*/

// first(s, n) and limit(s, n) as numbers.
/*@ ghost
  /@ requires geometry(s) && lanes == lanes(s) && block == block(s) && n >= 0 && first(s, n) <= 16777216;
     terminates \true;
     decreases n;
     assigns \nothing;
     ensures \result == first(s, n) && \result >= 0 && limit(s, n) <= \result + block(s); @/
  int64_t find_first(int s, int64_t lanes, int64_t block, int64_t n) {
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
  int64_t find_limit(int s, int64_t lanes, int64_t block, int64_t n) {
    if (n < lanes) return block;
    int64_t before = find_limit(s, lanes, block, n - lanes);
    return block + before;
  }
*/

#endif
