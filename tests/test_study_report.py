"""A study is shown whole and honestly: marks where the test holds, blocks apart, sentences that follow the numbers."""

import re
from dataclasses import replace
from functools import cache
from statistics import mean

import numpy as np
import pandas as pd
import pytest
from tests.test_report import HOSTILE, Page, undrawn

from affectory.report import render_report
from affectory.report_data import where
from affectory.results.tables import AVERAGE, EXPERIMENT_TITLES, cells, records
from affectory.study_data import SPEAKER_NORMALISED, SPEAKER_NORMALISED_TITLE, StudyData
from affectory.study_pictures import rates
from affectory.study_report import differences, findings, marks, pictures, study_table, to_markdown
from affectory.study_section import study_section
from affectory.study_tables import calibration_table, single_modalities
from affectory.vocabulary import Modality
from tests.fixtures.reports import report_data
from tests.fixtures.studies import LEVELS, study_data, three_modalities

DATA, THREE = study_data(), three_modalities()
SMALL = study_data({"mmin": 0.5, "best": 0.6}, folds=1, utterances=12)
REPORT = undrawn(report_data([Modality.ACOUSTIC], seeds=1))
CONDITIONS = ("{a}", "{v}", "{a,v}")
PLAIN = [name for name in LEVELS if not name.endswith(SPEAKER_NORMALISED)]


def of_values(values: dict[str, list[float]], seeds: int = 1) -> StudyData:
    """A study with UA the same under every condition: experiment -> value of each fold, a little apart over seeds."""
    rows = [
        (name, fold, seed, condition, "ua", value + 0.001 * seed)
        for name, of_folds in values.items()
        for fold, value in enumerate(of_folds)
        for seed in range(seeds)
        for condition in CONDITIONS
    ]
    columns = ["experiment", "fold", "seed", "condition", "metric", "value"]
    return StudyData(study="mmin_study", results=pd.DataFrame(rows, columns=columns))


def page(data: StudyData) -> str:
    if data is not DATA:
        return render_report(replace(REPORT, studies=(data,)))
    return page_of_all()


@cache
def page_of_all() -> str:
    return render_report(replace(REPORT, studies=(DATA,)))


@cache
def markdown_of_all() -> str:
    return to_markdown(DATA)


@cache
def differences_of_all() -> pd.DataFrame:
    return differences(DATA)


def said(data: StudyData) -> str:
    return "\n".join(findings(data)).replace("\N{NO-BREAK SPACE}", " ")


CLEAR = {
    "full_baseline": [0.40, 0.41, 0.42, 0.40, 0.41],
    "augmented_baseline": [0.50, 0.52, 0.51, 0.53, 0.50],
    "mmin": [0.60, 0.621, 0.612, 0.628, 0.601],
}
UNCLEAR = {**CLEAR, "mmin": [0.45, 0.60, 0.49, 0.56, 0.51]}


def test_a_mark_stands_only_where_the_paired_test_holds():
    found = differences_of_all()
    for normalised in (False, True):
        rows = records(where(found, speaker_normalised=normalised, significant=True))
        signs = {"mmin": "†", "best": "‡"}
        wanted = {(row["baseline"], row["condition"], signs[row["experiment"]]) for row in rows}
        given = marks(DATA, ["ua"], speaker_normalised=normalised)
        assert {(name, place, sign) for (_, name, place), both in given.items() for sign in both} == wanted
    assert marks(of_values(CLEAR)) and not marks(of_values({**UNCLEAR, "full_baseline": UNCLEAR["mmin"]}))


def test_marks_reach_the_page_and_the_markdown_table():
    data = of_values(CLEAR)
    assert "| UA | Full-modality baseline | 0.408 ± 0.008 | 0.408 ± 0.008 | 0.408† ± 0.008 |" in to_markdown(data)
    assert "0.408<sup>†</sup>" in page(data)
    assert "<sup>" not in page(of_values({**UNCLEAR, "full_baseline": UNCLEAR["mmin"]}))


def test_averages_are_recomputed_and_stored_ones_ignored():
    lies = DATA.results[DATA.results["condition"] == "{a}"].assign(condition="average", value=0.99)
    table = study_table(replace(DATA, results=pd.concat([DATA.results, lies])), ["ua"])
    for row in cells(table, "ua").values():
        assert row[AVERAGE].mean == pytest.approx((row["{a}"].mean + row["{v}"].mean) / 2)


def test_rows_normalised_by_speaker_are_never_ranked_with_the_others():
    plain, normalised = study_table(DATA), study_table(DATA, speaker_normalised=True)
    assert set(plain["experiment"]) == set(PLAIN)
    assert set(normalised["experiment"]) == {"mmin", "best", "linear_svm"}
    assert cells(plain, "ua")["best"][AVERAGE].best and cells(normalised, "ua")["best"][AVERAGE].best
    pairs = differences_of_all().groupby("speaker_normalised")["baseline"].unique()
    assert set(pairs[True]) == {"mmin", "best", "linear_svm"}
    assert "the highest UA of 12 rows" in said(DATA) and "the highest UA of 3 rows" in said(DATA)


def test_the_heading_of_normalised_rows_says_that_they_read_the_test_speakers():
    assert f"#### With {SPEAKER_NORMALISED_TITLE}" in markdown_of_all()
    text, without = page(DATA), page(SMALL)
    assert f"<h3>With {SPEAKER_NORMALISED_TITLE}</h3>" in text
    assert "transductive" not in without
    assert SPEAKER_NORMALISED not in text + markdown_of_all()


def test_a_block_of_normalised_rows_alone_tells_how_it_was_made():
    shown = study_section(replace(DATA, results=DATA.results[~DATA.results["experiment"].isin(PLAIN)]), 1)
    assert len(shown["blocks"]) == 1
    assert "recomputed from them in each run" in shown["blocks"][0]["main"]["note"]


def test_the_differences_are_paired_with_intervals_around_the_pooled_difference():
    table = differences_of_all()
    row = table[(table["experiment"] == "best") & (table["baseline"] == "mctn") & ~table["speaker_normalised"]]
    assert list(row["condition"]) == [AVERAGE]  # MCTN has no full condition
    assert row["low"].item() < row["difference"].item() < row["high"].item()
    assert (row["runs"].item(), row["verdict"].item()) == (15, "holds")
    assert set(table["verdict"]) == {"holds", "holds, below", "not shown"}


def test_differences_without_predictions_have_no_interval_and_two_folds_no_test():
    assert differences(of_values(CLEAR))[["low", "high"]].isna().to_numpy().all()
    few = of_values({name: values[:2] for name, values in CLEAR.items()})
    assert set(differences(few)["verdict"]) == {"not tested"}
    assert "Fewer than three folds or seeds" in said(few) and "too few runs to test it" in said(few)


def test_the_findings_follow_the_numbers():
    clear, unclear = said(of_values(CLEAR)), said(of_values(UNCLEAR))
    assert "MMIN has the highest UA of 3 rows, 0.612 ± 0.012; the paired test tells it from all 2 others." in clear
    assert "MMIN (0.612) is 0.100 above the augmented baseline (0.512; the test holds it" in clear
    assert "Of the slides’ order the paired test holds" in clear and "not shown by" not in clear
    assert "MMIN (0.522) is 0.010 above the augmented baseline (0.512; not shown" in unclear
    assert "In the slides’ direction, but not shown by the test: MMIN above the augmented baseline" in unclear


def test_an_order_against_the_slides_is_told():
    text = said(of_values({**CLEAR, "mmin": [0.45, 0.47, 0.46, 0.48, 0.44], "mctn": [0.55] * 5}))
    assert "Against the slides’ order: MMIN below the augmented baseline by 0.052 (the test holds it" in text
    assert "the augmented baseline below MCTN by 0.038" in text


def test_a_gain_that_the_controls_share_is_not_called_imagination():
    controls = {"augmented_pretrained": [0.605, 0.61, 0.615, 0.62, 0.60], "mmin_no_imagination": [0.61] * 5}
    assert "not shown to come from imagination" in said(of_values({**CLEAR, **controls}))
    lower = dict.fromkeys(controls, CLEAR["full_baseline"])
    assert "here imagination adds to pretraining" in said(of_values({**CLEAR, **lower}))


def test_the_preset_best_is_told_to_lose_where_it_loses():
    losing = {**CLEAR, "best": CLEAR["augmented_baseline"], "linear_svm": CLEAR["full_baseline"]}
    text = said(of_values(losing))
    assert "the preset best (0.512) is 0.104 above the linear SVM (0.408; the test holds it" in text
    assert "it is 0.100 below MMIN (0.612; the test holds it" in text
    assert "and level with the augmented baseline (0.512; not shown, p 1.000)." in text


def test_a_winner_that_was_not_named_beforehand_is_said_to_be_picked():
    picked = "picked by these very numbers"
    assert picked in said(of_values({**CLEAR, "mmin_ae": [0.7, 0.71, 0.72, 0.70, 0.71]})) and picked not in said(DATA)


def test_rows_with_fewer_runs_are_named():
    assert "fewer runs" not in markdown_of_all()
    few = DATA.results.query("not (experiment == 'linear_svm' and seed > 0)")
    assert "over 3 seeds × 5 folds; fewer runs: Linear SVM on functionals (5)." in to_markdown(
        replace(DATA, results=few)
    ).replace("\N{NO-BREAK SPACE}", " ")


def test_the_gain_of_augmentation_is_over_single_modalities_only():
    of_one = single_modalities(THREE.results, "ua")
    run = THREE.results.query("experiment == 'mmin' and fold == 0 and seed == 0 and metric == 'ua'")
    wanted = mean(run[run["condition"].isin(["{a}", "{v}", "{t}"])]["value"])
    assert of_one.query("experiment == 'mmin' and seed == 0")["value"].item() == pytest.approx(wanted)
    assert "In the mean over the single modalities, one comparison that was planned beforehand: " in said(DATA)


def test_one_fold_is_said_to_speak_of_its_split_only():
    assert "speaks of training again on this split, not of other speakers" in said(THREE)
    assert "counts 5 folds, each averaged over its seeds" in said(DATA)


def test_calibration_is_shown_before_and_after_where_there_are_probabilities():
    table = calibration_table(DATA)
    assert set(table["experiment"]) == set(PLAIN) - {"linear_svm"}
    assert all(row["after"] < row["before"] for row in records(table))
    row = next(line for line in markdown_of_all().splitlines() if line.startswith("| MMIN |") and "→" in line)
    assert row.count("→") == 4
    assert "it is lower in 11 of 11 rows" in said(DATA)


def test_a_sweep_is_the_mean_and_deviation_over_runs():
    table = rates(DATA, "frames")
    values = DATA.sweeps.query("experiment == 'mmin' and kind == 'frames' and rate == 0.7")["value"]
    row = table.query("experiment == 'mmin' and rate == 0.7")
    assert row["value"].item() == pytest.approx(values.mean())
    assert row["deviation"].item() == pytest.approx(values.std(ddof=1))


def test_pictures_are_of_what_is_there_and_the_same_bytes_each_time():
    named = {"conditions", "missing_modalities", "missing_frames", "calibration"}
    normalised = {f"{name}_speaker_normalised" for name in named}
    drawn = pictures(DATA)
    assert set(drawn) == named | normalised | {"imagined", "learning_curves"}
    assert pictures(SMALL) == pictures(SMALL)
    assert b"relative error 0.70" in drawn["imagined"]
    assert set(pictures(of_values(CLEAR), "png")) == {"conditions"}


def test_what_is_not_stored_has_a_line_that_says_so():
    text = page(of_values(CLEAR))
    for line in ("No sweep of missing rates", "No imagined representations", "No learning curves"):
        assert line not in page(DATA)
        assert line in text


def test_imagined_points_may_differ_between_conditions():
    short = replace(SMALL, imagined=SMALL.imagined[5:])
    assert pictures(short)["imagined"] != pictures(SMALL)["imagined"]


def test_an_empty_study_says_that_it_has_no_results():
    nothing = StudyData(study="mmin_study")
    assert findings(nothing) == ["No results are stored for mmin_study yet."]
    assert to_markdown(nothing) == "No results are stored for mmin_study yet.\n"
    assert len(differences(nothing)) == 0 and pictures(nothing) == {}
    assert "No results are stored for mmin_study yet." in page(nothing)


def test_a_frame_without_its_columns_is_refused_by_name():
    with pytest.raises(ValueError, match=r"study mmin_study: sweeps lacks columns \['kind', 'rate'\]"):
        replace(DATA, sweeps=DATA.sweeps.drop(columns=["kind", "rate"]))


def test_hostile_names_are_escaped():
    levels = {"mmin": 0.5, HOSTILE: 0.7, "best": 0.6}
    labels = np.array([HOSTILE, "b"], object)
    data = replace(study_data(levels, utterances=12, labels=labels), study=HOSTILE, protocol=HOSTILE, runs_note=HOSTILE)
    shown = Page(page(data))
    assert shown.open == []
    assert not shown.all("script")
    assert not any(name.startswith("on") for _, attributes in shown.elements for name in attributes)
    text = to_markdown(data)
    assert "<script" not in text and "<img" not in text


@pytest.mark.parametrize("data", [DATA, THREE], ids=["two modalities", "three modalities"])
def test_the_section_is_well_formed_described_and_stands_alone(data):
    text = page(data)
    shown = Page(text)
    assert shown.open == []
    assert text.count("<table") == text.count("<caption")
    assert all(image["alt"] and str(image["src"]).startswith("data:image/svg+xml") for image in shown.all("img"))
    identifiers = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers)) and "study-1" in identifiers
    assert set(re.findall(r"https?://[^/\"'\s<]+", text)) <= {"http://127.0.0.1:5000"}


def test_every_row_of_the_study_is_explained():
    explained, rows = markdown_of_all().split("```text")[1], set(DATA.results["experiment"])
    assert all(title in explained for name, title in EXPERIMENT_TITLES.items() if name in rows)


def test_a_page_without_studies_is_what_it_was():
    assert "study-1" not in render_report(REPORT)


def test_the_markdown_tables_have_even_rows():
    for block in to_markdown(THREE).split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1
