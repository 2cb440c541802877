; Lemma: AXE's strict constraint keeps its invariant. The next integer q of a tile changes the range's ends by max(q l, q h) and
; min(q l, q h); for l <= 0 <= h and q >= 0 these are h q and l q. If h q <= n - U and l q >= m - L (what is left of the budget), the
; new range lies inside [m, n]; q = 0 is always admissible, so the sweep never gets stuck. The case q < 0 is the same with l, h swapped.
; Used by: lib/constraint, integer budget (design 3.5).
; Requirements: TOR-304, TOR-501.
(set-logic QF_NIA)
(declare-const q Int) (declare-const l Int) (declare-const h Int) (declare-const L Int) (declare-const U Int)
(declare-const m Int) (declare-const n Int)
(assert (and (<= l 0) (<= 0 h) (<= m L) (<= L U) (<= U n)))
(assert (not (and (=> (and (>= q 0) (<= (* h q) (- n U)) (>= (* l q) (- m L)))
                      (and (<= m (+ L (* l q))) (<= (+ U (* h q)) n)))
                  (and (<= (* h 0) (- n U)) (>= (* l 0) (- m L))))))
(check-sat)
