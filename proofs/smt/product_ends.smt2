; Lemma: from w (x - l) and w (h - x), whose signs are those of w, follows min(w l, w h) <= w x <= max(w l, w h), for
; w > 0, w < 0 and w = 0 together. The monomials are variables: the statement is linear in them.
; Used by: verify/smt/lemmas.cpp ("product, w > 0" and the two beside it).
; Requirements: TOR-304, TOR-102.
(set-logic QF_LIA)
(declare-const w Int) (declare-const wl Int) (declare-const wx Int) (declare-const wh Int)
(declare-const wd Int) (declare-const we Int)
(define-fun least ((a Int) (b Int)) Int (ite (<= a b) a b))
(define-fun greatest ((a Int) (b Int)) Int (ite (>= a b) a b))
(assert (= wx (+ wl wd))) (assert (= wh (+ wx we)))
(assert (=> (> w 0) (and (>= wd 0) (>= we 0))))
(assert (=> (< w 0) (and (<= wd 0) (<= we 0))))
(assert (=> (= w 0) (and (= wd 0) (= we 0))))
(assert (not (and (<= (least wl wh) wx) (<= wx (greatest wl wh)))))
(check-sat)
