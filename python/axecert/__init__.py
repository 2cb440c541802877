"""Quantize a model for a narrow accumulator, and prove that it cannot overflow.

Arrays in, arrays out: `quantize` one layer, `certify` what exists, `verify` a certificate, `register_ranges` of bare integers.
`axecert.torch` quantizes modules, `axecert.transformers` whole language models, `axecert.brevitas` certifies what Brevitas made.
Bad input raises `InputError`; verdicts are values, never exceptions. No side effects at import.
"""

from ._core import (
    ActivationGrid,
    Certificate,
    Datapath,
    Equalization,
    InputError,
    InputQuantizer,
    InputTransform,
    IntegerLinear,
    Moments,
    QuantizedLayer,
    QuantizeOptions,
    Stage,
    Verification,
    Vote,
    certify,
    data_type_bound,
    largest_hadamard,
    node_witness,
    preset_names,
    quantize,
    read_certificate,
    read_weights,
    register_ranges,
    search_equalization,
    smooth_quant,
    verify,
    write_weights,
)
from ._core import version as __version__

__all__ = [
    "ActivationGrid",
    "Certificate",
    "Datapath",
    "Equalization",
    "InputError",
    "InputQuantizer",
    "InputTransform",
    "IntegerLinear",
    "Moments",
    "QuantizeOptions",
    "QuantizedLayer",
    "Stage",
    "Verification",
    "Vote",
    "__version__",
    "certify",
    "data_type_bound",
    "largest_hadamard",
    "node_witness",
    "preset_names",
    "quantize",
    "read_certificate",
    "read_weights",
    "register_ranges",
    "search_equalization",
    "smooth_quant",
    "verify",
    "write_weights",
]
