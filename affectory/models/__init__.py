"""The families of emotion models. To add one: its file, a line here, and its test file."""

from __future__ import annotations

from typing import Any

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

FAMILIES: dict[str, Family[Any]] = {
    family.name: family
    for family in (
        mmin.FAMILY,
        mctn.FAMILY,
        attention_fusion.FAMILY,
        mmgcn.FAMILY,
        conversation.FAMILY,
        valence_arousal.FAMILY,
        audio_cnn.FAMILY,
        face_sequence.FAMILY,
    )
}
