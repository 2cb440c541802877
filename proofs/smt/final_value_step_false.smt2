; False variant of final_value_step: clips the upper end at 0 from the wrong side (min for max). Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const s Int) (declare-const v Int) (declare-const a Int) (declare-const b Int)
(declare-const L Int) (declare-const U Int)
(assert (and (<= L s) (<= s U) (<= a v) (<= v b)))
(assert (not (<= (+ s v) (+ U (ite (<= b 0) b 0)))))
(check-sat)
