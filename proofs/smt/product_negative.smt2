; Lemma: for w < 0 and l <= x <= h, the product w x lies in [w h, w l].
; Used by: verify/smt/lemmas.cpp ("product of signs, negative").
; Requirements: TOR-304, TOR-102.
(set-logic QF_NIA)
(declare-const w Int) (declare-const d Int)
(assert (< w 0)) (assert (>= d 0))
(assert (not (<= (* w d) 0)))
(check-sat)
