"""How a study is shown: its tables, tested differences, pictures and findings, all pure functions of `StudyData`.

The parts live in `study_tables`, `study_pictures` and `study_findings`; here they become Markdown, for the guide's
results and for Dagster, and `study_section` makes them the section of a page.
"""

from __future__ import annotations

from html import escape
from math import isnan

from affectory.report_data import where
from affectory.report_summary import missing_phrase, runs_phrase, score
from affectory.results import tables
from affectory.results.tables import condition_title, experiment_title, records
from affectory.study_data import (
    SPEAKER_NORMALISED,
    SPEAKER_NORMALISED_TITLE,
    StudyData,
    blocks,
    full_condition,
    meanings,
    short_keys,
)
from affectory.study_findings import findings
from affectory.study_pictures import pictures
from affectory.study_sentences import ranking
from affectory.study_tables import (
    calibration_table,
    class_f1,
    differences,
    imagination_table,
    marks,
    on_test,
    study_table,
)

__all__ = ["StudyData", "differences", "findings", "marks", "pictures", "study_table", "to_markdown"]


def to_markdown(data: StudyData) -> str:
    """The full tables with their marks, the tested differences, the calibration errors, and what each row is."""
    if not blocks(data):
        return f"No results are stored for {_cell(data.study)} yet.\n"
    parts = [_lines(data.protocol, data.runs_note), *_tables(data), *_differences(data), *_calibration(data)]
    parts += [*_imagination(data), *_classes(data), *_on_test(data), _meanings(data)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table_note(data: StudyData) -> str:
    """What means, deviations, average and marks of the tables are."""
    runs = runs_phrase(data.results)
    told = f"Test part, mean ± sample standard deviation over {runs}" if _repeated(data) else f"Test part, {runs}"
    note = [f"{told}{_fewer(data)}. Columns: the modalities that the model was given, {short_keys()}."]
    if missing := missing_phrase(data.results):
        note.append(f"Average: mean over the {missing}, recomputed from them in each run.")
    note.append("Bold: strictly highest mean of its column at three decimals, not a test of significance.")
    return " ".join([*note, marks_note(data)])


def _fewer(data: StudyData) -> str:
    """`; fewer runs: MCTN (5)`, where some rows have fewer than others."""
    runs = {
        name: len(rows.drop_duplicates(["fold", "seed"]))
        for name, rows in data.results.groupby("experiment", sort=True)
    }
    found = [f"{_title(str(name))} ({number})" for name, number in runs.items() if number < max(runs.values())]
    return f"; fewer runs: {', '.join(found)}" if found else ""


def _title(experiment: str) -> str:
    kind = ", speaker-wise" if experiment.endswith(SPEAKER_NORMALISED) else ""
    return experiment_title(experiment.removesuffix(SPEAKER_NORMALISED)) + kind


def marks_note(data: StudyData) -> str:
    shown = {name.removesuffix(SPEAKER_NORMALISED) for name in set(data.results["experiment"])}
    signs = [
        f"{sign}: {experiment_title(name)} differs from this row"
        for name, sign in data.kind.references.items()
        if name in shown
    ]
    if not signs:
        return ""
    return (
        f"{', '.join(signs)}, by a paired test at 0.05 after Holm’s correction over the rows, made in the average and "
        f"under {full_condition(data)} only."
    )


CLASSES_NOTE = "Test part, mean over runs, under"
ON_TEST_COLUMNS = ("As in the tables above", "Best epoch on test", "Gain")
ON_TEST_NOTE = (
    "Best epoch on test: the highest score that any epoch of a run reached on the test part, mean over runs. "
    "Published code reports it so. It is no honest score: nothing else here was selected on the test part."
)


def on_test_title(data: StudyData) -> str:
    return f"{ranking(data)}, optimistic side column"


def differences_note(data: StudyData) -> str:
    """How the columns of the differences are made."""
    return (
        "Difference: mean over the runs that both have. Interval: percentile bootstrap, 95 %, of the predictions "
        f"pooled over folds, whole {data.unit_word}s drawn; it speaks of the {data.unit_word}s tested, the test of "
        "training again on other folds or seeds. d_z: difference over its deviation over runs. p: paired t-test (over "
        "folds with the correction of Nadeau and Bengio, over seeds where there is one fold), Holm’s correction over "
        "the rows of one model and condition."
    )


def p_value(value: float) -> str:
    return "–" if isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: float) -> str:
    """`+0.021`, `−0.021`; a dash where there is none."""
    if isnan(value):
        return "–"
    return f"{value:+.{tables.DIGITS}f}".replace("-", "−") if round(value, tables.DIGITS) else f"{0:.{tables.DIGITS}f}"


def interval(low: float, high: float) -> str:
    return "–" if isnan(low) or isnan(high) else f"{signed(low)} to {signed(high)}"


def _repeated(data: StudyData) -> bool:
    return len(data.results.drop_duplicates(["fold", "seed"])) > 1


def _tables(data: StudyData) -> list[str]:
    parts = []
    for normalised in blocks(data):
        signs = marks(data, speaker_normalised=normalised)
        table = study_table(data, speaker_normalised=normalised)
        parts.append(f"#### With {SPEAKER_NORMALISED_TITLE}" if normalised else "")
        parts += [
            tables.to_markdown(where(table, metric=metric), signs)
            for metric in data.kind.metrics
            if metric in set(table["metric"])
        ]
    return [*parts, escape(table_note(data), quote=False)]


def _differences(data: StudyData) -> list[str]:
    rows = records(differences(data))
    if not rows:
        return []
    lines = [
        f"| Model | Condition | Compared with | Difference of {ranking(data)} | 95 % interval | d_z | p (Holm) | Runs "
        "| Test |",
        "|:--|:--|:--|--:|--:|--:|--:|--:|:--|",
    ]
    for row in rows:
        kind = ", speaker-wise" if row["speaker_normalised"] else ""
        cells = (
            _cell(experiment_title(row["experiment"])) + kind, condition_title(row["condition"]),
            _cell(experiment_title(row["baseline"])) + kind,
            signed(row["difference"]), interval(row["low"], row["high"]), effect(row["effect"]),
            p_value(row["p_holm"]), str(row["runs"]), row["verdict"],
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return ["\n".join(lines), differences_note(data)]


def _calibration(data: StudyData) -> list[str]:
    parts = []
    for normalised in blocks(data):
        table = calibration_table(data, speaker_normalised=normalised)
        if not len(table):
            continue
        columns = tables.columns_of(table)
        found = {(row["experiment"], row["condition"]): row for row in records(table)}
        kind = "ECE before → after, speaker-wise" if normalised else "ECE before → after"
        lines = [f"| {kind} | {' | '.join(map(condition_title, columns))} |", "|:--|" + "--:|" * len(columns)]
        for name in tables.in_order(table["experiment"]):
            cells = [_before_after(found.get((name, column))) for column in columns]
            lines.append(f"| {_cell(experiment_title(name))} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    note = "ECE: expected calibration error of the top probability, 15 bins; temperatures fitted on validation."
    return [*parts, note] if parts else []


def _imagination(data: StudyData) -> list[str]:
    found = [imagination_table(data, speaker_normalised=normalised) for normalised in blocks(data)]
    return [tables.to_markdown(table) for table in found if len(table)]


def _classes(data: StudyData) -> list[str]:
    """F1 of each class, as the published table of conversations has it."""
    table = class_f1(data)
    if not len(table):
        return []
    labels = sorted(set(table["label"]))
    found = {(row["experiment"], row["label"]): row["value"] for row in records(table)}
    lines = [f"| F1 of each class | {' | '.join(map(_cell, labels))} |", "|:--|" + "--:|" * len(labels)]
    for name in tables.in_order(table["experiment"]):
        values = [f"{found[name, label]:.{tables.DIGITS}f}" if (name, label) in found else "–" for label in labels]
        lines.append(f"| {_cell(experiment_title(name))} | {' | '.join(values)} |")
    return ["\n".join(lines), f"{CLASSES_NOTE} {full_condition(data)}."]


def on_test_rows(data: StudyData) -> list[tuple[str, tuple[str, str, str]]]:
    """Of the side column: whose, and the cells of ON_TEST_COLUMNS."""
    return [
        (
            f"{experiment_title(row['experiment'])}, {condition_title(row['condition'])}",
            (score(row["selected"]), score(row["on_test"]), signed(row["optimism"])),
        )
        for row in records(on_test(data))
    ]


def _on_test(data: StudyData) -> list[str]:
    rows = [f"| {_cell(name)} | {' | '.join(cells)} |" for name, cells in on_test_rows(data)]
    head = [f"| {on_test_title(data)} | {' | '.join(ON_TEST_COLUMNS)} |", "|:--|--:|--:|--:|"]
    return ["\n".join([*head, *rows]), ON_TEST_NOTE] if rows else []


def _before_after(row: dict[str, float] | None) -> str:
    return "–" if row is None else f"{score(row['before'])} → {score(row['after'])}"


def _meanings(data: StudyData) -> str:
    """A fenced block, one line a row."""
    found = meanings(data)
    if not found:
        return ""
    width = max(len(experiment_title(name)) for name in found)
    lines = [f"{experiment_title(name):<{width}}  {meaning}" for name, meaning in found.items()]
    return "\n".join(["```text", *lines, "```"])


def _lines(*texts: str) -> str:
    return " ".join(escape(text, quote=False) for text in texts if text)


def effect(value: float) -> str:
    return "–" if isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _cell(name: str) -> str:
    return escape(name, quote=False).replace("|", "\\|")
