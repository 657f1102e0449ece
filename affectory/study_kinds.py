"""What studies there are, how each is shown, and what their rows are called in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectory.vocabulary import DEPTHS

MMIN_STUDY, MMGCN_STUDY, OMG_STUDY = "mmin_study", "mmgcn_study", "omg_study"


def layers(n: int) -> str:
    return "layer" if n == 1 else "layers"


@dataclass(frozen=True)
class Kind:
    """How a study is shown."""

    title: str
    metrics: tuple[str, ...]  # of its tables; the first ranks, is tested and drawn
    references: Mapping[str, str]  # what every other row is tested against, and its mark
    pictured: str  # the row whose insides are drawn
    methods: tuple[str, ...]  # the rows whose classes are shown one by one
    absent: Mapping[str, str]  # picture -> what is said where it cannot be drawn


KINDS = {
    MMIN_STUDY: Kind(
        title="Study of MMIN",
        metrics=("ua", "wa", "macro_f1", "weighted_f1"),
        references={"mmin": "†", "best": "‡"},
        pictured="mmin",
        methods=(),
        absent={
            "missing_modalities": "No sweep of missing rates is stored for this study.",
            "imagined": "No imagined representations are stored for this study, so none are drawn.",
        },
    ),
    MMGCN_STUDY: Kind(
        title="Study of MMGCN",
        metrics=("weighted_f1", "wa", "ua", "macro_f1"),
        references={"mmgcn": "†", "utterance": "‡"},
        pictured="mmgcn",
        methods=("utterance", "bc_lstm", "cmn", "icon", "dialogue_rnn", "dialogue_gcn", "mmgcn"),
        absent={
            "depth": "MMGCN was trained in fewer than two depths, so none are drawn.",
            "edges": "No edges of MMGCN are stored for this study, so none are drawn.",
        },
    ),
}

# experiment -> how a sentence calls it, and what the row is.
EXPERIMENTS = {
    "full_baseline": ("the full-modality baseline", "encoders and a classifier, trained on full rows only"),
    "augmented_baseline": (
        "the augmented baseline",
        "the same network, trained on every missing condition made from them; save in official_code, on full rows too",
    ),
    "partial_baseline": (
        "the partial-modality baselines",
        "the same network, one a condition, trained and tested with just that condition’s modalities",
    ),
    "mctn": ("MCTN", "cyclic translation between modalities, one network a missing condition; none for the full one"),
    "attention_fusion": (
        "attention fusion",
        "fusion by attention across modalities, like cLSTM-MMA: a reference for the full condition",
    ),
    "attention_fusion_augmented": (
        "augmented attention fusion",
        "the same, trained on full rows and on every missing condition made from them",
    ),
    "mmin": (
        "MMIN",
        "starts from the full-modality teacher’s encoders, imagines what is missing and classifies from how it does",
    ),
    "mmin_ae": ("MMIN-AE", "MMIN with one autoencoder in place of the cascade"),
    "mmin_no_cycle": ("MMIN-NoCycle", "MMIN without the backward (cycle) imagination loss"),
    "augmented_pretrained": (
        "the pretrained augmented baseline",
        "control: the augmented baseline, started from the same teacher’s encoders as MMIN",
    ),
    "mmin_no_imagination": (
        "MMIN without imagination losses",
        "control: MMIN’s network and start, trained on the classification alone",
    ),
    "linear_svm": ("the linear SVM", "linear support vector machines on each utterance’s functionals, one a condition"),
    "best": ("the preset best", "what helped on validation: experts on functionals, one a modality, whose votes add"),
    "utterance": ("the utterance alone", "a layer over the features of all modalities of one utterance: no context"),
    "bc_lstm": ("BC-LSTM", "a bidirectional LSTM over the dialogue"),
    "cmn": ("CMN", "a memory of the speaker’s own past and one of all others’, each read in hops"),
    "icon": ("ICON", "as CMN, with one memory of all, read anew on every hop"),
    "dialogue_rnn": ("DialogueRNN", "a state of each speaker, of the dialogue and of the emotion, both ways"),
    "dialogue_gcn": ("DialogueGCN", "a graph over the utterances near by, relations by speaker and direction"),
    "early": ("early fusion", "modalities side by side, then the deep GCN of MMGCN; no speakers, as for all fusions"),
    "late": ("late fusion", "a deep GCN for each modality, their results side by side"),
    "gated": ("gated attention", "a deep GCN for each modality, whose results weigh each other in pairs"),
    "mfn": ("MFN", "LSTMs and a memory of how they change together, which look back only, then the deep GCN"),
    "mult": ("MulT", "each modality read by every other with attention, then the deep GCN"),
    "mmgcn": ("MMGCN", "every utterance is a node for each of its modalities; trained on full rows"),
    "mmgcn_augmented": (
        "augmented MMGCN",
        "the same, trained on full rows and on every missing condition made from them: the one that is registered",
    ),
    "mmgcn_partial": ("the partial-modality MMGCNs", "MMGCN on just the modalities of the condition, one network each"),
    **{
        f"mmgcn_layers_{n}": (f"MMGCN of {n} {layers(n)}", f"MMGCN with {n} {layers(n)} of graph convolution")
        for n in DEPTHS
    },
    "mmgcn_no_speaker": ("MMGCN without speakers", "MMGCN without the embedding of who speaks"),
    "mmgcn_causal": ("causal MMGCN", "MMGCN in which an utterance sees the past only, so that it can be scored live"),
    "bc_lstm_shuffled_order": (
        "BC-LSTM on shuffled dialogues",
        "control: BC-LSTM, the utterances of every dialogue in another order",
    ),
    "mmgcn_shuffled_order": ("MMGCN on shuffled dialogues", "control: MMGCN, likewise"),
    "bc_lstm_strangers": (
        "BC-LSTM among strangers",
        "control: BC-LSTM, every utterance dealt into another dialogue of its part",
    ),
    "mmgcn_strangers": ("MMGCN among strangers", "control: MMGCN, likewise"),
    "mmgcn_shuffled_labels": (
        "MMGCN on shuffled labels",
        "control: MMGCN, the labels of its training rows shuffled among them; what it reaches is chance",
    ),
}  # fmt: skip
