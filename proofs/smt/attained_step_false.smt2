; False variant of attained_step: adds v always. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const b Int) (declare-const U Int)
(assert (not (= (+ U b) (+ U (ite (>= b 0) b 0)))))
(check-sat)
