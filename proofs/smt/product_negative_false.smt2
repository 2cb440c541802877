; False variant of product_negative: the inequality is strict, which w d = 0 refutes. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const w Int) (declare-const d Int)
(assert (< w 0)) (assert (>= d 0))
(assert (not (< (* w d) 0)))
(check-sat)
