"""The text encoder of textual features: the packaged MiniLM or a BERT that the user names."""

import dagster as dg

from affectory.features import find_feature_set
from affectory.features.feature_set import FeatureSet


class TextEncoder(dg.ConfigurableResource):
    """`model` is `minilm` (offline, in a package) or `bert:<folder or hub name>`, read as safetensors only."""

    model: str = "minilm"

    def feature_set(self) -> FeatureSet:
        """The textual feature set; raises ValueError listing the choices, FeatureSetError naming the remedy."""
        return find_feature_set(self.model)
