; Lemma: sums under an input limit. With q the magnitudes so far and s <= X + t q, one more product v <= Y + t p gives
; s + v <= (X + Y) + t (q + p); when q <= L and t >= 0, s <= X + t L. tq, tp, tL stand for the products, te for t (L - q) >= 0.
; Used by: weak duality of limited inputs (docs/arithmetic.md).
(set-logic QF_LIA)
(declare-const s Int) (declare-const v Int) (declare-const X Int) (declare-const Y Int)
(declare-const tq Int) (declare-const tp Int) (declare-const tL Int) (declare-const te Int)
(assert (<= s (+ X tq)))
(assert (not (and (=> (<= v (+ Y tp)) (<= (+ s v) (+ X Y tq tp)))
                  (=> (and (= tL (+ tq te)) (>= te 0)) (<= s (+ X tL))))))
(check-sat)
