"""How much faster is a whole study of MMIN than in the plain form of published code? Prints one table of both.

    python benchmarks/study.py [--utterances 400] [--folds 2] [--seeds 2] [--shorter 2] [--preset default] [--rows 5]

A study: the full baseline, the augmented baseline, MMIN of a preset and (but with --rows 3) its ablations in every fold
and seed, eight tenths of the utterances to train on, one to validate, one to test, on a made corpus of MMIN's widths
(130 a 0.1 s, 342 a face, 1024 a token) and of utterances as long as MELD's (median 2.5 s, few of over 10), whose
classes can be told apart. Seconds are of a fresh process, its start and imports included; CPU seconds are of it and its
children. Both forms have the same layers, weights at the start, batch size, epochs, Adam and clipping:

    affectory  studies.cell.run_cell in two worker processes of one thread, as the study itself: also its calibration,
               distances of what is imagined and its files, but without sweeps of missing rates
    plain      one process with a thread a core, as AIM3-RUC/MMIN@69a45fe: plain_mmin.py. That code also tests after
               every epoch, as it is run (--has_test --verbose): what this takes is measured, and both ratios printed.
               Its file of all weights after every epoch and its teacher run in evaluation too are left out

Then it checks that for the same weights logits under all conditions equal those of one row and condition at a time,
unpadded (ValueError when they differ by more than 1e-6 of the largest, in float64; in float32 sums over 5120
products differ more by their order alone). There a missing modality is one zero frame, as affectory means it; in the
published code it is as many zero frames as the batch's longest row has.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from plain_mmin import PlainModel, PlainRows, Spent, train_plain, ua_of_plain
from torch import Tensor

from affectory.data.batches import Batch, PackedFeatures
from affectory.data.conditions import condition_masks
from affectory.data.dataset import Dataset as Corpus
from affectory.data.dataset import Sequences, load_dataset, save_dataset
from affectory.data.inputs import ModalityInput, fit_inputs
from affectory.learning.evaluation import logits_under
from affectory.models import mmin
from affectory.processes.child_processes import Lost, run_as_completed
from affectory.studies import STUDIES
from affectory.studies.cell import Cell, run_cell
from affectory.studies.plan import Training
from affectory.vocabulary import MODALITIES, Modality, Split, conditions

ROWS = ("full_baseline", "augmented_baseline", "mmin", "mmin_ae", "mmin_no_cycle")
FORMS = ("affectory", "plain")
CLASSES = ("angry", "happy", "neutral", "sad")
WIDTHS = dict(zip(MODALITIES, (130, 342, 1024), strict=True))
FRAMES_A_S = dict(zip(MODALITIES, (10, 10, 4), strict=True))  # tokens: 2.5 words a second, 1.6 tokens a word
LOG_SECONDS = (0.9, 0.71)  # mean and deviation of the logarithm of an utterance's seconds: MELD's 9,989 of training
SECONDS = (0.5, 30.0)  # at least and at most
FEWEST = 5  # frames: convolutions of published code do not take fewer tokens than their widest kernel
MISLED = 0.3  # of the utterances: a modality speaks of some other class


@dataclass(frozen=True)
class Study:
    """What both forms train."""

    utterances: int
    folds: int
    seeds: int
    shorter: int
    preset: str
    rows: int

    def configs(self) -> dict[str, mmin.Config]:
        """The preset's rows with fewer epochs."""
        every = mmin.FAMILY.study_experiments(self.preset)
        return {name: self._shortened(every[name]) for name in ROWS[: self.rows]}

    def _shortened(self, config: mmin.Config) -> mmin.Config:
        phases = ("constant_epochs", "decay_epochs")
        fewer = {name: max(1, getattr(config.schedule, name) // self.shorter) for name in phases}
        return replace(config, schedule=replace(config.schedule, **fewer))

    def cells(self) -> Iterator[tuple[int, int, list[str]]]:
        """fold, seed, and the split of every row: in turn, one in ten for validation and the next for the test."""
        for fold in range(self.folds):
            parts = {fold % 10: Split.VAL, (fold + 1) % 10: Split.TEST}
            splits = [str(parts.get(row % 10, Split.TRAIN)) for row in range(self.utterances)]
            yield from ((fold, seed, splits) for seed in range(self.seeds))


def made_corpus(utterances: int) -> Corpus:
    """A corpus of random features around a mean for each class, the same in every run."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(utterances) % len(CLASSES))
    seconds = random.lognormal(*LOG_SECONDS, utterances).clip(*SECONDS)
    sequences = {}
    for modality, width in WIDTHS.items():
        means = 0.3 * random.standard_normal((len(CLASSES), width), np.float32)
        spoken = np.where(random.random(utterances) < MISLED, random.integers(0, len(CLASSES), utterances), labels)
        lengths, rows = np.ceil(seconds * FRAMES_A_S[modality]).astype(int), []
        for of_class, length in zip(spoken, lengths.clip(min=FEWEST), strict=True):
            mean_of_row = means[of_class] + 0.5 * random.standard_normal(width, np.float32)
            rows.append(mean_of_row + random.standard_normal((length, width), np.float32))
        sequences[modality] = Sequences.from_rows(modality.value, rows, width)
    ids = [f"u{row:04d}" for row in range(utterances)]
    return Corpus(ids, labels.astype(np.int64), CLASSES, sequences, ids, ids, [str(Split.TRAIN)] * utterances)


def run_affectory(study: Study, folder: Path) -> dict[str, dict[str, float]]:
    """Mean UA on validation and test of each row."""
    by_name = {row.name: replace(row, swept=False) for row in STUDIES["mmin_study"].rows}
    trainings = [Training(by_name[name], config) for name, config in study.configs().items()]
    cells = [
        Cell(
            study="mmin_study",
            dataset=folder,
            splits=splits,
            fold=fold,
            seed=seed,
            trainings=trainings,
            fingerprints={training.name: f"{training.name}-{fold}-{seed}" for training in trainings},
            results=folder / "results",
            device="cpu",
            pictures=False,
        )
        for fold, seed, splits in study.cells()
    ]
    for _, outcome in run_as_completed(run_cell, cells, workers=2, timeout_s=3600):
        if isinstance(outcome, Lost):
            raise RuntimeError(outcome.detail)
        if outcome.failed:
            raise RuntimeError(str(outcome.failed))
    scores = []
    for cell in cells:
        for name, fingerprint in cell.fingerprints.items():
            values = pd.read_parquet(cell.results / fingerprint / "results.parquet")
            val = json.loads((cell.results / fingerprint / "facts.json").read_text())["score"]
            scores.append((name, val, values.loc[values["metric"] == "ua", "value"].mean()))
    return _means(scores)


def _means(scores: Sequence[tuple[str, float, float]]) -> dict[str, dict[str, float]]:
    table = pd.DataFrame(scores, columns=["row", "val", "test"]).groupby("row", sort=False).mean()
    return {
        name: {"val": float(table.loc[name, "val"]), "test": float(table.loc[name, "test"])} for name in table.index
    }


def run_plain(study: Study, folder: Path, tests: Spent) -> dict[str, dict[str, float]]:
    """Mean UA on validation and test of each row; every training reads and normalises for itself."""
    scores, every = [], condition_masks(conditions(MODALITIES), MODALITIES)
    for _, seed, splits in study.cells():
        corpus = replace(load_dataset(folder), splits=splits)
        trained: dict[str, PlainModel] = {}
        for name, config in study.configs().items():
            plain, val = train_plain(config, corpus, seed, trained.get(config.teacher or ""), tests)
            trained[name] = plain
            inputs = fit_inputs(corpus, corpus.rows(Split.TRAIN))
            test = PlainRows(corpus, corpus.rows(Split.TEST), inputs, every, drawn=False)
            scores.append((name, val, ua_of_plain(plain, test, config.schedule.batch_size)))
    return _means(scores)


class _InType(PackedFeatures):
    """Whose batches are of torch's default type."""

    def batch(self, index: Tensor | np.ndarray) -> Batch:
        batch = super().batch(index)
        return replace(batch, frames={m: frames.to(torch.get_default_dtype()) for m, frames in batch.frames.items()})


def check(study: Study, corpus: Corpus, dtype: torch.dtype) -> float:
    """The largest difference of logits of 50 rows under all conditions, relative to the largest logit."""
    rows = np.arange(min(50, len(corpus.labels)))
    inputs = fit_inputs(corpus, rows)
    data, under, worst = _InType.from_dataset(corpus, inputs), conditions(MODALITIES), 0.0
    torch.set_default_dtype(dtype)
    for name in ROWS[1:3]:
        model = mmin.build(study.configs()[name], inputs, corpus.classes, seed=0)
        assert isinstance(model, mmin.FullModality | mmin.Mmin)
        ours = torch.from_numpy(logits_under(model, data, rows, under))
        theirs = _one_by_one(PlainModel(model).eval(), corpus, rows, inputs)
        worst = max(worst, float((ours - theirs).abs().max() / theirs.abs().max()))
    torch.set_default_dtype(torch.float32)
    return worst


@torch.no_grad()
def _one_by_one(plain: PlainModel, corpus: Corpus, rows: np.ndarray, inputs: dict[Modality, ModalityInput]) -> Tensor:
    """[K, n, C]; a missing modality is one zero frame, of text as many as its widest kernel reads."""
    frames = PlainRows(corpus, rows, inputs, torch.ones(1, len(MODALITIES), dtype=torch.bool), drawn=False)
    kernel = max(plain.model.encoders.encoders[2].kernel_sizes)
    zeros = [torch.zeros(1, kernel if m is Modality.TEXTUAL else 1, WIDTHS[m]) for m in MODALITIES]
    logits = []
    for mask in condition_masks(conditions(MODALITIES), MODALITIES):
        for row in range(len(rows)):
            pairs = zip(mask, frames[row][0], zeros, strict=True)
            logits.append(plain([own[None].to(zero) if is_held else zero for is_held, own, zero in pairs])[0])
    return torch.stack(logits).unflatten(0, (-1, len(rows)))


@dataclass(frozen=True)
class Cost:
    """What one form costs, and the scores that its models reach."""

    wall_s: float
    cpu_s: float
    ua: dict[str, dict[str, float]]  # by row, of `val` and `test`
    tests: Spent  # what of it the tests after every epoch took


def measure(form: str, folder: Path, study: Study) -> Cost:
    """The cost of one form in a process of its own, its children included."""
    threads = {"affectory": "1", "plain": str(os.cpu_count())}[form]
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    options = [f"--{name}={value}" for name, value in vars(study).items()]
    cpu_before, start_s = _children_s(), time.perf_counter()
    subprocess.run(
        [sys.executable, __file__, "--child", form, str(folder), *options],
        env=environment,
        check=True,
    )
    wall_s, cpu_s = time.perf_counter() - start_s, _children_s() - cpu_before
    saved = json.loads((folder / f"{form}.json").read_text())
    return Cost(wall_s, cpu_s, saved["ua"], Spent(**saved["tests"]))


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(costs: dict[str, Cost]) -> None:
    ours, plain = (costs[form] for form in FORMS)
    untested = plain.wall_s - plain.tests.wall_s, plain.cpu_s - plain.tests.cpu_s
    print("| | affectory | plain | plain / affectory |\n|---|---:|---:|---:|")
    for what, took, of_plain in (
        ("seconds", ours.wall_s, plain.wall_s),
        ("CPU seconds", ours.cpu_s, plain.cpu_s),
        ("seconds, without plain's tests after every epoch", ours.wall_s, untested[0]),
        ("CPU seconds, without them", ours.cpu_s, untested[1]),
    ):
        print(f"| {what} | {took:.1f} | {of_plain:.1f} | {of_plain / took:.2f} |")
    for part in ("val", "test"):
        for name in ours.ua:
            print(f"| {part} UA, {name} | {ours.ua[name][part]:.3f} | {plain.ua[name][part]:.3f} | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=400)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--shorter", type=int, default=2, help="the preset's epochs are divided by it")
    parser.add_argument("--rows", type=int, choices=range(3, 6), default=5, help="3: without MMIN-AE and MMIN-NoCycle")
    parser.add_argument("--preset", choices=sorted(set(mmin.FAMILY.presets) - {"best"}), default="default")
    parser.add_argument("--child", nargs=2, metavar=("FORM", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    study = Study(
        arguments.utterances, arguments.folds, arguments.seeds, arguments.shorter, arguments.preset, arguments.rows
    )
    if arguments.child:
        form, folder = arguments.child[0], Path(arguments.child[1])
        tests = Spent()
        ua = run_affectory(study, folder) if form == "affectory" else run_plain(study, folder, tests)
        (folder / f"{form}.json").write_text(json.dumps({"ua": ua, "tests": vars(tests)}))
        return
    torch.set_num_threads(1)
    corpus = made_corpus(study.utterances)
    trainings = study.folds * study.seeds * study.rows
    epochs = {name: config.schedule.epochs for name, config in study.configs().items()}
    print(f"{trainings} trainings, preset {study.preset}, {study.utterances} utterances; epochs {epochs}")
    print(f"{os.cpu_count()} CPU cores, torch {torch.__version__}\n")
    with tempfile.TemporaryDirectory() as folder:
        save_dataset(corpus, Path(folder))
        for form in FORMS:  # so that neither has to compile what it imports, as installed packages have been
            measure(form, Path(folder), replace(study, folds=1, seeds=1, shorter=1000))
        shutil.rmtree(Path(folder) / "results")
        report({form: measure(form, Path(folder), study) for form in FORMS})
    single, double = (check(study, corpus, dtype) for dtype in (torch.float32, torch.float64))
    print(
        f"\nchance {1 / len(CLASSES):.2f}; for the same weights logits differ by at most {double:.0e} of the largest in"
    )
    print(f"float64, {single:.0e} in float32")
    if not double <= 1e-6:
        raise ValueError(f"logits differ by {double:.1e} of the largest, expected at most 1e-6")


if __name__ == "__main__":
    main()
