"""Valence and arousal: networks of sound, of faces, and of all modalities together, beside what the slides published.

Published numbers are of the test part of OMG-Emotion, (valence, arousal) here, though the slides' tables have arousal
first. Of its 2,229 test utterances the slides' author still found 1,450.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isnan, sqrt
from statistics import mean
from typing import Any

import numpy as np

from affectory.features.faces import pictures
from affectory.report.dimensions import (
    TOTAL,
    OfRuns,
    after_training_grid,
    agreement_figure,
    best_by_validation,
    ccc_bars_figure,
    ccc_by_condition,
    ccc_grid,
    cells_of,
    condition_of,
    conditions_figure,
    fullest,
    further_grid,
    gap_words,
    mean_metric,
    mean_title,
    tested,
    timeline_figure,
    total_title,
    two_best,
    values_among,
    values_of,
)
from affectory.report.figures.media import face_strip, sound_panels
from affectory.report.scores import learning_figure
from affectory.report.section import Figure, Grid, Group, Value
from affectory.report.sentences import left_out, mean_words
from affectory.report.study_data import StudyData
from affectory.results.names import AVERAGE
from affectory.results.tables import missing_phrase, runs_phrase
from affectory.results.words import joined, number, plural
from affectory.studies.study import Option, Row, Study
from affectory.vocabulary import DIMENSIONS

NAME = "omg_study"
FUSED = ("multimodal", "multimodal_augmented")
SINGLE = ("acoustic", "visual", "textual")
CONTROLS = ("shuffled_labels",)
PICTURED = "multimodal_augmented"
SOUNDS = ("spectrogram", "mel", "logmel", "mfcc")
LOSSES = {"ccc": (1.0, 0.0), "mse": (0.0, 1.0), "ccc_and_mse": (1.0, 1.0)}  # weights of 1 - CCC and MSE

BACKBONES = {
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    "densenet121": "DenseNet121",
    "mobilenet_v3_small": "MobileNetV3-Small",
}
TEMPORALS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM", "conv1d_4": "4Conv1D"}
RECURRENT = ("rnn", "gru", "lstm")
FINE_TUNED, RANDOM = "_fine_tuned", "_random"  # end the names of rows of faces, in this order

# fmt: off
AUDIO = (
    Row("conv2d_5", "audio_cnn", title="5Conv2D",
        means="five 2-D convolutions over the log-mel spectrogram of three seconds"),
    Row("resnet50_pretrained", "audio_cnn", title="ResNet50 (P)",
        means="the spectrogram read as a picture, started from ImageNet’s weights"),
    Row("resnet50", "audio_cnn", title="ResNet50 (NP)", means="the spectrogram read as a picture, started from chance"),
    Row("vgg16_pretrained", "audio_cnn", title="VGG16 (P)",
        means="the spectrogram read as a picture, started from ImageNet’s weights"),
    Row("vgg16", "audio_cnn", title="VGG16 (NP)", means="the spectrogram read as a picture, started from chance"),
    Row("alexnet_pretrained", "audio_cnn", title="AlexNet (P)",
        means="the spectrogram read as a picture, started from ImageNet’s weights"),
    Row("alexnet", "audio_cnn", title="AlexNet (NP)", means="the spectrogram read as a picture, started from chance"),
    Row("conv_attention", "audio_cnn", title="Conv + ATT",
        means="2-D convolutions over the spectrogram, then attention over time"),
    Row("conv_1d_2d", "audio_cnn", title="Conv 1D + 2D",
        means="1-D convolutions over time beside 2-D ones over the spectrogram"),
)
AUDIO_FEATURES = (
    Row("conv2d_5_spectrogram", "audio_cnn", title="5Conv2D, spectrogram", experiment="conv2d_5",
        feature_sets=("spectrogram",), means="5Conv2D over 1,025 magnitudes"),
    Row("conv2d_5_mel", "audio_cnn", title="5Conv2D, mel", experiment="conv2d_5", feature_sets=("mel",),
        means="5Conv2D over the power in 90 mel bands"),
    Row("conv2d_5_mfcc", "audio_cnn", title="5Conv2D, MFCC", experiment="conv2d_5", feature_sets=("mfcc",),
        means="5Conv2D over 40 mel-frequency cepstral coefficients"),
)
MULTIMODAL = (
    Row("multimodal", "valence_arousal", title="Multimodal", colour="#6fbbe8", fuses=True,
        means="sound, faces and words together, trained on full rows"),
    Row("multimodal_augmented", "valence_arousal", title="Multimodal, augmented", colour="#0a62a9", fuses=True,
        means="the same, trained on every missing condition made of them too"),
    Row("acoustic", "valence_arousal", title="Acoustic alone", colour="#009e73", experiment="multimodal",
        only="acoustic", reads_all=False, means="the same network on sound alone"),
    Row("visual", "valence_arousal", title="Visual alone", colour="#cc79a7", experiment="multimodal", only="visual",
        reads_all=False, means="the same network on faces alone"),
    Row("textual", "valence_arousal", title="Textual alone", colour="#e69f00", experiment="multimodal", only="textual",
        reads_all=False, means="the same network on words alone"),
    Row("shuffled_labels", "valence_arousal", title="Labels shuffled (control)", colour="#bcc3cc",
        experiment="multimodal_augmented", shuffled="labels",
        means="control: training labels shuffled among the training rows"),
)
# fmt: on
FEATURES_ORDER = ("conv2d_5_spectrogram", "conv2d_5_mel", "conv2d_5", "conv2d_5_mfcc")

SLIDES_NUMBERS = {
    "conv2d_5": (0.122, 0.211),
    "resnet50_pretrained": (0.205, 0.251),
    "resnet50": (0.210, 0.194),
    "vgg16_pretrained": (0.195, 0.285),
    "vgg16": (0.251, 0.078),
    "alexnet_pretrained": (0.152, 0.159),
    "alexnet": (0.077, 0.248),
    "conv_attention": (0.047, 0.066),
    "conv_1d_2d": (0.041, 0.199),
    "resnet50_rnn": (0.322, 0.112),
    "resnet50_gru": (0.446, 0.180),
    "resnet50_lstm": (0.325, 0.249),
    "vgg16_rnn": (0.303, 0.194),
    "vgg16_gru": (0.254, 0.274),
    "vgg16_lstm": (0.347, 0.159),
    "densenet121_rnn": (0.133, 0.083),
    "densenet121_gru": (0.052, 0.063),
    "densenet121_lstm": (0.021, 0.098),
    "resnet50_conv1d_4": (0.250, 0.188),
    "vgg16_conv1d_4": (0.345, 0.113),
}
SLIDES_NOTE = (
    "Slides: the numbers of the slides, on the test part of OMG-Emotion, of which their author still found 1,450 of "
    "2,229 utterances: another data set, unless this corpus is that one."
)
PUBLISHED = {  # as printed
    "GammaLab (VA)": ("0.498", "0.361"),
    "audEERING (VA)": ("0.368", "0.286"),
    "HKUST (VAT)": ("0.359", "0.276"),
    "UMONS (VAT)": ("0.262", "0.175"),
    "ADSC (VA)": ("0.442", "0.236"),
    "ADSC (V)": ("0.437", "0.244"),
    "audEERING (A)": ("0.361", "0.292"),
    "iBug (V)": ("0.400", "0.130"),
    "Baseline (A)": ("0.10", "0.08"),
    "Baseline (V)": ("0.23", "0.12"),
    "VGG16 (P) (A), slides": ("0.195", "0.285"),
    "ResNet50 + GRU (V), slides": ("0.446", "0.180"),
}


def face_parts(name: str) -> tuple[str, str, str] | None:
    """(backbone, temporal, what ends the name) of `<backbone>_<temporal>[_fine_tuned][_random]`; None of others."""
    stem = name.removesuffix(RANDOM).removesuffix(FINE_TUNED)
    for temporal in TEMPORALS:
        backbone = stem.removesuffix(f"_{temporal}")
        if backbone and backbone != stem:
            return backbone, temporal, name[len(stem) :]
    return None


def _face_row(name: str) -> Row:
    parts = face_parts(name)
    assert parts is not None
    backbone, temporal, end = parts
    fine_tuned, random = end.startswith(FINE_TUNED), end.endswith(RANDOM)
    ends = ["fine-tuned"] * fine_tuned + ["random weights"] * random
    title = f"{BACKBONES[backbone]} + {TEMPORALS[temporal]}" + (f" ({', '.join(ends)})" if ends else "")
    weights = "with random weights" if random else "with ImageNet’s weights"
    how = "trained too" if fine_tuned else "frozen"
    means = f"{BACKBONES[backbone]} of each face, {weights}, {how}; {TEMPORALS[temporal]} over the faces"
    return Row(name, "face_sequence", title=title, means=means)


def _face_rows() -> tuple[Row, ...]:
    """The published pairs and those of a small backbone, two fine-tuned, and the frozen ones with random weights."""
    published = [name for name in SLIDES_NUMBERS if face_parts(name)]
    small = [f"mobilenet_v3_small_{temporal}" for temporal in TEMPORALS]
    tuned = [f"{backbone}_gru{FINE_TUNED}" for backbone in ("resnet50", "mobilenet_v3_small")]
    stems = {"": [*published, *small], FINE_TUNED: tuned}
    ends = (("", ""), (FINE_TUNED, ""), (FINE_TUNED, RANDOM), ("", RANDOM))
    return tuple(_face_row(f"{stem}{random}") for kind, random in ends for stem in stems[kind])


ROWS = (*AUDIO, *AUDIO_FEATURES, *_face_rows(), *MULTIMODAL)


def learn_with(training: Any, options: Mapping[str, Any]) -> Any:
    """Every row learns with the option's loss in the place of its own."""
    if not options.get("loss"):
        return training
    ccc_weight, mse_weight = LOSSES[options["loss"]]
    return replace(training, config=replace(training.config, ccc_weight=ccc_weight, mse_weight=mse_weight))


# Which rows belong together: those of each that have results, in order. What no group knows is among the modalities.


def audio_rows(data: StudyData) -> list[str]:
    names = {row.name for row in AUDIO}
    return [name for name in data.rows() if name in names]


def feature_rows(data: StudyData) -> list[str]:
    """The kinds of spectrum under 5Conv2D; it alone is no comparison."""
    held = set(data.rows())
    names = [name for name in FEATURES_ORDER if name in held]
    return names if len(names) > 1 or not audio_rows(data) else []


def face_rows(data: StudyData) -> list[str]:
    return [name for name in data.rows() if face_parts(name)]


def modality_rows(data: StudyData) -> list[str]:
    others = {row.name for row in (*AUDIO, *AUDIO_FEATURES)}
    return [name for name in data.rows() if name not in others and not face_parts(name)]


def _sound_and_features(data: StudyData) -> list[str]:
    return data.names.in_order({*audio_rows(data), *feature_rows(data)})


def sound(data: StudyData) -> list[str]:
    sentences = [_highest(data, "Sound", audio_rows(data))]
    features = values_among(data, TOTAL, feature_rows(data))
    if len(features) > 1:
        called = {name: _feature_title(data, name).removeprefix("5Conv2D, ") for name in features}
        sentences.append(_ranked(data, f"Of {len(features)} feature sets under 5Conv2D", features, called))
    return _one_line(sentences)


def faces(data: StudyData) -> list[str]:
    """The best row, then GRU, LSTM and RNN in the mean over the networks of a face that have all of these."""
    return _one_line([_highest(data, "Faces", face_rows(data)), _recurrent(data)])


def _recurrent(data: StudyData) -> str:
    by_network: dict[tuple[str, str], dict[str, OfRuns]] = {}
    for name, runs in values_among(data, TOTAL, face_rows(data)).items():
        backbone, temporal, end = face_parts(name) or ("", "", "")
        if temporal in RECURRENT:
            by_network.setdefault((backbone, end), {})[temporal] = runs
    whole = [kinds for kinds in by_network.values() if len(kinds) == len(RECURRENT)]
    if not whole:
        return ""
    common = sorted(set.intersection(*(set(runs) for kinds in whole for runs in kinds.values())))
    means = {t: {run: mean(kinds[t][run] for kinds in whole) for run in common} for t in RECURRENT}
    place = f"In the mean over {plural(len(whole), 'network')} of a face"
    return _ranked(data, place, means, TEMPORALS) if common else ""


def _highest(data: StudyData, what: str, rows: Iterable[str]) -> str:
    """The best row of several, what it reaches in each dimension, and how far the next is."""
    values = values_among(data, TOTAL, rows)
    if not values:
        return ""
    first, second = two_best(values)
    by_dimension = {name: cells_of(data, f"ccc_{name}", [first])[first] for name in data.dimensions}
    parts = ", ".join(f"{name} {number(cell.mean)}" for name, cell in by_dimension.items())
    total = mean_words(cells_of(data, TOTAL, [first])[first])
    reached = f"{total} ({parts})" if len(by_dimension) > 1 else total
    title = data.names.title(first)
    if not second:
        return f"{what}: {title} reaches {total_title(data)} {reached}."
    gap = gap_words(data, values[first], values[second], data.names.title(second))
    return f"{what}: {title} has the highest {total_title(data)} of {len(values)} rows, {reached}, {gap}."


def _ranked(data: StudyData, place: str, values: Mapping[str, OfRuns], called: Mapping[str, str]) -> str:
    """`place, GRU is highest, 0.421, 0.010 above LSTM; then RNN 0.380.`"""
    first, second = two_best(values)
    others = [name for name in values if name not in (first, second)]
    others = sorted(others, key=lambda name: -mean(values[name].values()))
    rest = joined(f"{called[name]} {number(mean(values[name].values()))}" for name in others)
    gap = gap_words(data, values[first], values[second], called[second])
    after = f"; then {rest}" if rest else ""
    return f"{place}, {called[first]} is highest, {number(mean(values[first].values()))}, {gap}{after}."


def augmentation(data: StudyData) -> list[str]:
    """What training on missing conditions brings, in the mean over them and with the most that was tested."""
    parts = []
    missing = missing_phrase(tested(data, FUSED))
    for condition, place in ((AVERAGE, f"in the mean over the {missing}"), ("", f"under {_fullest(data, FUSED)}")):
        values = values_of(data, mean_metric(data), condition)
        if all(name in values for name in FUSED):
            full, augmented = (values[name] for name in FUSED)
            gap = gap_words(data, augmented, full, "training on full rows alone")
            parts.append(f"{place} it reaches {number(mean(augmented.values()))}, {gap}")
    return [f"Training on missing conditions too, {mean_title(data)}: {'; '.join(parts)}."] if parts else []


def modalities(data: StudyData) -> list[str]:
    """A model of all modalities against the best single one, both chosen on validation where that was scored."""
    values = values_of(data, mean_metric(data))
    chosen = []
    for rows in (FUSED, SINGLE):
        scored = {name: runs for name, runs in values.items() if name in rows}
        if not scored:
            return []
        chosen.append(best_by_validation(data, scored) or two_best(scored)[0])
    fused, single = chosen
    is_validated = all(best_by_validation(data, rows) for rows in (FUSED, SINGLE))
    how = "each chosen on validation" if is_validated else "each the best of these very numbers"
    best_single = f"the best single modality ({data.names.title(single)})"
    gap = gap_words(data, values[fused], values[single], best_single)
    reached = f"{mean_title(data)} {number(mean(values[fused].values()))}"
    return [f"{data.names.title(fused)}, under {_fullest(data, [fused])}, reaches {reached}, {gap}; {how}."]


def _fullest(data: StudyData, rows: Iterable[str]) -> str:
    return fullest({condition_of(data, name) for name in rows})


def controls(data: StudyData) -> list[str]:
    """What must be near nothing."""
    cells = cells_of(data, mean_metric(data), CONTROLS)
    if not cells:
        return []
    values = [
        f"{data.names.title(n).removesuffix(' (control)').lower()} {mean_words(cell)}" for n, cell in cells.items()
    ]
    utterances = _n_tested(data, CONTROLS)
    chance = 2 / sqrt(utterances) if utterances else 0.05  # some two deviations of the CCC of a guess
    far = [
        data.names.title(name)
        for name, cell in cells.items()
        if cell.mean > max(chance, 0.0 if isnan(cell.deviation) else 2 * cell.deviation)
    ]
    leak = f"; above what chance gives on so few utterances, look for a leak: {joined(far)}" if far else ""
    return [f"Controls, which must be near 0, {mean_title(data)}: {joined(values)}{leak}."]


def _n_tested(data: StudyData, rows: Iterable[str]) -> int:
    """Test utterances of these rows, all conditions together."""
    return data.predictions.loc[data.predictions["experiment"].isin(list(rows)), "utterance_id"].nunique()


def how_far_it_carries(data: StudyData) -> list[str]:
    """How far the numbers carry."""
    runs = len(data.results.drop_duplicates(["fold", "seed"]))
    if runs == 1:
        first = "One run of each row, so there is no deviation, and any difference may be chance."
    else:
        few = " Fewer than three runs test nothing." if runs < 3 else ""
        first = f"± is one standard deviation over {runs_phrase(data.results)}; of a difference, paired by run.{few}"
    counts = sorted({_n_tested(data, [name]) for name in set(data.predictions["experiment"])})
    if counts:
        utterances = f"{counts[0]} to {counts[-1]}" if counts[0] < counts[-1] else f"{counts[0]}"
        first += f" Each row is tested on {utterances} utterances: those that have what it reads."
    return [f"{first} Where a row is called best by its test score, neither the spread nor a p allows for the choice."]


def _one_line(sentences: Iterable[str]) -> list[str]:
    kept = [sentence for sentence in sentences if sentence]
    return [" ".join(kept)] if kept else []


def _title(data: StudyData, what: str) -> str:
    several = len(data.dimensions) > 1
    return f"CCC by {what}" if several else f"CCC of {''.join(data.dimensions)} by {what}"


def audio_grid(data: StudyData) -> Grid | None:
    slides = {"published": SLIDES_NUMBERS, "published_note": SLIDES_NOTE}
    return ccc_grid(data, audio_rows(data), _title(data, "network"), **slides)


def features_grid(data: StudyData) -> Grid | None:
    rows = feature_rows(data)
    return ccc_grid(data, rows, _title(data, "feature set"), titles={n: _feature_title(data, n) for n in rows})


def _feature_title(data: StudyData, name: str) -> str:
    return "5Conv2D, log-mel" if name == "conv2d_5" else data.names.title(name)


def faces_grid(data: StudyData) -> Grid | None:
    slides = {"published": SLIDES_NUMBERS, "published_note": SLIDES_NOTE}
    return ccc_grid(data, face_rows(data), _title(data, "network"), **slides)


def published_grid(data: StudyData) -> Grid | None:
    """Every published system, and our best row of each kind by validation; of the study itself alone."""
    if data.study != NAME or not data.rows():
        return None
    others = set(modality_rows(data)) - {*CONTROLS, *FUSED}
    kinds = {
        "Sound": _sound_and_features(data),
        "Faces": face_rows(data),
        "Together": FUSED,
        "Alone": data.names.in_order(others),
    }
    chosen = {kind: name for kind, rows in kinds.items() if (name := best_by_validation(data, rows))}
    columns = [cells_of(data, f"ccc_{name}", list(chosen.values())) for name in data.dimensions]
    ours = tuple(
        (f"{kind}: {data.names.title(name)}", tuple(Value.of(column.get(name)) for column in columns))
        for kind, name in chosen.items()
    )
    theirs = tuple(
        (name, tuple(Value(of_one) for d, of_one in zip(DIMENSIONS, numbers, strict=True) if d in data.dimensions))
        for name, numbers in PUBLISHED.items()
    )
    groups = (
        Group(ours, f"Here, on {data.corpus or 'this corpus'}"),
        Group(theirs, "Published, on OMG-Emotion, never trained here"),
    )
    how = (
        "Our rows were chosen by their score on validation, never by test."
        if ours
        else "No row here has a score on validation, so none was chosen to stand beside them."
    )
    note = (
        f"{how} The published numbers are those of the slides’ comparison: other utterances, of which the systems "
        "did not all have the same, unless this corpus is OMG-Emotion; no order of ours and theirs follows. "
        "A sound, V faces, T words."
    )
    heads = tuple(name.capitalize() for name in data.dimensions)
    return Grid(title="CCC", columns=heads, groups=tuple(group for group in groups if group.lines), note=note)


def changed_grid(data: StudyData) -> Grid | None:
    groups = {
        "Sound": _sound_and_features(data),
        "Faces": face_rows(data),
        "Modalities together": modality_rows(data),
    }
    return after_training_grid(data, groups)


def sounds_figure(data: StudyData) -> Figure | None:
    """The spectra of one utterance."""
    spectra = {name: data.samples[name] for name in SOUNDS if name in data.samples and data.samples[name].size}
    if not spectra:
        return None
    return Figure(
        name="sounds",
        title="What the sound networks are given",
        caption=f"{data.sample_of or 'One utterance'}, before normalisation. The linear and the mel spectrogram are "
        "drawn in decibels below their loudest value, networks read the values themselves.",
        alt=f"Pictures over time of {', '.join(spectra)}.",
        draw=lambda form: sound_panels(spectra, form=form),
    )


def faces_figure(data: StudyData) -> Figure | None:
    """The aligned faces of one utterance."""
    frames = data.samples.get("faces", np.zeros((0, 0)))
    if not len(frames):
        return None
    shots = pictures(frames)
    return Figure(
        name="faces",
        title="What the face networks are given",
        caption=f"{data.sample_of or 'One utterance'}, first to last.",
        alt=f"{plural(len(shots), 'aligned face')}.",
        draw=lambda form: face_strip(shots, form=form),
    )


STUDY = Study(
    name=NAME,
    family="valence_arousal",
    title="Study of {dimensions}",
    description="The tables of valence and arousal: networks of sound, of faces, and of all modalities under every "
    "condition.",
    rows=ROWS,
    metrics=("ccc",),
    pictured=PICTURED,
    presets={"valence_arousal": {"paper": "default"}},
    options={
        "loss": Option(
            "what every row learns with, ccc meaning one minus it; empty: as the preset says",
            choices=tuple(LOSSES),
            note="every row learns with {}",
        )
    },
    findings=(sound, faces, augmentation, modalities, controls, left_out, how_far_it_carries),
    repeated=None,
    shows=(
        (
            "Sound",
            (
                audio_grid,
                features_grid,
                lambda data: ccc_bars_figure(data, "sound_rows", _sound_and_features(data), "sound"),
                lambda data: further_grid(data, audio_rows(data)),
            ),
        ),
        (
            "Faces",
            (
                faces_grid,
                lambda data: ccc_bars_figure(data, "face_rows", face_rows(data), "faces"),
                lambda data: further_grid(data, face_rows(data)),
            ),
        ),
        (
            "Modalities together",
            (
                lambda data: ccc_by_condition(data, modality_rows(data)),
                lambda data: conditions_figure(data, modality_rows(data)),
                lambda data: further_grid(data, modality_rows(data)),
            ),
        ),
        ("Published systems", (published_grid,)),
        ("After training", (changed_grid,)),
        (
            "What they give and are given",
            (
                lambda data: agreement_figure(data, PICTURED),
                lambda data: timeline_figure(data, PICTURED),
                sounds_figure,
                faces_figure,
                learning_figure,
            ),
        ),
    ),
    absent={
        "agreement": "No predictions are stored for this study, so none are drawn against their labels.",
        "learning_curves": "No learning curves are stored for this study.",
        "sounds": "No acoustic features are stored for this study, so no sound is drawn.",
        "faces": "No faces are stored for this study, so none are shown.",
    },
    illustrates=(*SOUNDS, "faces"),
    change=learn_with,
)
