"""What the studies train: rows of the published tables and their controls, a training each in every fold and seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

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
from affectory.vocabulary import Condition, Modality, conditions, missing_conditions

LINEAR_SVM = "linear_svm"


@dataclass(frozen=True)
class Row:
    """What is trained once a fold and seed. Several rows of one experiment each stand for a condition of it."""

    experiment: str
    family: str  # of FAMILIES, or LINEAR_SVM
    config: Any = None
    only: Condition | None = None  # trained for this condition and scored under it alone
    reads_all: bool = True  # False: the other modalities do not exist for it
    shuffled: Literal["", "order", "company", "labels"] = ""  # a control: what of the data is shuffled, by the seed
    swept: bool = False  # also scored as more and more goes missing
    feature_sets: tuple[str, ...] = ()  # what it reads; empty: the sets that the missing-modality sets are made of
    watched: bool = False  # scored on the test part after each epoch too, for what selecting on it would have shown

    @property
    def name(self) -> str:
        keys = "".join(modality.key for modality in Modality if self.only and modality in self.only)
        return f"{self.experiment}_{keys}" if keys else self.experiment


def mmin_rows(preset: str, modalities: Iterable[Modality], train_under: str = "") -> list[Row]:
    """The missing-modality table: baselines, MMIN and its ablations, controls, rivals, teacher before student.

    `preset` is one of the family mmin; its rivals have `quick`, `paper` and `debug` forms of their own and else take
    their default. `train_under`, one of TRAINING_CONDITIONS, is trained under by every row that is not bound to one
    condition, in the place of what its preset says; but for the full baseline, which teaches. ValueError for an unknown
    preset.
    """
    known = tuple(modalities)
    of_mmin = mmin.FAMILY.study_experiments(preset)
    full = of_mmin["full_baseline"]
    rival = {"official_code": "paper", "official_code_msp": "paper", "best": "default"}.get(preset, preset)
    free = [Row(name, "mmin", config, swept=True) for name, config in of_mmin.items()]
    fused = attention_fusion.FAMILY.experiments(rival).items()
    free += [Row(name, "attention_fusion", config, swept=True) for name, config in fused]
    if train_under:
        free = [
            row
            if row.name == "full_baseline"
            else replace(row, config=replace(row.config, training_conditions=train_under))
            for row in free
        ]
    bound = [Row("partial_baseline", "mmin", full, only, reads_all=False) for only in conditions(known)]
    translators = {mctn.condition_of(config): config for config in mctn.FAMILY.experiments(rival).values()}
    bound += [Row("mctn", "mctn", translators[only], only) for only in missing_conditions(known)]
    return [*free, *bound, Row(LINEAR_SVM, LINEAR_SVM)]


def mmgcn_rows(preset: str, modalities: Iterable[Modality]) -> list[Row]:
    """The conversation tables: models of context, fusions, MMGCN by depth, speaker and modality; and controls.

    `preset` is one of the family mmgcn; its rivals have `quick`, `paper` and `debug` forms of their own and else take
    their default. With one modality nothing is fused, and MMGCN on parts of the modalities is itself. ValueError for an
    unknown preset.
    """
    known = tuple(modalities)
    of_mmgcn = mmgcn.FAMILY.study_experiments(preset)
    rival = {"official_code": "paper", "official_code_meld": "paper", "causal": "default"}.get(preset, preset)
    rivals = conversation.FAMILY.experiments(rival)
    fused = set(conversation.FUSED) if len(known) < 2 else set()
    rows = [Row(name, "conversation", config) for name, config in rivals.items() if name not in fused]
    rows += [Row(name, "mmgcn", config) for name, config in of_mmgcn.items() if known[1:] or name != "mmgcn_augmented"]
    mmgcn_, bc_lstm = of_mmgcn["mmgcn"], rivals["bc_lstm"]
    rows += [Row("mmgcn_partial", "mmgcn", mmgcn_, only, reads_all=False) for only in missing_conditions(known)]
    rows += [
        Row("bc_lstm_shuffled_order", "conversation", bc_lstm, shuffled="order"),
        Row("mmgcn_shuffled_order", "mmgcn", mmgcn_, shuffled="order"),
        Row("bc_lstm_strangers", "conversation", bc_lstm, shuffled="company"),
        Row("mmgcn_strangers", "mmgcn", mmgcn_, shuffled="company"),
        Row("mmgcn_shuffled_labels", "mmgcn", mmgcn_, shuffled="labels"),
    ]
    return [replace(row, watched=True) for row in rows]


SOUNDS = ("spectrogram", "mel", "logmel", "mfcc")
LOSSES = {"": (), "ccc": (1.0, 0.0), "mse": (0.0, 1.0), "ccc_and_mse": (1.0, 1.0)}  # weights of 1 - CCC and MSE


def omg_rows(preset: str, modalities: Iterable[Modality], loss: str = "") -> list[Row]:
    """The tables of the slides on valence and arousal: networks of sound, of faces, and of all modalities together.

    `preset` is one of audio_cnn, face_sequence and valence_arousal (which takes its default for `paper`); `loss`, one
    of LOSSES, is what every row learns with in the place of its own. ValueError for what is not known.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss {loss!r}: expected one of {', '.join(filter(None, LOSSES))}")
    known = tuple(modalities)
    sound = audio_cnn.FAMILY.experiments(preset)
    rows = [
        Row(name, "audio_cnn", config, feature_sets=audio_cnn.FAMILY.reads(config)) for name, config in sound.items()
    ]
    rows += [
        Row(f"conv2d_5_{kind}", "audio_cnn", sound["conv2d_5"], feature_sets=(kind,))
        for kind in SOUNDS
        if kind != "logmel"
    ]
    faces = face_sequence.FAMILY.experiments(preset)
    rows += [
        Row(name, "face_sequence", config, feature_sets=face_sequence.FAMILY.reads(config))
        for name, config in faces.items()
    ]
    together = valence_arousal.FAMILY.experiments({"paper": "default"}.get(preset, preset))
    rows += [Row(name, "valence_arousal", config) for name, config in together.items() if known[1:]]
    full = together["multimodal"]
    alone = {modality.value: Condition({modality}) for modality in known}
    rows += [Row(name, "valence_arousal", full, only, reads_all=False) for name, only in alone.items()]
    rows.append(Row("shuffled_labels", "valence_arousal", together["multimodal_augmented"], shuffled="labels"))
    return [_learning_with(row, loss) for row in rows]


def _learning_with(row: Row, loss: str) -> Row:
    if not loss:
        return row
    ccc, mse = LOSSES[loss]
    return replace(row, config=replace(row.config, ccc_weight=ccc, mse_weight=mse))
