"""Layers: one a file, its equation and shapes in its docstring."""
