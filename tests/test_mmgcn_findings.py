"""Sentences, tables and pictures of a conversation study follow its numbers and claim no more than the test holds."""

from dataclasses import replace

import pandas as pd
import pytest
from tests.test_report import undrawn

from affectory.report import render_report
from affectory.study_data import ON_TEST, StudyData
from affectory.study_report import differences, findings, marks, pictures, to_markdown
from affectory.study_tables import class_f1, depths, on_test
from affectory.vocabulary import Modality
from tests.fixtures.reports import report_data

TOLD = [("joy", "joy"), ("joy", "anger"), ("anger", "anger"), ("fear", "joy")]  # label, predicted
WOBBLE = (0.0, 0.004, -0.004, 0.002, -0.002)  # over seeds
LEVELS = {
    "utterance": 0.60,
    "bc_lstm": 0.70,
    "cmn": 0.50,
    "icon": 0.60,
    "early": 0.72,
    "mmgcn": 0.70,
    "mmgcn_layers_1": 0.66,
    "mmgcn_layers_8": 0.74,
    "mmgcn_no_speaker": 0.69,
    "mmgcn_causal": 0.65,
    "bc_lstm_shuffled_order": 0.60,
    "mmgcn_shuffled_order": 0.64,
    "mmgcn_shuffled_labels": 0.34,
}


def study(levels: dict[str, float] = LEVELS, *, seeds: int = 5, gain: float = 0.02, layers: int = 4) -> StudyData:
    """Weighted F1 and UA of every row with all modalities there, apart over seeds in a way that differs by row."""
    rows = []
    for number, (name, level) in enumerate(levels.items()):
        for seed in range(seeds):
            value = level + WOBBLE[(seed + number) % 5] + 0.0002 * number * (seed - 2)
            row = (name, 0, seed, "{a,v,t}")
            rows += [(*row, "weighted_f1", value), (*row, "ua", value), (*row, f"weighted_f1{ON_TEST}", value + gain)]
        if name == "mmgcn":
            rows += [("mmgcn_partial", 0, seed, "{t}", "weighted_f1", 0.71) for seed in range(seeds)]
    columns = ["experiment", "fold", "seed", "condition", "metric", "value"]
    predictions = [
        (name, 0, seed, "{a,v,t}", f"u{row}", label, predicted, 0.5)
        for name in levels
        for seed in range(seeds)
        for row, (label, predicted) in enumerate(
            [("joy", "joy"), ("joy", "anger"), ("anger", "anger"), ("fear", "joy")]
        )
    ]
    names = ["experiment", "fold", "seed", "condition", "utterance_id", "label", "predicted", "confidence"]
    return StudyData(
        study="mmgcn_study",
        results=pd.DataFrame(rows, columns=columns),
        predictions=pd.DataFrame(predictions, columns=names),
        graph_layers=layers,
        runs_note="Preset default.",
    )


DATA = study()


def line(data: StudyData, start: str) -> str:
    (found,) = [sentence for sentence in findings(data) if sentence.startswith(start)]
    return found


def test_context_is_told_from_the_utterance_alone_only_where_the_test_holds_it():
    told = line(DATA, "Context against the utterance alone (0.600)")
    above, below, level = told.split("; ")
    assert above.endswith("above it, and the test holds it: BC-LSTM (0.700) and MMGCN (0.700)")
    assert "below it" in below and "CMN (0.500)" in below
    assert level == "not told from it: ICON (0.600)."


def test_the_slides_order_is_claimed_pair_by_pair():
    holds = line(DATA, "Of the slides’ order the paired test holds")
    assert "MMGCN above CMN by 0.200" in holds and "early fusion" not in holds
    assert "MMGCN below early fusion by 0.020" in line(DATA, "Against the slides’ order")


def test_fewer_than_three_seeds_claim_nothing():
    told = " ".join(findings(study(seeds=2)))
    assert "the test holds it, p" not in told and "Fewer than three folds or seeds" in told


def test_depth_speaks_of_every_depth_and_mmgcn_stands_at_its_own():
    assert depths(DATA)["layers"].tolist() == [1, 4, 8]
    assert "from 0.660 (1 layer) to 0.740 (8 layers)" in line(DATA, "Over depth")
    assert depths(study(layers=64))["layers"].tolist() == [1, 8, 64]
    assert depths(study(layers=0))["layers"].tolist() == [1, 8]  # of a study whose summary is lost


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("Live use", "MMGCN (0.700) is 0.050 above causal MMGCN (0.650"),
        ("Control, the order", "BC-LSTM (0.700) is 0.100 above BC-LSTM on shuffled dialogues (0.600"),
        ("Control, shuffled training labels", "UA 0.340\u00a0±\u00a00.006 where chance is 0.333."),
        ("MMGCN trained for fewer", "{t} 0.710."),
        ("Selecting each run", "0.020 more Weighted F1 on average"),
    ],
)
def test_live_use_controls_modalities_and_optimism_have_their_numbers(start: str, told: str):
    assert told in line(DATA, start)


def test_rows_that_were_not_asked_for_are_not_spoken_of():
    told = " ".join(findings(study({"mmgcn": 0.7, "bc_lstm": 0.6})))
    assert not any(word in told for word in ("Context against", "Live use", "Control", "Over depth"))


def test_what_was_best_on_test_is_a_side_column_and_enters_no_table_rank_or_test():
    table = on_test(DATA)
    assert table["optimism"].round(6).eq(0.02).all() and set(table["experiment"]) == set(LEVELS)
    raised = study(gain=0.5)
    assert differences(raised).equals(differences(DATA)) and marks(raised) == marks(DATA)
    told = to_markdown(raised)
    assert told.count("It is no honest score") == 1 and "| MMGCN, {a,v,t} | 0.700 | 1.200 | +0.500 |" in told


def test_f1_of_each_class_is_scikit_learns():
    from sklearn.metrics import f1_score

    values = class_f1(DATA).set_index(["experiment", "label"])["value"]
    truth, predicted = ["joy", "joy", "anger", "fear"], ["joy", "anger", "anger", "joy"]
    for label in ("joy", "anger", "fear"):
        expected = f1_score(truth, predicted, labels=[label], average="macro", zero_division=0)
        assert values["mmgcn", label] == pytest.approx(expected)
    assert ("early", "joy") not in values  # the methods alone


def test_the_page_has_the_section_with_its_pictures_and_says_what_is_not_there():
    page = render_report(replace(undrawn(report_data([Modality.ACOUSTIC], seeds=1)), studies=(DATA,)))
    assert "Study of MMGCN" in page and "Preset default." in page
    assert "No edges of MMGCN are stored" in page and "sweep" not in page
    assert {"classes", "depth", "conditions"} <= set(pictures(DATA))
    assert "Best epoch on test" in page
