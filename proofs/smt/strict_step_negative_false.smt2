; False variant of strict_step_negative: watches the ends that a positive integer moves. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const q Int) (declare-const l Int) (declare-const h Int) (declare-const L Int) (declare-const U Int)
(declare-const m Int) (declare-const n Int)
(assert (and (<= l 0) (<= 0 h) (<= m L) (<= L U) (<= U n)))
(assert (and (<= q 0) (<= (* h q) (- n U)) (>= (* l q) (- m L))))
(assert (not (and (<= m (+ L (* h q))) (<= (+ U (* l q)) n))))
(check-sat)
