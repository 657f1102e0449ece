"""What selected the epoch that a training kept, and what names a training: one rule and one recipe for all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from math import isfinite
from typing import Any

from affectory.models.family import Schedule
from affectory.results.selected import NOTHING, VALIDATION

RECIPE = 4  # rises when the same configuration would train another model


def selected_on(schedule: Schedule, score: float) -> str:
    """`val` where the epoch with the best validation score was kept; `nothing` where the last epoch was.

    `score` is the validation score of the kept epoch, Fit.best_score: not finite where no row could be validated on,
    and then the last epoch is kept whatever the schedule says.
    """
    return VALIDATION if schedule.keep == "best" and isfinite(score) else NOTHING


def training_fingerprint(
    family: str,
    name: str,
    config: Any,
    teachers: Mapping[str, Any],
    *,
    seed: int | None,
    data: str,
    extras: Sequence[Any] = (),
) -> str:
    """Hex sha256 of all that decides what a training gives: who has the same one need not be trained again.

    `name` is the experiment's or the row's; `config` its configuration, None where it has none; `teachers` holds the
    configurations by the names under which `config` and its teachers name theirs. `seed` is None where there is no
    chance in the training. `data` is the digest of what is learned from, `extras`, plain values, is what else differs.
    """
    chain = []
    while config is not None:
        chain.append(asdict(config))
        config = teachers.get(config.teacher)
    parts = [RECIPE, family, name, chain, seed, data, list(extras), version("torch")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
