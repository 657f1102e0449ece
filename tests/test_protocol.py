import pandas as pd
import pytest

from affectory.protocol import leaks, make_folds


def corpus(**columns: list) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    table = {"speaker": [""] * n, "dialogue_id": [""] * n, "split": [""] * n, "emotion": ["x"] * n}
    return pd.DataFrame({"utterance_id": [f"u{row}" for row in range(n)], **table, **columns})


def test_given_splits_are_kept():
    utterances = corpus(split=["train", "test", "val"], speaker=["a", "b", "c"])
    folds, note = make_folds(utterances, seed=0)
    assert folds["split"].tolist() == ["train", "test", "val"] and folds["fold"].tolist() == [0, 0, 0]
    assert note == "The given splits are kept."


def test_a_given_val_part_becomes_the_test_part_and_val_is_carved_out_by_speaker():
    utterances = corpus(split=["train"] * 20 + ["val"] * 4, speaker=[f"s{row // 2}" for row in range(24)])
    folds, note = make_folds(utterances, seed=0)
    assert folds["split"].value_counts().to_dict() == {"train": 16, "val": 4, "test": 4}
    assert set(folds["split"][20:]) == {"test"} and leaks(utterances, folds) == []
    assert "the given val part is the test part" in note and "val carved out of train disjoint by speaker" in note


def test_without_splits_speakers_and_dialogues_stay_together():
    dialogues = [f"d{row // 3}" for row in range(60)]
    speakers = [f"s{row // 6}" for row in range(60)]  # each speaker has two dialogues
    utterances = corpus(speaker=speakers, dialogue_id=dialogues, emotion=["x", "y"] * 30)
    folds, note = make_folds(utterances, seed=0)
    assert folds["split"].value_counts().to_dict() == {"train": 36, "val": 12, "test": 12}
    assert leaks(utterances, folds) == [] and "disjoint by speaker and dialogue" in note


def test_speakers_who_meet_in_dialogues_are_one_group():
    # s0 and s1 share d0, s1 and s2 share d1: the six rows cannot be torn apart.
    utterances = corpus(
        speaker=["s0", "s1", "s1", "s2", "s0", "s2"] + [f"t{row}" for row in range(12)],
        dialogue_id=["d0", "d0", "d1", "d1", "d2", "d2"] + [f"e{row}" for row in range(12)],
    )
    folds, _ = make_folds(utterances, seed=0)
    assert folds["split"][:6].nunique() == 1 and leaks(utterances, folds) == []


def test_where_all_speakers_meet_the_dialogues_are_divided_and_the_note_says_so():
    utterances = corpus(speaker=["s0", "s1"] * 12, dialogue_id=[f"d{row // 2}" for row in range(24)])
    folds, note = make_folds(utterances, seed=0)
    assert "disjoint by dialogue" in note and "speaker" not in note
    assert all("speaker" in leak for leak in leaks(utterances, folds))


def test_every_part_gets_every_class_where_the_speakers_allow_it():
    utterances = corpus(speaker=[f"s{row // 3}" for row in range(45)], emotion=["x", "y", "z"] * 15)
    folds, _ = make_folds(utterances, seed=1)
    parts = utterances.assign(split=folds["split"]).groupby("split")["emotion"].nunique()
    assert parts.to_dict() == {"train": 3, "val": 3, "test": 3}


def test_the_same_seed_makes_the_same_folds_and_another_seed_others():
    utterances = corpus(speaker=[f"s{row}" for row in range(30)])
    assert make_folds(utterances, 3)[0].equals(make_folds(utterances, 3)[0])
    assert not make_folds(utterances, 3)[0].equals(make_folds(utterances, 4)[0])


def test_rows_without_a_split_are_left_out_where_others_have_one():
    utterances = corpus(split=["train", "val", "test", ""])
    folds, note = make_folds(utterances, seed=0)
    assert (
        folds["utterance_id"].tolist() == ["u0", "u1", "u2"] and "1 utterances without a split are in no fold" in note
    )


def test_empty_and_absent_columns_are_no_speakers():
    utterances = pd.DataFrame({"utterance_id": [f"u{row}" for row in range(10)], "speaker": [None] * 10})
    folds, note = make_folds(utterances, seed=0)
    assert folds["split"].value_counts().to_dict() == {"train": 6, "val": 2, "test": 2}
    assert "disjoint by utterance" in note and leaks(utterances, folds) == []


def test_a_wrong_split_word_and_too_few_utterances_are_refused():
    with pytest.raises(ValueError, match=r"\['dev'\]: expected train, val, test"):
        make_folds(corpus(split=["dev"]), seed=0)
    with pytest.raises(ValueError, match="2 utterances cannot be divided into train, val, test"):
        make_folds(corpus(split=["", ""]), seed=0)
    with pytest.raises(ValueError, match="no train part"):
        make_folds(corpus(split=["val", "test"]), seed=0)


def test_leaks_are_found_and_named():
    utterances = corpus(speaker=["anna", "anna", "bert"], dialogue_id=["d0", "d1", "d1"])
    folds = pd.DataFrame(
        {"fold": 0, "utterance_id": ["u0", "u1", "u2", "u2"], "split": ["train", "test", "val", "val"]}
    )
    assert leaks(utterances, folds) == [
        "fold 0: utterance u2 is 2 times in val",
        "fold 0: speaker anna is in train and test",
        "fold 0: dialogue d1 is in val and test",
    ]
