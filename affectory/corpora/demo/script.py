"""Who speaks with whom, what they feel, and which cues show it: everything that is decided before a frame is drawn.

The whole script follows from (dialogues, turns, seed); no other file draws lots about content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from affectory.corpora.demo.cast import Speaker, make_speaker
from affectory.corpora.demo.cues import (
    AFFECT,
    AFFECT_NOISE,
    AGREEMENT,
    EMOTIONS,
    WORDS,
    FaceCue,
    VoiceCue,
    face_cue,
    voice_cue,
)
from affectory.corpora.demo.sentences import OPENER_SHARE, OPENERS, PLAIN, SENTENCES, TOPICS
from affectory.vocabulary import MODALITIES, Modality, Split

Rng = np.random.Generator
Card = TypeVar("Card")

HELD_OUT_SHARE = 0.2  # of the dialogues, once for val and once for test
REMOVED_SHARE = 0.08  # of the utterances, for each modality; never two at once
INERTIA = 0.35  # how often a speaker's emotion lasts to the speaker's next turn
PAUSE_S = (0.75, 1.15)  # silence between turns; voice activity detection merges turns closer than about 0.3 s


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One utterance as planned. `words` is the emotion the sentence speaks of, empty for a plain sentence."""

    utterance_id: str
    turn: int
    speaker: Speaker
    emotion: str
    intensity: float
    valence: float
    arousal: float
    cues: dict[Modality, str]  # the emotion that each cue shows; "" where the words tell none
    removed: Modality | None
    sentence: str
    voice: VoiceCue
    face: FaceCue
    pause_s: float  # silence before the turn
    seed: int


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """Two speakers who take turns, and the split that they are in."""

    dialogue_id: str
    split: Split
    turns: tuple[Turn, ...]
    seed: int


def write_script(dialogues: int, turns: tuple[int, int], seed: int) -> list[Dialogue]:
    """`dialogues` >= 3 dialogues of `turns[0]`..`turns[1]` turns; splits share neither a speaker nor a dialogue."""
    held_out = max(1, round(dialogues * HELD_OUT_SHARE))
    sizes = {Split.TRAIN: dialogues - 2 * held_out, Split.VAL: held_out, Split.TEST: held_out}
    script: list[Dialogue] = []
    cast_so_far = 0
    for number, (split, size) in enumerate(sizes.items()):
        rng = np.random.default_rng([seed, number])
        cast = [make_speaker(cast_so_far + index, rng) for index in range(max(2, size * 3 // 4))]
        cast_so_far += len(cast)
        feelings = _Deck(EMOTIONS, rng)
        removals = _Deck(_removals(), rng)
        for pair in _pairs(cast, size, rng):
            script.append(_dialogue(len(script), split, pair, turns, feelings, removals, rng))
    return script


class _Deck(Generic[Card]):
    """Cards dealt in shuffled rounds, so that every card comes equally often."""

    def __init__(self, cards: tuple[Card, ...], rng: Rng) -> None:
        self._cards, self._rng = cards, rng
        self._left: list[Card] = []

    def deal(self) -> Card:
        if not self._left:
            self._left = [self._cards[index] for index in self._rng.permutation(len(self._cards))]
        return self._left.pop()


def _removals() -> tuple[Modality | None, ...]:
    """25 cards of which each modality has two: 8 %."""
    cards_of_modality = round(25 * REMOVED_SHARE)
    removed: list[Modality | None] = [modality for modality in MODALITIES for _ in range(cards_of_modality)]
    return tuple(removed + [None] * (25 - len(removed)))


def _pairs(cast: list[Speaker], size: int, rng: Rng) -> list[tuple[Speaker, Speaker]]:
    """`size` pairs in which every speaker appears about equally often."""
    seats: list[Speaker] = []
    while len(seats) < 2 * size:
        shuffled = [cast[index] for index in rng.permutation(len(cast))]
        if len(seats) % 2 and seats[-1] is shuffled[0]:  # nobody speaks with themself
            shuffled.append(shuffled.pop(0))
        seats += shuffled
    return [(seats[2 * index], seats[2 * index + 1]) for index in range(size)]


def _dialogue(
    number: int,
    split: Split,
    pair: tuple[Speaker, Speaker],
    turns: tuple[int, int],
    feelings: _Deck[str],
    removals: _Deck[Modality | None],
    rng: Rng,
) -> Dialogue:
    dialogue_id = f"d{number + 1:03d}"
    topic = TOPICS[rng.integers(len(TOPICS))]
    last_emotion: dict[str, str] = {}
    planned = []
    for index in range(int(rng.integers(turns[0], turns[1] + 1))):
        speaker = pair[index % 2]
        lasts = speaker.name in last_emotion and rng.random() < INERTIA
        last_emotion[speaker.name] = last_emotion[speaker.name] if lasts else feelings.deal()
        planned.append(_turn(dialogue_id, index, speaker, last_emotion[speaker.name], topic, removals.deal(), rng))
    return Dialogue(dialogue_id=dialogue_id, split=split, turns=tuple(planned), seed=int(rng.integers(2**31)))


def _turn(
    dialogue_id: str, index: int, speaker: Speaker, emotion: str, topic: str, removed: Modality | None, rng: Rng
) -> Turn:
    intensity = float(rng.uniform(0.6, 1.2))
    cues = {
        Modality.ACOUSTIC: emotion if rng.random() < AGREEMENT["acoustic"] else _other(emotion, rng),
        Modality.VISUAL: emotion if rng.random() < AGREEMENT["visual"] else _other(emotion, rng),
        Modality.TEXTUAL: _words(emotion, rng),
    }
    valence, arousal = np.clip(
        np.array(AFFECT[emotion]) * (0.5 + 0.5 * intensity) + AFFECT_NOISE * rng.normal(size=2), -1, 1
    )
    return Turn(
        utterance_id=f"{dialogue_id}_u{index + 1:02d}",
        turn=index + 1,
        speaker=speaker,
        emotion=emotion,
        intensity=intensity,
        valence=float(valence),
        arousal=float(arousal),
        cues=cues,
        removed=removed,
        sentence=_sentence(cues[Modality.TEXTUAL], topic, rng),
        voice=voice_cue(cues[Modality.ACOUSTIC], speaker.culture, intensity, speaker.voice_habit, rng),
        face=face_cue(cues[Modality.VISUAL], speaker.culture, intensity, speaker.face_habit, rng),
        pause_s=float(rng.uniform(*PAUSE_S)),
        seed=int(rng.integers(2**31)),
    )


def _other(emotion: str, rng: Rng) -> str:
    """One of the emotions but this."""
    alternatives = [candidate for candidate in EMOTIONS if candidate != emotion]
    return alternatives[rng.integers(len(alternatives))]


def _words(emotion: str, rng: Rng) -> str:
    """The emotion the sentence speaks of: the intended one, another, or none."""
    kind = rng.choice(list(WORDS), p=list(WORDS.values()))
    return {"intended": emotion, "plain": "", "other": _other(emotion, rng)}[kind]


def _sentence(emotion: str, topic: str, rng: Rng) -> str:
    """A sentence that speaks of `emotion`, or a plain one where that is empty."""
    sentences = SENTENCES[emotion] if emotion else PLAIN
    sentence = sentences[rng.integers(len(sentences))].format(it=topic)
    opener = OPENERS[rng.integers(len(OPENERS))]
    if rng.random() >= OPENER_SHARE:
        return sentence
    return f"{opener} {sentence if sentence.startswith('I ') else sentence[0].lower() + sentence[1:]}"
