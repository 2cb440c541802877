; Lemma: for a weight w > 0 and an input l <= x <= h, the product w x lies in [w l, w h]; both ends are products of the box.
; Used by: depth "ground" and "box" (verify/smt/lemmas.cpp), the range of design 3.1. Both solvers answer unsat: no counterexample.
; Requirements: TOR-304, TOR-102.
(set-logic QF_NIA)
(declare-const w Int) (declare-const d Int)
; x = l + d with d >= 0: w x - w l = w d. (The upper end is the same with h - x for d.)
(assert (> w 0)) (assert (>= d 0))
(assert (not (>= (* w d) 0)))
(check-sat)
