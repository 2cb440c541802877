; False variant of grouping_onto: x may also be left out (0), as for partial sums of a box without 0: [min(0, l), max(0, h)] is then not
; covered, which is why verify/smt/box.cpp counts members there. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const l Int) (declare-const h Int) (declare-const z Int)
(assert (<= l h))
(assert (and (<= (ite (<= l 0) l 0) z) (<= z (ite (>= h 0) h 0))))
(assert (not (or (= z 0) (and (<= l z) (<= z h)))))
(check-sat)
