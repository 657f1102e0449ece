"""The speakers: a look, a voice and habits, drawn apart, so that no appearance tells an emotion or a culture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affectory.corpora.demo.cues import CULTURES, Culture
from affectory.corpora.demo.portrait import HAIR_STYLES, Colour, Look

# The breathy variants f2, f3 and f5 are left out: they hold back pitch.
VARIANTS = (
    "m1", "f1", "m3", "Annie", "m7", "f4", "m8", "Alicia", "edward", "linda", "m2", "belinda", "adam", "shelby", "max",
    "Andrea", "m4", "aunty", "robert", "steph", "victor", "m6", "Reed",
)  # fmt: skip
_COMPLEXIONS: tuple[tuple[Colour, Colour], ...] = (  # skin, hair
    ((244, 205, 178), (92, 60, 36)),
    ((226, 172, 135), (120, 52, 30)),
    ((198, 140, 102), (40, 30, 26)),
    ((150, 98, 66), (30, 24, 24)),
    ((104, 68, 48), (36, 30, 30)),
    ((236, 190, 156), (178, 146, 96)),
    ((214, 160, 122), (60, 42, 34)),
    ((240, 198, 170), (150, 150, 150)),
)
_IRISES: tuple[Colour, ...] = ((70, 110, 140), (84, 60, 36), (80, 110, 70), (60, 42, 30))
_SHIRTS: tuple[Colour, ...] = ((60, 90, 130), (120, 60, 70), (70, 110, 90), (90, 90, 100), (150, 120, 70))
_WALLS: tuple[Colour, ...] = ((176, 186, 192), (200, 190, 172), (160, 178, 168), (188, 176, 190))


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """One of the cast. `voice_habit` and `face_habit` are constant offsets in standard deviations."""

    name: str
    culture: Culture
    variant: str
    look: Look
    voice_habit: tuple[float, ...]
    face_habit: tuple[float, ...]


def make_speaker(index: int, rng: np.random.Generator) -> Speaker:
    """The speaker number `index`, from 0: culture and voice follow from the number, looks and habits from `rng`."""
    return Speaker(
        name=f"s{index + 1:02d}",
        culture=CULTURES[index % len(CULTURES)],
        variant=VARIANTS[index % len(VARIANTS)],
        look=_look(rng),
        voice_habit=tuple(map(float, rng.normal(size=5))),
        face_habit=tuple(map(float, rng.normal(size=5))),
    )


def _look(rng: np.random.Generator) -> Look:
    skin, hair = _COMPLEXIONS[rng.integers(len(_COMPLEXIONS))]
    return Look(
        skin=skin,
        hair=hair,
        iris=_IRISES[rng.integers(len(_IRISES))],
        shirt=_SHIRTS[rng.integers(len(_SHIRTS))],
        wall=_WALLS[rng.integers(len(_WALLS))],
        hair_style=HAIR_STYLES[rng.integers(len(HAIR_STYLES))],
        jaw=float(rng.uniform(0.92, 1.02)),
        length=float(rng.uniform(1.27, 1.38)),
        eye_distance=float(rng.uniform(0.40, 0.44)),
        brow_weight=float(rng.uniform(0.036, 0.056)),
        seed=int(rng.integers(2**31)),
    )
