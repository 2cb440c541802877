(** Every main theorem of this folder, with what it rests on: nothing. The build prints this file's output and demands
    that each theorem be "Closed under the global context", that is, proved without an axiom and without an admitted
    step. No definitions, no proofs. *)
From Axecert Require Import GroupingProof RangeProof SafetyProof CheckerProof.

Print Assumptions registers_permutation.
Print Assumptions registers_map.
Print Assumptions range_holds_everything.
Print Assumptions upper_ends_reached.
Print Assumptions lower_ends_reached.
Print Assumptions constant_range_holds.
Print Assumptions constant_range_reached.
Print Assumptions safe_datapath.
Print Assumptions exact_is_dot_product.
Print Assumptions wrapping_register_with_fitting_final_value.
Print Assumptions wrapping_tower.
Print Assumptions unsafe_overflows.
Print Assumptions check_layer_decides.
Print Assumptions proved_layer_is_safe.
Print Assumptions proved_layer_computes.
Print Assumptions overflowing_layer_overflows.
Print Assumptions check_decides.
Print Assumptions safe_certificate_is_safe.
