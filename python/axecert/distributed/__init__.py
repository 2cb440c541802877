"""Certify, verify and quantize as many small tasks: on the processes of one machine, or on a Ray cluster (`axecert[ray]`).

`certify`, `verify` and `quantize` are the main functions. Layers and ranges of rows are the tasks. A task whose worker dies is done
again; what was finished before an interruption is kept in a folder and checked, not believed. What comes out is byte for byte what one
process makes. Every machine sees the same files under the same names.

Side effects: the files that each function names, and worker processes or Ray tasks while it runs.
"""

from .backends import Backend, InProcess, LocalPool, Progress, RayCluster
from .certify import certify
from .quantize import quantize
from .verify import Verification, verify

__all__ = ["Backend", "InProcess", "LocalPool", "Progress", "RayCluster", "Verification", "certify", "quantize", "verify"]
