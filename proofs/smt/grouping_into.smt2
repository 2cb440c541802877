; Lemma: a further member x in [l, h] of a group of equal weights, whose sum y lies in [A, B], moves the sum into [A + l, B + h];
; with w y + w x = w (y + x), one variable stands for all of them.
; Used by: depth "box", equal weights grouped (verify/smt/box.cpp).
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const A Int) (declare-const B Int) (declare-const l Int) (declare-const h Int)
(declare-const x Int) (declare-const y Int) (declare-const w Int)
(assert (and (<= A y) (<= y B) (<= l x) (<= x h)))
(assert (not (and (<= (+ A l) (+ y x)) (<= (+ y x) (+ B h)) (= (+ (* w y) (* w x)) (* w (+ y x))))))
(check-sat)
