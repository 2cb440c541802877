; False variant of machine_step: only the range before the addition fits. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const s Int) (declare-const v Int) (declare-const a Int) (declare-const b Int)
(declare-const L Int) (declare-const U Int) (declare-const m Int) (declare-const n Int)
(define-fun saturated ((e Int)) Int (ite (> e n) n (ite (< e m) m e)))
(assert (and (<= L s) (<= s U) (<= a v) (<= v b)))
(assert (and (<= m L) (<= U n)))
(assert (not (= (saturated (+ s v)) (+ s v))))
(check-sat)
