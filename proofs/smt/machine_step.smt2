; Lemma: a register whose range fits never meets its limits, so that it does not matter what it does there. s in [L, U] is held, v in [a, b] is
; added, and [L + min(0, a), U + max(0, b)] lies inside the limits [m, n], all of them symbolic: what a saturating register holds next is
; s + v, and a wrapping or undefined one is not asked to hold anything else.
; Used by: "all nodes fit" implies "the machine computes the integers", one addition (verify/smt/bit_precise.cpp at fixed widths).
; Requirements: TOR-304, TOR-103.
(set-logic QF_LIA)
(declare-const s Int) (declare-const v Int) (declare-const a Int) (declare-const b Int)
(declare-const L Int) (declare-const U Int) (declare-const m Int) (declare-const n Int)
(define-fun saturated ((e Int)) Int (ite (> e n) n (ite (< e m) m e)))
(assert (and (<= L s) (<= s U) (<= a v) (<= v b)))
(assert (and (<= m (+ L (ite (<= a 0) a 0))) (<= (+ U (ite (>= b 0) b 0)) n)))
(assert (not (and (= (saturated (+ s v)) (+ s v)) (<= m (+ s v)) (<= (+ s v) n))))
(check-sat)
