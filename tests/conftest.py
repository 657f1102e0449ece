"""Fixtures that every part may use."""

from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_corpora() -> Path:
    """The folder of real corpora beside the checkout; the test is skipped, saying so, where it is not there."""
    if not REAL.is_dir():
        pytest.skip("the real corpora are not here: ../shared/data")
    return REAL
