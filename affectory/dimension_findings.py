"""What a study of valence and arousal found, in plain sentences computed from its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isnan, sqrt
from statistics import mean
from typing import Any

import pandas as pd

from affectory.dimension_data import DimensionData
from affectory.dimension_rows import (
    AUDIO_FEATURES,
    CONTROLS,
    RECURRENT,
    SINGLE,
    TEMPORALS,
    face_row,
    title,
)
from affectory.dimension_values import (
    AUDIO_GROUP,
    FACES_GROUP,
    FEATURES_GROUP,
    FUSED,
    MEAN,
    TOTAL,
    OfRuns,
    best_by_validation,
    cells_of,
    condition_of,
    fullest,
    rows_by_group,
    tested,
    values_of,
)
from affectory.report_summary import NO_BREAK, missing_phrase, plural, runs_phrase, score
from affectory.results.significance import compare
from affectory.results.tables import AVERAGE, DIGITS, Cell, records
from affectory.study_sentences import joined

_PLACE = "{a}"  # stands for any condition, so that rows of different ones can be paired


def findings(data: DimensionData) -> list[str]:
    """Sentences on what the numbers show and do not show; raw text, to be escaped where it is shown."""
    if not any(values_of(data, f"ccc_{name}") for name in data.shown):
        return [f"No results are stored for {data.study} yet.", *_left_out(data)]
    parts = (_sound, _faces, _augmentation, _modalities, _controls, _left_out, _scope)
    return [line for part in parts for line in part(data)]


def _sound(data: DimensionData) -> list[str]:
    groups = rows_by_group(data)
    told = [_highest(data, "Sound", groups[AUDIO_GROUP])]
    features = {name: runs for name, runs in _of(data, TOTAL, groups[FEATURES_GROUP]).items() if runs}
    if len(features) > 1:
        called = {name: AUDIO_FEATURES[name][0].removeprefix("5Conv2D, ") for name in features}
        told.append(_ranked(f"Of {len(features)} feature sets under 5Conv2D", features, called))
    return _line(told)


def _faces(data: DimensionData) -> list[str]:
    """The best row, then GRU, LSTM and RNN in the mean over the networks of a face that have all of these."""
    names = rows_by_group(data)[FACES_GROUP]
    return _line([_highest(data, "Faces", names), _recurrent(data, names)])


def _recurrent(data: DimensionData, names: Iterable[str]) -> str:
    found = _of(data, TOTAL, names)
    by_backbone: dict[tuple[str, str], dict[str, OfRuns]] = {}
    for name, runs in found.items():
        backbone, temporal, end = face_row(name) or ("", "", "")
        if temporal in RECURRENT:
            by_backbone.setdefault((backbone, end), {})[temporal] = runs
    whole = [kinds for kinds in by_backbone.values() if len(kinds) == len(RECURRENT)]
    if not whole:
        return ""
    runs = set.intersection(*(set(runs) for kinds in whole for runs in kinds.values()))
    means = {t: {run: mean(kinds[t][run] for kinds in whole) for run in sorted(runs)} for t in RECURRENT}
    return _ranked(f"In the mean over {plural(len(whole), 'network')} of a face", means, TEMPORALS) if runs else ""


def _highest(data: DimensionData, what: str, names: Iterable[str]) -> str:
    """The best row of several, what it reaches in each dimension, and how far the next is."""
    found = _of(data, TOTAL, names)
    if not found:
        return ""
    first, second = _two_best(found)
    of = {name: cells_of(data, f"ccc_{name}", [first])[first] for name in data.shown}
    parts = ", ".join(f"{name} {score(cell.mean)}" for name, cell in of.items()) if len(of) > 1 else ""
    reached = f"{_value(cells_of(data, TOTAL, [first])[first])}{f' ({parts})' if parts else ''}"
    if not second:
        return f"{what}: {title(first)} reaches {_total(data)} {reached}."
    gap = _gap(found[first], found[second], title(second))
    return f"{what}: {title(first)} has the highest {_total(data)} of {len(found)} rows, {reached}, {gap}."


def _ranked(where_: str, found: Mapping[str, OfRuns], called: Mapping[str, str]) -> str:
    """`where_, GRU is highest, 0.421, 0.010 above LSTM; RNN 0.380.`"""
    first, second = _two_best(found)
    others = sorted(
        (name for name in found if name not in (first, second)), key=lambda name: -mean(found[name].values())
    )
    rest = joined(f"{called[name]} {score(mean(found[name].values()))}" for name in others)
    gap = _gap(found[first], found[second], called[second])
    after = f"; then {rest}" if rest else ""
    return f"{where_}, {called[first]} is highest, {score(mean(found[first].values()))}, {gap}{after}."


def _augmentation(data: DimensionData) -> list[str]:
    """What training on missing conditions brings, in the mean over them and with the most that was tested."""
    told = []
    missing = missing_phrase(tested(data, FUSED))
    for condition, place in ((AVERAGE, f"in the mean over the {missing}"), ("", f"under {_fullest(data, FUSED)}")):
        found = {name: runs for name, runs in values_of(data, _mean(data), condition).items() if name in FUSED}
        if len(found) == len(FUSED):
            full, augmented = (found[name] for name in FUSED)
            gap = _gap(augmented, full, "training on full rows alone")
            told.append(f"{place} it reaches {score(mean(augmented.values()))}, {gap}")
    return [f"Training on missing conditions too, {_mean_words(data)}: {'; '.join(told)}."] if told else []


def _modalities(data: DimensionData) -> list[str]:
    """A model of all modalities against the best single one, both chosen on validation where that was scored."""
    found = values_of(data, _mean(data))
    picked = []
    for names in (FUSED, SINGLE):
        known = {name: runs for name, runs in found.items() if name in names}
        if not known:
            return []
        picked.append(best_by_validation(data, known) or _two_best(known)[0])
    fused, single = picked
    validated = all(best_by_validation(data, names) for names in (FUSED, SINGLE))
    how = "each chosen on validation" if validated else "each the best of these very numbers"
    gap = _gap(found[fused], found[single], f"the best single modality ({title(single)})")
    reached = f"{_mean_words(data)} {score(mean(found[fused].values()))}"
    return [f"{title(fused)}, under {_fullest(data, [fused])}, reaches {reached}, {gap}; {how}."]


def _fullest(data: DimensionData, names: Iterable[str]) -> str:
    return fullest({condition_of(data, name) for name in names})


def _controls(data: DimensionData) -> list[str]:
    """What must be near nothing."""
    cells = cells_of(data, _mean(data), CONTROLS)
    told = [f"{title(name).removesuffix(' (control)').lower()} {_value(cell)}" for name, cell in cells.items()]
    tested_on = _n_tested(data, CONTROLS)
    chance = 2 / sqrt(tested_on) if tested_on else 0.05  # some two deviations of the CCC of a guess
    far = [title(name) for name, cell in cells.items() if cell.mean > max(chance, 2 * _known(cell.deviation))]
    leak = f"; above what chance gives on so few utterances, look for a leak: {joined(far)}" if far else ""
    return [f"Controls, which must be near 0, {_mean_words(data)}: {joined(told)}{leak}."] if told else []


def _n_tested(data: DimensionData, names: Iterable[str]) -> int:
    """Test utterances of these rows, all conditions together."""
    return data.predictions.loc[data.predictions["experiment"].isin(list(names)), "utterance_id"].nunique()


def _left_out(data: DimensionData) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name, reason in data.left_out.items():
        reasons.setdefault(reason.rstrip("."), []).append(title(name))
    told = [f"{joined(names)}: {reason}" for reason, names in reasons.items()]
    return [f"Not trained: {'; '.join(told)}."] if told else []


def _scope(data: DimensionData) -> list[str]:
    """How far the numbers carry."""
    runs = len(data.results.drop_duplicates(["fold", "seed"]))
    if runs == 1:
        first = "One run of each row, so there is no deviation, and any difference may be chance."
    else:
        few = " Fewer than three runs test nothing." if runs < 3 else ""
        first = f"± is one standard deviation over {runs_phrase(data.results)}; of a difference, paired by run.{few}"
    counts = sorted({_n_tested(data, [name]) for name in set(data.predictions["experiment"])})
    if counts:
        few = f"{counts[0]} to {counts[-1]}" if counts[0] < counts[-1] else f"{counts[0]}"
        first += f" Each row is tested on {few} utterances: those that have what it reads."
    return [f"{first} Where a row is called best by its test score, neither the spread nor a p allows for the choice."]


def _gap(ours: OfRuns, theirs: OfRuns, name: str) -> str:
    """`0.052 ± 0.010 above GRU (0.400), more than the spread over runs (paired p 0.012)`."""
    row = _paired(ours, theirs)
    other = f"{name} ({score(mean(theirs.values()))})"
    if not row["runs"]:
        return f"{other} has no run in common"
    if not round(row["difference"], DIGITS):
        return f"level with {other}"
    side, size = ("above" if row["difference"] > 0 else "below"), score(abs(row["difference"]))
    if isnan(row["deviation"]):
        return f"{size} {side} {other}, in one run"
    told = "more" if abs(row["difference"]) > row["deviation"] else "no more"
    p = "" if isnan(row["p"]) else f" (paired p{NO_BREAK}{_p(row['p'])})"
    return f"{size}{NO_BREAK}±{NO_BREAK}{score(row['deviation'])} {side} {other}, {told} than the spread over runs{p}"


def _p(value: float) -> str:
    return f"<{NO_BREAK}0.001" if value < 0.001 else score(value)


def _paired(ours: OfRuns, theirs: OfRuns) -> dict[str, Any]:
    """`significance.compare` of two rows, whatever conditions they were tested under."""
    rows = [
        (name, *run, _PLACE, MEAN, value)
        for name, runs in (("ours", ours), ("theirs", theirs))
        for run, value in runs.items()
    ]
    frame = pd.DataFrame(rows, columns=["experiment", "fold", "seed", "condition", "metric", "value"])
    return records(compare(frame, MEAN, "ours", ["theirs"], _PLACE))[0]


def _two_best(found: Mapping[str, OfRuns]) -> tuple[str, str]:
    """The two highest means over runs, the second "" where there is one row."""
    names = sorted(found, key=lambda name: -mean(found[name].values()))
    return names[0], (names[1] if len(names) > 1 else "")


def _of(data: DimensionData, metric: str, names: Iterable[str]) -> dict[str, OfRuns]:
    found = values_of(data, metric)
    return {name: found[name] for name in names if name in found}


def _mean(data: DimensionData) -> str:
    return MEAN if len(data.shown) > 1 else f"ccc_{_only(data)}"


def _mean_words(data: DimensionData) -> str:
    return "mean CCC" if len(data.shown) > 1 else f"CCC of {_only(data)}"


def _total(data: DimensionData) -> str:
    return "total CCC" if len(data.shown) > 1 else f"CCC of {_only(data)}"


def _only(data: DimensionData) -> str:
    """The dimension of a corpus that has just one."""
    return "".join(data.shown)


def _value(cell: Cell) -> str:
    return score(cell.mean) + ("" if isnan(cell.deviation) else f"{NO_BREAK}±{NO_BREAK}{score(cell.deviation)}")


def _known(deviation: float) -> float:
    return 0.0 if isnan(deviation) else deviation


def _line(sentences: Iterable[str]) -> list[str]:
    """The sentences as one line; none of none."""
    return [" ".join(told)] if (told := [sentence for sentence in sentences if sentence]) else []
