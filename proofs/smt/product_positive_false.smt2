; False variant of product_positive: the sign of the weight is not known. Both solvers must find the counterexample (sat).
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const w Int) (declare-const d Int)
(assert (>= d 0))
(assert (not (>= (* w d) 0)))
(check-sat)
