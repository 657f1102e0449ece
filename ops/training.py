"""Training the experiments of a family, a run a seed, tracked in MLflow; an unchanged training is reused."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from affectory.data.dataset import Dataset
from affectory.data.folds import leaks
from affectory.learning import selection
from affectory.learning.deployed import DeployedModel, load_deployed
from affectory.learning.experiment import Fold, train_experiment
from affectory.models import FAMILIES
from affectory.models.family import Schedule
from affectory.results.names import metric_title
from affectory.vocabulary import SCALES, Split
from ops.datasets import digest, read_dataset
from ops.progress import narrate
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking


class TrainingConfig(dg.Config):
    """Which preset of the family, and over which seeds."""

    preset: str = "default"  # a preset of the family
    seeds: list[int] = [0, 1, 2]


@dataclass(frozen=True)
class TrainedRun:
    """One finished training: what downstream ops need to find it again."""

    corpus: str
    family: str
    experiment: str
    seed: int
    fold: int
    run_id: str
    score: float  # on validation, of the epoch that was kept
    selected_on: str  # what selected that epoch, as selection.selected_on says it
    reused: bool


@dataclass(frozen=True)
class _Session:
    """What all trainings of one op share: the data, read and packed once."""

    context: dg.OpExecutionContext
    corpus: str
    family: str
    fold: Fold
    data_fingerprint: str
    tracking: Tracking
    checkpoints: Path


def training_op(name: str, family: str, experiments: list[str]) -> dg.OpDefinition:
    """An op that trains the named experiments of a family for every seed, in pool `gpu`."""

    @dg.op(name=name, pool="gpu", ins={"upstream": dg.In(dg.Nothing)}, tags={"kind": "pytorch"})
    def train(
        context: dg.OpExecutionContext,
        config: TrainingConfig,
        store: FeatureStore,
        tracking: Tracking,
        compute: Compute,
    ) -> list[TrainedRun]:
        session = _open_session(context, family, store, tracking, compute)
        if session is None:
            return []
        configs = FAMILIES[family].experiments(config.preset)
        return [
            _train_once(session, configs, experiment, seed)
            for seed in config.seeds
            for experiment in experiments
            if experiment in configs
        ]

    return train


def _open_session(
    context: dg.OpExecutionContext, family: str, store: FeatureStore, tracking: Tracking, compute: Compute
) -> _Session | None:
    """The corpus's data on the device; None, with one clear line, where the corpus cannot feed the family."""
    corpus = context.partition_key
    dataset = read_dataset(store, corpus, of_dimensions=FAMILIES[family].of_dimensions)
    why = unfit(dataset, family)
    if dataset is None or why:
        context.log.info(f"{family} skipped for corpus {corpus}: {why}")
        return None
    fold = Fold(dataset, compute.torch_device())
    sizes = ", ".join(f"{len(dataset.rows(split))} {split}" for split in Split)
    context.log.info(f"corpus {corpus} on {fold.device}: {sizes} utterances of {', '.join(dataset.outputs)}")
    for sentence in beyond_scale(dataset):
        context.log.warning(sentence)
    checkpoints = Path(store.path).parent / "staging" / "checkpoints"
    return _Session(context, corpus, family, fold, digest(dataset), tracking, checkpoints)


def unfit(dataset: Dataset | None, family: str) -> str:
    """Why a corpus cannot feed a family; empty when it can."""
    of_dimensions = FAMILIES[family].of_dimensions
    if dataset is None or not dataset.outputs:
        return f"no utterance has {'valence or arousal' if of_dimensions else 'a label'} and a split"
    for split in Split:
        if not len(dataset.rows(split)):
            return f"its {split} part has no labelled utterance with a modality"
    learned = dataset.labels[dataset.rows(Split.TRAIN)]
    for name, labels in zip(dataset.dimensions, learned.T, strict=True) if of_dimensions else [("class", learned)]:
        if (n_values := len(np.unique(labels[np.isfinite(labels)]))) < 2:
            what = f"value of {name}" if of_dimensions else name
            return f"its training part has {n_values} {what}, at least 2 are needed"
    if torn := _torn(dataset):
        return f"{torn}; materialise missing_modality_sets anew"
    named = [name for name in dataset.dialogues if name]
    if FAMILIES[family].of_dialogues and len(set(named)) == len(named):
        return "every dialogue is a single utterance; name the dialogue_id of what was said together"
    return ""


def beyond_scale(dataset: Dataset) -> list[str]:
    """A sentence for each dimension whose training labels lie beyond its scale, which is widened to hold them."""
    sentences, rows = [], dataset.rows(Split.TRAIN)
    for column, name in enumerate(dataset.dimensions):
        labels = dataset.labels[rows, column]
        lowest, highest = SCALES[name]
        is_labelled = np.isfinite(labels)
        beyond = is_labelled & ~((labels >= lowest) & (labels <= highest))
        if beyond.any():
            first = dataset.utterance_ids[rows[np.flatnonzero(beyond)[0]]]
            counts = (
                f"{beyond.sum()} of {is_labelled.sum()} training labels of {name} lie beyond {lowest:g}..{highest:g}"
            )
            scale = f"{labels[is_labelled].min():g}..{labels[is_labelled].max():g}"
            sentences.append(
                f"{counts}, the first of utterance {first}: its scale is {scale}; where that is a slip, correct it in "
                "utterances.csv"
            )
    return sentences


def _torn(dataset: Dataset) -> str:
    """A sentence on a dialogue that is in more than one part of the data; empty where none is."""
    utterances = pd.DataFrame({"utterance_id": dataset.utterance_ids, "dialogue_id": dataset.dialogues})
    splits = pd.DataFrame({"fold": 0, "utterance_id": dataset.utterance_ids, "split": dataset.splits})
    return next(iter(leaks(utterances, splits.loc[splits["split"] != ""])), "")


def _train_once(session: _Session, configs: Mapping[str, Any], experiment: str, seed: int) -> TrainedRun:
    config = configs[experiment]
    fingerprint = selection.training_fingerprint(
        session.family, experiment, config, configs, seed=seed, data=session.data_fingerprint
    )
    finished = session.tracking.find_finished(session.corpus, f"{session.family}/{experiment}", fingerprint)
    if finished:
        session.context.log.info(
            f"{experiment} seed {seed}: data and configuration unchanged, reused run {finished.run_id}"
        )
        score = finished.metrics["best_score"]
        return _as_run(session, config, experiment, seed, finished.run_id, score, reused=True)
    teacher = None
    if config.teacher:
        teacher_run = _train_once(session, configs, config.teacher, seed)
        teacher = load_trained(session.tracking, teacher_run.run_id).model.to(session.fold.device)
    epochs_here: list[int] = []  # that this process trained
    checkpoint = session.checkpoints / f"{fingerprint}.pt"
    with session.tracking.run(
        session.corpus,
        f"{session.family}/{experiment}",
        parameters={"seed": seed, **flattened(asdict(config))},
        tags=_tags(session, experiment, seed, fingerprint),
    ) as run:
        trained = train_experiment(
            session.family,
            config,
            session.fold,
            seed=seed,
            teacher=teacher,
            callbacks=[
                run.log_epoch,
                lambda epoch, _: epochs_here.append(epoch),
                narrate(session.context, partial(_epoch_line, f"{experiment} seed {seed}", config.schedule)),
            ],
            checkpoint=checkpoint,
        )
        # A training that went on from a checkpoint told this run only of the epochs since.
        history = trained.fit.history
        for epoch, measured in enumerate(history[: len(history) - len(epochs_here)], start=1):
            run.log_epoch(epoch, measured)
        run.log_metrics({"best_score": trained.fit.best_score, "best_epoch": trained.fit.best_epoch})
        run.log_tags({"selected_on": selection.selected_on(config.schedule, trained.fit.best_score)})
        with TemporaryDirectory() as folder:
            trained.save(Path(folder))
            for file in sorted(Path(folder).iterdir()):
                run.log_file(file, "deployed")
    for leftover in session.checkpoints.glob(f"{fingerprint}.*"):
        leftover.unlink()
    session.context.log.info(
        f"{experiment} seed {seed}: validation {metric_title(config.schedule.select)} {trained.fit.best_score:.3f} at "
        f"epoch {trained.fit.best_epoch} of {config.schedule.epochs}"
    )
    return _as_run(session, config, experiment, seed, run.run_id, trained.fit.best_score, reused=False)


def load_trained(tracking: Tracking, run_id: str) -> DeployedModel:
    """The model of a run, from its artifacts."""
    with TemporaryDirectory() as folder:
        return load_deployed(tracking.download(run_id, "deployed", Path(folder)))


def _as_run(
    session: _Session, config: Any, experiment: str, seed: int, run_id: str, score: float, *, reused: bool
) -> TrainedRun:
    selected_on = selection.selected_on(config.schedule, score)
    return TrainedRun(session.corpus, session.family, experiment, seed, 0, run_id, score, selected_on, reused)


def _tags(session: _Session, experiment: str, seed: int, fingerprint: str) -> dict[str, str]:
    """Those that are known before a training ends."""
    return {
        "fingerprint": fingerprint,
        "data_fingerprint": session.data_fingerprint,
        "dagster_run_id": session.context.run_id,
        "corpus": session.corpus,
        "family": session.family,
        "experiment": experiment,
        "seed": str(seed),
        "feature_sets": ",".join(sequences.feature_set for sequences in session.fold.dataset.sequences.values()),
    }


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested configuration as dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flattened(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _epoch_line(what: str, schedule: Schedule, epoch: int, measured: Mapping[str, float]) -> str:
    """A line each fifth of a training, empty between and at the end."""
    epochs = schedule.epochs
    if epoch % max(1, epochs // 5) or epoch >= epochs:
        return ""
    losses = ", ".join(f"{k.split('/')[1]} {v:.3f}" for k, v in measured.items() if k.startswith("loss/"))
    score = measured.get("val/score")
    validation = f", validation {metric_title(schedule.select)} {score:.3f}" if score is not None else ""
    return f"{what}: epoch {epoch} of {epochs} ({epoch / epochs:.0%}), {losses}{validation}"
