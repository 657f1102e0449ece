import pandas as pd
import pytest

from affectory.data.folds import cross_validation, leaks, make_folds


def corpus(**columns: list) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    table = {"speaker": [""] * n, "dialogue_id": [""] * n, "split": [""] * n, "emotion": ["x"] * n}
    return pd.DataFrame({"utterance_id": [f"u{row}" for row in range(n)], **table, **columns})


def test_given_splits_are_kept():
    utterances = corpus(split=["train", "test", "val"], speaker=["a", "b", "c"])
    folds, note = make_folds(utterances, seed=0)
    assert folds["split"].tolist() == ["train", "test", "val"] and folds["fold"].tolist() == [0, 0, 0]
    assert note == "The given splits are kept."


def test_speakers_that_given_parts_share_are_counted_in_the_note():
    utterances = corpus(split=["train", "test", "val", "val", "val"], speaker=["Joey", "Joey", "Ross", "", "Joey"])
    folds, note = make_folds(utterances, seed=0)
    assert "1 speakers are in more than one part, so scores are not of new speakers" in note
    assert leaks(utterances, folds) == ["fold 0: speaker Joey is in train and val and test"]
    assert leaks(utterances, folds, shared_speakers=True) == []


def test_a_given_val_part_becomes_the_test_part_and_val_is_carved_out_by_speaker():
    utterances = corpus(split=["train"] * 20 + ["val"] * 4, speaker=[f"s{row // 2}" for row in range(24)])
    folds, note = make_folds(utterances, seed=0)
    assert folds["split"].value_counts().to_dict() == {"train": 16, "val": 4, "test": 4}
    assert set(folds["split"][20:]) == {"test"} and leaks(utterances, folds) == []
    assert "the given val part is the test part" in note and "val carved out of train disjoint by speaker" in note


def test_where_only_train_is_given_both_others_are_carved_out_and_the_note_speaks_of_no_given_val_part():
    utterances = corpus(split=["train"] * 20, speaker=[f"s{row // 2}" for row in range(20)])
    folds, note = make_folds(utterances, seed=0)
    assert folds["split"].value_counts().to_dict() == {"train": 12, "val": 4, "test": 4}
    assert "given val part" not in note and "val and test carved out of train disjoint by speaker" in note


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


def test_a_validation_part_that_is_carved_out_of_a_series_tears_no_dialogue():
    # Six of the cast in every scene: all speakers are one group, and one of them speaks a sixth of all lines.
    cast, scenes = ["Joey", "Ross", "Monica", "Rachel", "Phoebe", "Chandler"], 40
    utterances = corpus(
        speaker=cast * scenes,
        dialogue_id=[f"d{scene}" for scene in range(scenes) for _ in cast],
        split=["train" if scene < 34 else "val" for scene in range(scenes) for _ in cast],
    )
    folds, note = make_folds(utterances, seed=0)
    assert leaks(utterances, folds, shared_speakers=True) == [] and "carved out of train disjoint by dialogue" in note
    train = utterances.loc[(folds["split"] == "train").to_numpy(), "speaker"]
    assert set(train) == set(cast)


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


def fold_parts(utterances: pd.DataFrame, folds: pd.DataFrame, column: str) -> list[dict[str, set[str]]]:
    """For each fold, the values of a column in each part."""
    table = folds.merge(utterances.drop(columns="split"), on="utterance_id")
    return [{str(part): set(rows[column]) for part, rows in fold.groupby("split")} for _, fold in table.groupby("fold")]


def sessions(n: int, without_speaker: int = 0) -> pd.DataFrame:
    """n sessions of two speakers who meet in two dialogues of four rows."""
    rows = [(f"s{n}{'ab'[row % 2]}", f"d{n}{row // 4}") for n in range(n) for row in range(8)]
    speakers = [speaker for speaker, _ in rows]
    return corpus(
        speaker=[""] * without_speaker + speakers[without_speaker:],
        dialogue_id=[dialogue for _, dialogue in rows],
    )


def test_five_folds_of_twenty_actors_test_four_select_on_three_and_train_on_thirteen():
    # 60 rows each, as in ravdess; the actors alternate, so that a fold is no run of rows.
    utterances = corpus(speaker=[f"Actor_{row % 20}" for row in range(1200)], emotion=["x", "y", "z"] * 400)
    folds, note = cross_validation(utterances, 5, seed=0)
    parts = fold_parts(utterances, folds, "speaker")
    assert [{name: len(group) for name, group in fold.items()} for fold in parts] == [
        {"test": 4, "train": 13, "val": 3}
    ] * 5
    assert set.union(*(fold["test"] for fold in parts)) == set(utterances["speaker"])
    assert sorted(folds["fold"].unique()) == [1, 2, 3, 4, 5] and len(folds) == 5 * 1200
    assert leaks(utterances, folds) == []
    assert note.startswith("5 folds disjoint by speaker, every group tested once") and "given" not in note


@pytest.mark.real
def test_five_folds_of_ravdess_test_each_actor_once(real_corpora):
    utterances = pd.read_csv(real_corpora / "ravdess" / "utterances.csv", dtype=str, keep_default_na=False)
    folds, note = cross_validation(utterances, 5, seed=0)
    parts = fold_parts(utterances, folds, "speaker")
    assert [{name: len(group) for name, group in fold.items()} for fold in parts] == [
        {"test": 4, "train": 13, "val": 3}
    ] * 5
    assert len(set.union(*(fold["test"] for fold in parts))) == 20
    assert leaks(utterances, folds) == [] and note.endswith("The given splits are not used.")


def test_speakers_who_meet_are_tested_together():
    utterances = sessions(6)
    folds, note = cross_validation(utterances, 3, seed=0)
    assert leaks(utterances, folds) == [] and "disjoint by speaker and dialogue" in note
    assert folds["split"].value_counts().to_dict() == {"train": 3 * 24, "test": 3 * 16, "val": 3 * 8}


def test_a_fold_has_every_part_even_of_the_fewest_groups_that_can_be_divided():
    for n_groups, n_folds in ((4, 2), (3, 3), (5, 5)):
        utterances = corpus(speaker=[f"s{row % n_groups}" for row in range(40)])
        folds, _ = cross_validation(utterances, n_folds, seed=0)
        assert (folds.groupby("fold")["split"].nunique() == 3).all()
        assert leaks(utterances, folds) == []


def test_every_class_is_tested_in_every_fold_where_the_groups_allow_it():
    # Twelve speakers, each of one emotion only: a fold of four has to draw one or two of each.
    utterances = corpus(speaker=[f"s{row % 12}" for row in range(120)], emotion=["x", "y", "z"] * 40)
    folds, _ = cross_validation(utterances, 3, seed=0)
    assert all(len(fold["test"]) == 3 for fold in fold_parts(utterances, folds, "emotion"))


def test_without_speakers_and_dialogues_folds_keep_files_or_else_utterances_whole():
    utterances = corpus(media=[f"m{row // 5}" for row in range(30)])
    folds, note = cross_validation(utterances, 3, seed=0)
    assert "disjoint by media" in note
    for fold in fold_parts(utterances, folds, "media"):
        assert not fold["test"] & fold["train"] and not fold["val"] & fold["train"]
    folds, note = cross_validation(corpus(emotion=["x"] * 10), 5, seed=0)
    assert "disjoint by utterance" in note and len(folds) == 50


def test_one_speaker_out_makes_a_fold_of_each_speaker_of_each_session():
    utterances = sessions(5)
    folds, note = cross_validation(utterances, None, seed=0)
    parts = fold_parts(utterances, folds, "speaker")
    assert len(parts) == 10 and sorted(folds["fold"].unique()) == list(range(1, 11))
    assert parts[0] == {"test": {"s0a"}, "val": {"s1a", "s1b"}, "train": {f"s{n}{x}" for n in (2, 3, 4) for x in "ab"}}
    assert parts[9]["test"] == {"s4b"} and parts[9]["val"] == {"s0a", "s0b"}
    assert leaks(utterances, folds) == []
    assert "10 folds of 5 sessions" in note and "leaves the partners" in note and "Published work" in note


def test_the_partner_of_the_test_speaker_is_in_no_part_of_the_fold():
    utterances = sessions(6)
    folds, _ = cross_validation(utterances, None, seed=0)
    assert len(set(folds["fold"])) == 12
    for fold in fold_parts(utterances, folds, "speaker"):
        (tested,) = fold["test"]
        partner = tested[:2] + ("b" if tested.endswith("a") else "a")
        assert partner not in fold["train"] | fold["val"]


def test_utterances_without_a_speaker_are_not_tested_and_the_note_says_so():
    utterances = sessions(3, without_speaker=1)
    folds, note = cross_validation(utterances, None, seed=0)
    assert "u0" not in set(folds.loc[folds["split"] == "test", "utterance_id"])
    assert leaks(utterances, folds) == [] and "1 utterances without a speaker are not tested" in note


def test_given_splits_are_not_used_in_a_cross_validation_and_the_note_says_so():
    utterances = sessions(4).assign(split="train")
    for n_folds in (2, None):
        folds, note = cross_validation(utterances, n_folds, seed=0)
        assert set(folds["split"]) == {"train", "val", "test"} and note.endswith("The given splits are not used.")


def test_the_same_seed_makes_the_same_cross_validation_and_another_seed_another():
    utterances = corpus(speaker=[f"s{row}" for row in range(30)])
    assert cross_validation(utterances, 3, 3)[0].equals(cross_validation(utterances, 3, 3)[0])
    assert not cross_validation(utterances, 3, 3)[0].equals(cross_validation(utterances, 3, 4)[0])


def test_what_cannot_be_cross_validated_says_what_it_takes():
    with pytest.raises(ValueError, match="1 folds: expected at least 2"):
        cross_validation(sessions(5), 1, seed=0)
    with pytest.raises(ValueError, match=r"7 folds disjoint by speaker and dialogue: .* at least 7 groups.* came 6 "):
        cross_validation(sessions(6), 7, seed=0)
    with pytest.raises(ValueError, match=r"2 folds .* at least 4 groups.* came 3 .*; ask for fewer folds"):
        cross_validation(sessions(3), 2, seed=0)
    with pytest.raises(ValueError, match=r"at least 3 sessions .* came 4 speakers in 2 sessions; fill in speaker"):
        cross_validation(sessions(2), None, seed=0)
    with pytest.raises(ValueError, match="came 0 speakers"):
        cross_validation(corpus(emotion=["x"] * 10), None, seed=0)
    with pytest.raises(ValueError, match="came 0 among 0 utterances"):
        cross_validation(sessions(0), 2, seed=0)
