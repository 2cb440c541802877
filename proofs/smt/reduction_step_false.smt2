; False variant of reduction_step: max(upper, upper) for both ends, the slip that once shipped in an industrial tool (beta for alpha).
; Must come out sat.
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const P Int) (declare-const N Int) (declare-const w Int) (declare-const alpha Int) (declare-const beta Int)
(assert (< w 0))
(assert (not (= (+ (* beta P) (* alpha N) (* beta w)) (+ (* beta P) (* alpha (+ N w))))))
(check-sat)
