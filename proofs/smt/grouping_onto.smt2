; Lemma: every integer z of [A + l, B + h] is y + x with y in [A, B] and x in [l, h]: take y = the value of [A, B] nearest to z - h.
; So the grouped variable reaches nothing that the inputs do not reach: a model of a box query is a run.
; Used by: depth "box", models of unsafe nodes (verify/smt/box.cpp).
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const A Int) (declare-const B Int) (declare-const l Int) (declare-const h Int) (declare-const z Int)
(define-fun least ((a Int) (b Int)) Int (ite (<= a b) a b))
(define-fun greatest ((a Int) (b Int)) Int (ite (>= a b) a b))
(define-fun y () Int (greatest A (least B (- z h))))
(assert (and (<= A B) (<= l h) (<= (+ A l) z) (<= z (+ B h))))
(assert (not (and (<= A y) (<= y B) (<= l (- z y)) (<= (- z y) h))))
(check-sat)
