"""The feature sets: one file each; this dictionary is the list of them."""

from __future__ import annotations

from collections.abc import Callable

from affectory.features.bert import Bert
from affectory.features.compare import Compare
from affectory.features.egemaps import Egemaps
from affectory.features.face_backbone import FaceBackbone
from affectory.features.face_mesh import FaceMesh
from affectory.features.faces import Faces
from affectory.features.feature_set import (
    FeatureRow,
    FeatureSet,
    FeatureSetError,
    Segment,
    fingerprint,
    missing_row,
)
from affectory.features.functionals import Functionals
from affectory.features.minilm import Minilm
from affectory.features.openface_csv import OpenfaceCsv
from affectory.features.openface_faces import OpenfaceFaces
from affectory.features.spectra import SPECTRA
from affectory.layers.imagenet import BACKBONES
from affectory.vocabulary import Modality

FEATURE_SETS: dict[str, FeatureSet] = {
    feature_set.name: feature_set
    for feature_set in (
        *(Compare(), Egemaps(), Functionals(), *SPECTRA),
        *(FaceMesh(), Faces(), OpenfaceCsv(), OpenfaceFaces()),
        *(FaceBackbone(backbone, random) for backbone in BACKBONES for random in (False, True)),
        Minilm(),
    )
}

DEFAULT_SETS: dict[Modality, str] = {
    Modality.ACOUSTIC: "compare",
    Modality.VISUAL: "face_mesh",
    Modality.TEXTUAL: "minilm",
}


# Sets around any model that its user names, `bert:<folder or hub name>`: prefix -> the set of a model.
MODEL_SETS: dict[str, Callable[[str], FeatureSet]] = {"bert": Bert}


def find_feature_set(name: str) -> FeatureSet:
    """A name of FEATURE_SETS or `<prefix>:<model>` of MODEL_SETS; raises ValueError listing what there is."""
    prefix, _, model = name.partition(":")
    if prefix in MODEL_SETS and model:
        return MODEL_SETS[prefix](model)
    if name not in FEATURE_SETS:
        of_models = ", ".join(f"{prefix}:<folder or hub name>" for prefix in MODEL_SETS)
        raise ValueError(f"no feature set {name!r}; there are {sorted(FEATURE_SETS)} and {of_models}")
    return FEATURE_SETS[name]


__all__ = [
    "DEFAULT_SETS",
    "FEATURE_SETS",
    "MODEL_SETS",
    "FeatureRow",
    "FeatureSet",
    "FeatureSetError",
    "Segment",
    "find_feature_set",
    "fingerprint",
    "missing_row",
]
