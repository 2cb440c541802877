; Lemma: strict_step for a negative integer: for l <= 0 <= h and q <= 0 the range's ends move by q l above and q h below. If q l <= n - U and
; q h >= m - L, the new range lies inside [m, n].
; Used by: lib/constraint, integer budget (design 3.5).
; Requirements: TOR-304, TOR-501.
(set-logic QF_NIA)
(declare-const q Int) (declare-const l Int) (declare-const h Int) (declare-const L Int) (declare-const U Int)
(declare-const m Int) (declare-const n Int)
(assert (and (<= l 0) (<= 0 h) (<= m L) (<= L U) (<= U n)))
(assert (not (=> (and (<= q 0) (<= (* l q) (- n U)) (>= (* h q) (- m L)))
                 (and (<= m (+ L (* h q))) (<= (+ U (* l q)) n) (<= m (+ U (* l q))) (<= (+ L (* h q)) n)))))
(check-sat)
