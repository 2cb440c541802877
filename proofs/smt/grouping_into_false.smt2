; False variant of grouping_into: unequal weights w and w + 1 share the variable. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const A Int) (declare-const B Int) (declare-const l Int) (declare-const h Int)
(declare-const x Int) (declare-const y Int) (declare-const w Int)
(assert (and (<= A y) (<= y B) (<= l x) (<= x h)))
(assert (not (= (+ (* w y) (* (+ w 1) x)) (* w (+ y x)))))
(check-sat)
