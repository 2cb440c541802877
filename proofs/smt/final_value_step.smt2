; Lemma: s in [L, U] and v in [a, b] give s + v in [L + a, U + b], and the new ends are reached where the old ones were.
; Used by: the claim "final value" and the ranges that a stage hands up.
; Requirements: TOR-304, TOR-102.
(set-logic QF_LIA)
(declare-const s Int) (declare-const v Int) (declare-const a Int) (declare-const b Int)
(declare-const L Int) (declare-const U Int)
(assert (and (<= L s) (<= s U) (<= a v) (<= v b)))
(assert (not (and (<= (+ L a) (+ s v)) (<= (+ s v) (+ U b))
                  (=> (and (= s U) (= v b)) (= (+ s v) (+ U b)))
                  (=> (and (= s L) (= v a)) (= (+ s v) (+ L a))))))
(check-sat)
