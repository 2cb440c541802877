; Lemma: equal boxes that exclude 0, of which m members are in: their inputs' sum y fills [m l, m h]. One more member x in [l, h] keeps
; that (ml, mh stand for m l, m h; into), and every sum of m + 1 members is one of m and a member (onto).
; Used by: "m of n" in verify/smt/box.cpp.
; Requirements: TOR-304.
(set-logic QF_LIA)
(declare-const l Int) (declare-const h Int) (declare-const ml Int) (declare-const mh Int)
(declare-const x Int) (declare-const y Int) (declare-const z Int)
(define-fun nearest () Int (ite (>= ml (ite (<= mh (- z h)) mh (- z h))) ml (ite (<= mh (- z h)) mh (- z h))))
(assert (and (<= l h) (<= ml mh)))
(assert (not (and (=> (and (<= ml y) (<= y mh) (<= l x) (<= x h)) (and (<= (+ ml l) (+ y x)) (<= (+ y x) (+ mh h))))
                  (=> (and (<= (+ ml l) z) (<= z (+ mh h)))
                      (and (<= ml nearest) (<= nearest mh) (<= l (- z nearest)) (<= (- z nearest) h))))))
(check-sat)
