; False variant of constant: the limits moved the wrong way. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const L Int) (declare-const U Int) (declare-const i Int) (declare-const m Int) (declare-const n Int)
(assert (<= L U))
(assert (not (= (and (<= m (+ i L)) (<= (+ i U) n)) (and (<= (+ m i) L) (<= U (+ n i))))))
(check-sat)
