"""Models of conversations in the one training loop: what a row sees of its dialogue, and what is learned from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Dataset
from affectory.learning.deployed import load_deployed
from affectory.learning.evaluation import logits_under
from affectory.learning.experiment import Fold, Trained, train_experiment
from affectory.models import mmgcn
from affectory.serving import predict
from affectory.serving.pyfunc import signature
from affectory.vocabulary import Modality, conditions
from tests.fixtures.datasets import small_dataset

CONFIG = mmgcn.FAMILY.experiments("debug")["mmgcn"]
UNDER = conditions()


def whole(dataset: Dataset) -> Dataset:
    """Every dialogue in one part, its second row context only."""
    numbers = [int(name[1:]) for name in dataset.dialogues]
    splits = [("train", "train", "val", "test")[number] for number in numbers]
    splits = ["" if 4 <= row < 8 else split for row, split in enumerate(splits)]
    return replace(dataset, splits=splits, speakers=[f"s{row // 4 % 2}" for row in range(len(splits))])


DATASET = whole(small_dataset(24, missing={0: [Modality.VISUAL]}))


def train(dataset: Dataset = DATASET, **changes) -> Trained:
    return train_experiment("mmgcn", replace(CONFIG, **changes), Fold(dataset, torch.device("cpu")), seed=0)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train()


def test_a_row_is_scored_with_all_of_its_dialogue_whichever_rows_are_asked_for(trained: Trained):
    everything = logits_under(trained.model, trained.data, np.arange(24), UNDER)
    some = np.array([13, 2, 5])
    assert np.allclose(logits_under(trained.model, trained.data, some, UNDER), everything[:, some], atol=1e-5)


def test_the_label_of_a_row_that_is_only_context_is_not_learned(trained: Trained):
    labels = DATASET.labels.copy()
    labels[4:8] = 1 - labels[4:8]
    other = train(replace(DATASET, labels=labels))
    assert all(torch.equal(value, other.fit.state[name]) for name, value in trained.fit.state.items())


def test_what_is_said_by_others_counts(trained: Trained):
    louder = {m: replace(s, frames=s.frames.copy()) for m, s in DATASET.sequences.items()}
    for sequences in louder.values():
        sequences.frames[sequences.starts[4] : sequences.starts[4] + sequences.lengths[4]] += 3.0
    data = PackedFeatures.from_dataset(replace(DATASET, sequences=louder), trained.inputs)
    rows = np.array([0, 1])  # of the dialogue that row 4 is in, and of another
    before, after = (logits_under(trained.model, of, rows, UNDER)[-1] for of in (trained.data, data))
    assert not np.allclose(before[0], after[0], atol=1e-5) and np.allclose(before[1], after[1], atol=1e-6)


def test_classes_are_weighted_by_the_training_rows():
    labels = DATASET.labels.copy()
    labels[np.flatnonzero(labels == 1)[1:]] = 0
    weights = train(replace(DATASET, labels=labels), loss="class_weighted").model.state_dict()["class_weights"]
    assert weights[1] > weights[0] > 1


def test_a_saved_model_of_conversations_predicts_what_it_did(trained: Trained, tmp_path: Path):
    trained.save(tmp_path)
    deployed = load_deployed(tmp_path)
    rows = trained.data.dialogues_of(np.array([3]))[0]
    features = {m: [s.row(row) if s.lengths[row] else None for row in rows] for m, s in DATASET.sequences.items()}
    told = {"dialogues": ["one"] * len(rows), "speakers": [DATASET.speakers[row] for row in rows]}
    together = deployed.predict(features, **told).probabilities
    logits = torch.from_numpy(logits_under(trained.model, trained.data, rows, None)[0])
    scale = deployed.temperatures[UNDER[-1]]
    assert np.allclose(together, (logits / scale).softmax(-1), atol=1e-5)
    assert not np.allclose(together, deployed.predict(features).probabilities, atol=1e-4)  # each by itself


def test_a_service_names_dialogue_and_speaker_in_columns(trained: Trained, tmp_path: Path):
    trained.save(tmp_path)
    deployed = load_deployed(tmp_path)
    columns = [column.name for column in signature(deployed).inputs]
    assert columns[-3:] == ["feature_sets", "dialogue_id", "speaker"]
    acoustic = DATASET.sequences[Modality.ACOUSTIC]
    rows = pd.DataFrame({"acoustic": [acoustic.row(row).tolist() for row in range(3)]})
    alone = predict(deployed, rows)
    one_dialogue = predict(deployed, rows.assign(dialogue_id=["x", "x", None], speaker=["ann", "bob", None]))
    assert not np.allclose(alone["p_happy"][:2], one_dialogue["p_happy"][:2], atol=1e-5)
    assert np.isclose(alone["p_happy"][2], one_dialogue["p_happy"][2], atol=1e-6)


def test_a_causal_model_keeps_its_answers_when_a_running_conversation_goes_on(tmp_path: Path):
    train(causal=True).save(tmp_path)
    deployed = load_deployed(tmp_path)
    said = [row for row, name in enumerate(DATASET.dialogues) if name == "d3"]
    rows = pd.DataFrame({str(m): [s.row(row).tolist() or None for row in said] for m, s in DATASET.sequences.items()})
    rows = rows.assign(dialogue_id="live", speaker=[DATASET.speakers[row] for row in said])
    whole = predict(deployed, rows)["p_happy"].to_numpy()
    for so_far in range(1, len(said) + 1):
        np.testing.assert_allclose(predict(deployed, rows[:so_far])["p_happy"], whole[:so_far], atol=1e-6)
    alone = predict(deployed, rows.drop(columns="dialogue_id"))["p_happy"].to_numpy()
    assert not np.allclose(alone[1:], whole[1:], atol=1e-4)  # the past counts
