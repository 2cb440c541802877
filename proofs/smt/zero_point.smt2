; Lemma: a constant i + s z whose zero point z is any of 0 <= z <= Z lies between its values at z = 0 and z = Z, whatever the sign
; of s. As in product_ends, the monomials are variables: sz = s z, sZ = s Z and d = s (Z - z) = sZ - sz; their signs are those of
; s by product_positive and product_negative.
; Used by: row constants of layers whose zero point is computed from each token (verify/smt/ground.cpp, box.cpp; lib/bound).
; Requirements: TOR-304, TOR-109.
(set-logic QF_LIA)
(declare-const i Int) (declare-const s Int) (declare-const sz Int) (declare-const sZ Int) (declare-const d Int)
(define-fun least ((a Int) (b Int)) Int (ite (<= a b) a b))
(define-fun greatest ((a Int) (b Int)) Int (ite (>= a b) a b))
(assert (= sZ (+ sz d)))
(assert (=> (> s 0) (and (>= sz 0) (>= d 0))))
(assert (=> (< s 0) (and (<= sz 0) (<= d 0))))
(assert (=> (= s 0) (and (= sz 0) (= d 0))))
(assert (not (and (<= (least i (+ i sZ)) (+ i sz)) (<= (+ i sz) (greatest i (+ i sZ))))))
(check-sat)
