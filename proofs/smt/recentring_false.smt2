; False variant of recentring: the constant with the wrong sign. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const w Int) (declare-const x Int) (declare-const c Int)
(assert (not (= (* w x) (- (* w (- x c)) (* w c)))))
(check-sat)
