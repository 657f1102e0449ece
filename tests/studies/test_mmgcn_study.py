"""Sentences, tables and pictures of the conversation study follow its numbers and claim no more than the test holds."""

from dataclasses import replace

import pandas as pd
import pytest

from affectory.report.differences import differences, marks
from affectory.report.markdown import section_markdown
from affectory.report.study_data import StudyData
from affectory.results.names import ON_TEST
from affectory.results.words import NO_BREAK
from affectory.studies.mmgcn_study import check_utterance, depths, on_test
from tests.fixtures.datasets import small_dataset
from tests.fixtures.figures import edges
from tests.fixtures.studies import COLUMNS, of_study, section_of

PREDICTED = [("joy", "joy"), ("joy", "anger"), ("anger", "anger"), ("fear", "joy")]  # label, predicted
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
    for place, (name, level) in enumerate(levels.items()):
        for seed in range(seeds):
            value = level + WOBBLE[(seed + place) % 5] + 0.0002 * place * (seed - 2)
            row = (name, 0, seed, "{a,v,t}")
            rows += [(*row, "weighted_f1", value), (*row, "ua", value), (*row, f"weighted_f1{ON_TEST}", value + gain)]
        if name == "mmgcn":
            rows += [("mmgcn_partial", 0, seed, "{t}", "weighted_f1", 0.71) for seed in range(seeds)]
    predictions = [
        (name, 0, seed, "{a,v,t}", f"u{row}", label, predicted)
        for name in levels
        for seed in range(seeds)
        for row, (label, predicted) in enumerate(PREDICTED)
    ]
    names = ["experiment", "fold", "seed", "condition", "utterance_id", "label", "predicted"]
    return of_study(
        "mmgcn_study",
        results=pd.DataFrame(rows, columns=COLUMNS),
        predictions=pd.DataFrame(predictions, columns=names),
        insides={"layers": pd.DataFrame({"layers": [layers]})} if layers else {},
        runs_note="Preset default.",
    )


DATA = study()


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return [sentence.replace(NO_BREAK, " ") for sentence in section_of(DATA).findings]


def one(sentences: list[str], start: str) -> str:
    (sentence,) = [sentence for sentence in sentences if sentence.startswith(start)]
    return sentence


def test_context_is_told_from_the_utterance_alone_only_where_the_test_holds_it(sentences: list[str]):
    above, below, level = one(sentences, "Context against the utterance alone (0.600)").split("; ")
    assert above.endswith("above it, and the test holds it: BC-LSTM (0.700) and MMGCN (0.700)")
    assert "below it" in below and "CMN (0.500)" in below
    assert level == "not told from it: ICON (0.600)."


def test_the_slides_order_is_claimed_pair_by_pair(sentences: list[str]):
    holds = one(sentences, "Of the slides’ order the paired test holds")
    assert "MMGCN above CMN by 0.200" in holds and "early fusion" not in holds
    assert "MMGCN below early fusion by 0.020" in one(sentences, "Against the slides’ order")


def test_live_use_controls_modalities_and_optimism_have_their_numbers(sentences: list[str]):
    for start, words in {
        "Live use": "MMGCN (0.700) is 0.050 above causal MMGCN (0.650",
        "Control, the order": "BC-LSTM (0.700) is 0.100 above BC-LSTM on shuffled dialogues (0.600",
        "Control, shuffled training labels": "UA 0.340 ± 0.006 where chance is 0.333.",
        "MMGCN trained for fewer": "{t} 0.710.",
        "Selecting each run": "0.020 more Weighted F1 on average",
    }.items():
        assert words in one(sentences, start)
    far = " ".join(section_of(study({"mmgcn": 0.7, "mmgcn_shuffled_labels": 0.5})).findings)
    assert "where chance is 0.333, more than two deviations away: look for a leak." in far


def test_fewer_than_three_seeds_claim_nothing_and_rows_that_are_not_there_are_not_spoken_of():
    few = " ".join(section_of(study(seeds=2)).findings)
    assert "the test holds it, p" not in few and "Fewer than three folds or seeds" in few
    some = " ".join(section_of(study({"mmgcn": 0.7, "bc_lstm": 0.6})).findings)
    assert not any(words in some for words in ("Context against", "Live use", "Control", "Over depth"))


def test_depth_speaks_of_every_depth_and_mmgcn_stands_at_its_own(sentences: list[str]):
    assert depths(DATA)["layers"].tolist() == [1, 4, 8]
    assert "from 0.660 (1 layer) to 0.740 (8 layers); the test tells from MMGCN’s own depth" in one(sentences, "Over d")
    assert depths(study(layers=64))["layers"].tolist() == [1, 8, 64]
    assert depths(study(layers=0))["layers"].tolist() == [1, 8]  # of a study whose summary is lost


def test_what_was_best_on_test_is_a_side_column_and_enters_no_table_rank_or_test():
    table = on_test(DATA)
    assert table["optimism"].round(6).eq(0.02).all() and set(table["experiment"]) == set(LEVELS)
    raised = study(gain=0.5)
    assert differences(raised).equals(differences(DATA))
    assert marks(raised, raised.metrics) == marks(DATA, DATA.metrics)
    text = section_markdown(section_of(raised))
    assert text.count("It is no honest score") == 1 and "| MMGCN, {a,v,t} | 0.700 | 1.200 | +0.500 |" in text


def test_the_section_has_its_tables_and_pictures_and_says_what_is_not_there():
    section = section_of(DATA)
    assert section.title == "Study of MMGCN" and section.lede == ("Preset default.",)
    assert [figure.name for figure in section.figures] == ["conditions", "classes", "depth"]
    assert section.notes == (
        "No edges of MMGCN are stored for this study, so none are drawn.",
        "No learning curves of MMGCN are stored for this study.",
    )
    text = section_markdown(section)
    assert "| F1 of each class | anger | fear | joy |" in text and "Best epoch on test" in text
    whole = section_of(replace(DATA, insides={**DATA.insides, "edges": edges()}))
    (drawn,) = [figure for figure in whole.figures if figure.name == "edges"]
    assert "belong to the utterance u3, in one run" in drawn.caption
    assert all(figure.draw("svg").startswith(b"<?xml") for figure in whole.figures[1:])


def test_an_utterance_to_be_drawn_that_is_not_there_is_refused_with_some_that_are():
    dataset = small_dataset(8)
    check_utterance({"utterance": "u03"}, dataset)
    check_utterance({"utterance": ""}, dataset)
    with pytest.raises(ValueError, match="utterance 'nobody': expected the id of one in the corpus, as u00, u01, u02"):
        check_utterance({"utterance": "nobody"}, dataset)
