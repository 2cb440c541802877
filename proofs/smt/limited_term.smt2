; Lemma: one product under an input limit. With m = |w|, p = |x| <= c and any t >= 0: m p <= (m - t)+ c + t p. The products of
; numbers are replaced by what they are: e = m - t, and for e >= 0 the product of signs e (c - p) >= 0 is given as ed >= 0.
; Used by: weak duality of limited inputs (docs/arithmetic.md).
(set-logic QF_LIA)
(declare-const ep Int) (declare-const ec Int) (declare-const ed Int) (declare-const tp Int) (declare-const mp Int)
; mp = e p + t p, e c = e p + e d
(assert (= mp (+ ep tp)))
(assert (= ec (+ ep ed)))
(assert (not (and (=> (>= ed 0) (<= mp (+ ec tp)))
                  (=> (<= ep 0) (<= mp (+ 0 tp))))))
(check-sat)
