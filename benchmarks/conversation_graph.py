"""What does MMGCN cost in block form beside the batch-dense form of published code? Prints ratios of one run.

    python benchmarks/conversation_graph.py [--layers 4 64] [--rounds 2]

An epoch: forward, loss and backward of 120 dialogues of 8 to 110 utterances (5.8 thousand), in batches of 16 as they
come, widths 1582 / 342 / 100, dropout 0.4, one thread. Each form and depth runs in a process of its own; the best
CPU seconds of its rounds count, after one batch to warm up, and the peak of its resident memory, whole and above what
it held before the first epoch. Three forms of the same model and weights:

    blocks     affectory: products a dialogue and modality, no padding, the gradient written by hand
    dense      one matrix over all nodes of a batch, filled dialogue by dialogue and normalised by two products with
               diagonal matrices, cosines as sums of outer products, torch's packed LSTM and dropout: published code
    dense+     the same with what a careful reader would mend: cosines and normalisation without such products

Then it checks that without dropout logits and gradients of a batch are equal (ValueError when they are not, relative
to the largest entry of each tensor, to 1e-5), and that twice the dialogues cost twice as much.
"""

import argparse
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from affectory.layers.dialogues import order_of_appearance
from affectory.models.mmgcn import FAMILY, Mmgcn
from affectory.vocabulary import MODALITIES, Modality

WIDTHS = dict(zip(MODALITIES, (1582, 342, 100), strict=True))
CLASSES, SPEAKERS, BATCH = 6, 2, 16
FORMS = ("blocks", "dense", "dense+")


@dataclass(frozen=True)
class Dialogues:
    """One batch, padded."""

    x: dict[Modality, Tensor]
    mask: Tensor
    speakers: Tensor
    present: Tensor
    labels: Tensor

    @property
    def lengths(self) -> list[int]:
        return self.mask.sum(1).tolist()


def lengths(dialogues: int) -> list[int]:
    """The utterances of each dialogue: about 48, from 8 to 110, as IEMOCAP's are; the same in every run."""
    drawn = torch.randn(dialogues, generator=torch.Generator().manual_seed(0)) * 18 + 48
    drawn[0], drawn[-1] = 8, 110
    return drawn.round().int().clamp(8, 110).tolist()


def batches(dialogues: int) -> Iterator[Dialogues]:
    """Random dialogues in batches of BATCH, the same in every run."""
    random = torch.Generator().manual_seed(1)
    counts = lengths(dialogues)
    for start in range(0, dialogues, BATCH):
        part = counts[start : start + BATCH]
        mask = torch.arange(max(part)) < torch.tensor(part)[:, None]
        shape = tuple(mask.shape)
        yield Dialogues(
            x={m: torch.randn(*shape, width, generator=random) * mask[..., None] for m, width in WIDTHS.items()},
            mask=mask,
            speakers=torch.randint(SPEAKERS, shape, generator=random),
            present=mask[..., None].expand(*shape, len(WIDTHS)),
            labels=torch.randint(CLASSES, shape, generator=random).masked_fill(~mask, -100),
        )


class DenseMmgcn(nn.Module):
    """The weights of an Mmgcn, used as published code does."""

    def __init__(self, model: Mmgcn, *, mended: bool) -> None:
        super().__init__()
        self.model, self.mended, self.config = model, mended, model.config
        self.lstm = _torch_lstm(model)

    def forward(self, batch: Dialogues) -> Tensor:
        """Logits [U, C]."""
        nodes = self._nodes(batch)  # [M * U, H]
        adjacency = self._adjacency(nodes, batch.lengths)
        nodes = F.dropout(nodes, self.config.dropout, self.training)
        states = self._graph(nodes, adjacency)
        joint = torch.cat([*nodes.chunk(len(WIDTHS)), *states.chunk(len(WIDTHS))], 1)
        return self.model.classifier(F.dropout(joint, self.config.dropout, self.training).relu())

    def _nodes(self, batch: Dialogues) -> Tensor:
        columns = []
        for modality, encoder in zip(WIDTHS, self.model.encoders, strict=True):
            encoded = encoder(batch.x[modality])  # [G, N, H]
            if modality is Modality.TEXTUAL:
                packed = pack_padded_sequence(encoded, torch.tensor(batch.lengths), True, enforce_sorted=False)
                encoded, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
            columns.append(torch.cat([row[:n] for row, n in zip(encoded, batch.lengths, strict=True)]))
        order = order_of_appearance(batch.speakers, batch.mask)
        speaker = torch.cat([row[:n] for row, n in zip(order, batch.lengths, strict=True)])
        assert self.model.speaker is not None
        if self.config.speaker == "concat_all":
            columns = [torch.cat([column, self.model.speaker(speaker)], 1) for column in columns]
        else:
            columns[-1] = columns[-1] + self.model.speaker(speaker)
        return torch.cat(columns)

    def _adjacency(self, nodes: Tensor, counts: list[int]) -> Tensor:
        total, modalities = sum(counts), len(WIDTHS)
        adjacency = nodes.new_zeros(len(nodes), len(nodes))
        start = 0
        for n in counts:
            pieces = [nodes[m * total + start : m * total + start + n] for m in range(modalities)]
            units = [piece / piece.square().sum(1, keepdim=True).sqrt() for piece in pieces]
            steps = torch.arange(n) + start
            for i in range(modalities):
                for j in range(modalities):
                    rows, columns = i * total + start, j * total + start
                    if i == j:
                        adjacency[rows : rows + n, columns : columns + n] = self._within(units[i])
                    else:
                        cosines = (units[i] * units[j]).sum(1)
                        adjacency[steps + i * total, steps + j * total] = _angular(cosines)
            start += n
        degree = adjacency.sum(1)
        if self.mended:
            return adjacency * degree.rsqrt()[:, None] * degree.rsqrt()
        diagonal = torch.diag(degree**-0.5)
        return diagonal.mm(adjacency).mm(diagonal)

    def _within(self, unit: Tensor) -> Tensor:
        if self.mended:
            return _angular(unit @ unit.T)
        return _angular(torch.matmul(unit.T.unsqueeze(2), unit.T.unsqueeze(1)).sum(0))

    def _graph(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        config, gcn = self.config, self.model.graph
        first = state = gcn.into(nodes).relu()
        for layer, weights in enumerate(gcn.weights, 1):
            theta = math.log(config.lambda_ / layer + 1)
            message = adjacency.mm(F.dropout(state, config.dropout, self.training))
            mixed = (1 - config.alpha) * message + config.alpha * first
            state = (theta * torch.cat([message, first], 1).mm(weights) + (1 - theta) * mixed).relu()
        return F.dropout(state, config.dropout, self.training)


def _angular(cosines: Tensor) -> Tensor:
    return 1 - torch.acos(cosines * 0.99999) / math.pi


def _torch_lstm(model: Mmgcn) -> nn.LSTM:
    """torch's own, with the weights of the model's; its gates are in the order i, f, g, o, ours g, i, f, o."""
    width = model.config.width
    lstm = nn.LSTM(width, width // 2, 2, batch_first=True, bidirectional=True, dropout=model.config.dropout)
    for name, value in lstm_parts(dict(model.named_parameters())).items():
        getattr(lstm, name).data = value.clone()
    for layer in ("l0", "l0_reverse", "l1", "l1_reverse"):
        getattr(lstm, f"bias_hh_{layer}").data.zero_()
    return lstm


def lstm_parts(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The LSTM's tensors under the names, and with the order of gates, of torch.nn.LSTM.

    `tensors` are an Mmgcn's parameters, or their gradients, by the parameters' names.
    """
    parts = {}
    for layer in range(2):
        weight, bias, recurrent = (
            tensors[f"context.layers.{layer}.{name}"].detach() for name in ("weight", "bias", "recurrent")
        )
        for direction, suffix in enumerate((f"l{layer}", f"l{layer}_reverse")):
            forms = weight.chunk(2)[direction], bias.chunk(2)[direction], recurrent[direction].T
            for name, value in zip(("weight_ih", "bias_ih", "weight_hh"), forms, strict=True):
                new, i, forget, o = value.chunk(4)
                parts[f"{name}_{suffix}"] = torch.cat([i, forget, new, o])
    return parts


def build(form: str, layers: int, *, dropout: float | None = None) -> nn.Module:
    torch.manual_seed(0)
    config = FAMILY.presets["paper" if layers < 64 else "official_code"]["mmgcn"]
    config = replace(config, graph_layers=layers, dropout=config.dropout if dropout is None else dropout)
    model = Mmgcn(replace(config, speakers=SPEAKERS), WIDTHS, CLASSES)
    return model if form == "blocks" else DenseMmgcn(model, mended=form == "dense+")


def check(layers: int) -> float:
    """The largest difference of logits and gradients of one batch, relative to the largest entry of each tensor."""
    batch = next(batches(BATCH))
    ours, theirs = (build(form, layers, dropout=0.0) for form in ("blocks", "dense"))
    assert isinstance(ours, Mmgcn) and isinstance(theirs, DenseMmgcn)
    logits, expected = step(ours, batch), step(theirs, batch)
    pairs = [(logits, expected), *_gradients(ours, theirs)]
    worst = max(
        float((ours_tensor - theirs_tensor).abs().max() / theirs_tensor.abs().max())
        for ours_tensor, theirs_tensor in pairs
    )
    if not worst <= 1e-5:
        raise ValueError(f"{layers} layers: blocks differ from dense by {worst:.1e}, expected at most 1e-5")
    return worst


def _gradients(ours: Mmgcn, theirs: DenseMmgcn) -> Iterator[tuple[Tensor, Tensor]]:
    """The pairs of all parameters: those that both forms use, and the LSTM's, which they keep in different forms."""
    for (name, parameter), counterpart in zip(ours.named_parameters(), theirs.model.parameters(), strict=True):
        if parameter.grad is not None and counterpart.grad is not None:
            yield parameter.grad, counterpart.grad
        elif not name.startswith("context"):
            raise ValueError(f"{name}: expected a gradient in both forms")
    parts = lstm_parts({name: p.grad for name, p in ours.named_parameters() if p.grad is not None})
    for name, parameter in parts.items():
        yield parameter, getattr(theirs.lstm, name).grad


def step(model: nn.Module, batch: Dialogues) -> Tensor:
    """Forward and backward of one batch: the logits [U, C]; the gradients are left in the model's parameters."""
    model.zero_grad()
    if isinstance(model, Mmgcn):
        logits = model(batch.x, batch.mask, batch.speakers, batch.present)[batch.mask]
    else:
        logits = model(batch)
    F.cross_entropy(logits, batch.labels[batch.mask]).backward()
    return logits.detach()


@dataclass(frozen=True)
class Cost:
    """What one form costs: CPU seconds an epoch, peak resident MB, and how many of these are beyond data and model."""

    cpu_s: float
    peak_mb: float
    added_mb: float


def measure(form: str, layers: int, dialogues: int, rounds: int) -> Cost:
    """The cost of one form, measured in this process; a process can measure only one, for its peak never falls."""
    torch.set_num_threads(1)
    model, data = build(form, layers), list(batches(dialogues))
    rss_before_mb = psutil.Process().memory_info().rss / 1e6
    step(model, data[0])
    seconds = []
    for _ in range(rounds):
        start_s = time.process_time()
        for batch in data:
            step(model, batch)
        seconds.append(time.process_time() - start_s)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return Cost(min(seconds), peak, peak - rss_before_mb)


def in_child(form: str, layers: int, dialogues: int, rounds: int) -> Cost:
    """`measure` in a fresh process."""
    arguments = ["--child", form, "--layers", str(layers), "--dialogues", str(dialogues), "--rounds", str(rounds)]
    run = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    return Cost(*map(float, run.stdout.split()[-3:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 64])
    parser.add_argument("--dialogues", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--child", choices=FORMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        cost = measure(arguments.child, arguments.layers[0], arguments.dialogues, arguments.rounds)
        print(cost.cpu_s, cost.peak_mb, cost.added_mb)
        return
    utterances = sum(lengths(arguments.dialogues))
    print(f"{arguments.dialogues} dialogues, {utterances} utterances, batches of {BATCH}, torch {torch.__version__}\n")
    print("| layers | form | CPU s | peak MB | added MB | CPU / blocks | blocks' peak / its | blocks' added / its |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|")
    for layers in arguments.layers:
        costs = {form: in_child(form, layers, arguments.dialogues, arguments.rounds) for form in FORMS}
        ours = costs["blocks"]
        for form, cost in costs.items():
            print(
                f"| {layers} | {form} | {cost.cpu_s:.2f} | {cost.peak_mb:.0f} | {cost.added_mb:.0f} "
                f"| {cost.cpu_s / ours.cpu_s:.1f} | {ours.peak_mb / cost.peak_mb:.2f} "
                f"| {ours.added_mb / cost.added_mb:.2f} |"
            )
    print()
    for layers in arguments.layers:
        print(f"{layers} layers: logits and gradients of blocks and dense differ by at most {check(layers):.0e}")
    print("\n| dialogues | utterances | blocks, 4 layers: CPU ms an utterance |\n|---:|---:|---:|")
    for dialogues in (60, 120, 240, 480):
        cost, utterances = in_child("blocks", 4, dialogues, arguments.rounds), sum(lengths(dialogues))
        print(f"| {dialogues} | {utterances} | {1e3 * cost.cpu_s / utterances:.3f} |")


if __name__ == "__main__":
    main()
