; Lemma: a value that is in or out as a whole. With i in {0, 1} and what it adds t <= U i (iU stands for i U), t <= max(0, U); and the
; bound is reached: by i = 1 with t = U where U > 0, by i = 0 with t = 0 elsewhere.
; Used by: partial sums above the lowest stage (verify/smt/box.cpp), exported programs (verify/foreign/sum_program.cpp).
; Requirements: TOR-304, TOR-102, TOR-506.
(set-logic QF_LIA)
(declare-const i Int) (declare-const iU Int) (declare-const U Int) (declare-const t Int)
(define-fun most () Int (ite (>= U 0) U 0))
(assert (and (<= 0 i) (<= i 1) (=> (= i 0) (= iU 0)) (=> (= i 1) (= iU U))))
(assert (not (and (=> (<= t iU) (<= t most))
                  (=> (and (= i (ite (> U 0) 1 0)) (= t iU)) (= t most)))))
(check-sat)
