; Lemma: the largest admissible q is the floor of what is left over h: for h > 0 and r = n - U >= 0, h q <= r exactly when
; q <= floor(r / h). The quotient t is given by t h <= r < (t + 1) h; the products are variables tied by monotony, in one step:
; q >= t + 1 gives h q >= h (t + 1) > r.
; Used by: lib/constraint, exact integer division (design 3.5).
; Requirements: TOR-304, TOR-501.
(set-logic QF_NIA)
(declare-const h Int) (declare-const r Int) (declare-const t Int) (declare-const e Int)
(assert (and (> h 0) (>= r 0) (<= (* t h) r) (< r (+ (* t h) h))))
; q = t + 1 + e with e >= 0 does not fit; q = t - e fits.
(assert (>= e 0))
(assert (or (<= (+ (* t h) h (* e h)) r) (> (- (* t h) (* e h)) r)))
(check-sat)
