; False variant of counted: the number of members is not counted, so that any sum from l to (m + 1) h would do: too low a sum of m + 1
; members, each at least l > 0. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const l Int) (declare-const h Int) (declare-const ml Int) (declare-const mh Int) (declare-const z Int)
(define-fun nearest () Int (ite (>= ml (ite (<= mh (- z h)) mh (- z h))) ml (ite (<= mh (- z h)) mh (- z h))))
(assert (and (< 0 l) (<= l h) (<= l ml) (<= ml mh)))
(assert (not (=> (and (<= l z) (<= z (+ mh h))) (and (<= ml nearest) (<= nearest mh) (<= l (- z nearest)) (<= (- z nearest) h)))))
(check-sat)
