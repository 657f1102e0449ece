import os
import wave
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from affectory.corpora import (
    CorpusError,
    corpus_state,
    find_corpora,
    media_paths,
    open_corpus,
    read_utterances,
)
from affectory.media import MediaFile, probe_file
from affectory.vocabulary import UTTERANCE_COLUMNS

TOML = 'name = "c"\nlicence = "CC0"\nculture = "en"\n'


def write_sound(path: Path, seconds: float = 2.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(bytes(round(seconds * 32000)))


@pytest.fixture
def root(tmp_path) -> Path:
    """A corpus folder with one sound of two seconds."""
    folder = tmp_path / "corpora" / "c"
    write_sound(folder / "media" / "a.wav")
    (folder / "corpus.toml").write_text(TOML)
    return folder


def probed(root: Path) -> pd.DataFrame:
    files = [vars(probe_file(root, media)) for media in media_paths(open_corpus(root))]
    return pd.DataFrame(files, columns=[field.name for field in fields(MediaFile)])


def read(root: Path, table: str):
    (root / "utterances.csv").write_text(table, encoding="utf-8", newline="")
    return read_utterances(open_corpus(root), probed(root))


def reasons(reading) -> dict[str | None, str]:
    for refusal in reading.refusals:
        assert refusal.stage == "utterances" and "expected" in refusal.detail and ";" in refusal.detail
    return {refusal.utterance_id: refusal.reason for refusal in reading.refusals}


def test_a_corpus_is_what_its_toml_says(root):
    (root / "corpus.toml").write_text(TOML + 'emotions = ["glad", "sad"]\ndescription = "two"\n')
    corpus = open_corpus(root)
    assert (corpus.name, corpus.root, corpus.licence, corpus.culture, corpus.layout) == (
        "c",
        root,
        "CC0",
        "en",
        "folder",
    )
    assert (corpus.emotions, corpus.description) == (("glad", "sad"), "two")


def test_a_folder_with_media_alone_is_a_corpus_of_unknown_licence(root):
    (root / "corpus.toml").unlink()
    corpus = open_corpus(root)
    assert (corpus.name, corpus.licence, corpus.culture) == ("c", "unknown", "unknown")


def test_an_unreadable_description_is_named_and_the_other_corpora_go_on(root):
    for toml, message in [
        ("name = ", "expected a TOML file"),
        ('culture = "en"', 'licence = "..."'),
        ('licence = "CC0"', 'culture = "..."'),
        (TOML + "culture_code = 3\nlayout = 3", "layout"),
        (TOML + 'emotions = ["sad", "sad"]', "distinct"),
        (TOML + "emotions = []", "distinct"),
        (TOML + 'layout = "mosei"', "not supported yet"),
    ]:
        write_sound(root.parent / "other" / "media" / "b.wav")
        (root / "corpus.toml").write_text(toml)
        with pytest.raises(CorpusError, match="c"):
            open_corpus(root)
        corpora, refusals = find_corpora(root.parent)
        assert [corpus.name for corpus in corpora] == ["other"]
        assert [refusal.stage for refusal in refusals] == ["corpora"] and message in refusals[0].detail


def test_a_description_that_is_not_utf8_or_a_pipe_is_refused(root):
    (root / "corpus.toml").write_bytes(b'licence = "caf\xe9"')
    with pytest.raises(CorpusError, match="UTF-8"):
        open_corpus(root)
    (root / "corpus.toml").unlink()
    os.mkfifo(root / "corpus.toml")
    with pytest.raises(CorpusError, match="pipe"):
        open_corpus(root)


def test_a_folder_with_nothing_in_it_says_what_belongs_there(tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "corpus.toml").write_text(TOML)
    with pytest.raises(CorpusError, match=r"expected media/ with videos or utterances\.csv"):
        open_corpus(tmp_path / "bare")
    with pytest.raises(CorpusError, match="came nothing"):
        open_corpus(tmp_path / "gone")


def test_other_folders_are_left_alone_and_misplaced_videos_pointed_out(root):
    (root.parent / ".part").mkdir()
    (root.parent / "notes").mkdir()
    (root.parent / "file.txt").touch()
    write_sound(root.parent / "flat" / "a.wav")
    corpora, refusals = find_corpora(root.parent)
    assert [corpus.name for corpus in corpora] == ["c"]
    assert ["flat" in refusal.detail and "make media/" in refusal.detail for refusal in refusals] == [True]
    assert find_corpora(root.parent / "absent") == ([], [])


def test_a_folder_name_that_no_registry_would_take_is_refused(root):
    for name in ["a b", "-x", "a..b", "x" * 81, "a:b"]:
        root = root.rename(root.with_name(name))
        with pytest.raises(CorpusError, match="rename the folder"):
            open_corpus(root)


def test_media_are_what_lies_under_media_without_hidden_files_and_sidecars(root):
    for name in ("b/c.MP4", ".DS_Store", "b/._c.MP4", "a.txt", "a.srt", "läng😀.wav"):
        (root / "media" / name).parent.mkdir(exist_ok=True)
        (root / "media" / name).touch()
    (root / "media" / "away").symlink_to("/etc")
    assert media_paths(open_corpus(root)) == ["media/a.wav", "media/away", "media/b/c.MP4", "media/läng😀.wav"]


def test_media_are_what_the_table_names_and_holds(root):
    write_sound(root / "media" / "unused.wav")
    (root / "utterances.csv").write_text(
        "utterance_id,media\nu1,media/a.wav\nu2,./media//a.wav\nu3,media/gone.wav\nu4,../c/media/a.wav\nu5,/etc/hosts\nu6,\n"
    )
    assert media_paths(open_corpus(root)) == ["media/a.wav"]


def test_an_annotated_row_keeps_its_texts_and_gets_its_defaults(root):
    reading = read(
        root,
        "utterance_id,media,turn,transcript,emotion,valence,speaker,sentiment\n"
        'u1,media/a.wav,3,"NA",happy,-0.5, s 1 ,positive\n'
        'u2,./media/a.wav,3.0,null,,,"Ω \U0001f600 ""q"", x\ny",\n'
        "u3,,,,,,,\n",
    )
    assert reading.source == "annotations" and not reading.refusals
    table = reading.table
    assert tuple(table.columns) == UTTERANCE_COLUMNS
    assert list(table["transcript"]) == ["NA", "null", None]
    assert list(table["speaker"]) == [" s 1 ", 'Ω 😀 "q", x\ny', None]
    assert list(table["media"]) == ["media/a.wav", "media/a.wav", None]
    assert table["turn"].tolist()[:2] == [3, 3] and pd.isna(table["turn"][2])
    assert table["start_s"].tolist() == [0.0, 0.0, 0.0]
    assert table["end_s"].tolist()[:2] == [2.0, 2.0] and pd.isna(table["end_s"][2])
    assert table["valence"][0] == -0.5 and pd.isna(table["valence"][1])
    assert list(table["emotion"]) == ["happy", None, None]
    assert list(table["culture"]) == ["en", "en", "en"]
    assert list(table["dialogue_id"]) == [None, None, None]


def test_each_bad_row_is_refused_with_its_reason_and_the_rest_goes_on(root):
    (root / "media" / "broken.mp4").write_text("text")
    (root / "media" / "out.wav").symlink_to("/etc/hostname")
    reading = read(
        root,
        "utterance_id,media,start_s,end_s,emotion,split,valence,turn\n"
        "good,media/a.wav,0.5,2.05,sad,train,1e-3,\n"
        "good,media/a.wav,0,1,sad,train,,\n"
        ",media/a.wav,0,1,sad,train,,\n"
        "gone,media/gone.wav,,,,,,\n"
        "up,../c/media/a.wav,,,,,,\n"
        "absolute,/etc/hostname,,,,,,\n"
        "linked,media/out.wav,,,,,,\n"
        "broken,media/broken.mp4,,,,,,\n"
        "late,media/a.wav,0,2.2,,,,\n"
        "behind,media/a.wav,3,,,,,\n"
        "backward,media/a.wav,1.5,1.5,,,,\n"
        "early,media/a.wav,-1,1,,,,\n"
        "typo,media/a.wav,,,hapy,,,\n"
        "part,media/a.wav,,,,dev,,\n"
        "nan,media/a.wav,,,,,nan,\n"
        'comma,media/a.wav,,,,,"0,5",\n'
        "arabic,media/a.wav,,,,,٣,\n"
        "huge,media/a.wav,,,,,1e999,\n"
        "half,media/a.wav,,,,,,1.5\n"
        "short,media/a.wav\n"
        "\n",
    )
    assert reading.table["utterance_id"].tolist() == ["good"]
    assert reasons(reading) == {
        "good": "duplicate_utterance_id",
        None: "missing_utterance_id",
        "gone": "media_not_found",
        "up": "media_outside_corpus",
        "absolute": "media_outside_corpus",
        "linked": "media_outside_corpus",
        "broken": "media_refused",
        "late": "beyond_media_end",
        "behind": "beyond_media_end",
        "backward": "beyond_media_end",
        "early": "bad_number",
        "typo": "unknown_label",
        "part": "unknown_split",
        "nan": "bad_number",
        "comma": "bad_number",
        "arabic": "bad_number",
        "huge": "bad_number",
        "half": "bad_number",
        "short": "bad_row",
    }


def test_an_unknown_label_tells_how_to_declare_it_and_a_declared_one_is_taken(root):
    table = "utterance_id,emotion\nu1,awe\n"
    (refusal,) = read(root, table).refusals
    assert "add it to emotions in corpus.toml" in refusal.detail and "'awe'" in refusal.detail
    (root / "corpus.toml").write_text(TOML + 'emotions = ["awe"]\n')
    assert read(root, table).table["emotion"].tolist() == ["awe"]
    assert reasons(read(root, "utterance_id,emotion\nu1,happy\n")) == {"u1": "unknown_label"}


def test_a_table_that_cannot_be_read_is_an_error_that_names_it(root):
    for table, message in [
        (b"", "utterance_id"),
        (b"id,media\n1,a\n", "utterance_id"),
        (b"utterance_id;media\nu;a\n", "separated by commas"),
        (b"utterance_id,media,media\n", "came twice: media"),
        (b"utterance_id,transcript\nu,caf\xe9\n", "UTF-8"),
        (b'utterance_id,transcript\nu1,"never closed\nu2,x\n', "after line"),
    ]:
        (root / "utterances.csv").write_bytes(table)
        with pytest.raises(CorpusError, match=r"c/utterances\.csv") as error:
            media_paths(open_corpus(root))
        assert message in str(error.value)


def test_a_table_saved_by_a_spreadsheet_is_read(root):
    reading = read(root, "\ufeffutterance_id, media ,,\r\nu1,media/a.wav,,\r\n")
    assert reading.table["utterance_id"].tolist() == ["u1"] and reading.table["media"].tolist() == ["media/a.wav"]


def test_a_file_that_came_after_probing_says_so(root):
    (root / "utterances.csv").write_text("utterance_id,media\nu1,media/a.wav\nu2,media/b.wav\n")
    files = probed(root)
    write_sound(root / "media" / "b.wav")
    reading = read_utterances(open_corpus(root), files)
    assert reasons(reading) == {"u2": "media_not_found"} and "newer" in reading.refusals[0].detail


@pytest.mark.slow
def test_without_a_table_every_file_is_segmented_and_named_by_its_path(root):
    for name in ("b/a.wav", "same.wav", "same.mkv", "vanished.wav"):
        write_sound(root / "media" / name, 1.0)
    (root / "media" / "broken.mp4").write_text("text")
    files = probed(root)
    (root / "media" / "vanished.wav").unlink()
    reports: list[tuple[int, int]] = []
    reading = read_utterances(open_corpus(root), files, on_progress=lambda *progress: reports.append(progress))
    assert reading.source == "voice_activity"
    assert reading.table["utterance_id"].tolist() == ["a_000", "b/a_000", "same.mkv_000", "same.wav_000"]
    assert reading.table["dialogue_id"].tolist() == ["a", "b/a", "same.mkv", "same.wav"]
    assert reading.table["end_s"].tolist() == [2.0, 1.0, 1.0, 1.0]
    assert reading.table["speaker"].tolist() == [None] * 4 and reading.table["emotion"].tolist() == [None] * 4
    assert [(refusal.media, refusal.reason) for refusal in reading.refusals] == [
        ("media/vanished.wav", "media_not_found")
    ]
    assert reports[-1] == (5, 5)


def test_the_state_of_a_corpus_changes_with_its_files(root):
    states = [corpus_state(open_corpus(root))]
    assert corpus_state(open_corpus(root)) == states[0]
    write_sound(root / "media" / "b.wav")
    states.append(corpus_state(open_corpus(root)))
    os.utime(root / "media" / "b.wav", ns=(1, 1))
    states.append(corpus_state(open_corpus(root)))
    (root / "features").mkdir()
    (root / "features" / "visual.x.parquet").touch()
    states.append(corpus_state(open_corpus(root)))
    assert len(set(states)) == 4
    (root / "README.txt").touch()
    assert corpus_state(open_corpus(root)) == states[-1]


@pytest.mark.real
@pytest.mark.parametrize(("name", "utterances"), [("emodb", 266), ("mosi", 1773), ("ravdess", 1200)])
def test_the_real_corpora_are_read_whole(real_corpora, name, utterances):
    corpus = open_corpus(real_corpora / name)
    media = [vars(probe_file(corpus.root, path)) for path in media_paths(corpus)]
    reading = read_utterances(corpus, pd.DataFrame(media, columns=[field.name for field in fields(MediaFile)]))
    assert not reading.refusals and len(reading.table) == utterances
    assert reading.table["utterance_id"].is_unique


@pytest.mark.real
def test_the_real_clips_are_segmented(real_corpora):
    corpus = open_corpus(real_corpora / "clips")
    media = [probe_file(corpus.root, path) for path in media_paths(corpus)]
    assert {file.verdict for file in media} == {"accepted"} and len(media) == 12
    assert [file.media for file in media if file.audio_codec is None] == ["media/no_audio_track.mp4"]
    assert [file.media for file in media if file.video_codec is None] == ["media/audio_only.mp4"]
    table = read_utterances(corpus, pd.DataFrame([vars(file) for file in media]), workers=2).table
    spans = {
        utterance: (start_s, end_s)
        for utterance, start_s, end_s in zip(table["utterance_id"], table["start_s"], table["end_s"], strict=True)
    }
    assert spans["no_audio_track_000"] == pytest.approx((0.0, 4.6), abs=0.05)
    assert spans["silent_audio_000"] == pytest.approx((0.0, 19.7), abs=0.05)
    for clip in ("bbaf2n", "lrwp9a", "pwij3p"):  # a sentence of three words between silences
        assert 0.3 < spans[f"{clip}_000"][0] < 1.1 and 2.0 < spans[f"{clip}_000"][1] < 2.6
