"""The two tables of the demo corpus: utterances.csv as every corpus has it, and planted.csv with the answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from affectory.corpora.demo.film import Scene
from affectory.corpora.demo.script import Dialogue
from affectory.vocabulary import UTTERANCE_COLUMNS, Modality


def media_path(dialogue: Dialogue) -> str:
    """The path of the dialogue's film, relative to the corpus folder."""
    return f"media/{dialogue.dialogue_id}.mp4"


def annotation_table(filmed: Iterable[tuple[Dialogue, tuple[Scene, ...]]]) -> pd.DataFrame:
    """UTTERANCE_COLUMNS; one row an utterance. Dominance and sentiment are empty: nothing of them was planted."""
    rows = [_utterance(dialogue, scene) for dialogue, scenes in filmed for scene in scenes]
    return pd.DataFrame(rows).reindex(columns=list(UTTERANCE_COLUMNS))


def _utterance(dialogue: Dialogue, scene: Scene) -> dict[str, object]:
    turn = scene.turn
    return {
        "utterance_id": turn.utterance_id,
        "dialogue_id": dialogue.dialogue_id,
        "turn": turn.turn,
        "speaker": turn.speaker.name,
        "split": dialogue.split.value,
        "culture": turn.speaker.culture.name,
        "media": media_path(dialogue),
        "start_s": f"{scene.start_s:.3f}",
        "end_s": f"{scene.end_s:.3f}",
        "transcript": "" if turn.removed is Modality.TEXTUAL else turn.sentence,
        "emotion": turn.emotion,
        "valence": f"{turn.valence:.3f}",
        "arousal": f"{turn.arousal:.3f}",
    }


def planted_table(filmed: Iterable[tuple[Dialogue, tuple[Scene, ...]]]) -> pd.DataFrame:
    """What was planted, one row an utterance as in utterances.csv; docs/demo-corpus.md explains the columns."""
    return pd.DataFrame([_planted(scene) for _, scenes in filmed for scene in scenes])


def _planted(scene: Scene) -> dict[str, object]:
    turn = scene.turn
    agreeing = [modality.key for modality, emotion in turn.cues.items() if emotion == turn.emotion]
    return {
        "utterance_id": turn.utterance_id,
        "emotion": turn.emotion,
        "intensity": f"{turn.intensity:.3f}",
        **{f"shown_{modality.value}": emotion for modality, emotion in turn.cues.items()},
        "agreeing": ",".join(agreeing),
        "removed": turn.removed.value if turn.removed else "",
        "spoken": turn.sentence,
        **{f"voice_{name}": f"{value:.3f}" for name, value in asdict(turn.voice).items()},
        **{f"face_{name}": f"{value:.3f}" for name, value in asdict(turn.face).items()},
    }
