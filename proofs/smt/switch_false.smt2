; False variant of switch: the value is taken to be in always, so that a negative U is taken for the bound. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const i Int) (declare-const iU Int) (declare-const U Int) (declare-const t Int)
(assert (and (<= 0 i) (<= i 1) (=> (= i 0) (= iU 0)) (=> (= i 1) (= iU U))))
(assert (not (=> (<= t iU) (<= t U))))
(check-sat)
