; False variant of wrap_final_value: a saturating register of 16 bits does not hold the sum, although it fits. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_BV)
(declare-const a (_ BitVec 24)) (declare-const b (_ BitVec 24)) (declare-const c (_ BitVec 24))
(define-fun low () (_ BitVec 24) (bvneg (_ bv32768 24)))
(define-fun clamp ((e (_ BitVec 24))) (_ BitVec 24)
  (ite (bvsgt e (_ bv32767 24)) (_ bv32767 24) (ite (bvslt e low) low e)))
(define-fun exact () (_ BitVec 24) (bvadd a b c))
(assert (and (bvsle low a) (bvsle a (_ bv32767 24)) (bvsle low b) (bvsle b (_ bv32767 24)) (bvsle low c) (bvsle c (_ bv32767 24))))
(assert (and (bvsle (_ bv0 24) exact) (bvsle exact (_ bv32767 24))))
(assert (not (= (clamp (bvadd (clamp (bvadd a b)) c)) exact)))
(check-sat)
