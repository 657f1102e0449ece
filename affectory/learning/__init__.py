"""Training and what follows it: selection, evaluation, calibration, and models on disk."""
