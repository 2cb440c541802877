; Lemma: if every partial sum so far lies in [L, U], and the next value v in [a, b] is added or left out, the new partial sum lies in
; [L + min(0, a), U + max(0, b)].
; Used by: the induction behind "every partial sum" (verify/smt/lemmas.cpp); with the base s = initial value.
; Requirements: TOR-304, TOR-102.
(set-logic QF_LIA)
(declare-const s Int) (declare-const v Int) (declare-const a Int) (declare-const b Int)
(declare-const L Int) (declare-const U Int) (declare-const in Bool)
(define-fun next () Int (ite in (+ s v) s))
(assert (and (<= L s) (<= s U) (<= a v) (<= v b)))
(assert (not (and (<= (+ L (ite (<= a 0) a 0)) next) (<= next (+ U (ite (>= b 0) b 0))))))
(check-sat)
