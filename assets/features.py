"""The features of each modality: one graph-backed asset, extract -> load."""

import dagster as dg

from affectory.vocabulary import MODALITIES, Modality
from assets.corpus import utterances
from assets.partitions import OWNERS, corpus_partitions
from ops.extraction import ExtractionConfig, extraction_op, loading_op

ENGINES = {Modality.ACOUSTIC: "opensmile", Modality.VISUAL: "mediapipe", Modality.TEXTUAL: "transformers"}


def _feature_asset(modality: Modality) -> dg.AssetsDefinition:
    extract_op, load_op = extraction_op(modality), loading_op(modality)

    @dg.graph_asset(
        name=f"{modality}_features",
        description=f"One row an utterance and {modality} feature set: its frames, or missing with the reason.",
        partitions_def=corpus_partitions,
        ins={"utterances": dg.AssetIn(utterances.key, dagster_type=dg.Nothing)},
        group_name="features",
        kinds={ENGINES[modality], "duckdb"},
        owners=OWNERS,
        config=dg.ConfigMapping(
            config_schema=ExtractionConfig.to_config_schema().as_field(),
            config_fn=lambda config: {extract_op.name: {"config": config}},
        ),
    )
    def features(utterances):
        return load_op(extract_op(utterances))

    return features


FEATURE_ASSETS: dict[Modality, dg.AssetsDefinition] = {modality: _feature_asset(modality) for modality in MODALITIES}
acoustic_features, visual_features, textual_features = FEATURE_ASSETS.values()
