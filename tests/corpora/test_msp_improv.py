import wave
from dataclasses import fields
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from affectory.corpora import CorpusError, corpus_state, media_paths, open_corpus, read_utterances
from affectory.data.folds import cross_validation
from affectory.media import MediaFile, probe_file

TOML = 'licence = "MSP-IMPROV academic licence"\nculture = "en"\nlayout = "msp_improv"\n'
LABELS = """UTD-IMPROV-S01A-F01-S-FM01.avi; A; A:2.400000; V:1.800000; D:3.600000 ; N:3.200000;
2NY21-p1; Angry; Angry,Frustrated; A:2.000000; V:2.000000; D:4.000000; N:3.000000;
PQR77_p2; Other; Other (sarcastic: "sure"; really); A:3.000000; V:1.000000; D:NaN; N:4.000000;

UTD-IMPROV-S01A-M01-S-FM01.avi; N; A:3.000000; V:3.000000; D:NaN ; N:NaN;
2NY21-p1; Neutral; ; A:3.000000; V:3.000000; D:3.000000; N:3.000000;

UTD-IMPROV-S01A-F01-P-FM02.avi; X; A:3.200000; V:3.400000; D:3.000000 ; N:4.200000;
2NY21-p1; Happy; Happy; A:3.000000; V:4.000000; D:3.000000; N:4.000000;

UTD-IMPROV-S20N-M01-R-MM01.avi; O; A:2.000000; V:4.600000; D:3.000000 ; N:4.000000;

UTD-IMPROV-S20H-M01-T-MF01.avi; H; A:2.000000; V:4.600000; D:3.000000 ; N:4.000000;
"""
UTTERANCES = ("S01A-F01-S-FM01", "S01A-M01-S-FM01", "S01A-F01-P-FM02", "S20N-M01-R-MM01", "S20H-M01-T-MF01")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def write_sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(bytes(16000))


def write_film(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(15):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        container.mux(stream.encode())


def below(utterance: str) -> str:
    """Where the release keeps it: session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01, without the extension."""
    scenario, speaker, kind, _ = utterance.split("-")
    return f"session{speaker[-1]}/{scenario}/{kind}/MSP-IMPROV-{utterance}"


@pytest.fixture
def release(tmp_path) -> Path:
    """MSP-IMPROV with five utterances of half a second; the first has a film too, the first three a text."""
    root = tmp_path / "msp"
    write(root / "corpus.toml", TOML)
    tree = root / "MSP-IMPROV"
    write(tree / "Evalution.txt", LABELS)
    for name in UTTERANCES:
        write_sound(tree / "Audio" / f"{below(name)}.wav")
    write_film(tree / "Video" / f"{below(UTTERANCES[0])}.avi")
    for name, text in zip(UTTERANCES, ("How can I not?\n", "Oh,  well \n okay.", ""), strict=False):
        write(tree / "Human_transcriptions" / "All_human_transcriptions" / f"MSP-IMPROV-{name}.txt", text)
    return tree


def read(release: Path):
    corpus = open_corpus(release.parent)
    files = [vars(probe_file(corpus.root, media)) for media in media_paths(corpus)]
    return read_utterances(corpus, pd.DataFrame(files, columns=[field.name for field in fields(MediaFile)]))


def column(reading, name: str) -> dict[str, object]:
    values = reading.table[name].astype(object).where(reading.table[name].notna(), None)
    return dict(zip(reading.table["utterance_id"].str.removeprefix("MSP-IMPROV-"), values, strict=True))


def reasons(reading) -> list[tuple[str | None, str]]:
    for refusal in reading.refusals:
        assert refusal.stage == "utterances" and "expected" in refusal.detail and ";" in refusal.detail
    return [(refusal.utterance_id, refusal.reason) for refusal in reading.refusals]


def test_utterances_are_read_with_speakers_texts_and_the_film_before_the_sound(release):
    reading = read(release)
    assert reading.source == "annotations" and not reading.refusals
    assert column(reading, "speaker") == dict(zip(UTTERANCES, ("F01", "M01", "F01", "M01", "M01"), strict=True))
    assert column(reading, "turn") == dict(zip(UTTERANCES, (1, 1, 2, 1, 1), strict=True))
    assert list(reading.table["transcript"]) == ["How can I not?", "Oh, well okay.", None, None, None]
    assert list(reading.table["media"])[:2] == [
        "MSP-IMPROV/Video/session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.avi",
        "MSP-IMPROV/Audio/session1/S01A/S/MSP-IMPROV-S01A-M01-S-FM01.wav",
    ]
    assert set(reading.table["end_s"]) == {0.5} and set(reading.table["culture"]) == {"en"}


def test_four_emotions_are_labels_and_other_and_no_agreement_are_none(release):
    assert list(column(read(release), "emotion").values()) == ["angry", "neutral", None, None, "happy"]


def test_arousal_rises_with_activity_and_nan_is_unknown(release):
    reading = read(release)
    assert column(reading, "arousal")["S01A-F01-S-FM01"] == pytest.approx(3.6)  # 6 - 2.4
    assert column(reading, "valence")["S01A-F01-S-FM01"] == 1.8
    assert column(reading, "dominance") == dict(zip(UTTERANCES, (3.6, None, 3.0, 3.0, 3.0), strict=True))


def test_a_dialogue_holds_both_speakers_of_a_dyad_in_one_scenario_and_recording_type(release):
    dialogues = column(read(release), "dialogue_id")
    assert list(dialogues.values()) == ["S01A-01-S", "S01A-01-S", "S01A-01-P", "S20N-01-R", "S20H-01-T"]


def test_only_the_recording_types_that_corpus_toml_names_are_read(release):
    write(release.parent / "corpus.toml", TOML + 'recording_types = ["S"]\n')
    assert read(release).table["utterance_id"].tolist() == [f"MSP-IMPROV-{name}" for name in UTTERANCES[:2]]
    assert len(media_paths(open_corpus(release.parent))) == 2


def test_a_recording_type_or_emotion_that_the_release_does_not_have_is_an_error(release):
    for line, message in [
        ('recording_types = ["S", "Z"]', "recording_types to be some of P, R, S, T"),
        ('emotions = ["joy"]', "came joy"),
    ]:
        write(release.parent / "corpus.toml", TOML + line)
        with pytest.raises(CorpusError, match=message):
            open_corpus(release.parent)


def test_each_bad_line_is_refused_and_the_rest_goes_on(release):
    write(
        release / "Evalution.txt",
        "UTD-IMPROV-S01A-F01-S-FM02.avi; Q; A:2.4; V:1.8; D:3.6 ; N:3.2;\n"
        "UTD-IMPROV-S01A-F01-S-FM03.avi; A; A:high; V:1.8; D:3.6 ; N:3.2;\n"
        "UTD-IMPROV-S01A-F01-S-FM04.avi; A; A:2.4;\n"
        "UTD-IMPROV-S01A-F09-S-FM01.avi; A; A:2.4; V:1.8; D:3.6 ; N:3.2;\n"
        "UTD-IMPROV-../../etc/passwd.avi; A; A:2.4; V:1.8; D:3.6 ; N:3.2;\n"
        "UTD-IMPROV-S01A-F01-S-FM05.avi; A; A:2.4; V:1.8; D:3.6 ; N:3.2;\n"
        "\N{REPLACEMENT CHARACTER} garbage\n" + LABELS + LABELS.split("\n")[0],
    )
    write_sound(release / "Audio" / f"{below('S01A-F01-S-FM03')}.wav")
    reading = read(release)
    assert len(reading.table) == 5
    assert reasons(reading) == [
        ("MSP-IMPROV-S01A-F01-S-FM02", "unknown_label"),
        ("MSP-IMPROV-S01A-F01-S-FM04", "bad_row"),
        (None, "bad_row"),
        (None, "bad_row"),
        (None, "bad_row"),
        ("MSP-IMPROV-S01A-F01-S-FM03", "bad_number"),
        ("MSP-IMPROV-S01A-F01-S-FM05", "media_not_found"),
        ("MSP-IMPROV-S01A-F01-S-FM01", "duplicate_utterance_id"),
    ]


def test_a_release_with_films_and_sounds_in_one_place_and_the_other_spelling_is_read(release):
    (release / "Evalution.txt").rename(release / "Evaluation.txt")
    (release / "Audio" / "session1").rename(release / "session1")
    (release / "Human_transcriptions" / "All_human_transcriptions").rename(release / "All_human_transcriptions")
    reading = read(release)
    assert len(reading.table) == 5 and not reading.refusals
    assert reading.table["transcript"].notna().sum() == 2
    assert reading.table["media"][1] == f"MSP-IMPROV/{below(UTTERANCES[1])}.wav"


def test_a_text_file_that_leads_elsewhere_is_refused_and_its_utterance_kept(release):
    text = release / "Human_transcriptions" / "All_human_transcriptions" / f"MSP-IMPROV-{UTTERANCES[0]}.txt"
    text.unlink(), text.symlink_to("/etc/hostname")
    reading = read(release)
    assert reasons(reading) == [(None, "unreadable_annotations")] and len(reading.table) == 5
    assert reading.table["transcript"][0] is None


def test_labels_that_are_a_folder_are_refused(release):
    (release / "Evalution.txt").unlink(), (release / "Evalution.txt").mkdir()
    reading = read(release)
    assert reading.table.empty and reasons(reading) == [(None, "unreadable_annotations")]


def test_a_folder_without_the_release_says_where_it_belongs(release):
    (release / "Evalution.txt").unlink()
    with pytest.raises(CorpusError, match=r"expected MSP-IMPROV/Evalution\.txt or MSP-IMPROV/Evaluation\.txt, came ne"):
        open_corpus(release.parent)


def test_the_state_changes_with_labels_films_and_texts(release):
    corpus = open_corpus(release.parent)
    states = [corpus_state(corpus)]
    write(release / "Evalution.txt", LABELS + "\n")
    states.append(corpus_state(corpus))
    write_film(release / "Video" / f"{below(UTTERANCES[1])}.avi")
    states.append(corpus_state(corpus))
    write(release / "Human_transcriptions" / "All_human_transcriptions" / f"MSP-IMPROV-{UTTERANCES[3]}.txt", "Yes.")
    states.append(corpus_state(corpus))
    assert len(set(states)) == 4


def test_six_dyads_make_twelve_folds_of_one_speaker_each(release):
    names = [f"S01A-{letter}0{dyad}-S-FM01" for dyad in range(1, 7) for letter in "FM"]
    write(
        release / "Evalution.txt",
        "".join(f"UTD-IMPROV-{name}.avi; N; A:3.0; V:3.0; D:3.0 ; N:3.0;\n\n" for name in names),
    )
    for name in names:
        write_sound(release / "Audio" / f"{below(name)}.wav")
    folds, _ = cross_validation(read(release).table, None, 0)
    tested = folds[folds["split"] == "test"]
    assert tested["utterance_id"].tolist() == [f"MSP-IMPROV-{name}" for name in names]
    assert tested["fold"].tolist() == list(range(1, 13))
