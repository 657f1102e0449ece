"""The studies: published tables, every row over folds and seeds; one asset each, materialised when asked for."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from affectory.data.dataset import Dataset
from affectory.study_kinds import MMGCN_STUDY, MMIN_STUDY, OMG_STUDY
from affectory.study_rows import Row
from assets.conditions import missing_modality_sets
from assets.partitions import OWNERS, corpus_partitions
from ops.dimension_reporting import omg_metadata
from ops.study import run_study
from ops.study_plan import (
    MmgcnStudyConfig,
    MminStudyConfig,
    OmgStudyConfig,
    Study,
    StudyConfig,
    rows_of_mmgcn,
    rows_of_mmin,
    rows_of_omg,
)
from ops.study_reporting import study_metadata
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking
from resources.workers import Workers


def _study_asset(
    name: str,
    family: str,
    form: type[StudyConfig],
    rows: Callable[[Any, Dataset], list[Row]],
    description: str,
    metadata: Callable[[Study, Any, dict[str, str]], dict[str, dg.MetadataValue]] = study_metadata,
) -> dg.AssetsDefinition:
    """`rows` gives all rows of the study for a configuration of `form` and a corpus; `metadata` what is shown."""

    @dg.asset(
        name=name,
        description=description,
        partitions_def=corpus_partitions,
        deps=[missing_modality_sets],
        group_name="studies",
        kinds={"pytorch", "mlflow"},
        owners=OWNERS,
        pool="gpu",
    )
    def study(
        context: dg.AssetExecutionContext,
        config: form,  # pyright: ignore[reportInvalidTypeForm]
        store: FeatureStore,
        tracking: Tracking,
        compute: Compute,
        workers: Workers,
    ) -> dg.MaterializeResult:
        of_corpus = Study(name, family, context, store, tracking, compute, workers)
        ran = run_study(of_corpus, config, lambda dataset: rows(config, dataset))
        if ran is None:
            return dg.MaterializeResult(metadata={"skipped": "the corpus cannot feed this study; the log says why"})
        return dg.MaterializeResult(metadata={**ran.counts, **metadata(of_corpus, config, ran.left_out)})

    return study


STUDY_ASSETS = [
    _study_asset(
        MMIN_STUDY,
        "mmin",
        MminStudyConfig,
        rows_of_mmin,
        "The missing-modality table: baselines, MMIN, ablations, controls and rivals under every condition.",
    ),
    _study_asset(
        MMGCN_STUDY,
        "mmgcn",
        MmgcnStudyConfig,
        rows_of_mmgcn,
        "The conversation tables: models of context, fusions, MMGCN by depth, speaker and modality, and controls.",
    ),
    _study_asset(
        OMG_STUDY,
        "valence_arousal",
        OmgStudyConfig,
        rows_of_omg,
        "The tables of valence and arousal: networks of sound, of faces, and of all modalities under every condition.",
        omg_metadata,
    ),
]
