import numpy as np
import pandas as pd
import pytest
import torch

from affectory.data.conditions import (
    condition_masks,
    draw_available,
    missing_modality_sets,
    rows_under,
    training_conditions,
)
from affectory.vocabulary import MODALITIES, Condition, Modality, conditions

A, V, T = MODALITIES


def test_a_full_utterance_gives_six_rows_and_an_incomplete_one_itself():
    availability = pd.DataFrame(
        {
            "utterance_id": ["full", "no_face", "nothing"],
            "acoustic": [1, 1, 0],
            "visual": [1, 0, 0],
            "textual": [1, 1, 0],
        }
    ).astype({"acoustic": bool, "visual": bool, "textual": bool})
    sets = missing_modality_sets(availability, {"full": "train", "no_face": "test", "nothing": "test"}, MODALITIES)
    names = sets.groupby("utterance_id")["condition"].agg(list).to_dict()
    assert names == {"full": ["{a}", "{v}", "{t}", "{a,v}", "{a,t}", "{v,t}"], "no_face": ["{a,t}"]}
    row = sets[(sets.utterance_id == "full") & (sets.condition == "{a,t}")].iloc[0]
    assert (row.split, row.acoustic, row.visual, row.textual) == ("train", True, False, True)


def test_with_two_modalities_a_full_utterance_gives_two_rows():
    availability = pd.DataFrame({"utterance_id": ["u"], "acoustic": [True], "visual": [True]})
    sets = missing_modality_sets(availability, {"u": "val"}, [A, V])
    assert sets["condition"].tolist() == ["{a}", "{v}"] and not sets["textual"].any()


def test_an_utterance_in_no_fold_and_a_corpus_of_one_modality_give_no_rows():
    availability = pd.DataFrame({"utterance_id": ["u"], "acoustic": [True]})
    assert missing_modality_sets(availability, {"u": "val"}, [A]).empty
    assert missing_modality_sets(availability.assign(visual=True), {}, [A, V]).empty
    assert missing_modality_sets(availability.assign(visual=True)[:0], {"u": "val"}, [A, V]).empty


def test_training_conditions_by_kind():
    assert [str(c) for c in training_conditions("full", MODALITIES)] == ["{a,v,t}"]
    assert [str(c) for c in training_conditions("missing", [A, V])] == ["{a}", "{v}"]
    assert [str(c) for c in training_conditions("full_and_missing", [A, V])] == ["{a}", "{v}", "{a,v}"]
    assert [str(c) for c in training_conditions("missing", [A])] == ["{a}"]
    with pytest.raises(ValueError, match="'none': expected one of full, missing, full_and_missing"):
        training_conditions("none", MODALITIES)


def test_drawn_conditions_are_seeded_equally_frequent_and_leave_no_row_empty():
    masks = condition_masks(training_conditions("missing", MODALITIES), MODALITIES)
    present = torch.ones(6000, 3, dtype=torch.bool)
    drawn = draw_available(masks, present, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, draw_available(masks, present, torch.Generator().manual_seed(0)))
    counts = torch.unique(drawn, dim=0, return_counts=True)[1]
    assert len(counts) == 6 and (counts - 1000).abs().max() < 120  # four deviations of a sixth of 6000
    only_text = present & torch.tensor([False, False, True])
    assert torch.equal(draw_available(masks, only_text, torch.Generator().manual_seed(0)), only_text)


def test_an_incomplete_row_is_tested_only_as_it_is():
    present = np.array([[True, True, True], [True, False, True]])
    tested = {str(condition): rows_under(condition, present, MODALITIES).tolist() for condition in conditions()}
    assert tested.pop("{a,t}") == [True, True]
    assert set(map(tuple, tested.values())) == {(True, False)}


def test_masks_of_conditions_follow_the_order_of_modalities():
    assert condition_masks([Condition([Modality.TEXTUAL])], [A, T]).tolist() == [[False, True]]
