; Lemma: for one box [alpha, beta] for all channels, the upper end is beta P + alpha N with P the sum of the positive and N of the
; negative weights: a further weight w > 0 adds beta w and moves P by w, one w < 0 adds alpha w and moves N. Lower: swapped.
; Used by: depth "ground", facts deduplicated by (P, N) (verify/smt/ground.cpp).
; Requirements: TOR-304.
(set-logic QF_NIA)
(declare-const P Int) (declare-const N Int) (declare-const w Int) (declare-const alpha Int) (declare-const beta Int)
(assert (not (and (= (+ (* beta P) (* alpha N) (* beta w)) (+ (* beta (+ P w)) (* alpha N)))
                  (= (+ (* beta P) (* alpha N) (* alpha w)) (+ (* beta P) (* alpha (+ N w)))))))
(check-sat)
