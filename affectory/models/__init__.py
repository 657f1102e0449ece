"""The families of emotion models. To add one: its file, a line here, and its test file."""

from __future__ import annotations

from typing import cast

from affectory.models import (
    attention_fusion,
    audio_cnn,
    conversation,
    face_sequence,
    mctn,
    mmgcn,
    mmin,
    valence_arousal,
)
from affectory.models.family import Family

FAMILIES: dict[str, Family] = {
    "mmin": cast(Family, mmin),
    "mctn": cast(Family, mctn),
    "attention_fusion": cast(Family, attention_fusion),
    "mmgcn": cast(Family, mmgcn),
    "conversation": cast(Family, conversation),
    "valence_arousal": cast(Family, valence_arousal),
    "audio_cnn": cast(Family, audio_cnn),
    "face_sequence": cast(Family, face_sequence),
}
