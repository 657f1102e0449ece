"""The models: for each family a teacher asset where it has one, and the deployable asset; both follow from FAMILIES."""

import dagster as dg

from affectory.models import FAMILIES
from assets.conditions import missing_modality_sets
from assets.partitions import OWNERS, corpus_partitions
from ops.evaluation import scoring_op
from ops.registration import registration_op
from ops.training import TrainingConfig, training_op

DESCRIPTIONS = {
    "mmin_teacher": "The full-modality baseline, one MLflow run a seed; its encoders start and teach the student.",
    "mmin": "The augmented baseline, MMIN and `best`, a run a seed, scored under every condition; the best seed of "
    "`best` on validation is registered as `<corpus>-mmin`.",
    "valence_arousal": "Valence and arousal from all modalities, trained on full rows and on rows that miss some, a "
    "run a seed, CCC under every condition; of the second the best seed is registered as `<corpus>-valence_arousal`.",
    "mmgcn": "MMGCN as published and MMGCN that has also seen rows which miss modalities, a run a seed, scored under "
    "every condition; of the second the best seed on validation is registered as `<corpus>-mmgcn`.",
}


def _model_asset(
    name: str, family: str, experiments: list[str], upstream: dg.AssetsDefinition, *, registers: bool
) -> dg.AssetsDefinition:
    """train (pool `gpu`) -> score on the test part -> register, as one asset with one flat configuration."""
    train_op, score_op = training_op(f"train_{name}", family, experiments), scoring_op(f"score_{name}")
    register_op = registration_op(f"register_{name}", family) if registers else None

    @dg.graph_asset(
        name=name,
        description=DESCRIPTIONS.get(name),
        partitions_def=corpus_partitions,
        ins={"upstream": dg.AssetIn(upstream.key, dagster_type=dg.Nothing)},
        group_name="models",
        kinds={"pytorch", "mlflow"},
        owners=OWNERS,
        config=dg.ConfigMapping(
            config_schema=TrainingConfig.to_config_schema().as_field(),
            config_fn=lambda config: {train_op.name: {"config": config}},
        ),
    )
    def model(upstream):
        scored = score_op(train_op(upstream))
        return register_op(scored) if register_op else scored

    return model


def _family_assets(family: str) -> list[dg.AssetsDefinition]:
    configs = FAMILIES[family].experiments()
    teachers = [name for name in configs if name in {config.teacher for config in configs.values()}]
    others = [name for name in configs if name not in teachers]
    assets, upstream = [], missing_modality_sets
    if teachers:
        upstream = _model_asset(f"{family}_teacher", family, teachers, upstream, registers=False)
        assets.append(upstream)
    return [*assets, _model_asset(family, family, others, upstream, registers=True)]


MODEL_ASSETS = [asset for name, family in FAMILIES.items() if family.DEPLOYED for asset in _family_assets(name)]
