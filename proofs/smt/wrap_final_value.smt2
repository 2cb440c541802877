; Lemma: a wrapping register of 16 bits that adds three 20-bit values in any state of overflow holds the exact sum if that sum fits:
; addition modulo 2^16 forgets the carries that it lost.
; Used by: the claim "final value" (design 3.2); every width is checked by depth "bit-precise".
; Requirements: TOR-304, TOR-105.
(set-logic QF_BV)
(declare-const a (_ BitVec 24)) (declare-const b (_ BitVec 24)) (declare-const c (_ BitVec 24))
(define-fun exact () (_ BitVec 24) (bvadd a b c))
(define-fun held () (_ BitVec 16)
  (bvadd (bvadd ((_ extract 15 0) a) ((_ extract 15 0) b)) ((_ extract 15 0) c)))
(assert (and (bvsle (_ bv0 24) exact) (bvsle exact (_ bv32767 24))))
(assert (not (= ((_ zero_extend 8) held) exact)))
(check-sat)
