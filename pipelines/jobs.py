"""The three things one runs: extract, train, everything. A run takes one corpus partition."""

import dagster as dg

extract = dg.define_asset_job(
    "extract",
    selection=dg.AssetSelection.groups("ingestion", "features"),
    description="Probe the media, segment the utterances and compute what features are new.",
)
train = dg.define_asset_job(
    "train",
    selection=dg.AssetSelection.groups("conditions", "models", "reports"),
    description="Make the missing-modality sets, train and register the models, write the report.",
)
everything = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("corpora"),
    description="The whole lineage of one corpus.",
)

JOBS = [extract, train, everything]
