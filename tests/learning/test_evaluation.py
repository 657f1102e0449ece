import numpy as np
import pandas as pd
import pytest

from affectory.data.inputs import fit_inputs
from affectory.learning.evaluation import evaluate, logits_under, scores_under
from affectory.models import mmin
from affectory.models.family import Model
from affectory.vocabulary import Condition, Modality, conditions
from tests.fixtures.datasets import packed, small_dataset

A, V, T = Modality
DATASET = small_dataset(24, missing={6: [V], 7: [V], 14: [A, T]})
TEST = DATASET.rows("test")  # rows 6, 7, 14, 15, 22, 23


@pytest.fixture(scope="module")
def model() -> Model:
    inputs = fit_inputs(DATASET, DATASET.rows("train"))
    return mmin.build(mmin.FAMILY.experiments("debug")["full_baseline"], inputs, DATASET.classes, seed=0)


def test_logits_come_in_the_order_of_the_rows(model: Model):
    data, backwards = packed(DATASET), TEST[::-1].copy()
    forwards = logits_under(model, data, TEST, conditions())
    assert forwards.shape == (7, 6, 2)
    assert np.allclose(forwards[:, ::-1], logits_under(model, data, backwards, conditions()), atol=1e-6)


def test_rows_are_scored_under_every_condition_when_full_and_as_they_are_when_not(model: Model):
    values, predictions = evaluate(model, packed(DATASET), DATASET, TEST)
    rows = predictions.groupby("condition")["utterance_id"].agg(list)
    assert rows["{a}"] == ["u15", "u22", "u23"] and rows["{a,t}"] == ["u06", "u07", "u15", "u22", "u23"]
    assert rows["{v}"] == ["u14", "u15", "u22", "u23"] and rows["{a,v,t}"] == ["u15", "u22", "u23"]
    assert len(values) == 7 * 6
    assert set(values["metric"]) == {"wa", "ua", "weighted_f1", "macro_f1", "ece", "ece_uncalibrated"}


def test_metrics_are_those_of_the_predictions(model: Model):
    values, predictions = evaluate(model, packed(DATASET), DATASET, TEST)
    for condition, rows in predictions.groupby("condition"):
        wa = values[(values["condition"] == condition) & (values["metric"] == "wa")]["value"].item()
        assert wa == pytest.approx((rows["label"] == rows["predicted"]).mean())


def test_temperatures_change_probabilities_and_never_what_is_predicted(model: Model):
    temperatures = dict.fromkeys(conditions(), 3.0)
    plain, as_they_are = evaluate(model, packed(DATASET), DATASET, TEST)
    scaled, softened = evaluate(model, packed(DATASET), DATASET, TEST, temperatures=temperatures)
    assert (softened["predicted"] == as_they_are["predicted"]).all()
    assert (softened[["p_angry", "p_happy"]].max(axis=1) < as_they_are[["p_angry", "p_happy"]].max(axis=1)).all()
    before = scaled[scaled["metric"] == "ece_uncalibrated"]["value"].to_numpy()
    assert np.allclose(before, plain[plain["metric"] == "ece"]["value"])


def test_probabilities_sum_to_one_and_the_largest_is_predicted(model: Model):
    _, predictions = evaluate(model, packed(DATASET), DATASET, TEST, [Condition([A, T])])
    columns = ["p_angry", "p_happy"]
    assert predictions[columns].sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert (predictions[columns].idxmax(axis=1) == "p_" + predictions["predicted"]).all()
    assert isinstance(predictions, pd.DataFrame) and predictions["label"].tolist() == [
        "angry",
        "happy",
        "happy",
        "angry",
        "happy",
    ]


def test_a_condition_that_no_row_can_be_tested_under_has_no_score(model: Model):
    only_incomplete = np.array([6, 7])
    assert list(scores_under(model, packed(DATASET), only_incomplete, conditions(), "ua")) == [Condition([A, T])]
    with pytest.raises(ValueError, match=r"none of the 2 rows can be tested under \{v\}"):
        evaluate(model, packed(DATASET), DATASET, only_incomplete, [Condition([V])])
