; False variant of partial_sum_step: the range of the final value, [L + a, U + b], does not hold the partial sums when a box
; excludes 0. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const s Int) (declare-const v Int) (declare-const a Int) (declare-const b Int)
(declare-const L Int) (declare-const U Int) (declare-const in Bool)
(define-fun next () Int (ite in (+ s v) s))
(assert (and (<= L s) (<= s U) (<= a v) (<= v b)))
(assert (not (and (<= (+ L a) next) (<= next (+ U b)))))
(check-sat)
