"""Affectory's library: from raw conversation videos to emotion models that survive missing modalities.

It knows no dagster, no mlflow (but in `serving`) and no duckdb; engines (openSMILE, mediapipe, PyAV) are imported when
they are first used.
"""
