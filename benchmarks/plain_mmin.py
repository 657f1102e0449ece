"""MMIN in the plain form of published code (AIM3-RUC/MMIN@69a45fe), for benchmarks/study.py to measure against.

Batches padded to their longest row, features normalised at each access, every modality encoded for every condition, the
teacher asked at every step, a test after every epoch. Shapes: B batch, T frames, D features, M modalities.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from affectory.data.conditions import condition_masks, training_conditions
from affectory.data.dataset import Dataset as Corpus
from affectory.data.inputs import ModalityInput, fit_inputs
from affectory.models import mmin
from affectory.results import metrics
from affectory.vocabulary import MODALITIES, Modality, Split


class PlainRows(Dataset):
    """Rows normalised at each access: to train on, under a condition drawn at each access; else under all, in turn."""

    def __init__(
        self, corpus: Corpus, rows: np.ndarray, inputs: dict[Modality, ModalityInput], masks: Tensor, *, drawn: bool
    ) -> None:
        self.features = [[corpus.sequences[m].row(row) for m in MODALITIES] for row in rows]
        self.labels, self.inputs, self.masks, self.drawn = corpus.labels[rows], inputs, masks, drawn

    def __len__(self) -> int:
        return len(self.labels) * (1 if self.drawn else len(self.masks))

    def __getitem__(self, index: int) -> tuple[list[Tensor], Tensor, int]:
        row, place = divmod(index, 1 if self.drawn else len(self.masks))
        held = self.masks[torch.randint(len(self.masks), ()) if self.drawn else place]
        return [self._normalised(*pair) for pair in zip(MODALITIES, self.features[row], strict=True)], held, row

    def _normalised(self, modality: Modality, frames: np.ndarray) -> Tensor:
        fitted = self.inputs[modality]
        return torch.from_numpy(np.clip((frames - fitted.mean) / fitted.std, -fitted.limit, fitted.limit))

    def padded(self, samples: list[tuple[list[Tensor], Tensor, int]]) -> tuple[list[Tensor], Tensor, Tensor]:
        """Collates: frames [B, T, D] of each modality, padded to the batch's longest; held bool [B, M]; labels [B]."""
        frames, held, rows = zip(*samples, strict=True)
        labels = torch.from_numpy(self.labels[list(rows)])
        return (
            [pad_sequence(list(sequences), batch_first=True) for sequences in zip(*frames, strict=True)],
            torch.stack(held),
            labels,
        )


class PlainModel(nn.Module):
    """The layers and weights of a model of affectory, used as the published code does: padding is read as frames."""

    def __init__(self, model: mmin.FullModality | mmin.Mmin) -> None:
        super().__init__()
        self.model = model

    def encoded(self, frames: Sequence[Tensor]) -> Tensor:
        """[B, M * H]"""
        acoustic, visual, textual = self.model.encoders.encoders
        windows = [F.relu(convolution(frames[2].transpose(1, 2))).amax(2) for convolution in textual.convolutions]
        text = F.relu(textual.out(textual.dropout(torch.cat(windows, 1))))
        return torch.cat([acoustic.lstm(frames[0])[0].amax(1), visual.lstm(frames[1])[0].amax(1), text], 1)

    def forward(self, frames: Sequence[Tensor]) -> Tensor:
        """Logits [B, C]; of MMIN, after both imaginations, as the published forward."""
        return self.outputs(frames)[0]

    def outputs(self, frames: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Logits, and of MMIN h, h' and h''."""
        h = self.encoded(frames)
        if isinstance(self.model, mmin.FullModality):
            return (self.model.classifier(h),)
        imagined, latents = self.model.imagination(h)
        if not self.model.config.cycle_weight:
            return self.model.classifier(latents), h, imagined
        return self.model.classifier(latents), h, imagined, (self.model.cycle or self.model.imagination)(imagined)[0]


def without(frames: Sequence[Tensor], held: Tensor) -> list[Tensor]:
    """The frames [B, T, D] of each modality, zeros in rows whose `held` bool [B, M] is False."""
    return [of_modality * held[:, place, None, None] for place, of_modality in enumerate(frames)]


@dataclass
class Spent:
    """The seconds that the tests after every epoch took; `counted` adds those of its block."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall_s, self.cpu_s = self.wall_s + time.perf_counter() - wall, self.cpu_s + time.process_time() - cpu


def train_plain(
    config: mmin.Config, corpus: Corpus, seed: int, teacher: PlainModel | None, tests: Spent
) -> tuple[PlainModel, float]:
    """The model of the best epoch, and its UA on validation, the mean over the conditions that it was trained under."""
    train, val, test = (corpus.rows(part) for part in (Split.TRAIN, Split.VAL, Split.TEST))
    inputs = fit_inputs(corpus, train)
    built = mmin.build(config, inputs, corpus.classes, seed=seed)
    assert isinstance(built, mmin.FullModality | mmin.Mmin)
    plain, schedule = PlainModel(built), config.schedule
    if teacher is not None:
        plain.model.encoders.load_state_dict(teacher.model.encoders.state_dict())
    masks = condition_masks(training_conditions(config.training_conditions, MODALITIES), MODALITIES)
    rows = PlainRows(corpus, train, inputs, masks, drawn=True)
    loader = DataLoader(rows, schedule.batch_size, shuffle=True, collate_fn=rows.padded)
    optimizer = torch.optim.Adam(plain.parameters(), schedule.learning_rate, (schedule.beta1, 0.999))
    best, best_ua = {}, float("-inf")
    torch.manual_seed(seed)
    for epoch in range(schedule.epochs):
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate_at(epoch)
        plain.train()
        for frames, held, labels in loader:
            loss = plain_loss(config, plain, teacher, frames, held, labels)
            optimizer.zero_grad()
            loss.backward()
            for part in plain.model.children():
                nn.utils.clip_grad_norm_(part.parameters(), schedule.clip)
            optimizer.step()
        ua = ua_of_plain(plain, PlainRows(corpus, val, inputs, masks, drawn=False), schedule.batch_size)
        with tests.counted():
            ua_of_plain(plain, PlainRows(corpus, test, inputs, masks, drawn=False), schedule.batch_size)
        if ua > best_ua:
            best, best_ua = {name: value.clone() for name, value in plain.state_dict().items()}, ua
    plain.load_state_dict(best)
    return plain, best_ua


def plain_loss(
    config: mmin.Config,
    plain: PlainModel,
    teacher: PlainModel | None,
    frames: Sequence[Tensor],
    held: Tensor,
    labels: Tensor,
) -> Tensor:
    outputs = plain.outputs(without(frames, held))
    loss = F.cross_entropy(outputs[0], labels)
    if teacher is not None:
        h, imagined, *recalled = outputs[1:]
        with torch.no_grad():
            target = teacher.eval().encoded(without(frames, ~held))  # what is missing, with zeros for the rest
        loss = loss + config.forward_weight * F.mse_loss(imagined, target)
        for value in recalled:
            loss = loss + config.cycle_weight * F.mse_loss(value, h.detach())
    return loss


@torch.no_grad()
def ua_of_plain(plain: PlainModel, rows: PlainRows, batch_size: int) -> float:
    """UA, the mean over the conditions; each row goes through the whole model once for each of them."""
    plain.eval()
    loader = DataLoader(rows, batch_size, collate_fn=rows.padded)
    predicted = torch.cat([plain(without(frames, held)).argmax(1) for frames, held, _ in loader]).numpy()
    return float(
        np.mean(
            [metrics.ua(rows.labels, predicted_under) for predicted_under in predicted.reshape(len(rows.labels), -1).T]
        )
    )
