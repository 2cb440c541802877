; Lemma: a register that starts from a constant i instead of 0 has its range moved by i, and fits [m, n] exactly when the range
; without it fits [m - i, n - i].
; Used by: initial values (verify/smt/ground.cpp, box.cpp); bias and zero-point corrections folded into the outer stage.
; Requirements: TOR-304, TOR-109.
(set-logic QF_LIA)
(declare-const L Int) (declare-const U Int) (declare-const s Int) (declare-const i Int) (declare-const m Int) (declare-const n Int)
(assert (and (<= L s) (<= s U)))
(assert (not (and (<= (+ i L) (+ i s)) (<= (+ i s) (+ i U))
                  (= (and (<= m (+ i L)) (<= (+ i U) n)) (and (<= (- m i) L) (<= U (- n i)))))))
(check-sat)
