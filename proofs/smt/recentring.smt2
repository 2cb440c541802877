; Lemma: w x = w (x - c) + w c, one step of sum w x = sum w (x - c) + sum w c: re-centring by an offset c, per tensor or per
; channel, is exact, and its constant belongs to the row.
; Used by: design 3.7 and 3.8; IntegerLayer::offset, row constants (verify/smt/nodes.cpp).
; Requirements: TOR-304, TOR-406.
(set-logic QF_NIA)
(declare-const S Int) (declare-const S2 Int) (declare-const C Int)
(declare-const w Int) (declare-const x Int) (declare-const c Int)
(assert (= S (+ S2 C)))
(assert (not (= (+ S (* w x)) (+ S2 (* w (- x c)) C (* w c)))))
(check-sat)
