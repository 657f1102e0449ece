"""Figures as bytes, drawn without a display; every function takes plain tables and a form, `svg` or `png`."""
