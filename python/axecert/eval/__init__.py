"""Perplexity of language models quantized for narrow accumulators: `python -m axecert.eval` makes the whole table.

The parts, from text to table: protocol.py (windows), perplexity.py, recipes.py (named recipes as data), plan.py (runs),
choice.py (candidates), execute.py (one run), study.py (all runs), summary.py (JSON), table.py, figure.py.
"""
