"""What the studies train: rows of the published tables and their controls, a training each in every fold and seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from affectory.models import attention_fusion, conversation, mctn, mmgcn, mmin
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
    of_mmin = mmin.study_experiments(preset)
    full = of_mmin["full_baseline"]
    rival = {"official_code": "paper", "official_code_msp": "paper", "best": "default"}.get(preset, preset)
    free = [Row(name, "mmin", config, swept=True) for name, config in of_mmin.items()]
    fused = attention_fusion.experiments(rival).items()
    free += [Row(name, "attention_fusion", config, swept=True) for name, config in fused]
    if train_under:
        free = [
            row
            if row.name == "full_baseline"
            else replace(row, config=replace(row.config, training_conditions=train_under))
            for row in free
        ]
    bound = [Row("partial_baseline", "mmin", full, only, reads_all=False) for only in conditions(known)]
    translators = {mctn.condition_of(config): config for config in mctn.experiments(rival).values()}
    bound += [Row("mctn", "mctn", translators[only], only) for only in missing_conditions(known)]
    return [*free, *bound, Row(LINEAR_SVM, LINEAR_SVM)]


def mmgcn_rows(preset: str, modalities: Iterable[Modality]) -> list[Row]:
    """The conversation tables: models of context, fusions, MMGCN by depth, speaker and modality; and controls.

    `preset` is one of the family mmgcn; its rivals have `quick`, `paper` and `debug` forms of their own and else take
    their default. With one modality nothing is fused, and MMGCN on parts of the modalities is itself. ValueError for an
    unknown preset.
    """
    known = tuple(modalities)
    of_mmgcn = mmgcn.study_experiments(preset)
    rival = {"official_code": "paper", "official_code_meld": "paper", "causal": "default"}.get(preset, preset)
    rivals = conversation.experiments(rival)
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
