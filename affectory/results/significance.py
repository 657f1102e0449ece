"""Is a difference between two experiments more than chance? Paired tests over runs, intervals over dialogues.

A run is one (fold, seed). Runs that differ only in their seed share their test part, so k folds x s seeds are not k s
independent runs, and no number of seeds stands for other speakers. `compare` therefore first averages the differences
over the seeds of a fold, which keeps the seeds' noise in what varies between folds. The k folds share most of their
training rows, so their differences are correlated as well: the corrected resampled t-test (Nadeau & Bengio 2003,
'Inference for the generalization error') takes the variance of their mean as (1/k + n_test / n_train) S^2, with k - 1
degrees of freedom. Bouckaert & Frank (2004) put r repeats of a k-fold cross-validation into the same formula with
1/(k r) and k r - 1 degrees of freedom; their repeats draw new folds, our seeds do not, so we count folds. One fold
leaves a paired t-test over seeds, which speaks of training again on the same split, not of other speakers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import pandas as pd
from scipy.special import stdtr

from affectory.results.metrics import of_counts
from affectory.results.names import AVERAGE, NO_NAMES, Names
from affectory.results.tables import Runs, columns_of, values_by_run
from affectory.vocabulary import Condition, missing_conditions

OVER_FOLDS, OVER_SEEDS = "corrected resampled t over folds", "paired t over seeds"
LEVEL = 0.05
_FEWEST = 3  # folds or seeds; with two, one degree of freedom needs a t of 12.7
_NO_SPREAD = 1e-12  # differences of equal values are not exactly equal in floating point


def compare(
    results: pd.DataFrame,
    metric: str,
    experiment: str,
    baselines: Sequence[str] | None = None,
    condition: str = AVERAGE,
    *,
    test_share: float | None = None,
    names: Names = NO_NAMES,
) -> pd.DataFrame:
    """`experiment` - each baseline (every other experiment unless given) in the runs both have, one row a baseline.

    Columns: baseline; experiment_mean, baseline_mean, difference and its sample deviation over runs; runs; effect, the
    paired Cohen's d_z = difference / deviation over the runs, descriptive since runs are not independent; test,
    OVER_FOLDS or OVER_SEEDS; p, two-sided; p_holm, over the baselines of this call; significant, p_holm < LEVEL, in
    either direction. `test_share` is n_test / n_train of a fold, 1 / (k - 1) unless given; more where validation rows
    leave the training part. p is NaN with fewer than three folds or seeds, and for a constant difference that is not
    zero, where no spread is left to measure it by; without any difference p is 1. `results` is as in
    `tables.conditions_table`; ValueError when it holds no value of `experiment` for this metric and condition.
    """
    values_by_name = {name: _values(runs, condition) for (_, name), runs in values_by_run(results, [metric]).items()}
    if not (ours := values_by_name.get(experiment)):
        raise ValueError(
            f"results: no {metric} under {condition} of experiment {experiment}; there are {list(values_by_name)}"
        )
    others = names.in_order(values_by_name.keys() - {experiment}) if baselines is None else baselines
    rows = [{"baseline": name, **_paired(ours, values_by_name.get(name, {}), test_share)} for name in others]
    means = ["experiment_mean", "baseline_mean", "difference", "deviation"]
    table = pd.DataFrame(rows, columns=["baseline", *means, "runs", "effect", "test", "p"])
    table["p_holm"] = holm(table["p"].to_numpy(np.float64))
    return table.assign(significant=table["p_holm"] < LEVEL)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) adjusted p of each test, float64 [n]; NaN stays NaN and does not count as a test."""
    p = np.asarray(p, np.float64)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted


def dialogue_bootstrap(
    predictions: pd.DataFrame, metric: str, dialogues: Mapping[str, str], *, samples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Percentile 95 % intervals: experiment, condition (`average` too), metric, value, low, high, units.

    The statistic is the metric of a seed's predictions, pooled over folds, averaged over seeds. Whole dialogues are
    drawn, the same ones for every experiment and condition: utterances of one are not independent. `dialogues` maps an
    utterance to its dialogue (pass speakers where these are the unit); one without is a unit by itself. `units` says
    how many a cell has; with fewer than two there is no interval (NaN). The interval speaks of the dialogues tested,
    not of training anew. `predictions`: experiment, fold, seed, condition, utterance_id, label, predicted.
    """
    coded = _coded(predictions, dialogues)
    weights, rows = _draws(coded.n_units, samples, seed), []
    for experiment in coded.experiments:
        values, units = _statistics(coded.of(experiment), metric, weights)
        rows += [
            (experiment, condition, metric, *interval, units[condition])
            for condition, interval in _intervals(_with_average(values, coded.conditions), units)
        ]
    return pd.DataFrame(rows, columns=["experiment", "condition", "metric", "value", "low", "high", "units"])


def dialogue_bootstrap_difference(
    predictions: pd.DataFrame,
    metric: str,
    dialogues: Mapping[str, str],
    experiment: str,
    baselines: Sequence[str] | None = None,
    *,
    samples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """`experiment` - each baseline, percentile 95 % intervals: baseline, condition, metric, difference, low, high.

    As `dialogue_bootstrap`, in the runs (fold, seed) and conditions that both have: the same dialogues are drawn for
    both, so what makes a dialogue hard for both cancels. A baseline that shares nothing gives no row.
    """
    coded = _coded(predictions, dialogues)
    if experiment not in coded.experiments:
        raise ValueError(f"predictions: none of experiment {experiment}; there are {list(coded.experiments)}")
    weights, rows, ours = _draws(coded.n_units, samples, seed), [], coded.of(experiment)
    for baseline in coded.experiments if baselines is None else baselines:
        theirs = coded.of(baseline)
        if baseline == experiment:
            continue
        first, units = _statistics(ours.where(np.isin(ours.run, theirs.run)), metric, weights)
        second, _ = _statistics(theirs.where(np.isin(theirs.run, ours.run)), metric, weights)
        gaps = {name: first[name] - second[name] for name in first if name in second}
        rows += [
            (baseline, condition, metric, *interval)
            for condition, interval in _intervals(_with_average(gaps, coded.conditions), units)
        ]
    return pd.DataFrame(rows, columns=["baseline", "condition", "metric", "difference", "low", "high"])


@dataclass(frozen=True)
class _Predictions:
    """Labelled predictions as integer codes [n]; `cell` is a place in the confusion counts [C * C]."""

    experiment: np.ndarray
    condition: np.ndarray
    run: np.ndarray
    seed: np.ndarray
    unit: np.ndarray
    cell: np.ndarray
    experiments: tuple[str, ...]  # in order; `experiment` counts in it, as `condition` does in `conditions`
    conditions: tuple[str, ...]
    n_units: int
    n_classes: int

    def of(self, experiment: str) -> _Predictions:
        code = self.experiments.index(experiment) if experiment in self.experiments else -1
        return self.where(self.experiment == code)

    def where(self, kept: np.ndarray) -> _Predictions:
        codes = {name: getattr(self, name)[kept] for name in ("experiment", "condition", "run", "seed", "unit", "cell")}
        return replace(self, **codes)


def _coded(predictions: pd.DataFrame, dialogues: Mapping[str, str]) -> _Predictions:
    labelled = predictions.loc[predictions["label"].notna() & predictions["predicted"].notna()]
    rows = {str(name): labelled[name].to_numpy() for name in labelled.columns}
    labels, classes = pd.factorize(np.concatenate([rows["label"], rows["predicted"]]), sort=True)
    truth, predicted = labels.reshape(2, -1)
    experiments = tuple(NO_NAMES.in_order(rows["experiment"]))
    codes, names = pd.factorize(rows["condition"])
    parsed = [str(Condition.parse(name)) for name in names]
    conditions = tuple(name for name in columns_of(pd.DataFrame({"condition": parsed})) if name != AVERAGE)
    runs = np.stack([rows["fold"], rows["seed"]], axis=1).astype(np.int64)
    unit, n_units = _units(rows["utterance_id"], dialogues)
    return _Predictions(
        experiment=pd.Categorical(rows["experiment"], categories=list(experiments)).codes,
        condition=np.array([conditions.index(name) for name in parsed], np.int64)[codes],
        run=np.unique(runs, axis=0, return_inverse=True)[1].reshape(-1),
        seed=runs[:, 1],
        unit=unit,
        cell=truth * len(classes) + predicted,
        experiments=experiments,
        conditions=conditions,
        n_units=n_units,
        n_classes=len(classes),
    )


def _units(utterances: np.ndarray, dialogues: Mapping[str, str]) -> tuple[np.ndarray, int]:
    """A unit's number for each row, and how many there are; numbered by name, whatever the order of the rows."""
    codes, names = pd.factorize(utterances)
    dialogue_of = [(name, dialogues.get(name)) for name in names]
    unit_names = [
        f"dialogue {unit}" if isinstance(unit, str) and unit else f"utterance {name}" for name, unit in dialogue_of
    ]
    units, numbers = np.unique(np.array(unit_names, str), return_inverse=True)
    return numbers[codes], len(units)


def _draws(n_units: int, samples: int, seed: int) -> np.ndarray:
    """How often each unit counts, float64 [1 + samples, units]: once each, then in each sample of as many units."""
    drawn = np.random.default_rng(seed).integers(0, max(n_units, 1), (samples, n_units))
    places = drawn + np.arange(samples)[:, None] * n_units
    times = np.bincount(places.ravel(), minlength=samples * n_units).reshape(samples, n_units)
    return np.concatenate([np.ones((1, n_units)), times])


def _statistics(rows: _Predictions, metric: str, weights: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """condition -> metric [1 + samples, seeds], NaN where a seed lacks it; condition -> units that it has.

    One product sums the units' counts [units, seeds * C * C] over each sample: `weights` [1 + samples, units].
    """
    seeds = np.unique(rows.seed)
    values, units = {}, {AVERAGE: len(np.unique(rows.unit))}
    for code in np.unique(rows.condition):
        in_condition = rows.where(rows.condition == code)
        shape = (rows.n_units, len(seeds), rows.n_classes**2)
        flat = np.ravel_multi_index(
            (in_condition.unit, np.searchsorted(seeds, in_condition.seed), in_condition.cell), shape
        )
        counts = np.bincount(flat, minlength=prod(shape)).reshape(rows.n_units, -1).astype(np.float64)
        drawn = (weights @ counts).reshape(len(weights), len(seeds), rows.n_classes, rows.n_classes)
        values[rows.conditions[code]] = of_counts(metric, drawn)
        units[rows.conditions[code]] = len(np.unique(in_condition.unit))
    return values, units


def _with_average(values: Mapping[str, np.ndarray], conditions: Sequence[str]) -> dict[str, np.ndarray]:
    """With `average`, the mean over the missing conditions within each sample and seed, where all are there."""
    modalities = {modality for name in conditions for modality in Condition.parse(name)}
    missing = [str(condition) for condition in missing_conditions(modalities)]
    if not missing or not set(missing) <= values.keys():
        return dict(values)
    average = np.mean([values[name] for name in missing], axis=0)
    return {**{name: values[name] for name in missing}, AVERAGE: average, **values}


def _intervals(
    values: Mapping[str, np.ndarray], units: Mapping[str, int]
) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Observed value, low and high of each condition's metric [1 + samples, seeds], averaged over seeds."""
    for condition, by_seed in values.items():
        complete = by_seed[:, ~np.isnan(by_seed[0])]
        if not complete.size:
            continue
        means = complete.mean(1)
        low, high = np.nanpercentile(means[1:], [2.5, 97.5]) if units[condition] > 1 else (np.nan, np.nan)
        yield condition, (float(means[0]), float(low), float(high))


def _values(runs: Runs, condition: str) -> dict[tuple[int, int], float]:
    return {run: values[condition] for run, values in runs.items() if condition in values}


def _paired(
    ours: Mapping[tuple[int, int], float], theirs: Mapping[tuple[int, int], float], test_share: float | None
) -> dict[str, object]:
    both = sorted(ours.keys() & theirs.keys())
    first, second = (np.array([values[run] for run in both], np.float64) for values in (ours, theirs))
    gaps, nothing = first - second, float("nan")
    deviation = float(gaps.std(ddof=1)) if len(gaps) > 1 else nothing
    mean = float(gaps.mean()) if len(gaps) else nothing
    test, p = _p_value(gaps, np.array([fold for fold, _ in both]), test_share)
    return {
        "experiment_mean": float(first.mean()) if len(gaps) else nothing,
        "baseline_mean": float(second.mean()) if len(gaps) else nothing,
        "difference": mean,
        "deviation": deviation,
        "runs": len(gaps),
        "effect": mean / deviation if deviation > _NO_SPREAD else nothing,
        "test": test,
        "p": p,
    }


def _p_value(gaps: np.ndarray, folds: np.ndarray, test_share: float | None) -> tuple[str, float]:
    """The test's name and two-sided p of differences [runs] whose folds are `folds` [runs]."""
    kinds = np.unique(folds)
    if len(kinds) > 1:
        name, gaps = OVER_FOLDS, np.array([gaps[folds == fold].mean() for fold in kinds])
        correction = 1 / (len(gaps) - 1) if test_share is None else test_share
    else:
        name, correction = OVER_SEEDS, 0.0
    if len(gaps) < _FEWEST:
        return name, float("nan")
    spread, mean = gaps.std(ddof=1), gaps.mean()
    if spread <= _NO_SPREAD:
        return name, 1.0 if abs(mean) <= _NO_SPREAD else float("nan")
    t = mean / (spread * np.sqrt(1 / len(gaps) + correction))
    return name, float(2 * stdtr(len(gaps) - 1, -abs(t)))
