; False variant of product_ends: takes w l as the lower end whatever the sign of w. Must come out sat.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const w Int) (declare-const wl Int) (declare-const wx Int) (declare-const wh Int)
(declare-const wd Int) (declare-const we Int)
(assert (= wx (+ wl wd))) (assert (= wh (+ wx we)))
(assert (=> (> w 0) (and (>= wd 0) (>= we 0))))
(assert (=> (< w 0) (and (<= wd 0) (<= we 0))))
(assert (=> (= w 0) (and (= wd 0) (= we 0))))
(assert (not (and (<= wl wx) (<= wx wh))))
(check-sat)
