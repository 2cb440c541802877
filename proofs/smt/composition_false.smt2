; False variant of composition: forgets that a register may be left out whose sum is always negative. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const a Int) (declare-const b Int) (declare-const c Int) (declare-const d Int) (declare-const i Int)
(declare-const f Int) (declare-const g Int) (declare-const in1 Bool) (declare-const in2 Bool)
(define-fun s () Int (+ i (ite in1 f 0) (ite in2 g 0)))
(assert (and (<= a f) (<= f b) (<= c g) (<= g d)))
(assert (not (and (<= (+ i a c) s) (<= s (+ i b d)))))
(check-sat)
