"""Real speech and real faces through every network of valence and arousal once: a score, and a step of training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from affectory.data.dataset import Dataset, Sequences
from affectory.features import Segment, find_feature_set
from affectory.learning.experiment import Fold, train_experiment
from affectory.models import FAMILIES
from affectory.studies import STUDIES
from affectory.studies.plan import Training, trainings
from affectory.vocabulary import DIMENSIONS, Modality

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

OF_STUDY = trainings(STUDIES["omg_study"], "paper", Modality, {})
ROWS = {row.name: row for row in OF_STUDY if row.feature_sets and not row.weights}
SOUND = [name for name, row in ROWS.items() if row.family == "audio_cnn"]
# A face's vectors need ImageNet's weights, which are not everywhere: the same networks with random ones.
FACES = [name for name, row in ROWS.items() if row.family == "face_sequence" and name.endswith("_random")]


@pytest.fixture(scope="module")
def speech(real_corpora: Path) -> list[Path]:
    table = pd.read_csv(real_corpora / "ravdess" / "utterances.csv")
    return [real_corpora / "ravdess" / media for media in table["media"].iloc[::150]]


@pytest.fixture(scope="module")
def films(real_corpora: Path) -> list[Path]:
    return sorted((real_corpora / "clips" / "media").glob("*.mpg"))


@pytest.fixture(scope="module")
def read() -> dict[tuple[str, int], Dataset]:
    return {}


def dataset(read: dict, name: str, media: list[Path]) -> Dataset:
    """The files as utterances; labels are made up: what is learned from them is not looked at."""
    feature_set, n = find_feature_set(name), len(media)
    if (name, n) not in read:
        seen = feature_set.modality is Modality.VISUAL
        segments = [Segment(utterance_id=path.stem, media=path, has_audio=True, has_video=seen) for path in media]
        rows = [next(iter(feature_set.extract([segment]))) for segment in segments]
        assert all(row.valid for row in rows)
        labels = np.stack([np.linspace(-0.9, 0.9, n), np.linspace(0.1, 0.9, n)], axis=1).astype(np.float32)
        sequences = {
            feature_set.modality: Sequences.from_rows(name, [row.frames for row in rows], feature_set.width, "1")
        }
        splits = ["train"] * (n - 2) + ["val", "test"]
        ids, nobody = [path.stem for path in media], [""] * n
        read[name, n] = Dataset(ids, labels, (), sequences, nobody, nobody, splits, DIMENSIONS)
    return read[name, n]


def scored_and_trained(row: Training, data: Dataset) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Values [n, 2] and encodings [n, H] of the utterances before any training, and the loss of an epoch."""
    fold = Fold(data, torch.device("cpu"))
    inputs, packed = fold.packed(row.config.preparation)
    model = FAMILIES[row.family].build(row.config, inputs, DIMENSIONS, seed=0).eval()
    with torch.inference_mode():
        batch = packed.batch(np.arange(len(packed)))
        values, encoded = model(batch), model.encoders(batch, batch.available)  # pyright: ignore[reportAttributeAccessIssue]
    once = replace(row.config, schedule=replace(row.config.schedule, constant_epochs=1, decay_epochs=0))
    trained = train_experiment(row.family, once, fold, seed=0)
    return values, encoded, trained.fit.history[0]["loss/ccc"]


def within_scale(values: torch.Tensor) -> bool:
    """Valence from -1 to 1, arousal from 0 to 1; NaN is neither."""
    return bool(((values[:, 0].abs() <= 1) & (values[:, 1] >= 0) & (values[:, 1] <= 1)).all())


@pytest.mark.parametrize("name", SOUND)
def test_real_speech_goes_through_every_network_of_sound(name: str, speech, read):
    values, encoded, loss = scored_and_trained(ROWS[name], dataset(read, ROWS[name].feature_sets[0], speech))
    assert within_scale(values) and np.isfinite(loss)
    assert len(encoded.unique(dim=0)) == len(speech)  # utterances differ


@pytest.mark.parametrize("name", FACES)
def test_real_faces_go_through_every_network_of_faces(name: str, films, read):
    values, encoded, loss = scored_and_trained(ROWS[name], dataset(read, ROWS[name].feature_sets[0], films))
    assert within_scale(values) and np.isfinite(loss)
    assert len(encoded.unique(dim=0)) == len(films)  # utterances differ
