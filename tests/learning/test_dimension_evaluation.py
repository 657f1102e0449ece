"""Metrics and predictions of valence and arousal under every condition."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.learning.dimension_evaluation import evaluate_dimensions
from affectory.learning.experiment import Fold, train_experiment
from affectory.models import FAMILIES
from affectory.results.metrics import ccc, mse
from affectory.vocabulary import DIMENSIONS, Modality
from tests.fixtures.datasets import small_dataset

DATASET = small_dataset(64, missing={6: [Modality.VISUAL]}, dimensions=DIMENSIONS)
FULL = "{a,v,t}"


@pytest.fixture(scope="module")
def trained():
    config = FAMILIES["valence_arousal"].experiments("debug")["multimodal_augmented"]
    return train_experiment("valence_arousal", config, Fold(DATASET, torch.device("cpu")), seed=0)


@pytest.fixture(scope="module")
def tables(trained):
    return evaluate_dimensions(trained.model, trained.data, DATASET, DATASET.rows("test"), DATASET.rows("val"))


def test_every_condition_and_dimension_is_measured_as_its_predictions_say(tables):
    values, predictions = tables
    found = values.set_index(["condition", "metric"])["value"]
    assert set(predictions["condition"]) == {"{a}", "{v}", "{t}", "{a,v}", "{a,t}", "{v,t}", FULL}
    for (condition, dimension), rows in predictions.groupby(["condition", "dimension"]):
        truth, predicted = rows["label"].to_numpy(), rows["predicted"].to_numpy()
        assert found[condition, f"ccc_{dimension}"] == pytest.approx(ccc(truth, predicted), abs=1e-9)
        assert found[condition, f"mse_{dimension}"] == pytest.approx(mse(truth, predicted), abs=1e-9)
    both = [found[FULL, f"ccc_{name}"] for name in DIMENSIONS]
    assert found[FULL, "ccc"] == pytest.approx(np.mean(both))


def test_the_mean_over_videos_is_of_each_videos_own_ccc(tables):
    values, predictions = tables
    rows = predictions[(predictions["condition"] == FULL) & (predictions["dimension"] == "valence")]
    video = dict(zip(DATASET.utterance_ids, DATASET.dialogues, strict=True))
    of_video = [
        ccc(part["label"].to_numpy(), part["predicted"].to_numpy())
        for _, part in rows.groupby(rows["utterance_id"].map(video.get))
        if len(part) > 1
    ]
    found = values.set_index(["condition", "metric"])["value"][FULL, "video_ccc_valence"]
    assert found == pytest.approx(np.mean(of_video))


def test_what_is_done_after_training_reads_no_test_label(trained, tables):
    """With other labels of test rows the same predictions are rescaled to the same numbers."""
    other = replace(DATASET, labels=DATASET.labels.copy())
    other.labels[other.rows("test")] *= -1
    values, _ = evaluate_dimensions(trained.model, trained.data, other, other.rows("test"), other.rows("val"))
    before, after = (table.set_index(["condition", "metric"])["value"] for table in (tables[0], values))
    # Labels mirrored, predictions not: the covariance turns its sign, so 1 / CCC moves by the means alone.
    assert before[FULL, "rescaled_ccc_valence"] > 0 > after[FULL, "rescaled_ccc_valence"]


def test_a_row_that_lacks_one_dimension_counts_for_the_other_alone(trained):
    some = replace(DATASET, labels=DATASET.labels.copy())
    tested = some.rows("test")
    some.labels[tested[1], 1] = np.nan
    _, predictions = evaluate_dimensions(trained.model, trained.data, some, tested, some.rows("val"))
    of = predictions[
        (predictions["utterance_id"] == some.utterance_ids[tested[1]]) & (predictions["condition"] == FULL)
    ]
    assert of["dimension"].tolist() == ["valence"]


def test_without_validation_rows_nothing_is_fitted_after_training(trained):
    values, _ = evaluate_dimensions(trained.model, trained.data, DATASET, DATASET.rows("test"), DATASET.rows("val")[:0])
    assert not values["metric"].str.contains("rescaled|smoothed").any()


def test_a_dimension_that_validation_does_not_rate_takes_nothing_from_the_other(trained):
    some = replace(DATASET, labels=DATASET.labels.copy())
    some.labels[some.rows("val"), 1] = np.nan
    values, _ = evaluate_dimensions(trained.model, trained.data, some, some.rows("test"), some.rows("val"))
    found = set(values["metric"])
    assert {"val_ccc", "rescaled_ccc_valence", "smoothed_ccc_valence", "ccc_arousal"} <= found
    assert not {"rescaled_ccc_arousal", "smoothed_ccc_arousal"} & found
