"""The one training loop: it knows no model, sums the terms a model names, and keeps the best epoch on validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from affectory.data.batches import PackedFeatures
from affectory.data.conditions import condition_masks, draw_available, training_conditions
from affectory.learning.evaluation import logits_under, scores_under
from affectory.models.family import Model, Schedule
from affectory.results.metrics import CLASSIFICATION
from affectory.vocabulary import Condition

WATCHED = "watched"  # begins the names of what is only looked at
NO_ROWS = np.zeros(0, np.int64)
Callback = Callable[[int, dict[str, float]], None]  # epoch counted from 1, and what was measured
_PATIENCE = 3.0  # so many times the usual pause for each second that saving took: VGG16's checkpoint is 2 GB
_POOL_BATCHES = 8  # of so many batches the rows are sorted by length, which leaves little padding and enough chance


@dataclass(frozen=True)
class Fit:
    """A finished training; the model holds the kept epoch's weights, which `state` holds on the CPU."""

    state: dict[str, Tensor]
    best_epoch: int  # counted from 1
    best_score: float  # what selects: mean over the conditions that were trained on; NaN without validation rows
    history: list[dict[str, float]]  # one dict an epoch, as the callbacks received it


class TrainingError(RuntimeError):
    """A training that cannot go on; says which epoch and loss."""


def fit(
    model: Model,
    data: PackedFeatures,
    train: np.ndarray,
    val: np.ndarray,
    *,
    schedule: Schedule,
    seed: int,
    callbacks: Sequence[Callback] = (),
    epochs: int | None = None,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 10.0,
    watched: np.ndarray = NO_ROWS,
) -> Fit:
    """Train on the rows `train`, select on the rows `val` (positions in `data`), leave the model with the best weights.

    Callbacks receive loss/<term>, loss/total, val/<metric>/<keys> (`av` for {a,v}) of the schedule's `select`, and
    val/score, their mean, which selects. The rows `watched` are scored after each epoch as they are, watched/<metric>,
    and change nothing.
    Every epoch draws its order, conditions and dropout from (seed, epoch) alone, so a training that was killed goes on
    from `checkpoint` to the same bits. `epochs` ends the schedule early. Without rows in `val` the last epoch is kept.
    ValueError when a checkpoint is another training's, TrainingError when a loss is no longer finite.
    """
    if not len(train):
        raise ValueError("no labelled training rows: expected at least one, got 0")
    model.to(data.device)
    optimizer = _optimizer([parameter for parameter in model.parameters() if parameter.requires_grad], schedule)
    under = training_conditions(model.training_conditions, data.modalities)
    last_epoch = schedule.epochs if epochs is None else min(epochs, schedule.epochs)
    state = _Progress(schedule.keep, identity=f"{seed} {asdict(schedule)} {last_epoch} {under} {len(train)} {len(val)}")
    if checkpoint is not None and checkpoint.exists():
        state.load(checkpoint, model, optimizer)
    masks, save_from = condition_masks(under, data.modalities), monotonic() + checkpoint_every_s
    with torch.random.fork_rng(devices=[data.device] if data.device.type == "cuda" else []):
        for epoch in range(len(state.history), last_epoch):
            totals = _train_epoch(model, data, train, masks, optimizer, schedule, seed, epoch)
            measured = _checked(totals, epoch) | _validated(model, data, val, under, schedule.select)
            measured |= _watched(model, data, watched) if len(watched) else {}
            state.keep(model, measured)
            for callback in callbacks:
                callback(epoch + 1, measured)
            if checkpoint is not None and (epoch + 1 == last_epoch or monotonic() >= save_from):
                began = monotonic()
                state.save(checkpoint, model, optimizer)
                ended = monotonic()
                save_from = ended + checkpoint_every_s * max(1.0, _PATIENCE * (ended - began))
    model.load_state_dict(state.best)
    return Fit(state.best, state.best_epoch, state.best_score, state.history)


def _optimizer(parameters: list[nn.Parameter], schedule: Schedule) -> torch.optim.Optimizer:
    rate, decay = schedule.learning_rate, schedule.weight_decay
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, schedule.beta1, weight_decay=decay, nesterov=True, fused=True)
    return torch.optim.Adam(parameters, rate, (schedule.beta1, 0.999), weight_decay=decay, fused=True)


def _train_epoch(
    model: Model,
    data: PackedFeatures,
    train: np.ndarray,
    masks: Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    seed: int,
    epoch: int,
) -> dict[str, Tensor]:
    """One pass over the rows `train`; the mean of each loss term, and of their total."""
    generator = torch.Generator().manual_seed(_epoch_seed(seed, epoch))
    torch.manual_seed(_epoch_seed(seed, epoch))
    for group in optimizer.param_groups:
        group["lr"] = schedule.learning_rate_at(epoch)
    model.train()
    totals: dict[str, Tensor] = {}
    learned = np.isin(np.arange(len(data)), train)
    batches = _whole_dialogues if model.whole_dialogues else _near_lengths
    for rows in batches(train, data, schedule.batch_size, generator):
        batch = data.batch(rows).with_labels_of(torch.from_numpy(learned[rows]))
        losses = model.losses(batch.with_available(draw_available(masks, batch.present, generator)))
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        for part in model.children():
            nn.utils.clip_grad_norm_(part.parameters(), schedule.clip)
        optimizer.step()
        for name, loss in {**losses, "total": total}.items():
            totals[name] = totals.get(name, 0.0) + loss.detach() * (learned[rows].sum() / len(train))
    return totals


class _Progress:
    """What is known after each epoch, and its form on disk (tensors and plain values, loaded with weights_only)."""

    def __init__(self, keeps: str, identity: str) -> None:
        self.keeps, self.identity = keeps, identity
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch, self.best_score = 0, float("-inf")

    def keep(self, model: Model, measured: dict[str, float]) -> None:
        self.history.append(measured)
        score = measured.get("val/score", float("nan"))
        if self.keeps == "last" or not score <= self.best_score:  # nothing to select on: the last epoch
            self.best_epoch, self.best_score = len(self.history), score
            self.best = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}

    def save(self, path: Path, model: Model, optimizer: torch.optim.Optimizer) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        torch.save({**vars(self), "model": model.state_dict(), "optimizer": optimizer.state_dict()}, partial)
        partial.rename(path)

    def load(self, path: Path, model: Model, optimizer: torch.optim.Optimizer) -> None:
        stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if stored["identity"] != self.identity:
            raise ValueError(
                f"{path} is of another training: expected {self.identity}, got {stored['identity']}; remove it"
            )
        model.load_state_dict(stored.pop("model"))
        optimizer.load_state_dict(stored.pop("optimizer"))
        vars(self).update(stored)


def _epoch_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])


def _whole_dialogues(
    train: np.ndarray, data: PackedFeatures, batch_size: int, generator: torch.Generator
) -> Iterator[np.ndarray]:
    """All rows of so many shuffled dialogues at a time."""
    dialogues = data.dialogues_of(train)
    order = torch.randperm(len(dialogues), generator=generator).tolist()
    for start in range(0, len(order), batch_size):
        yield np.concatenate([dialogues[place] for place in order[start : start + batch_size]])


def _near_lengths(
    train: np.ndarray, data: PackedFeatures, batch_size: int, generator: torch.Generator
) -> Iterator[np.ndarray]:
    """The shuffled rows in batches of near lengths, the batches shuffled again."""
    order = train[torch.randperm(len(train), generator=generator).numpy()]
    pool = batch_size * _POOL_BATCHES
    pools = (order[start : start + pool] for start in range(0, len(order), pool))
    ordered = np.concatenate([rows[np.argsort(data.longest(rows), kind="stable")] for rows in pools])
    batches = [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
    yield from (batches[place] for place in torch.randperm(len(batches), generator=generator).tolist())


def _checked(totals: dict[str, Tensor], epoch: int) -> dict[str, float]:
    values = {f"loss/{name}": float(total) for name, total in totals.items()}
    if broken := [name for name, value in values.items() if not np.isfinite(value)]:
        raise TrainingError(
            f"epoch {epoch + 1}: {', '.join(broken)} not finite; lower the learning rate, check features"
        )
    return values


def _validated(
    model: Model, data: PackedFeatures, val: np.ndarray, under: Iterable[Condition], metric: str
) -> dict[str, float]:
    """val/<metric>/<keys> of each condition and their mean, val/score, which selects."""
    scores = scores_under(model, data, val, tuple(under), metric) if len(val) else {}
    if not scores:
        return {}
    by_keys = {f"val/{metric}/{condition.keys}": value for condition, value in scores.items()}
    return {**by_keys, "val/score": float(np.mean(list(by_keys.values())))}


def _watched(model: Model, data: PackedFeatures, rows: np.ndarray) -> dict[str, float]:
    """watched/<metric> of the rows as they are."""
    truth, predicted = data.labels[rows].cpu().numpy(), logits_under(model, data, rows, None)[0].argmax(-1)
    return {f"{WATCHED}/{name}": metric(truth, predicted) for name, metric in CLASSIFICATION.items()}
