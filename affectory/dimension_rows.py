"""Rows of the studies of valence and arousal: what each is called and is, and what the slides and others published.

Published numbers are of the test part of OMG-Emotion, (valence, arousal) here, though the slides' tables have arousal
first. Of its 2,229 test utterances the slides' author still found 1,450.
"""

from __future__ import annotations

from collections.abc import Iterable

Rows = dict[str, tuple[str, str]]  # experiment -> its title, and what it is

AUDIO: Rows = {
    "conv2d_5": ("5Conv2D", "five 2-D convolutions over the log-mel spectrogram of three seconds"),
    "resnet50_pretrained": ("ResNet50 (P)", "the spectrogram read as a picture, started from ImageNet’s weights"),
    "resnet50": ("ResNet50 (NP)", "the spectrogram read as a picture, started from chance"),
    "vgg16_pretrained": ("VGG16 (P)", "the spectrogram read as a picture, started from ImageNet’s weights"),
    "vgg16": ("VGG16 (NP)", "the spectrogram read as a picture, started from chance"),
    "alexnet_pretrained": ("AlexNet (P)", "the spectrogram read as a picture, started from ImageNet’s weights"),
    "alexnet": ("AlexNet (NP)", "the spectrogram read as a picture, started from chance"),
    "conv_attention": ("Conv + ATT", "2-D convolutions over the spectrogram, then attention over time"),
    "conv_1d_2d": ("Conv 1D + 2D", "1-D convolutions over time beside 2-D ones over the spectrogram"),
}
AUDIO_FEATURES: Rows = {
    "conv2d_5_spectrogram": ("5Conv2D, spectrogram", "5Conv2D over 1,025 magnitudes"),
    "conv2d_5_mel": ("5Conv2D, mel", "5Conv2D over the power in 90 mel bands"),
    "conv2d_5": ("5Conv2D, log-mel", "5Conv2D over the level in 90 mel bands, in decibels"),
    "conv2d_5_mfcc": ("5Conv2D, MFCC", "5Conv2D over 40 mel-frequency cepstral coefficients"),
}
MULTIMODAL: Rows = {
    "multimodal": ("Multimodal", "sound, faces and words together, trained on full rows"),
    "multimodal_augmented": ("Multimodal, augmented", "the same, trained on every missing condition made of them too"),
    "acoustic": ("Acoustic alone", "the same network on sound alone"),
    "visual": ("Visual alone", "the same network on faces alone"),
    "textual": ("Textual alone", "the same network on words alone"),
    "shuffled_labels": ("Labels shuffled (control)", "control: training labels shuffled among the training rows"),
}
CONTROLS = ("shuffled_labels",)
SINGLE = ("acoustic", "visual", "textual")

BACKBONES = {
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    "densenet121": "DenseNet121",
    "mobilenet_v3_small": "MobileNetV3-Small",
}
TEMPORALS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM", "conv1d_4": "4Conv1D"}
RECURRENT = ("rnn", "gru", "lstm")
FINE_TUNED, RANDOM = "_fine_tuned", "_random"  # end the names of visual rows, in this order

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


def face_row(experiment: str) -> tuple[str, str, str] | None:
    """(backbone, temporal, what ends the name) of `<backbone>_<temporal>[_fine_tuned][_random]`; None of others."""
    plain = experiment.removesuffix(RANDOM).removesuffix(FINE_TUNED)
    for temporal in TEMPORALS:
        backbone = plain.removesuffix(f"_{temporal}")
        if backbone and backbone != plain:
            return backbone, temporal, experiment[len(plain) :]
    return None


def row(experiment: str) -> tuple[str, str]:
    """Title, and what the row is; an unknown name is its own title."""
    if face := face_row(experiment):
        backbone, temporal, end = face
        name, over = BACKBONES.get(backbone, backbone), TEMPORALS[temporal]
        words = ["fine-tuned"] * end.startswith(FINE_TUNED) + ["random weights"] * end.endswith(RANDOM)
        how = "with random weights" if end.endswith(RANDOM) else "with ImageNet’s weights"
        trained = "trained too" if end.startswith(FINE_TUNED) else "frozen"
        title = f"{name} + {over}" + (f" ({', '.join(words)})" if words else "")
        return title, f"{name} of each face, {how}, {trained}; {over} over the faces"
    return {**AUDIO_FEATURES, **AUDIO, **MULTIMODAL}.get(experiment, (experiment, ""))


def title(experiment: str) -> str:
    return row(experiment)[0]


def in_order(experiments: Iterable[str]) -> list[str]:
    """Distinct experiments: audio, its feature sets, faces by what ends the name, multimodal, then others by name."""
    known = [*AUDIO, *AUDIO_FEATURES, *SLIDES_NUMBERS, *MULTIMODAL]
    places = {name: place for place, name in reversed(list(enumerate(known)))}

    def place(name: str) -> tuple[object, ...]:
        if (face := face_row(name)) is None:
            return 2 * (name not in {**AUDIO, **AUDIO_FEATURES}), places.get(name, len(known)), name
        backbone, temporal, end = face
        return 1, end, places.get(f"{backbone}_{temporal}", len(known)), list(TEMPORALS).index(temporal), name

    return sorted(set(experiments), key=place)
