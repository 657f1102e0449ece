"""Faces as a network sees them: its weights are part of what is stored, what was missing stays missing."""

import hashlib
import pickle
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from affectory.features import FEATURE_SETS, FeatureSetError, Segment, find_feature_set, fingerprint
from affectory.features.face_backbone import FaceBackbone, _network
from affectory.features.faces import pictures
from affectory.layers.imagenet import BACKBONES, backbone
from resources.store_tables import FEATURE_SET_NAME, feature_table
from tests.fixtures.films import BLANK, segment
from tests.fixtures.weights import empty_hub, publish, whole_network

SMALL = "mobilenet_v3_small"
TRAINED, RANDOM = FEATURE_SETS[f"faces:{SMALL}"], FEATURE_SETS[f"faces:{SMALL}:random"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _network.cache_clear()
    yield empty_hub(tmp_path / "hub", monkeypatch)
    _network.cache_clear()


def of(network: torch.nn.Module, film: Path, start_s: float, end_s: float) -> np.ndarray:
    """The features [T, D] by hand, from the pictures."""
    from torchvision.transforms.functional import normalize

    [row] = FEATURE_SETS["faces"].extract([segment(film, start_s, end_s)])
    images = torch.from_numpy(pictures(row.frames)).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        return network.eval()(normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])).numpy()


@pytest.mark.slow
def test_a_row_is_what_the_network_makes_of_each_picture(hub, make_film, portraits, monkeypatch):
    torch.manual_seed(5)
    weights = whole_network(SMALL).state_dict()
    publish(SMALL, weights, hub, monkeypatch)
    film = make_film("talk.mp4", [portraits["smile"]] * 8 + [BLANK] * 8 + [portraits["shout"]] * 8)
    rows = list(TRAINED.extract([segment(film, 0.0, 1.6, "some"), segment(film, 1.0, 2.4, "others")]))
    rows = {row.utterance_id: row for row in rows}
    assert rows["some"].frames.shape == (8, 576) and rows["some"].frames.dtype == np.float32
    assert rows["some"].coverage == pytest.approx(0.5)
    network = backbone(SMALL, weights)
    assert np.allclose(rows["some"].frames, of(network, film, 0.0, 1.6), atol=1e-5)
    assert np.allclose(rows["others"].frames, of(network, film, 1.0, 2.4), atol=1e-5)


@pytest.mark.slow
def test_what_is_missing_stays_so_with_its_reason_and_the_networks_width(make_film, portraits):
    film = make_film("leaves.mp4", [portraits["smile"]] * 2 + [BLANK] * 18)
    segments = [segment(film, 1.0, 2.0, "gone"), segment(film, 0.0, 2.0, "few"), segment(film, 7.0, 8.0, "late")]
    rows = {row.utterance_id: row for row in RANDOM.extract([*segments, Segment(utterance_id="none")])}
    faces = {row.utterance_id: row for row in FEATURE_SETS["faces"].extract([*segments, Segment(utterance_id="none")])}
    assert {name: row.reason for name, row in rows.items()} == {
        "gone": "no_face", "few": "too_few_faces", "late": "no_frames", "none": "no_media",
    }  # fmt: skip
    for name, row in rows.items():
        assert row.frames.shape == (0, 576) and not row.valid
        assert (row.detail, row.refused, row.coverage) == (
            faces[name].detail, faces[name].refused, faces[name].coverage,
        )  # fmt: skip


@pytest.mark.slow
def test_random_weights_are_always_the_same_and_leave_chance_as_it_was(hub):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = _network(SMALL, True).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    _network.cache_clear()
    torch.manual_seed(8)
    again = _network(SMALL, True).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.slow
def test_other_weights_give_other_fingerprints(hub, monkeypatch):
    utterance = Segment(utterance_id="u", media_sha256="x", start_s=0.0, end_s=1.0)
    published = [publish(SMALL, {"weight": torch.full((1,), value)}, hub, monkeypatch) for value in (1.0, 2.0)]
    fingerprints = [fingerprint(TRAINED, utterance), fingerprint(RANDOM, utterance)]
    assert f"weights {hashlib.sha256(published[1].read_bytes()).hexdigest()}" in TRAINED.version
    publish(SMALL, {"weight": torch.full((1,), 1.0)}, hub, monkeypatch)
    fingerprints.append(fingerprint(TRAINED, utterance))
    assert len(set(fingerprints)) == 3
    assert "random weights of seed 0" in RANDOM.version and "mediapipe" in RANDOM.version


@pytest.mark.slow
def test_without_weights_the_set_cannot_be_used_and_random_ones_do_not_step_in(hub, make_film, portraits, monkeypatch):
    def refuse(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    utterance = segment(make_film("short.mp4", [portraits["smile"]] * 3), 0.0, 0.3)
    for ask in (lambda: TRAINED.version, lambda: next(iter(TRAINED.extract([utterance])))):
        with pytest.raises(FeatureSetError, match=rf"faces:{SMALL}: .*no network.* into {hub}"):
            ask()
    assert TRAINED.width == 576 and RANDOM.version
    assert next(iter(RANDOM.extract([utterance]))).frames.shape[1] == 576


def test_every_backbone_is_found_by_a_name_that_can_be_stored():
    tables = set()
    for name, parts in BACKBONES.items():
        for random, full_name in ((False, f"faces:{name}"), (True, f"faces:{name}:random")):
            feature_set = find_feature_set(full_name)
            assert feature_set == FaceBackbone(name, random) == pickle.loads(pickle.dumps(feature_set))
            assert (feature_set.name, feature_set.width, feature_set.modality) == (full_name, parts.width, "visual")
            assert FEATURE_SET_NAME.fullmatch(full_name)
            tables.add(feature_table(full_name))
    assert len(tables) == 2 * len(BACKBONES)


def test_an_unknown_backbone_is_told_the_known_ones():
    for name in ["faces:resnet18", "faces:", "faces:resnet50:trained", "faces:resnet50:random:random"]:
        with pytest.raises(ValueError, match=r"no feature set 'faces:.*'faces:alexnet'.*'faces:vgg16:random'"):
            find_feature_set(name)
