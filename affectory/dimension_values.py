"""What each row reached in each run, which rows belong together, and which is best.

A row is scored under the fullest condition that it was tested under, unless another is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean, stdev

import pandas as pd

from affectory.dimension_data import VAL_CCC, DimensionData
from affectory.dimension_rows import AUDIO, AUDIO_FEATURES, face_row, in_order
from affectory.report_data import where
from affectory.results import tables
from affectory.results.tables import DIGITS, Cell

TOTAL, MEAN = "total", "ccc"  # sum and mean of the dimensions' CCC
AUDIO_GROUP, FEATURES_GROUP, FACES_GROUP, MODALITIES_GROUP = "audio", "features", "faces", "modalities"
FUSED = ("multimodal", "multimodal_augmented")
OfRuns = dict[tuple[int, int], float]  # (fold, seed) -> value


def rows_by_group(data: DimensionData) -> dict[str, list[str]]:
    """group -> its experiments that have results, in order; 5Conv2D is in two. What is unknown is with MULTIMODAL."""
    names = in_order(data.results["experiment"])
    faces = [name for name in names if face_row(name)]
    audio = [name for name in names if name in AUDIO]
    features = [name for name in AUDIO_FEATURES if name in names]
    others = [name for name in names if name not in {*faces, *audio, *features}]
    found = {AUDIO_GROUP: audio, FEATURES_GROUP: features if len(features) > 1 or not audio else []}
    return found | {FACES_GROUP: faces, MODALITIES_GROUP: others}


def tested(data: DimensionData, names: Iterable[str]) -> pd.DataFrame:
    """The results of these rows on the test part."""
    results = data.results.loc[data.results["experiment"].isin(list(names))]
    return results.loc[results["metric"] != VAL_CCC]


def values_of(data: DimensionData, metric: str, condition: str = "") -> dict[str, OfRuns]:
    """experiment -> run -> value under a condition, `average` too; without one the fullest that the row has.

    ValueError where a cell has two values.
    """
    if metric == TOTAL:
        parts = [values_of(data, f"ccc_{name}", condition) for name in data.shown]
        return {
            name: {run: sum(part[name][run] for part in parts) for run in runs if all(run in p[name] for p in parts)}
            for name, runs in (parts[0] if parts else {}).items()
            if all(name in part for part in parts)
        }
    found = {}
    for (_, name), runs in tables.values_by_run(where(data.results, metric=metric), [metric]).items():
        chosen = condition or fullest({place for values in runs.values() for place in values})
        found[name] = {run: values[chosen] for run, values in runs.items() if chosen in values}
    return {name: runs for name, runs in found.items() if runs}


def fullest(conditions: Iterable[str]) -> str:
    names = [name for name in conditions if name and name != tables.AVERAGE]
    return tables.columns_of(pd.DataFrame({"condition": names}))[-1] if names else ""


def cells_of(data: DimensionData, metric: str, names: Sequence[str], *, marked: bool = False) -> dict[str, Cell]:
    """experiment -> mean and sample deviation over runs; `marked`: the strictly highest of these rows is best."""
    runs = {name: found.values() for name, found in values_of(data, metric).items() if name in names}
    means = {name: mean(values) for name, values in runs.items() if values}
    shown = [round(value, DIGITS) for value in means.values()]
    return {
        name: Cell(
            means[name],
            stdev(values) if len(values := list(runs[name])) > 1 else float("nan"),
            marked and len(shown) > 1 and round(means[name], DIGITS) == max(shown) and shown.count(max(shown)) == 1,
        )
        for name in means
    }


def best_by_validation(data: DimensionData, names: Iterable[str]) -> str:
    """The row whose kept epochs score highest on validation, mean over runs; "" where no row was validated.

    Each under the condition that its test score is of: another says nothing of it.
    """
    found = {}
    for name in names:
        runs = values_of(data, VAL_CCC, condition_of(data, name)).get(name, {})
        if runs:
            found[name] = mean(runs.values())
    return max(found, key=lambda name: found[name], default="")


def condition_of(data: DimensionData, name: str) -> str:
    """The fullest condition that the row was tested under."""
    return fullest(set(tested(data, [name])["condition"]))
