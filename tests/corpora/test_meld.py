import pandas as pd
import pytest

from affectory.corpora import CorpusError, corpus_state, media_paths, open_corpus, read_utterances

TOML = 'licence = "GPL-3.0"\nculture = "en"\nlayout = "meld"\n'
HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\r\n"
TRAIN = (
    '1,"Oh my God, he’s lost it.",Phoebe,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"\r\n'
    '2,What?,Monica,surprise,negative,0,2,4,7,"00:21:01,927","00:21:03,261"\r\n'
    '3,Hi.,Fireman #1,neutral,neutral,1,0,4,4,"0:12:24,660","0:12:30,915"\r\n'
)
DEV = '1,Hey!,Phoebe,joy,positive,0,0,5,1,"00:00:01,000","00:00:02,000"\r\n'


@pytest.fixture
def release(new_release):
    """Two dialogues to train on, one for development, no clips."""
    release = new_release("meld")
    release.write("corpus.toml", TOML)
    release.write("train_sent_emo.csv", HEADER + TRAIN)
    release.write("dev_sent_emo.csv", HEADER + DEV)
    return release


def test_an_utterance_has_its_words_speaker_labels_and_the_official_split(release):
    reading = release.read()
    assert reading.source == "annotations" and not reading.refusals
    first = reading.table.iloc[0]
    assert (first["utterance_id"], first["dialogue_id"], first["turn"]) == ("train_dia0_utt0", "train_dia0", 0)
    assert (first["speaker"], first["emotion"], first["sentiment"]) == ("Phoebe", "sadness", "negative")
    assert first["transcript"] == "Oh my God, he’s lost it." and first["culture"] == "en"
    assert release.column("speaker")["train_dia1_utt0"] == "Fireman #1"
    assert list(release.column("split").values()) == ["train", "train", "train", "val"]


def test_dialogues_of_one_number_in_two_tables_are_two(release):
    assert set(release.column("dialogue_id").values()) == {"train_dia0", "train_dia1", "dev_dia0"}


def test_a_turn_that_the_release_leaves_out_leaves_a_gap(release):
    assert list(release.column("turn").values()) == [0, 2, 0, 0]


def test_without_a_clip_an_utterance_is_kept_for_its_text(release):
    assert set(release.column("media").values()) == {None}
    assert media_paths(open_corpus(release.root)) == []


def test_a_clip_is_found_where_the_archives_put_it_and_is_the_whole_utterance(release):
    for place in [
        "dev/dev_splits_complete/dia0_utt0.mp4",
        "dev_splits_complete/dia0_utt0.mp4",
        "media/dev_dia0_utt0.mp4",
    ]:
        release.write_sound(place)
        media = release.column("media")
        assert media["dev_dia0_utt0"] == place and media["train_dia0_utt0"] is None
        row = release.read().table.set_index("utterance_id").loc["dev_dia0_utt0"]
        assert (row["start_s"], row["end_s"]) == (0.0, 0.5)


def test_clips_without_a_line_in_a_table_are_not_read(release):
    release.write("test_sent_emo.csv", HEADER + DEV)
    for name in ("dia0_utt0.mp4", "final_videos_testdia0_utt0.mp4", "._dia0_utt0.mp4"):
        release.write_sound(f"output_repeated_splits_test/{name}")
    assert media_paths(open_corpus(release.root)) == ["output_repeated_splits_test/dia0_utt0.mp4"]


def test_a_clip_that_cannot_be_read_is_refused_by_name(release):
    release.write("train_splits/dia0_utt2.mp4", b"")
    assert release.refused() == [("train_dia0_utt2", "media_refused")]


def test_each_broken_line_is_refused_and_the_rest_goes_on(release):
    release.write(
        "dev_sent_emo.csv",
        HEADER
        + "2,Hey!,Joey,joi,positive,0,1,5,1,0,0\r\n"
        + "3,Hey!,Joey,joy,good,0,2,5,1,0,0\r\n"
        + "4,Hey!,Joey,joy,positive,zero,3,5,1,0,0\r\n"
        + "5,Hey, you!,Joey,joy,positive,0,4,5,1,0,0\r\n"
        + "6,Hey!,Joey,joy,positive,0,5,5,1,0,0\r\n"
        + "7,Hey!,Joey,joy,positive,0,5,5,1,0,0\r\n",
    )
    assert len(release.read().table) == 4
    assert sorted(release.refused(), key=str) == [
        ("dev_dia0_utt1", "unknown_label"),
        ("dev_dia0_utt2", "unknown_label"),
        ("dev_dia0_utt5", "duplicate_utterance_id"),
        ("dev_diazero_utt3", "bad_row"),
        (None, "bad_row"),
    ]


def test_the_classes_may_be_some_of_the_seven(release):
    release.write("corpus.toml", TOML + 'emotions = ["joy", "neutral"]\n')
    assert list(release.column("emotion").values()) == [None, None, "neutral", "joy"]
    release.write("corpus.toml", TOML + 'emotions = ["happy"]\n')
    with pytest.raises(CorpusError, match=r"expected emotions to be some of anger, disgust.*came happy;"):
        release.read()


def test_the_train_table_must_be_there_and_the_others_need_not(release):
    (release.root / "dev_sent_emo.csv").unlink()
    assert len(release.read().table) == 3
    (release.root / "train_sent_emo.csv").unlink()
    with pytest.raises(CorpusError, match=r"corpus meld: expected train_sent_emo\.csv in the corpus folder.*; copy"):
        release.read()


def test_a_table_outside_the_corpus_folder_is_not_read(release, tmp_path):
    (tmp_path / "away.csv").write_text(HEADER + DEV)
    (release.root / "dev_sent_emo.csv").unlink()
    (release.root / "dev_sent_emo.csv").symlink_to(tmp_path / "away.csv")
    assert release.refused() == [(None, "unreadable_annotations")] and len(release.read().table) == 3


def test_the_state_changes_with_tables_and_clips(release):
    states = [corpus_state(open_corpus(release.root))]
    release.write("test_sent_emo.csv", HEADER + DEV)
    states.append(corpus_state(open_corpus(release.root)))
    release.write_sound("train/train_splits/dia0_utt0.mp4")
    states.append(corpus_state(open_corpus(release.root)))
    assert len(set(states)) == 3


@pytest.mark.real
def test_the_real_tables_are_read_whole(real_corpora):
    reading = read_utterances(open_corpus(real_corpora / "meld"), pd.DataFrame({"media": []}))
    assert not reading.refusals and reading.table["utterance_id"].is_unique
    assert reading.table["split"].value_counts().to_dict() == {"train": 9989, "val": 1109}
    assert reading.table["dialogue_id"].nunique() == 1038 + 114
    text = "".join(reading.table["transcript"])
    assert "’" in text and "\ufffd" not in text and not any("\x80" <= letter < "\xa0" for letter in text)
    counts = reading.table["emotion"].value_counts()
    assert (counts["neutral"], counts["disgust"], len(counts)) == (4710 + 470, 271 + 22, 7)
