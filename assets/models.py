"""The models: for each family a teacher asset where it has one, and the deployable asset; both follow from FAMILIES."""

from typing import Any

import dagster as dg

from affectory.models import FAMILIES
from affectory.models.family import Family
from assets.conditions import missing_modality_sets
from assets.partitions import OWNERS, corpus_partitions
from ops.evaluation import scoring_op
from ops.registration import registration_op
from ops.training import TrainingConfig, training_op


def _model_asset(
    name: str,
    family: Family[Any],
    experiments: list[str],
    upstream: dg.AssetsDefinition,
    *,
    description: str,
    registers: bool,
) -> dg.AssetsDefinition:
    """train (pool `gpu`) -> score on the test part -> register, as one asset with one flat configuration."""
    train_op, score_op = training_op(f"train_{name}", family.name, experiments), scoring_op(f"score_{name}")
    register_op = registration_op(f"register_{name}", family.name) if registers else None

    @dg.graph_asset(
        name=name,
        description=description,
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


def _family_assets(family: Family[Any]) -> list[dg.AssetsDefinition]:
    configs = family.experiments()
    teachers = [name for name in configs if name in {config.teacher for config in configs.values()}]
    others = [name for name in configs if name not in teachers]
    assets, upstream = [], missing_modality_sets
    if teachers:
        upstream = _model_asset(
            f"{family.name}_teacher",
            family,
            teachers,
            upstream,
            description=family.teacher_description,
            registers=False,
        )
        assets.append(upstream)
    model = _model_asset(family.name, family, others, upstream, description=family.description, registers=True)
    return [*assets, model]


def model_assets() -> list[dg.AssetsDefinition]:
    """Those of every family that is deployed."""
    return [asset for family in FAMILIES.values() if family.deployed for asset in _family_assets(family)]


MODEL_ASSETS = model_assets()
