"""Differences are tested over what is independent, and intervals hold what was planted."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from affectory.results import metrics
from affectory.results.significance import (
    OVER_FOLDS,
    OVER_SEEDS,
    compare,
    dialogue_bootstrap,
    dialogue_bootstrap_difference,
    holm,
)
from affectory.results.tables import AVERAGE, conditions_table
from tests.fixtures.reports import results_frame

GAPS = np.array([0.02, 0.05, 0.01, 0.04, 0.03])


def results(experiment: str, values: np.ndarray) -> pd.DataFrame:
    """`values` [folds, seeds] of `ua` under {a}."""
    fold, seed = np.indices(values.shape).reshape(2, -1)
    frame = pd.DataFrame({"fold": fold, "seed": seed, "value": values.ravel()})
    return frame.assign(experiment=experiment, metric="ua", condition="{a}")


def pair(gaps: np.ndarray, **options) -> pd.Series:
    base = np.linspace(0.5, 0.6, gaps.size).reshape(gaps.shape)
    table = pd.concat([results("mmin", base + gaps), results("full_baseline", base)])
    return compare(table, "ua", "mmin", condition="{a}", **options).iloc[0]


def predictions(
    experiment: str, right: float, *, dialogues: int = 40, rows: int = 10, conditions=("{a}",), seeds: int = 1
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Two classes, predicted right with the probability `right`; utterances u<dialogue>-<row>."""
    generator = np.random.default_rng(len(experiment))
    ids = [f"u{dialogue}-{row}" for dialogue in range(dialogues) for row in range(rows)]
    frames = []
    for seed in range(seeds):
        for condition in conditions:
            truth, hit = generator.integers(0, 2, len(ids)), generator.random(len(ids)) < right
            words = np.array(["happy", "sad"], object)
            frame = pd.DataFrame({"utterance_id": ids, "label": words[truth], "predicted": words[truth ^ ~hit]})
            frames.append(frame.assign(experiment=experiment, fold=0, seed=seed, condition=condition))
    return pd.concat(frames, ignore_index=True), {name: name.split("-")[0] for name in ids}


def test_one_fold_is_a_paired_t_test_over_seeds():
    row = pair(GAPS[None])
    expected = stats.ttest_1samp(GAPS, 0).pvalue
    assert row["test"] == OVER_SEEDS
    assert row["p"] == pytest.approx(expected, rel=1e-9)
    assert (row["runs"], row["difference"]) == (5, pytest.approx(0.03))
    assert row["effect"] == pytest.approx(0.03 / GAPS.std(ddof=1))  # Cohen's d_z
    assert row["experiment_mean"] - row["baseline_mean"] == pytest.approx(0.03)


def test_folds_are_tested_with_the_corrected_variance_of_nadeau_and_bengio():
    row = pair(GAPS[:, None], test_share=0.3)
    t = 0.03 / math.sqrt((1 / 5 + 0.3) * GAPS.var(ddof=1))
    assert row["test"] == OVER_FOLDS
    assert row["p"] == pytest.approx(2 * stats.t.sf(t, 4), rel=1e-9)


def test_the_share_of_a_plain_cross_validation_is_one_test_fold_to_the_others():
    assert pair(GAPS[:, None])["p"] == pair(GAPS[:, None], test_share=1 / 4)["p"]


def test_the_test_over_folds_is_more_cautious_than_the_plain_one():
    assert pair(GAPS[:, None])["p"] > pair(GAPS[None])["p"]


def test_more_seeds_of_the_same_folds_are_no_more_folds():
    once, ten_times = pair(GAPS[:, None]), pair(np.repeat(GAPS[:, None], 10, axis=1))
    assert ten_times["runs"] == 50
    assert ten_times["p"] == pytest.approx(once["p"])


@pytest.mark.slow
def test_folds_with_seeds_reject_a_true_null_hypothesis_no_more_often_than_they_say():
    generator = np.random.default_rng(0)
    rejected = []
    for _ in range(200):
        gaps = generator.normal(0, 0.02, (5, 1)) + generator.normal(0, 0.005, (5, 3))
        rejected.append(pair(gaps)["p"] < 0.05)
    assert np.mean(rejected) < 0.08


def test_equal_results_have_p_one_and_a_constant_difference_has_none():
    equal, constant = pair(np.zeros((1, 4))), pair(np.full((1, 4), 0.1))
    assert equal["p"] == 1.0
    assert not equal["significant"]
    assert math.isnan(constant["p"])
    assert math.isnan(constant["effect"])
    assert constant["difference"] == pytest.approx(0.1)
    assert not constant["significant"]


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 5)])
def test_two_seeds_or_two_folds_are_too_few_to_tell(shape):
    row = pair(np.resize(GAPS, shape))
    assert math.isnan(row["p"])
    assert row["runs"] == shape[0] * shape[1]


def test_only_common_runs_count_and_a_baseline_without_any_stays_empty():
    table = pd.concat(
        [
            results("mmin", GAPS[None] + 0.5),
            results("full_baseline", np.full((1, 4), 0.5)),
            results("zeta", GAPS[None]).assign(fold=7),
        ]
    )
    found = compare(table, "ua", "mmin", condition="{a}").set_index("baseline")
    assert list(found.index) == ["full_baseline", "zeta"]  # in the published order
    assert list(found["runs"]) == [4, 0]
    assert math.isnan(found.loc["zeta", "p_holm"])
    assert found.loc["full_baseline", "p_holm"] == found.loc["full_baseline", "p"]


def test_the_average_is_compared_as_the_conditions_table_shows_it():
    frame = results_frame(seeds=4)
    row = compare(frame, "ua", "mmin", ["full_baseline"]).iloc[0]
    shown = conditions_table(frame, ["ua"]).query("condition == @AVERAGE").set_index("experiment")["mean"]
    assert row["experiment_mean"] == pytest.approx(shown["mmin"])
    assert row["difference"] == pytest.approx(shown["mmin"] - shown["full_baseline"])
    assert row["significant"]


def test_an_experiment_without_results_is_refused_with_what_there_is():
    with pytest.raises(
        ValueError, match=r"no ua under average of experiment nope; there are \['full_baseline', 'mmin'"
    ):
        compare(results_frame(("full_baseline", "mmin")), "ua", "nope")


def test_holm_equals_the_example_of_statsmodels_and_multtest():
    p = [0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238]
    p += [0.177096952723, 5.23656777208e-05, 0.0202732688798, 0.00028140506198, 0.0149877310796]
    expected = [1, 1, 1, 1, 1, 1, 5.23656777208e-04, 0.1419128821586, 2.53264555782e-03, 0.1199018486368]
    assert holm(np.array(p)) == pytest.approx(expected, rel=1e-9)


def test_holm_never_falls_and_leaves_nan_out():
    adjusted = holm(np.array([0.04, np.nan, 0.03]))
    assert adjusted[[0, 2]].tolist() == [0.06, 0.06]
    assert math.isnan(adjusted[1])
    assert holm(np.array([])).shape == (0,)


@pytest.mark.parametrize("metric", metrics.CLASSIFICATION)
def test_the_value_is_the_metric_over_all_rows_and_the_interval_holds_it(metric):
    rows, dialogues = predictions("mmin", 0.7)
    found = dialogue_bootstrap(rows, metric, dialogues, samples=200).iloc[0]
    truth, predicted = (rows[name].map({"happy": 0, "sad": 1}).to_numpy() for name in ("label", "predicted"))
    assert found["value"] == pytest.approx(metrics.CLASSIFICATION[metric](truth, predicted))
    assert found["low"] < found["value"] < found["high"]
    assert found["units"] == 40


def test_the_interval_covers_the_planted_accuracy_and_is_as_wide_as_theory_says():
    rows, dialogues = predictions("mmin", 0.7)
    found = dialogue_bootstrap(rows, "wa", dialogues).iloc[0]
    assert found["low"] < 0.7 < found["high"]
    expected = 2 * 1.96 * math.sqrt(0.7 * 0.3 / 400)  # rows independent here, so dialogues change nothing
    assert found["high"] - found["low"] == pytest.approx(expected, rel=0.25)


def test_dialogues_that_are_right_or_wrong_as_a_whole_widen_the_interval():
    rows, dialogues = predictions("mmin", 1.0)
    wrong = rows["utterance_id"].map(dialogues).isin([f"u{number}" for number in range(20)])
    rows["predicted"] = rows["label"].where(~wrong, "neutral")
    whole = dialogue_bootstrap(rows, "wa", dialogues).iloc[0]
    single = dialogue_bootstrap(rows, "wa", {}).iloc[0]
    assert (whole["units"], single["units"]) == (40, 400)
    assert whole["high"] - whole["low"] > 2.5 * (single["high"] - single["low"])  # sqrt(10) times


def test_the_same_seed_gives_the_same_intervals_whatever_the_order_of_the_rows():
    rows, dialogues = predictions("mmin", 0.7)
    shuffled = rows.sample(frac=1, random_state=0)
    first, second = (dialogue_bootstrap(frame, "ua", dialogues, samples=50) for frame in (rows, shuffled))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert not first.equals(dialogue_bootstrap(rows, "ua", dialogues, samples=50, seed=1))


def test_the_average_is_there_only_with_all_missing_conditions():
    rows, dialogues = predictions("mmin", 0.7, conditions=("{a}", "{v}", "{a,v}"), seeds=2)
    found = dialogue_bootstrap(rows, "wa", dialogues, samples=50).set_index("condition")
    assert list(found.index) == ["{a}", "{v}", AVERAGE, "{a,v}"]
    assert found.loc[AVERAGE, "value"] == pytest.approx(found.loc[["{a}", "{v}"], "value"].mean())
    some = dialogue_bootstrap(rows[rows["condition"] != "{v}"], "wa", dialogues, samples=50)
    assert list(some["condition"]) == ["{a}", "{a,v}"]


def test_seeds_are_averaged_and_not_pooled():
    rows, dialogues = predictions("mmin", 0.7, seeds=3)
    found = dialogue_bootstrap(rows, "ua", dialogues, samples=20).iloc[0]
    alone = [dialogue_bootstrap(of, "ua", dialogues, samples=20).iloc[0]["value"] for _, of in rows.groupby("seed")]
    assert found["value"] == pytest.approx(np.mean(alone))


def test_one_dialogue_has_no_interval():
    rows, dialogues = predictions("mmin", 0.7, dialogues=1)
    found = dialogue_bootstrap(rows, "ua", dialogues).iloc[0]
    assert math.isnan(found["low"])
    assert not math.isnan(found["value"])


def test_no_predictions_have_no_intervals():
    rows, dialogues = predictions("mmin", 0.7)
    assert dialogue_bootstrap(rows[:0], "ua", dialogues).empty


def test_a_difference_holds_the_planted_one_and_pairing_narrows_it():
    rows, dialogues = predictions("full_baseline", 0.6, dialogues=60)
    better = rows.assign(experiment="mmin")
    mend = np.random.default_rng(1).random(len(rows)) < 0.1
    better["predicted"] = better["predicted"].where(~mend, better["label"])
    both = pd.concat([rows, better])
    found = dialogue_bootstrap_difference(both, "wa", dialogues, "mmin").iloc[0]
    assert found["baseline"] == "full_baseline"
    assert found["low"] < 0.04 < found["high"]  # a tenth of the 40 % wrong ones
    assert found["low"] > 0
    alone = dialogue_bootstrap(rows, "wa", dialogues).iloc[0]
    assert found["high"] - found["low"] < 0.5 * (alone["high"] - alone["low"])


def test_an_experiment_does_not_differ_from_its_copy():
    rows, dialogues = predictions("mmin", 0.7)
    found = dialogue_bootstrap_difference(
        pd.concat([rows, rows.assign(experiment="copy")]), "ua", dialogues, "mmin", ["copy"]
    )
    assert found[["difference", "low", "high"]].to_numpy().tolist() == [[0, 0, 0]]


def test_differences_are_taken_in_common_runs_only():
    rows, dialogues = predictions("mmin", 0.7, seeds=2)
    half = rows[rows["seed"] == 0].assign(experiment="copy")
    found = dialogue_bootstrap_difference(pd.concat([rows, half]), "ua", dialogues, "mmin")
    assert found["difference"].tolist() == [0]
    apart = dialogue_bootstrap_difference(pd.concat([rows, half.assign(fold=3)]), "ua", dialogues, "mmin")
    assert apart.empty
