"""The studies: published tables, every row over folds and seeds; one asset each, materialised when asked for."""

import dagster as dg

from affectory.studies import STUDIES
from affectory.studies.study import Study
from assets.conditions import missing_modality_sets
from assets.partitions import OWNERS, corpus_partitions
from ops.study import run_study
from ops.study_plan import StudyRun, config_of
from ops.study_reporting import study_metadata
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking
from resources.workers import Workers


def _study_asset(study: Study) -> dg.AssetsDefinition:
    form = config_of(study)

    @dg.asset(
        name=study.name,
        description=study.description,
        partitions_def=corpus_partitions,
        deps=[missing_modality_sets],
        group_name="studies",
        kinds={"pytorch", "mlflow"},
        owners=OWNERS,
        pool="gpu",
    )
    def train_and_show(
        context: dg.AssetExecutionContext,
        config: form,  # pyright: ignore[reportInvalidTypeForm]
        store: FeatureStore,
        tracking: Tracking,
        compute: Compute,
        workers: Workers,
    ) -> dg.MaterializeResult:
        run = StudyRun(study, config, context, store, tracking, compute, workers)
        ran = run_study(run)
        if ran is None:
            return dg.MaterializeResult(metadata={"skipped": "the corpus cannot feed this study; the log says why"})
        return dg.MaterializeResult(metadata={**ran.counts, **study_metadata(run, ran.left_out)})

    return train_and_show


def study_assets() -> list[dg.AssetsDefinition]:
    """One a study."""
    return [_study_asset(study) for study in STUDIES.values()]


STUDY_ASSETS = study_assets()
