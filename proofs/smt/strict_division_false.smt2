; False variant of strict_division: rounds the quotient up. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const h Int) (declare-const r Int) (declare-const t Int)
(assert (and (> h 0) (>= r 0) (<= (* t h) r) (< r (+ (* t h) h))))
(assert (not (<= (+ (* t h) h) r)))
(check-sat)
