; False variant of limited_attained: a product below the threshold takes some of the limit too. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const e Int) (declare-const p Int) (declare-const c Int)
(declare-const ep Int) (declare-const ec Int) (declare-const tp Int) (declare-const mp Int)
(assert (= mp (+ ep tp)))
(assert (and (=> (= p c) (= ep ec)) (=> (= e 0) (and (= ep 0) (= ec 0))) (=> (= p 0) (= ep 0))))
(assert (=> (> e 0) (= p c)))
(assert (not (= mp (+ (ite (> e 0) ec 0) tp))))
(check-sat)
