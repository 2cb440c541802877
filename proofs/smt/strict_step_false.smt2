; False variant of strict_step: only the upper end is watched. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const q Int) (declare-const l Int) (declare-const h Int) (declare-const L Int) (declare-const U Int)
(declare-const m Int) (declare-const n Int)
(assert (and (<= l 0) (<= 0 h) (<= m L) (<= L U) (<= U n)))
(assert (and (>= q 0) (<= (* h q) (- n U))))
(assert (not (<= m (+ L (* l q)))))
(check-sat)
