import wave
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from affectory.corpora import CorpusError, corpus_state, find_corpora, media_paths, open_corpus, read_utterances
from affectory.data.folds import cross_validation
from affectory.media import MediaFile, probe_file

TOML = 'licence = "IEMOCAP release agreement"\nculture = "en"\nlayout = "iemocap"\n'
LABELS = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-F1:\tNeutral; Sadness;\t(resigned)
A-E3:\tval 3; act 2; dom  2;\t()
A-F1:\tval 3; act 2; dom  1;\t()

[10.0100 - 11.3925]\tSes01F_impro01_F001\texc\t[4.0000, 3.5000, 3.0000]
C-E2:\tExcited;\t()

[8.6200 - 9.9000]\tSes01F_impro01_M000\tfru\t[2.0000, 4.0000, 3.5000]
C-E2:\tFrustration;\t()

[12.0000 - 13.5000]\tSes01F_impro01_M001\txxx\t[2.5000, 2.5000, 3.0000]

[14.0000 - 15.0000]\tSes01F_impro01_F002\toth\t[2.5000, 2.5000, 3.0000]
"""
TEXTS = """Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
Ses01F_impro01_M000 [008.6200-009.9000]: Do you have your forms?
Ses01F_impro01_FXX0 [009.9500-010.0000]: [LAUGHTER]
M: Yeah.
Ses01F_impro01_F001 [-1.0000--1.0000]: Yeah:  "yes", I do.
"""
SPOKEN = ("F000", "F001", "F002", "M000", "M001")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def write_sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(bytes(16000))


@pytest.fixture
def release(tmp_path) -> Path:
    """IEMOCAP_full_release with one dialogue of five utterances, each of half a second."""
    root = tmp_path / "corpora" / "iemocap"
    write(root / "corpus.toml", TOML)
    session = root / "IEMOCAP_full_release" / "Session1"
    write(session / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt", LABELS)
    write(session / "dialog" / "EmoEvaluation" / "._Ses01F_impro01.txt", "\0\5resource fork")
    write(session / "dialog" / "EmoEvaluation" / "Categorical" / "Ses01F_impro01_e2_cat.txt", "not read")
    write(session / "dialog" / "transcriptions" / "Ses01F_impro01.txt", TEXTS)
    for name in SPOKEN:
        write_sound(session / "sentences" / "wav" / "Ses01F_impro01" / f"Ses01F_impro01_{name}.wav")
    return root / "IEMOCAP_full_release"


def read(release: Path):
    corpus = open_corpus(release.parent)
    files = [vars(probe_file(corpus.root, media)) for media in media_paths(corpus)]
    return read_utterances(corpus, pd.DataFrame(files, columns=[field.name for field in fields(MediaFile)]))


def column(reading, name: str) -> dict[str, object]:
    return {row.utterance_id[-4:]: getattr(row, name) for row in reading.table.itertuples()}


def reasons(reading) -> list[tuple[str | None, str]]:
    for refusal in reading.refusals:
        assert refusal.stage == "utterances" and "expected" in refusal.detail and ";" in refusal.detail
    return [(refusal.utterance_id, refusal.reason) for refusal in reading.refusals]


def labels(release: Path) -> Path:
    return release / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"


def test_a_dialogue_is_read_by_time_with_both_speakers_their_texts_and_sounds(release):
    reading = read(release)
    assert reading.source == "annotations" and not reading.refusals
    assert column(reading, "turn") == {"F000": 0, "M000": 1, "F001": 2, "M001": 3, "F002": 4}
    assert column(reading, "speaker") == {name: f"Ses01_{name[0]}" for name in SPOKEN}
    assert set(reading.table["dialogue_id"]) == {"Ses01F_impro01"} and set(reading.table["culture"]) == {"en"}
    assert column(reading, "transcript") == {
        "F000": "Excuse me.",
        "M000": "Do you have your forms?",
        "F001": 'Yeah:  "yes", I do.',
        "M001": None,
        "F002": None,
    }
    first = reading.table.iloc[0]
    assert first["media"] == "IEMOCAP_full_release/Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav" and (
        first["start_s"],
        first["end_s"],
    ) == (0.0, 0.5)
    assert column(reading, "valence")["F001"] == 4.0
    assert column(reading, "arousal")["F001"] == 3.5
    assert column(reading, "dominance")["F001"] == 3.0


def test_by_default_there_are_four_classes_and_excited_is_happy(release):
    emotions = column(read(release), "emotion")
    assert emotions == {"F000": "neutral", "M000": None, "F001": "happy", "M001": None, "F002": None}


def test_the_six_classes_are_those_that_corpus_toml_names(release):
    six = '["happy", "sad", "neutral", "angry", "excited", "frustrated"]'
    write(release.parent / "corpus.toml", TOML + f"emotions = {six}\n")
    emotions = column(read(release), "emotion")
    assert emotions == {"F000": "neutral", "M000": "frustrated", "F001": "excited", "M001": None, "F002": None}


def test_a_class_that_the_release_does_not_have_is_an_error(release):
    write(release.parent / "corpus.toml", TOML + 'emotions = ["happy", "hapy"]\n')
    with pytest.raises(CorpusError, match=r"iemocap/corpus\.toml: expected emotions to be some of angry.*came hapy;"):
        open_corpus(release.parent)


def test_a_clip_of_the_speaker_is_taken_instead_of_the_sound(release):
    clip = release / "Session1" / "sentences" / "video" / "Ses01F_impro01" / "Ses01F_impro01_M000.mp4"
    write_sound(clip)
    assert column(read(release), "media")["M000"] == clip.relative_to(release.parent).as_posix()
    assert column(read(release), "media")["F000"].endswith("F000.wav")


def test_the_film_with_both_speakers_is_never_taken(release):
    write_sound(release / "Session1" / "dialog" / "avi" / "DivX" / "Ses01F_impro01.avi")
    assert all(media.endswith(".wav") for media in media_paths(open_corpus(release.parent)))


def test_each_bad_line_is_refused_and_the_rest_goes_on(release):
    write(
        labels(release),
        LABELS
        + "[1.0 - 2.0]\tSes01F_impro01_F003\tangr\t[2.5, 2.5, 2.5]\n"
        "[1.0 - 2.0]\tSes01F_impro01_F004\tang\t[2.5, nan, 2.5]\n"
        "[1.0 - 2.0]\tSes01F_impro01_F000\tang\t[2.5, 2.5, 2.5]\n"
        "[1.0 - 2.0]\tSes01F_impro02_F000\tang\t[2.5, 2.5, 2.5]\n"
        "[1.0 - 2.0]\t../../../etc/passwd\tang\t[2.5, 2.5, 2.5]\n"
        "[x - 2.0]\tSes01F_impro01_F005\tang\t[2.5, 2.5, 2.5]\n"
        "[1.0 - 2.0]\tSes01F_impro01_F006\tang\n"
        "\udcff nonsense".encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
    )
    write_sound(release / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_F004.wav")
    reading = read(release)
    assert len(reading.table) == 5
    assert sorted(reasons(reading), key=str) == sorted(
        [
            ("Ses01F_impro01_F003", "unknown_label"),
            ("Ses01F_impro01_F004", "bad_number"),
            ("Ses01F_impro01_F000", "duplicate_utterance_id"),
            ("Ses01F_impro02_F000", "bad_row"),
            ("../../../etc/passwd", "bad_row"),
            ("Ses01F_impro01_F005", "bad_row"),
            (None, "bad_row"),
            (None, "bad_row"),
        ],
        key=str,
    )
    assert "(Ses01F_impro01.txt line 18)" in reading.refusals[0].detail


def test_a_bad_line_of_the_texts_costs_that_text_alone(release):
    write(release / "Session1" / "dialog" / "transcriptions" / "Ses01F_impro01.txt", TEXTS + "garbage\n")
    reading = read(release)
    assert reasons(reading) == [(None, "bad_row")] and len(reading.table) == 5


def test_utterances_without_media_are_refused(release):
    (release / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_F000.wav").unlink()
    away = release / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_M000.wav"
    away.unlink(), away.symlink_to("/etc/hostname")
    reading = read(release)
    assert reasons(reading) == [
        ("Ses01F_impro01_F000", "media_not_found"),
        ("Ses01F_impro01_M000", "media_outside_corpus"),
    ]
    assert len(reading.table) == 3


def test_a_dialogue_without_its_texts_keeps_its_utterances_and_one_without_labels_is_refused(release):
    texts = release / "Session1" / "dialog" / "transcriptions"
    texts.joinpath("Ses01F_impro01.txt").rename(texts / "Ses01F_impro02.txt")
    reading = read(release)
    assert len(reading.table) == 5 and set(reading.table["transcript"]) == {None}
    assert reasons(reading) == [(None, "unreadable_annotations")] * 2
    assert "transcriptions/Ses01F_impro01.txt: expected a text file" in reading.refusals[0].detail
    assert "EmoEvaluation/Ses01F_impro02.txt: expected a text file" in reading.refusals[1].detail


def test_labels_outside_the_corpus_folder_are_not_read(release, tmp_path):
    write(tmp_path / "away.txt", LABELS)
    labels(release).unlink()
    labels(release).symlink_to(tmp_path / "away.txt")
    reading = read(release)
    assert reading.table.empty and reasons(reading) == [(None, "unreadable_annotations")]
    assert "media_outside_corpus" in reading.refusals[0].detail


def test_a_folder_without_the_release_says_where_it_belongs(release):
    labels(release).unlink()
    with pytest.raises(CorpusError, match=r"expected IEMOCAP_full_release/Session1/dialog/EmoEvaluation/.*; unpack"):
        open_corpus(release.parent)
    corpora, refusals = find_corpora(release.parents[1])
    assert corpora == [] and [refusal.reason for refusal in refusals] == ["unreadable_corpus"]


def test_the_state_changes_with_labels_texts_and_sounds_and_not_with_what_is_not_read(release):
    corpus = open_corpus(release.parent)
    states = [corpus_state(corpus)]
    write(labels(release), LABELS + "\n")
    states.append(corpus_state(corpus))
    write_sound(release / "Session1" / "sentences" / "wav" / "Ses01F_impro02" / "Ses01F_impro02_F000.wav")
    states.append(corpus_state(corpus))
    assert len(set(states)) == 3
    write(release / "Session1" / "sentences" / "MOCAP_head" / "x.txt", "x")
    assert corpus_state(corpus) == states[-1]


def test_five_sessions_make_ten_folds_of_one_speaker_each(release):
    for number in range(2, 6):
        for path in sorted(release.glob("Session1/**/Ses01F_impro01*")):
            if path.is_file():
                name = Path(
                    str(path.relative_to(release)).replace("Session1", f"Session{number}").replace("01F", f"0{number}F")
                )
                (release / name).parent.mkdir(parents=True, exist_ok=True)
                if path.suffix == ".txt":
                    write(release / name, path.read_text().replace("Ses01", f"Ses0{number}"))
                else:
                    write_sound(release / name)
    table = read(release).table
    folds, _ = cross_validation(table, None, 0)
    assert folds["fold"].nunique() == 10 and len(table) == 25
    tested = folds[folds["split"] == "test"].merge(table, on="utterance_id").groupby("fold")["speaker"].agg(list)
    assert [set(speakers) for speakers in tested] == [{f"Ses0{n}_{letter}"} for n in range(1, 6) for letter in "FM"]
