"""The four things one runs: extract, train, study, everything. A run takes one corpus partition."""

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
study = dg.define_asset_job(
    "study",
    selection=dg.AssetSelection.groups("studies", "reports"),
    description="Run the studies of one corpus over folds and seeds, and write the report.",
)
everything = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("corpora") - dg.AssetSelection.groups("studies"),
    description="The whole lineage of one corpus, but for the studies.",
)

JOBS = [extract, train, study, everything]
