; Lemma: two registers whose final sums have the exact ranges [a, b] and [c, d] and share no input: the register above, from the
; initial value i, has every partial sum in i + [min(0,a) + min(0,c), max(0,b) + max(0,d)], whichever of the two are in.
; With more registers: partial_sum_step, one at a time.
; Used by: ranges above stage 0 (verify/smt/ground.cpp, box.cpp).
; Requirements: TOR-304, TOR-103.
(set-logic QF_LIA)
(declare-const a Int) (declare-const b Int) (declare-const c Int) (declare-const d Int) (declare-const i Int)
(declare-const f Int) (declare-const g Int) (declare-const in1 Bool) (declare-const in2 Bool)
(define-fun low ((e Int)) Int (ite (<= e 0) e 0))
(define-fun high ((e Int)) Int (ite (>= e 0) e 0))
(define-fun s () Int (+ i (ite in1 f 0) (ite in2 g 0)))
(assert (and (<= a f) (<= f b) (<= c g) (<= g d)))
(assert (not (and (<= (+ i (low a) (low c)) s) (<= s (+ i (high b) (high d))))))
(check-sat)
