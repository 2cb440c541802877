; False variant of limited_term: nothing is known of e (c - p). Must come out sat.
(set-logic QF_LIA)
(declare-const ep Int) (declare-const ec Int) (declare-const ed Int) (declare-const tp Int) (declare-const mp Int)
(assert (= mp (+ ep tp)))
(assert (= ec (+ ep ed)))
(assert (not (<= mp (+ ec tp))))
(check-sat)
