import csv
import hashlib
import tomllib
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from affectory.corpora import find_corpora
from affectory.corpora.demo import DemoError, generate
from affectory.corpora.demo.cues import EMOTIONS
from affectory.corpora.demo.film import RATE_HZ, frames, stage, write_film
from affectory.corpora.demo.script import write_script
from affectory.corpora.demo.voice import Line, speak
from affectory.vocabulary import UTTERANCE_COLUMNS, Modality

DIALOGUES, TURNS, SEED = 4, (2, 3), 26  # eleven turns, in which every modality is removed at least once


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("corpora") / "demo", dialogues=DIALOGUES, turns=TURNS, seed=SEED)


def rows(corpus: Path, name: str) -> list[dict[str, str]]:
    with (corpus / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def removed(corpus: Path, modality: Modality) -> dict[str, str]:
    """The row of utterances.csv whose `modality` was removed."""
    ids = {row["utterance_id"] for row in rows(corpus, "planted.csv") if row["removed"] == modality.value}
    return next(row for row in rows(corpus, "utterances.csv") if row["utterance_id"] in ids)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def decoded_sound(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(blocks)


def test_the_tables_have_the_columns_every_corpus_has_and_only_the_declared_emotions(corpus):
    utterances = rows(corpus, "utterances.csv")
    assert tuple(utterances[0]) == UTTERANCE_COLUMNS
    assert {row["emotion"] for row in utterances} <= set(EMOTIONS)
    assert [row["utterance_id"] for row in utterances] == [row["utterance_id"] for row in rows(corpus, "planted.csv")]
    assert all(-1 <= float(row[name]) <= 1 for row in utterances for name in ("valence", "arousal"))


def test_the_folder_is_found_as_a_corpus(corpus):
    corpora, refusals = find_corpora(corpus.parent)
    assert ([demo.name for demo in corpora], refusals) == (["demo"], [])
    assert tomllib.loads((corpus / "corpus.toml").read_text("utf-8"))["emotions"] == list(EMOTIONS)


def test_every_film_holds_h264_and_aac_and_lasts_beyond_its_last_turn(corpus):
    last_end_s = {row["media"]: float(row["end_s"]) for row in rows(corpus, "utterances.csv")}
    assert len(last_end_s) == DIALOGUES
    for media, end_s in last_end_s.items():
        with av.open(str(corpus / media)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            assert container.streams.audio[0].codec_context.name == "aac"
            assert container.duration is not None and container.duration / av.time_base > end_s


def test_turns_are_of_fit_length_and_the_pauses_between_them_split_them(corpus):
    utterances = rows(corpus, "utterances.csv")
    for row in utterances:
        assert 1.1 <= float(row["end_s"]) - float(row["start_s"]) <= 3.6
    for turn, next_turn in pairwise(utterances):
        if turn["dialogue_id"] == next_turn["dialogue_id"]:
            assert float(next_turn["start_s"]) - float(turn["end_s"]) >= 0.6


def test_neither_a_speaker_nor_a_dialogue_is_in_two_splits():
    script = write_script(40, (6, 10), 0)
    speakers = {split: set[str]() for split in ("train", "val", "test")}
    for dialogue in script:
        speakers[dialogue.split] |= {turn.speaker.name for turn in dialogue.turns}
        assert len({turn.speaker.name for turn in dialogue.turns}) == 2
    assert [len(names) for names in speakers.values()] == [18, 6, 6]
    assert len(set.union(*speakers.values())) == 30


def test_emotions_are_balanced_and_each_modality_is_removed_from_eight_in_a_hundred_turns():
    turns = [turn for dialogue in write_script(40, (6, 10), 0) for turn in dialogue.turns]
    for emotion in EMOTIONS:
        assert 0.2 < np.mean([turn.emotion == emotion for turn in turns]) < 0.3
    for modality in Modality:
        assert 0.06 < np.mean([turn.removed is modality for turn in turns]) < 0.1


@pytest.mark.slow
def test_another_number_of_workers_and_another_run_give_the_same_bytes(corpus, tmp_path):
    again = generate(tmp_path / "demo", dialogues=DIALOGUES, turns=TURNS, seed=SEED, workers=1)
    assert digests(again) == digests(corpus)


def test_another_seed_gives_another_script():
    assert write_script(4, (2, 3), 0) != write_script(4, (2, 3), 1)


def test_a_muted_turn_is_digital_silence_and_the_others_are_heard(corpus):
    muted = removed(corpus, Modality.ACOUSTIC)
    sound = decoded_sound(corpus / muted["media"])
    for row in rows(corpus, "utterances.csv"):
        if row["media"] == muted["media"]:
            heard = sound[int(float(row["start_s"]) * RATE_HZ) : int(float(row["end_s"]) * RATE_HZ)]
            assert (np.abs(heard).max() == 0) == (row["utterance_id"] == muted["utterance_id"])


def test_a_turn_without_transcript_was_spoken_all_the_same(corpus):
    without = removed(corpus, Modality.TEXTUAL)
    planted = {row["utterance_id"]: row for row in rows(corpus, "planted.csv")}
    assert without["transcript"] == "" and planted[without["utterance_id"]]["spoken"] != ""


def test_face_mesh_finds_each_face_but_the_covered_one(corpus):
    face_mesh = pytest.importorskip("mediapipe").solutions.face_mesh
    covered = removed(corpus, Modality.VISUAL)
    turns = [row for row in rows(corpus, "utterances.csv") if row["media"] == covered["media"]]
    with av.open(str(corpus / covered["media"])) as container:
        film = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    with face_mesh.FaceMesh(static_image_mode=False, max_num_faces=1) as mesh:
        for row in turns:
            images = [image for at_s, image in film if float(row["start_s"]) <= at_s < float(row["end_s"])]
            faces = [bool(mesh.process(image).multi_face_landmarks) for image in images]
            assert set(faces) == {row["utterance_id"] != covered["utterance_id"]}


def test_what_a_killed_run_left_is_cleared_and_never_seen_as_a_corpus_and_progress_counts_dialogues(tmp_path):
    left = tmp_path / ".demo.part" / "media"
    left.mkdir(parents=True)
    (left / "d001.mp4").write_text("half")
    assert find_corpora(tmp_path) == ([], [])
    reports: list[tuple[int, int]] = []
    generate(tmp_path / "demo", dialogues=3, turns=(1, 1), on_progress=lambda *progress: reports.append(progress))
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert reports == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.slow
def test_a_complete_corpus_is_left_as_it_is_and_another_or_one_lacking_a_film_is_made_anew(tmp_path):
    made = generate(tmp_path / "demo", dialogues=3, turns=(1, 1))
    (made / "utterances.csv").write_text("edited")
    times = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    generate(made, dialogues=3, turns=(1, 1), workers=1)
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == times
    first = digests(made)
    second = digests(generate(made, dialogues=3, turns=(1, 1), seed=1))
    assert second["media/d001.mp4"] != first["media/d001.mp4"]
    (made / "media" / "d001.mp4").unlink()
    assert digests(generate(made, dialogues=3, turns=(1, 1), seed=1)) == second
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_folder_with_other_files_is_refused_and_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DemoError, match="earlier demo corpus"):
        generate(tmp_path, dialogues=3)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_too_few_dialogues_for_three_splits_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"dialogues >= 3.*got dialogues=2"):
        generate(tmp_path / "demo", dialogues=2)


def test_an_unknown_voice_variant_is_an_error_that_names_it():
    line = Line(
        text="Hello.", voice="en-us+nobody", rate_wpm=160, pitch=50, pitch_range=50, gain_db=0, brightness=0, seed=1
    )
    with pytest.raises(DemoError, match=r"dialogue d001.*no variant nobody"):
        speak([line], item="dialogue d001")


def test_a_film_that_ffmpeg_cannot_write_is_an_error_with_its_last_words(tmp_path):
    film = stage(write_script(3, (1, 1), 0)[0])
    with pytest.raises(DemoError, match=r"film d001.mp4: .*No such file or directory"):
        write_film(film, tmp_path / "absent" / "d001.mp4")


def test_a_frame_is_shown_for_every_tenth_of_a_second_of_sound():
    film = stage(write_script(3, (2, 2), 0)[0])
    assert len(list(frames(film))) == film.n_frames == len(film.sound) * 10 // RATE_HZ
