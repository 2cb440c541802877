; Lemma: the new end of the partial sums is reached: with s = U and v = b, adding v if b > 0 and leaving it out otherwise gives
; U + max(0, b); likewise below.
; Used by: tightness of the claimed ranges (design 3.1, "both ends are attained"), witnesses, verify/replay.
; Requirements: TOR-304, TOR-102.
(set-logic QF_LIA)
(declare-const a Int) (declare-const b Int) (declare-const L Int) (declare-const U Int)
(assert (not (and (= (ite (> b 0) (+ U b) U) (+ U (ite (>= b 0) b 0)))
                  (= (ite (< a 0) (+ L a) L) (+ L (ite (<= a 0) a 0))))))
(check-sat)
