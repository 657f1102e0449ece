"""The studies: published tables, every row over folds and seeds; one asset each, materialised when asked for."""

import dagster as dg

from assets.conditions import missing_modality_sets
from assets.partitions import OWNERS, corpus_partitions
from ops.study import StudyConfig, run_study
from ops.study_reporting import study_metadata
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking
from resources.workers import Workers


@dg.asset(
    partitions_def=corpus_partitions,
    deps=[missing_modality_sets],
    group_name="studies",
    kinds={"pytorch", "mlflow"},
    owners=OWNERS,
    pool="gpu",
)
def mmin_study(
    context: dg.AssetExecutionContext,
    config: StudyConfig,
    store: FeatureStore,
    tracking: Tracking,
    compute: Compute,
    workers: Workers,
) -> dg.MaterializeResult:
    """The missing-modality table: baselines, MMIN, ablations, controls and rivals under every condition."""
    counts = run_study(context, config, store, tracking, compute, workers)
    if counts is None:
        return dg.MaterializeResult(metadata={"skipped": "the corpus cannot feed this study; the log says why"})
    return dg.MaterializeResult(metadata={**counts, **study_metadata(context, config, store, tracking)})
