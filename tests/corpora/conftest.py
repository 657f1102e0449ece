"""Reading a release that a test has written, and telling what was refused."""

import wave
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from affectory.corpora import media_paths, open_corpus, read_utterances
from affectory.media import MediaFile, probe_file


class Release:
    """A corpus folder under a test's hands."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)

    def write(self, path: str, text: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def write_sound(self, path: str, seconds: float = 0.5) -> None:
        """Half a second of silence, under whatever name."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(file), "wb") as sound:
            sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(16000)
            sound.writeframes(bytes(int(seconds * 16000) * 2))

    def read(self):
        corpus = open_corpus(self.root)
        files = [vars(probe_file(corpus.root, media)) for media in media_paths(corpus)]
        return read_utterances(corpus, pd.DataFrame(files, columns=[field.name for field in fields(MediaFile)]))

    def column(self, name: str) -> dict[str, object]:
        """{utterance: its value}, nothing being None."""
        table = self.read().table.set_index("utterance_id")[name]
        return {str(key): None if pd.isna(value) else value for key, value in table.items()}

    def refused(self) -> list[tuple[str | None, str]]:
        """(utterance, reason) of each refusal, each of which says what was expected and what to do."""
        refusals = self.read().refusals
        for refusal in refusals:
            assert refusal.stage == "utterances" and "expected" in refusal.detail and ";" in refusal.detail
        return [(refusal.utterance_id, refusal.reason) for refusal in refusals]


@pytest.fixture
def new_release(tmp_path):
    """make(name) -> an empty corpus folder."""
    return lambda name: Release(tmp_path / "corpora" / name)
