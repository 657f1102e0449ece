"""From whom an utterance receives in MMGCN's graph, as the picture of a study shows it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from affectory.learning.experiment import Fold, Trained, train_experiment
from affectory.learning.graph_edges import edges_of, utterance_to_show
from affectory.models import conversation, mmgcn
from affectory.vocabulary import Modality
from tests.fixtures.datasets import small_dataset

PARTS = ("train", "train", "val", "test")
SMALL = small_dataset(24, missing={9: [Modality.VISUAL]})
DATASET = replace(SMALL, splits=[PARTS[int(name[1:])] for name in SMALL.dialogues])
CHOSEN = "u13"  # the fourth of six in its dialogue, u09 is the third


def trained(**changes) -> Trained:
    config = replace(mmgcn.FAMILY.experiments("debug")["mmgcn"], **changes)
    return train_experiment("mmgcn", config, Fold(DATASET, torch.device("cpu")), seed=0)


def edges(utterance_id: str = CHOSEN, **changes) -> pd.DataFrame:
    found = trained(**changes)
    return edges_of(found.model, found.inputs, DATASET, utterance_id)


def test_every_weight_says_who_gives_it_and_to_which_modality():
    table = edges()
    assert len(table) == 3 * 3 * 6
    of_dialogue = [f"u{row:02}" for row in (1, 5, 9, 13, 17, 21)]
    for _, rows in table.groupby(["modality", "from_modality"]):
        assert rows["utterance_id"].tolist() == of_dialogue and rows["turn"].tolist() == [1, 2, 3, 4, 5, 6]
        assert rows.loc[rows["chosen"], "utterance_id"].tolist() == [CHOSEN]
    labels = {name: DATASET.classes[label] for name, label in zip(DATASET.utterance_ids, DATASET.labels, strict=True)}
    assert table["label"].tolist() == [labels[name] for name in table["utterance_id"]]


def test_there_are_edges_within_a_modality_and_across_at_the_utterance_itself_and_no_others():
    table = edges()
    within = table["modality"] == table["from_modality"]
    missing = (table["utterance_id"] == "u09") & (table["modality"] == "visual")
    assert (table.loc[within & ~missing, "weight"] > 0).all() and (table.loc[within & missing, "weight"] == 0).all()
    assert (table.loc[~within & table["chosen"], "weight"] > 0).all()
    assert (table.loc[~within & ~table["chosen"], "weight"] == 0).all()


def test_a_causal_model_receives_nothing_from_later_utterances():
    table = edges(causal=True)
    assert (table.loc[table["turn"] > 4, "weight"] == 0).all() and (table.loc[table["turn"] == 1, "weight"] > 0).any()


def test_the_weights_are_those_of_the_graph_that_the_model_uses():
    found = trained()
    whole = pd.concat(edges_of(found.model, found.inputs, DATASET, f"u{row:02}") for row in (1, 5, 9, 13, 17, 21))
    joined = whole["modality"] == whole["from_modality"]
    matrix = whole.loc[joined & (whole["modality"] == "acoustic"), "weight"].to_numpy().reshape(6, 6)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)  # normalised on both sides


def test_what_has_no_such_graph_and_unknown_utterances_are_refused_by_name():
    with pytest.raises(ValueError, match="nobody"):
        edges("nobody")
    config = conversation.FAMILY.experiments("debug")["bc_lstm"]
    rival = train_experiment("conversation", config, Fold(DATASET, torch.device("cpu")), seed=0)
    with pytest.raises(ValueError, match="MMGCN"):
        edges_of(rival.model, rival.inputs, DATASET, CHOSEN)


def test_the_twentieth_or_last_utterance_of_the_longest_tested_dialogue_is_shown():
    assert utterance_to_show(DATASET) == "u23"  # six utterances, d3 is tested
    longer = small_dataset(96)
    assert utterance_to_show(replace(longer, splits=["test"] * 96)) == "u76"  # the twentieth of d0


def test_an_utterance_that_lacks_a_modality_is_not_chosen_while_another_has_them_all():
    longer = small_dataset(96, missing={76: [Modality.TEXTUAL]})
    assert utterance_to_show(replace(longer, splits=["test"] * 96)) in ("u72", "u80")
    none_whole = small_dataset(96, missing={row: [Modality.VISUAL] for row in range(95)})
    assert utterance_to_show(replace(none_whole.only([Modality.ACOUSTIC]), splits=["test"] * 96)) == "u76"
