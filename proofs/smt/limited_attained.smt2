; Lemma: weak duality is tight at the greedy choice. With e = m - t (m = |w|, t the threshold), a product whose magnitude p is its cap c
; where e > 0, and 0 where e < 0, adds exactly (m - t)+ c + t p; so if the magnitudes use up L, the sum is the bound. The products of numbers
; are variables: mp = ep + tp, ec = e c.
; Used by: limited inputs (docs/arithmetic.md), that z3 ground's dual and the checker's greedy sum are one number.
; Requirements: TOR-304, TOR-102.
(set-logic QF_LIA)
(declare-const e Int) (declare-const p Int) (declare-const c Int)
(declare-const ep Int) (declare-const ec Int) (declare-const tp Int) (declare-const mp Int)
(assert (= mp (+ ep tp)))
(assert (and (=> (= p c) (= ep ec)) (=> (= e 0) (and (= ep 0) (= ec 0))) (=> (= p 0) (= ep 0))))
(assert (and (=> (> e 0) (= p c)) (=> (< e 0) (= p 0))))
(assert (not (= mp (+ (ite (> e 0) ec 0) tp))))
(check-sat)
