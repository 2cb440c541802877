; False variant of zero_point: the constant at the least zero point is taken for its greatest value. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const i Int) (declare-const s Int) (declare-const sz Int) (declare-const sZ Int) (declare-const d Int)
(assert (= sZ (+ sz d)))
(assert (=> (> s 0) (and (>= sz 0) (>= d 0))))
(assert (=> (< s 0) (and (<= sz 0) (<= d 0))))
(assert (=> (= s 0) (and (= sz 0) (= d 0))))
(assert (not (<= (+ i sz) i)))
(check-sat)
