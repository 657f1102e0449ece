"""The missing-modality table: MMIN with its baselines, ablations, controls and rivals, under every condition.

The rows and their order are those of Zhao, Li and Jin (ACL 2021); the controls and the linear machine are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from affectory.report.differences import HOLDS, compare_rows, verdict
from affectory.report.figures.scatter import imagined_scatter
from affectory.report.scores import learning_figure, scores, scores_grid
from affectory.report.section import Figure, Form, Grid
from affectory.report.sentences import (
    against,
    column_of,
    gap,
    highest,
    in_the_mean,
    published_order,
    with_all,
)
from affectory.report.study_data import StudyData, blocks, plain
from affectory.results.frames import records, where
from affectory.results.names import AVERAGE, metric_title
from affectory.results.tables import columns_of
from affectory.results.words import DIGITS, joined, number, shortened
from affectory.studies.study import LINEAR_SVM, NORMALISED_TITLE, Option, Row, Study

if TYPE_CHECKING:
    from affectory.data.dataset import Dataset
    from affectory.learning.experiment import Fold, Trained

IMAGINATION = tuple(f"imagination_{name}" for name in ("relative_error", "cosine", "energy"))
CONTROLS = ("augmented_pretrained", "mmin_no_imagination")
# The slides' order, lower row first.
SLIDES = (
    ("full_baseline", "augmented_baseline"),
    ("augmented_baseline", "mmin"),
    ("mmin_no_cycle", "mmin"),
    ("mmin_ae", "mmin"),
    ("mctn", "augmented_baseline"),
)
RIVALS = {"official_code": "paper", "official_code_msp": "paper", "best": "default"}  # what rivals take for a preset

# fmt: off
ROWS = (
    Row("full_baseline", "mmin", title="Full-modality baseline", in_words="the full-modality baseline",
        colour="#bcc3cc", means="encoders and a classifier, trained on full rows only", swept=True),
    Row("augmented_baseline", "mmin", title="Augmented baseline", in_words="the augmented baseline", colour="#6fbbe8",
        means="the same network, trained on every missing condition made from them; save in official_code, on full "
              "rows too", swept=True),
    Row("partial_baseline", "mmin", title="Partial-modality baselines (one a condition)",
        short="Partial-modality baselines", in_words="the partial-modality baselines", colour="#86909d",
        experiment="full_baseline", each="condition", reads_all=False,
        means="the same network, one a condition, trained and tested with just that condition’s modalities"),
    Row("mctn", "mctn", title="MCTN (one a condition)", in_words="MCTN", colour="#e69f00", each="missing_condition",
        means="cyclic translation between modalities, one network a missing condition; none for the full one"),
    Row("attention_fusion", "attention_fusion", title="Attention fusion (cLSTM-MMA-like)", short="Attention fusion",
        in_words="attention fusion", colour="#d55e00", swept=True,
        means="fusion by attention across modalities, like cLSTM-MMA: a reference for the full condition"),
    Row("attention_fusion_augmented", "attention_fusion", title="Attention fusion, augmented",
        in_words="augmented attention fusion",
        means="the same, trained on full rows and on every missing condition made from them", swept=True),
    Row("mmin_ae", "mmin", title="MMIN-AE", colour="#93d3bd", swept=True,
        means="MMIN with one autoencoder in place of the cascade"),
    Row("mmin_no_cycle", "mmin", title="MMIN-NoCycle", colour="#009e73", swept=True,
        means="MMIN without the backward (cycle) imagination loss"),
    Row("mmin", "mmin", title="MMIN", colour="#0a62a9", swept=True,
        means="starts from the full-modality teacher’s encoders, imagines what is missing and classifies from how it "
              "does"),
    Row("augmented_pretrained", "mmin", title="Augmented baseline from the teacher's encoders (control)",
        short="Augmented, teacher's encoders", in_words="the pretrained augmented baseline", colour="#cc79a7",
        swept=True, means="control: the augmented baseline, started from the same teacher’s encoders as MMIN"),
    Row("mmin_no_imagination", "mmin", title="MMIN without imagination losses (control)",
        short="MMIN without imagination", in_words="MMIN without imagination losses", colour="#7b5ea7", swept=True,
        means="control: MMIN’s network and start, trained on the classification alone"),
    Row("linear_svm", LINEAR_SVM, title="Linear SVM on functionals", in_words="the linear SVM", colour="#7a6a00",
        means="linear support vector machines on each utterance’s functionals, one a condition"),
    Row("best", "mmin", title="Best (preset `best`)", in_words="the preset best", colour="#1d2530", swept=True,
        means="what helped on validation: experts on functionals, one a modality, whose votes add"),
)
# fmt: on


def train_under(training: Any, options: Mapping[str, Any]) -> Any:
    """Every network that is not bound to one condition, but for the teacher, trained under the option's conditions."""
    under = options.get("train_under")
    is_free = training.only is None and training.is_network and training.name != "full_baseline"
    if not under or not is_free:
        return training
    return replace(training, config=replace(training.config, training_conditions=under))


def imagination(trained: Trained, fold: Fold, pictured: bool) -> dict[str, pd.DataFrame]:
    """How far what is imagined lies from what the teacher encodes of the missing modalities, under each condition.

    `results`: metrics imagination_<distance> (condition, metric, value); `imagined`, where it is `pictured`: both laid
    out on a plane. Nothing of a model that does not imagine.
    """
    import torch

    from affectory.data.conditions import condition_masks
    from affectory.learning.projection import distances, project
    from affectory.models.family import Imagines
    from affectory.vocabulary import missing_conditions

    model, data, modalities = trained.model, trained.data, trained.data.modalities
    if not isinstance(model, Imagines):
        return {}
    dataset, rows = fold.dataset, fold.test
    full = rows[dataset.present[rows].all(1)]
    under = missing_conditions(modalities)
    if len(full) < 3 or model.taught is None or not under:
        return {}
    batch, masks = data.batch(full), condition_masks(under, modalities).to(data.device)
    trained.model.eval()
    with torch.inference_mode():
        available = masks[:, None].expand(-1, len(full), -1)
        joint, _ = model.imagined(batch, available)
        imagined = joint.unflatten(-1, (len(modalities), -1))  # [K, n, M, H]
        encoded = model.taught[batch.index]  # [n, M, H]
    values, points = [], []
    for condition, mask, of_condition in zip(under, masks, imagined, strict=True):
        pair = encoded[:, ~mask].flatten(1).cpu().numpy(), of_condition[:, ~mask].flatten(1).cpu().numpy()
        for name, value in distances(*pair).items():
            values.append({"condition": str(condition), "metric": f"imagination_{name}", "value": value})
        if pictured:
            points.append(_points(str(condition), project(*pair, seed=0), dataset, full))
    return {"results": pd.DataFrame(values), **({"imagined": pd.concat(points)} if points else {})}


def _points(condition: str, laid_out: np.ndarray, dataset: Dataset, rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "condition": condition,
            "utterance_id": np.array(dataset.utterance_ids, object)[rows],
            "label": np.array(dataset.classes, object)[dataset.labels[rows]],
            **{f"true_{axis}": laid_out[0, :, place] for place, axis in enumerate("xy")},
            **{f"imagined_{axis}": laid_out[1, :, place] for place, axis in enumerate("xy")},
        }
    )


def mmin_against_controls(data: StudyData) -> list[str]:
    """MMIN against the augmented baseline and against the controls that tell imagination from pretraining."""
    differences = against(data, "mmin", AVERAGE)
    compared = [differences[name] for name in ("augmented_baseline", *CONTROLS) if name in differences]
    if not compared:
        return []
    gaps = joined(gap(data, row) for row in compared)
    lines = [f"{in_the_mean(data)}, MMIN ({number(compared[0]['experiment_mean'])}) is {gaps}."]
    verdicts = {row["baseline"]: verdict(row) for row in compared}
    controls = [name for name in CONTROLS if name in verdicts]
    if verdicts.get("augmented_baseline") == HOLDS and controls:
        if all(verdicts[name] == HOLDS for name in controls):
            lines.append("It is above the controls without imagination too: here imagination adds to pretraining.")
        else:
            alike = [data.names.in_words(name) for name in controls if verdicts[name] != HOLDS]
            lines.append(
                "So its gain over the augmented baseline is not shown to come from imagination: "
                f"the test does not put it above {joined(alike)}."
            )
    return lines


def best_against_others(data: StudyData) -> list[str]:
    """The preset best against the linear SVM, and against every row that it is not above."""
    lines = []
    for condition, place in ((AVERAGE, in_the_mean(data)), (data.full_condition, with_all(data))):
        differences = against(data, "best", condition)
        below = [row for row in differences.values() if round(row["difference"], DIGITS) <= 0]
        below = sorted(below, key=lambda row: row["difference"])
        others = [gap(data, row) for row in below if row["baseline"] != "linear_svm"]
        parts = [gap(data, differences["linear_svm"])] if "linear_svm" in differences else []
        parts += [joined(shortened(others))] if others else []
        if parts:
            reached = number(next(iter(differences.values()))["experiment_mean"])
            lines.append(f"{place}, the preset best ({reached}) is {'; it is '.join(parts)}.")
    return lines


def augmentation(data: StudyData) -> list[str]:
    """Augmented minus full, in the mean over the conditions of one modality."""
    data = plain(data)
    results = single_modalities(data.results, "ua")
    if not {"augmented_baseline", "full_baseline"} <= set(results["experiment"]):
        return []
    rows = compare_rows(replace(data, results=results), "ua", "augmented_baseline", ["full_baseline"], "{a}")
    return [
        "In the mean over the single modalities, one comparison that was planned beforehand: the augmented baseline "
        f"({number(row['experiment_mean'])}) is {gap(data, row)}."
        for row in rows
    ]


def single_modalities(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """As results of one condition `{a}`: each run's mean over the conditions of one modality, where it has them all."""
    singles = [name for name in set(results["condition"]) if "," not in name and name.lower() != AVERAGE]
    rows = where(results, metric=metric)
    of_runs = rows.loc[rows["condition"].isin(singles)].groupby(["experiment", "fold", "seed"])["value"]
    means = of_runs.agg(value="mean", conditions="count").reset_index()
    return where(means, conditions=len(singles)).assign(condition="{a}", metric=metric)


def slides_order(data: StudyData) -> list[str]:
    return published_order(data, SLIDES, AVERAGE, "in the mean over the missing conditions")


def speaker_normalised(data: StudyData) -> list[str]:
    """What the block with speaker-wise normalisation reaches, ranked by itself."""
    block = next((part for part in blocks(data) if part.speaker_normalised), None)
    if block is None:
        return []
    mean, whole = in_the_mean(data), with_all(data)
    places = {
        AVERAGE: f"With {NORMALISED_TITLE}, {mean[0].lower()}{mean[1:]}",
        data.full_condition: f"{whole} and speaker-wise normalisation",
    }
    lines = [highest(block, condition, place) for condition, place in places.items()]
    levels = [
        f"{place}, {data.names.in_words(name)} reaches {metric_title(data.metric)} {number(cell.mean)}."
        for condition, place in places.items()
        for name, cell in column_of(block, condition).items()
    ]
    return [line for line in lines if line] or levels


def imagined_figure(data: StudyData) -> Figure | None:
    """The points that every condition has, with the distances of the representations themselves, mean over runs."""
    by_condition = {
        str(name): rows.set_index("utterance_id").sort_index() for name, rows in data.imagined.groupby("condition")
    }
    if not by_condition:
        return None
    order = [name for name in columns_of(pd.DataFrame({"condition": list(by_condition)})) if name in by_condition]
    common = by_condition[order[0]].index
    for name in order[1:]:
        common = common.intersection(by_condition[name].index)
    distances, drawn = _distances(plain(data)), {}
    for name in order:
        rows = by_condition[name].loc[common]
        sides = [rows[[f"{side}_x", f"{side}_y"]].to_numpy(np.float64) for side in ("true", "imagined")]
        drawn[name] = (np.stack(sides), distances.get(name, {}))
    labels = by_condition[order[0]].loc[common, "label"].astype(str).tolist()

    def draw(form: Form) -> bytes:
        return imagined_scatter(drawn, labels, form=form)

    return Figure(
        name="imagined",
        title="Joint features of MMIN from all modalities, and imagined from those available",
        caption="t-SNE of both together, fixed seed, one run, every test utterance, coloured by class. Only "
        "neighbourhoods mean something in such a plane; the numbers above each pair are distances of the features "
        "themselves, mean over runs.",
        draw=draw,
    )


def _distances(data: StudyData) -> dict[str, dict[str, float]]:
    """condition -> distance -> value of the imagined from the true representations, mean over runs."""
    by_condition: dict[str, dict[str, float]] = {}
    for row in records(where(scores(data, IMAGINATION), experiment=data.pictured)):
        by_condition.setdefault(row["condition"], {})[row["metric"].removeprefix("imagination_")] = row["mean"]
    return by_condition


def imagination_grids(data: StudyData) -> list[Grid | None]:
    """How near imagined joint features come to the true ones, a block of rows each; nothing is marked as best."""
    note = "Test part, mean and deviation over runs, of the features themselves and not of their places in a picture."
    title = "How near imagined joint features come to the true ones"
    return [
        scores_grid(
            block,
            IMAGINATION,
            f"{title}{', with speaker-wise normalisation' if block.speaker_normalised else ''}",
            note=note,
            ranked=False,
        )
        for block in blocks(data)
    ]


STUDY = Study(
    name="mmin_study",
    family="mmin",
    title="Study of MMIN",
    description="The missing-modality table: baselines, MMIN, ablations, controls and rivals under every condition.",
    rows=ROWS,
    metrics=("ua", "wa", "macro_f1", "weighted_f1"),
    references={"mmin": "†", "best": "‡"},
    pictured="mmin",
    presets={"mctn": RIVALS, "attention_fusion": RIVALS},
    options={
        "train_under": Option(
            "what every row that is not bound to a condition is trained under; empty: as the preset says",
            choices=("full", "missing", "full_and_missing"),
            note="rows that are free to be are trained under {}",
        )
    },
    findings=(mmin_against_controls, best_against_others, augmentation, slides_order, speaker_normalised),
    shows=(("", (imagined_figure, imagination_grids, learning_figure)),),
    absent={
        "missing_modalities": "No sweep of missing rates is stored for this study.",
        "imagined": "No imagined representations are stored for this study, so none are drawn.",
        "learning_curves": "No learning curves of MMIN are stored for this study.",
    },
    change=train_under,
    after_training=imagination,
)
