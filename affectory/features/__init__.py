"""The feature sets: one file each; this dictionary is the list of them."""

from __future__ import annotations

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


def find_feature_set(name: str) -> FeatureSet:
    """A name of FEATURE_SETS or `bert:<folder or hub name>`; raises ValueError listing what there is."""
    if name.startswith("bert:"):
        return Bert(name.removeprefix("bert:"))
    if name not in FEATURE_SETS:
        raise ValueError(f"no feature set {name!r}; there are {sorted(FEATURE_SETS)} and bert:<folder or hub name>")
    return FEATURE_SETS[name]


__all__ = [
    "DEFAULT_SETS",
    "FEATURE_SETS",
    "FeatureRow",
    "FeatureSet",
    "FeatureSetError",
    "Segment",
    "find_feature_set",
    "fingerprint",
    "missing_row",
]
