import pytest

from affectory.corpora import CorpusError, media_paths, open_corpus

TOML = 'licence = "as in the release"\nculture = "en"\nlayout = "emorynlp"\n'
HEADER = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time\n"
TRAIN = (
    "\"Yeah, right!.......Y'serious?\",['Joey Tribbiani'],Neutral,1,2,1,2,00:00:04.504,00:00:07.548\n"
    "Uff.,\"['Monica Geller', 'Rachel Green']\",Scared,6,4,3,4,00:11:56.006,00:11:59.050\n"
    "Ohh!,['#ALL#'],Powerful,6,5,3,4,00:12:06.475,00:12:12.689\n"
)
TEST = 'Hi.,"[""Joey\'s Date""]",Joyful,1,1,1,9,00:00:01.000,00:00:02.000\n'


@pytest.fixture
def release(new_release):
    """Two scenes to train on, one to test on, no clips."""
    release = new_release("emorynlp")
    release.write("corpus.toml", TOML)
    release.write("emorynlp_train_final.csv", HEADER + TRAIN)
    release.write("emorynlp_test_final.csv", HEADER + TEST)
    return release


def test_a_scene_of_an_episode_is_a_dialogue(release):
    reading = release.read()
    assert not reading.refusals and set(reading.table["media"]) == {None}
    assert release.column("dialogue_id") == {
        "sea1_ep2_sc1_utt2": "sea1_ep2_sc1",
        "sea3_ep4_sc6_utt4": "sea3_ep4_sc6",
        "sea3_ep4_sc6_utt5": "sea3_ep4_sc6",
        "sea1_ep9_sc1_utt1": "sea1_ep9_sc1",
    }
    assert list(release.column("turn").values()) == [2, 4, 5, 1]
    assert list(release.column("split").values()) == ["train", "train", "train", "test"]
    assert release.column("transcript")["sea1_ep2_sc1_utt2"] == "Yeah, right!.......Y'serious?"


def test_speakers_are_taken_out_of_their_list(release):
    names = ["Joey Tribbiani", "Monica Geller & Rachel Green", "#ALL#", "Joey's Date"]
    assert list(release.column("speaker").values()) == names


def test_a_speaker_without_a_list_is_taken_as_it_is(release):
    release.write("emorynlp_test_final.csv", HEADER + "Hi.,[Joey,Joyful,1,1,1,9,0,0\n")
    assert release.column("speaker")["sea1_ep9_sc1_utt1"] == "[Joey"


def test_the_seven_classes_are_the_releases_own(release):
    assert list(release.column("emotion").values()) == ["neutral", "scared", "powerful", "joyful"]
    release.write("corpus.toml", TOML + 'emotions = ["joy"]\n')
    with pytest.raises(CorpusError, match=r"expected emotions to be some of joyful, mad, .*came joy;"):
        release.read()


def test_a_clip_is_the_whole_utterance(release):
    for folder in ["emorynlp_test_splits", "media"]:
        release.write_sound(f"{folder}/sea1_ep9_sc1_utt1.mp4")
        release.write_sound(f"{folder}/sea9_ep9_sc9_utt9.mp4")
        if folder == "emorynlp_test_splits":
            assert media_paths(open_corpus(release.root)) == [f"{folder}/sea1_ep9_sc1_utt1.mp4"]
        row = release.read().table.set_index("utterance_id").loc["sea1_ep9_sc1_utt1"]
        assert (row["media"], row["start_s"], row["end_s"]) == (f"{folder}/sea1_ep9_sc1_utt1.mp4", 0.0, 0.5)


def test_each_broken_line_is_refused_and_the_rest_goes_on(release):
    release.write(
        "emorynlp_dev_final.csv",
        HEADER
        + "Hi.,['Joey'],Joy,1,1,2,9,0,0\n"
        + "Hi.,['Joey'],Joyful,1,x,2,9,0,0\n"
        + "Hi.,['Joey'],Joyful,1,3,2\n"
        + "Hi.,['Joey'],Joyful,1,2,1,2,0,0\n",
    )
    assert len(release.read().table) == 4
    assert sorted(release.refused(), key=str) == [
        ("sea1_ep2_sc1_utt2", "duplicate_utterance_id"),
        ("sea2_ep9_sc1_utt1", "unknown_label"),
        ("sea2_ep9_sc1_uttx", "bad_row"),
        (None, "bad_row"),
    ]


def test_the_train_table_must_be_there(release):
    (release.root / "emorynlp_train_final.csv").unlink()
    with pytest.raises(CorpusError, match=r"expected emorynlp_train_final\.csv in the corpus folder.*; copy"):
        release.read()
