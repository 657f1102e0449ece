"""What a study of MMIN found: what imagination adds beside augmentation and pretraining, in plain sentences on UA."""

from __future__ import annotations

from affectory.report_summary import score
from affectory.results.significance import compare
from affectory.results.tables import AVERAGE, DIGITS, records
from affectory.study_data import SPEAKER_NORMALISED_TITLE, StudyData, blocks, full_condition, named
from affectory.study_sentences import (
    against,
    column,
    cut,
    gap,
    highest,
    in_the_mean,
    joined,
    of_metric,
    plain,
    published_order,
    verdict_of,
    with_all,
)
from affectory.study_tables import HOLDS, single_modalities

CONTROLS = ("augmented_pretrained", "mmin_no_imagination")
# The slides' order, lower row first.
SLIDES = (
    ("full_baseline", "augmented_baseline"),
    ("augmented_baseline", "mmin"),
    ("mmin_no_cycle", "mmin"),
    ("mmin_ae", "mmin"),
    ("mctn", "augmented_baseline"),
)


def _mmin(data: StudyData) -> list[str]:
    """MMIN against the augmented baseline and against the controls that tell imagination from pretraining."""
    found = against(data, "mmin", AVERAGE)
    shown = [found[name] for name in ("augmented_baseline", *CONTROLS) if name in found]
    if not shown:
        return []
    lines = [f"{in_the_mean(data)}, MMIN ({score(shown[0]['experiment_mean'])}) is {joined(map(gap, shown))}."]
    words = {row["baseline"]: verdict_of(row) for row in shown}
    controls = [name for name in CONTROLS if name in words]
    if words.get("augmented_baseline") == HOLDS and controls:
        if all(words[name] == HOLDS for name in controls):
            lines.append("It is above the controls without imagination too: here imagination adds to pretraining.")
        else:
            alike = [named(name) for name in controls if words[name] != HOLDS]
            lines.append(
                "So its gain over the augmented baseline is not shown to come from imagination: "
                f"the test does not put it above {joined(alike)}."
            )
    return lines


def _best(data: StudyData) -> list[str]:
    """The preset best against the linear SVM, and against every row that it is not above."""
    lines = []
    for condition, place in ((AVERAGE, in_the_mean(data)), (full_condition(data), with_all(data))):
        found = against(data, "best", condition)
        below = [row for row in found.values() if round(row["difference"], DIGITS) <= 0]
        below = sorted(below, key=lambda row: row["difference"])
        others = [gap(row) for row in below if row["baseline"] != "linear_svm"]
        told = [gap(found["linear_svm"])] if "linear_svm" in found else []
        told += [joined(cut(others))] if others else []
        if told:
            reached = score(next(iter(found.values()))["experiment_mean"])
            lines.append(f"{place}, the preset best ({reached}) is {'; it is '.join(told)}.")
    return lines


def _augmentation(data: StudyData) -> list[str]:
    """Augmented minus full, in the mean over the conditions of one modality."""
    results = single_modalities(plain(data), "ua")
    if not {"augmented_baseline", "full_baseline"} <= set(results["experiment"]):
        return []
    share = data.test_share
    rows = records(compare(results, "ua", "augmented_baseline", ["full_baseline"], "{a}", test_share=share))
    if not rows[0]["runs"]:
        return []
    reached = score(rows[0]["experiment_mean"])
    told = f"the augmented baseline ({reached}) is {gap(rows[0])}"
    return [f"In the mean over the single modalities, one comparison that was planned beforehand: {told}."]


def _normalised(data: StudyData) -> list[str]:
    """What the block with speaker-wise normalisation reaches, ranked by itself."""
    if True not in blocks(data):
        return []
    mean, whole = in_the_mean(data), with_all(data)
    places = {
        AVERAGE: f"With {SPEAKER_NORMALISED_TITLE}, {mean[0].lower()}{mean[1:]}",
        full_condition(data): f"{whole} and speaker-wise normalisation",
    }
    lines = [highest(data, True, condition, place) for condition, place in places.items()]
    levels = [
        f"{place}, {named(name)} reaches UA {score(cell.mean)}."
        for condition, place in places.items()
        for name, cell in column(of_metric(data, True), condition).items()
    ]
    return [line for line in lines if line] or levels


def _slides(data: StudyData) -> list[str]:
    return published_order(data, SLIDES, AVERAGE, "in the mean over the missing conditions")


PARTS = (_mmin, _best, _augmentation, _slides, _normalised)
