"""Quantizing modules of torch for a narrow accumulator, running them in integers, and saving and loading them.

Main functions: `quantize`, `save`, `load`, `report`. Side effects: those of the functions named.
"""

from .modules import IntegerConv2d, IntegerLinear, integer_layers, overflows, set_arithmetic
from .report import LayerReport, NotCertified, Progress, Report
from .store import load, report, save
from .whole import quantize

__all__ = [
    "IntegerConv2d",
    "IntegerLinear",
    "LayerReport",
    "NotCertified",
    "Progress",
    "Report",
    "integer_layers",
    "load",
    "overflows",
    "quantize",
    "report",
    "save",
    "set_arithmetic",
]
