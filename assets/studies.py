"""The studies: published tables, every row over folds and seeds; one asset each, materialised when asked for."""

from collections.abc import Callable
from functools import partial

import dagster as dg

from affectory.datasets import Dataset
from affectory.study_kinds import MMGCN_STUDY, MMIN_STUDY
from affectory.study_rows import Row
from assets.conditions import missing_modality_sets
from assets.partitions import OWNERS, corpus_partitions
from ops.study import MmgcnStudyConfig, MminStudyConfig, Study, StudyConfig, rows_of_mmgcn, rows_of_mmin, run_study
from ops.study_reporting import study_metadata
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking
from resources.workers import Workers

study_asset = partial(
    dg.asset,
    partitions_def=corpus_partitions,
    deps=[missing_modality_sets],
    group_name="studies",
    kinds={"pytorch", "mlflow"},
    owners=OWNERS,
    pool="gpu",
)


@study_asset(name=MMIN_STUDY)
def mmin_study(
    context: dg.AssetExecutionContext,
    config: MminStudyConfig,
    store: FeatureStore,
    tracking: Tracking,
    compute: Compute,
    workers: Workers,
) -> dg.MaterializeResult:
    """The missing-modality table: baselines, MMIN, ablations, controls and rivals under every condition."""
    study = Study(MMIN_STUDY, "mmin", context, store, tracking, compute, workers)
    return _materialised(study, config, partial(rows_of_mmin, config))


@study_asset(name=MMGCN_STUDY)
def mmgcn_study(
    context: dg.AssetExecutionContext,
    config: MmgcnStudyConfig,
    store: FeatureStore,
    tracking: Tracking,
    compute: Compute,
    workers: Workers,
) -> dg.MaterializeResult:
    """The conversation tables: models of context, fusions, MMGCN by depth, speaker and modality, and controls."""
    study = Study(MMGCN_STUDY, "mmgcn", context, store, tracking, compute, workers)
    return _materialised(study, config, partial(rows_of_mmgcn, config))


def _materialised(study: Study, config: StudyConfig, every: Callable[[Dataset], list[Row]]) -> dg.MaterializeResult:
    counts = run_study(study, config, every)
    if counts is None:
        return dg.MaterializeResult(metadata={"skipped": "the corpus cannot feed this study; the log says why"})
    return dg.MaterializeResult(metadata={**counts, **study_metadata(study, config)})


STUDY_ASSETS = [mmin_study, mmgcn_study]
