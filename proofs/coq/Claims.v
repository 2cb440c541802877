(** Every main theorem of this folder, with what it rests on: nothing. The build prints this file's output and demands
    that each theorem be "Closed under the global context", that is, proved without an axiom and without an admitted
    step. No definitions, no proofs. *)
From Axecert Require Import GroupingProof RangeProof SafetyProof LimitedProof CheckerProof Rewritings StrictConstraintProof
  MultistageProof SoftThreshold PresetsProof BracketingProof NotVacuous.

(* TOR-401 *)
Print Assumptions registers_permutation.
Print Assumptions registers_map.
Print Assumptions dealt_onto.
(* TOR-101, TOR-102 *)
Print Assumptions range_holds_everything.
Print Assumptions upper_ends_reached.
Print Assumptions lower_ends_reached.
Print Assumptions upper_inputs_inside.
Print Assumptions lower_inputs_inside.
(* TOR-109 *)
Print Assumptions constant_range_holds.
Print Assumptions constant_range_reached.
(* TOR-101, TOR-103 *)
Print Assumptions safe_datapath.
Print Assumptions exact_is_dot_product.
(* TOR-105 *)
Print Assumptions wrapping_register_with_fitting_final_value.
Print Assumptions wrapping_tower.
(* TOR-104 *)
Print Assumptions unsafe_overflows.
(* TOR-101, TOR-102 *)
Print Assumptions limited_range_holds.
Print Assumptions limited_upper_ends_reached.
Print Assumptions limited_lower_ends_reached.
Print Assumptions limit_suffices.
(* TOR-101, TOR-103 *)
Print Assumptions safe_limited_datapath.
(* TOR-101, TOR-301 *)
Print Assumptions check_layer_decides.
(* TOR-101, TOR-103 *)
Print Assumptions proved_layer_is_safe.
Print Assumptions proved_layer_computes.
(* TOR-104 *)
Print Assumptions overflowing_layer_overflows.
(* TOR-101, TOR-209, TOR-301 *)
Print Assumptions check_decides.
Print Assumptions safe_certificate_is_safe.

(* TOR-101, TOR-103 *)
Print Assumptions order_is_a_bracketing.
Print Assumptions every_bracketing.
Print Assumptions bracketed_datapath_is_safe.
Print Assumptions bracketed_certificate_is_safe.
Print Assumptions bracketing_overflows.
Print Assumptions prefixes_are_not_enough.
Print Assumptions starts_have_to_wait.

(* TOR-406 *)
Print Assumptions recentring_exact.
Print Assumptions proved_layer_computes_the_row.
(* TOR-304 *)
Print Assumptions sums_fill_their_range.
Print Assumptions equal_weights_are_one_variable.
Print Assumptions grouped_final_range.
Print Assumptions grouped_partial_range.
Print Assumptions reduction_of_final.
Print Assumptions reduction_of_partial.

(* TOR-501 *)
Print Assumptions admissible_exactly.
Print Assumptions zero_is_admissible.
Print Assumptions joint_limits_inside.
Print Assumptions published_limits_keep.
Print Assumptions published_budgets_fit.
Print Assumptions published_form_needs_zero.
Print Assumptions double_is_precise.
Print Assumptions float32_is_precise.
Print Assumptions sweep_keeps_balance.
Print Assumptions joint_sweep_is_a_sweep.
Print Assumptions published_sweep_is_a_sweep.
Print Assumptions sweep_is_safe.
Print Assumptions joint_sweep_is_safe.
Print Assumptions published_sweep_is_safe.
Print Assumptions planned_sweep_is_safe.
Print Assumptions accepted_constant_enters_once.
Print Assumptions sweep_computes_the_integers.
Print Assumptions sweeps_choose_weights.
Print Assumptions chosen_weights_fit.

(* TOR-501 *)
Print Assumptions soft_threshold_projects.
Print Assumptions projection_is_unique.
Print Assumptions threshold_exists.
Print Assumptions threshold_is_unique.
Print Assumptions threshold_bounds_every_set.
Print Assumptions threshold_attains_a_set.

(* TOR-110 *)
Print Assumptions width_for_is_least.
Print Assumptions outer_width_from_ranges.
Print Assumptions inner_and_outer_compose.

(* TOR-404 *)
Print Assumptions maddubs_pair_rule.
Print Assumptions maddubs_rule.
Print Assumptions maddubs_pairs_counted.
Print Assumptions neon_pair_rule.
Print Assumptions neon_rule.
Print Assumptions neon_corner.
Print Assumptions neon_weights_off_the_corner.
Print Assumptions neon_inputs_off_the_corner.
Print Assumptions sign_trick_exact.
Print Assumptions sign_trick_pair_fits.

(* TOR-103, TOR-402 *)
Print Assumptions every_datapath_runs.
Print Assumptions saturating_run.
Print Assumptions wrapping_run.
Print Assumptions undefined_runs.
(* TOR-101, TOR-104 *)
Print Assumptions a_certificate_is_safe.
Print Assumptions a_limited_certificate_is_safe.
Print Assumptions a_certificate_is_unsafe.
