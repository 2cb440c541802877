; False variant of limited_step: the magnitudes may exceed the limit. Must come out sat.
(set-logic QF_LIA)
(declare-const s Int) (declare-const X Int) (declare-const tq Int) (declare-const tL Int) (declare-const te Int)
(assert (<= s (+ X tq)))
(assert (= tL (+ tq te)))
(assert (not (<= s (+ X tL))))
(check-sat)
