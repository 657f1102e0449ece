import pandas as pd
import pytest

from affectory.corpora import CorpusError, corpus_state, media_paths, open_corpus, read_utterances
from affectory.data.folds import leaks, make_folds

TOML = 'licence = "CC BY-NC-SA 3.0 DE"\nculture = "en"\nlayout = "omg"\n'
HEADER = "link,start,end,video,utterance,arousal,valence,EmotionMaxVote\n"
TEXT_HEADER = "link,video,utterance,transcript\n"
LINK = "https://www.youtube.com/watch?v=CRO-sl0"
TRAIN = (
    f"{LINK},15.4,19.7,5b44_1,utterance_4.mp4,0.17,-0.024,4\n"
    f"{LINK},21.3,36.8,5b44_1,utterance_6.mp4,0.42,0.293,3\n"
    f"{LINK},80.0,81.0,5b44_2,utterance_1.mp4,1.0,-1.0,0\n"
)
TEXTS = f'"{LINK}",5b44_1,utterance_4.mp4,"hi I\'m fine "\n"{LINK}",5b44_1,utterance_6.mp4,""\n'


@pytest.fixture
def release(new_release):
    """Three utterances of two videos of one link, to train on; no films."""
    release = new_release("omg")
    release.write("corpus.toml", TOML)
    release.write("omg_TrainVideos.csv", HEADER + TRAIN)
    release.write("omg_TrainTranscripts.csv", TEXT_HEADER + TEXTS)
    return release


def test_an_utterance_has_its_labels_on_the_releases_scales(release):
    reading = release.read()
    assert not reading.refusals and set(reading.table["split"]) == {"train"}
    first = reading.table.iloc[0]
    assert (first["utterance_id"], first["dialogue_id"], first["turn"]) == ("5b44_1_utterance_4", "5b44_1", 4)
    assert (first["arousal"], first["valence"], first["emotion"]) == (0.17, -0.024, "neutral")
    assert (first["media"], first["start_s"], first["end_s"]) == (None, 15.4, 19.7)
    assert list(release.column("emotion").values()) == ["neutral", "happy", "anger"]


def test_the_seven_codes_are_the_official_ones(release):
    lines = [f"{LINK},0,1,v{code},utterance_1.mp4,0.5,0.5,{code}\n" for code in range(7)]
    release.write("omg_TrainVideos.csv", HEADER + "".join(lines))
    codes = ["anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    assert list(release.column("emotion").values()) == codes


def test_videos_of_one_link_share_their_speaker(release):
    assert set(release.column("speaker").values()) == {"CRO-sl0"}


def test_an_utterance_without_words_or_without_a_line_has_no_transcript(release):
    assert list(release.column("transcript").values()) == ["hi I'm fine", None, None]
    (release.root / "omg_TrainTranscripts.csv").unlink()
    assert set(release.column("transcript").values()) == {None} and len(release.read().table) == 3


def test_of_two_transcripts_of_an_utterance_the_first_with_words_counts(release):
    more = f'"{LINK}",5b44_1,utterance_6.mp4,"one"\n"{LINK}",5b44_1,utterance_6.mp4,"two"\n'
    release.write("omg_TrainTranscripts.csv", TEXT_HEADER + TEXTS + more)
    assert release.column("transcript")["5b44_1_utterance_6"] == "one"


def test_the_official_parts_are_train_val_and_test(release):
    for name in ["omg_TestTranscripts.tsv", "omg_TestTranscripts.csv"]:
        release.write("omg_ValidationVideos.csv", HEADER + f"{LINK},0,1,74de,utterance_1.mp4,0.5,0.5,5\n")
        release.write("omg_TestVideos_WithLabels.csv", HEADER + f"{LINK},0,1,1f61,utterance_1.mp4,0.5,0.5,5\n")
        release.write(name, TEXT_HEADER + f'"{LINK}",1f61,utterance_1.mp4,"hey"\n')
        assert list(release.column("split").values()) == ["train", "train", "train", "val", "test"]
        assert release.column("transcript")["1f61_utterance_1"] == "hey"
        (release.root / name).unlink()


def test_a_clip_is_its_utterance_and_a_whole_film_holds_it_between_its_times(release):
    release.write_sound("media/5b44_1/utterance_4.mp4")
    release.write_sound("media/5b44_1.mp4", seconds=40.0)
    table = release.read().table.set_index("utterance_id")[["media", "start_s", "end_s"]]
    assert table.loc["5b44_1_utterance_4"].tolist() == ["media/5b44_1/utterance_4.mp4", 0.0, 0.5]
    assert table.loc["5b44_1_utterance_6"].tolist() == ["media/5b44_1.mp4", 21.3, 36.8]
    assert table.loc["5b44_2_utterance_1"].tolist() == [None, 80.0, 81.0]
    assert media_paths(open_corpus(release.root)) == ["media/5b44_1/utterance_4.mp4", "media/5b44_1.mp4"]


def test_each_broken_line_is_refused_and_the_rest_goes_on(release):
    release.write(
        "omg_TrainVideos.csv",
        HEADER
        + TRAIN
        + f"{LINK},0,1,v,utterance_1.mp4,1.5,0.5,5\n"
        + f"{LINK},0,1,v,utterance_2.mp4,0.5,nan,5\n"
        + f"{LINK},0,1,v,utterance_3.mp4,0.5,0.5,7\n"
        + f"{LINK},0,1,../../etc,utterance_4.mp4,0.5,0.5,5\n"
        + f"{LINK},0,1,v,passwd,0.5,0.5,5\n"
        + f"{LINK},2,1,v,utterance_5.mp4,0.5,0.5,5\n"
        + f"{LINK},0,1,v,utterance_6.mp4\n"
        + TRAIN.splitlines(keepends=True)[0],
    )
    assert len(release.read().table) == 3
    assert sorted(release.refused(), key=str) == [
        ("../../etc_utterance_4.mp4", "bad_row"),
        ("5b44_1_utterance_4", "duplicate_utterance_id"),
        ("v_passwd", "bad_row"),
        ("v_utterance_1.mp4", "bad_number"),
        ("v_utterance_2", "bad_number"),
        ("v_utterance_3.mp4", "unknown_label"),
        ("v_utterance_5", "beyond_media_end"),
        (None, "bad_row"),
    ]


def test_the_train_table_must_be_there_with_its_columns(release):
    release.write("omg_TrainVideos.csv", "link,start,end,video,utterance\n")
    with pytest.raises(CorpusError, match=r"without arousal, valence, EmotionMaxVote"):
        release.read()
    (release.root / "omg_TrainVideos.csv").unlink()
    with pytest.raises(CorpusError, match=r"expected omg_TrainVideos\.csv in the corpus folder.*; copy"):
        release.read()


def test_the_state_changes_with_tables_transcripts_and_films(release):
    states = [corpus_state(open_corpus(release.root))]
    for write in (
        lambda: release.write("omg_TestTranscripts.tsv", TEXT_HEADER),
        lambda: release.write("omg_ValidationVideos.csv", HEADER),
        lambda: release.write_sound("media/5b44_1.mp4"),
    ):
        write()
        states.append(corpus_state(open_corpus(release.root)))
    assert len(set(states)) == 4


@pytest.mark.real
def test_the_real_tables_are_read_whole_and_divide_by_link(real_corpora):
    reading = read_utterances(open_corpus(real_corpora / "omg"), pd.DataFrame({"media": []}))
    table = reading.table
    assert not reading.refusals and table["utterance_id"].is_unique and len(table) == 2442
    assert (table["dialogue_id"].nunique(), table["speaker"].nunique()) == (231, 125)
    assert table["transcript"].isna().sum() == 56
    assert table["arousal"].mean() == pytest.approx(0.454, abs=1e-3)
    assert table["valence"].mean() == pytest.approx(0.167, abs=1e-3)
    assert not leaks(table, make_folds(table, 0)[0])
