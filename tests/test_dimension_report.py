"""Valence and arousal on the page and in Markdown: sentences that follow the numbers, everything escaped, gaps told."""

from dataclasses import replace
from functools import cache

import pandas as pd
import pytest
from tests.test_report import HOSTILE, Page, undrawn

from affectory.dimension_data import DimensionData
from affectory.dimension_report import findings, to_markdown
from affectory.dimension_section import dimension_section
from affectory.report import render_report
from affectory.report_data import CorpusFacts, coverage_found
from affectory.vocabulary import Modality
from tests.fixtures.dimensions import dimension_data, of_values
from tests.fixtures.reports import report_data

DATA, ONE = dimension_data(), dimension_data(1, ("valence",))
NOTHING = DimensionData(study="omg_study")
REPORT = undrawn(report_data([Modality.ACOUSTIC], seeds=1))
COVERAGE = ["split", "utterances", "labelled", "media"]


@cache
def page_of_all() -> str:
    return page(DATA)


@cache
def page_of_one() -> str:
    return page(ONE)


def page(*data: DimensionData) -> str:
    return render_report(replace(REPORT, dimensions=data))


def said(data: DimensionData) -> str:
    return "\n".join(findings(data)).replace("\N{NO-BREAK SPACE}", " ")


def both(values):
    """The same CCC in both dimensions."""
    return of_values(values, values, ccc=values)


def test_the_best_row_is_told_with_its_distance_to_the_next():
    # Totals 0.4 0.6 0.8 and 0.2 0.5 0.5; differences 0.2, 0.1, 0.3: 0.2 ± 0.1, t(2) = 2 sqrt(3), p 0.074.
    text = said(both({"conv2d_5": {"{a}": [0.2, 0.3, 0.4]}, "vgg16": {"{a}": [0.1, 0.25, 0.25]}}))
    assert (
        "Sound: 5Conv2D has the highest total CCC of 2 rows, 0.600 ± 0.200 (valence 0.300, arousal 0.300), "
        "0.200 ± 0.100 above VGG16 (NP) (0.400), more than the spread over runs (paired p 0.074)."
    ) in text


def test_a_difference_within_its_spread_is_said_to_be():
    text = said(both({"conv2d_5": {"{a}": [0.2, 0.3, 0.4]}, "vgg16": {"{a}": [0.1, 0.4, 0.3]}}))
    assert "no more than the spread over runs" in text


def test_two_runs_have_no_p_and_one_run_no_spread():
    two = said(both({"conv2d_5": {"{a}": [0.2, 0.3]}, "vgg16": {"{a}": [0.1, 0.25]}}))
    assert "paired p" not in two and "Fewer than three runs test nothing." in two
    one = said(both({"conv2d_5": {"{a}": [0.2]}, "vgg16": {"{a}": [0.1]}}))
    assert "0.400 (valence 0.200, arousal 0.200), 0.200 above VGG16 (NP) (0.200), in one run." in one
    assert "One run of each row, so there is no deviation, and any difference may be chance." in one
    assert "±" not in one


def test_level_rows_and_rows_without_a_common_run_are_told_so():
    level = both({"conv2d_5": {"{a}": [0.2, 0.2]}, "vgg16": {"{a}": [0.2, 0.2]}})
    assert "level with" in said(level)
    apart = level.results.assign(seed=level.results["seed"] + 5 * (level.results["experiment"] == "vgg16"))
    assert "has no run in common" in said(replace(level, results=apart))


def test_feature_sets_are_compared_under_one_network():
    text = said(both({"conv2d_5": {"{a}": [0.3]}, "conv2d_5_mfcc": {"{a}": [0.1]}, "conv2d_5_mel": {"{a}": [0.2]}}))
    assert "Of 3 feature sets under 5Conv2D, log-mel is highest, 0.600, 0.200 above mel (0.400), in one run" in text
    assert "; then MFCC 0.200." in text
    assert "feature sets" not in said(both({"conv2d_5": {"{a}": [0.3]}, "vgg16": {"{a}": [0.2]}}))


def test_gru_lstm_and_rnn_are_compared_over_the_networks_that_have_all_three():
    values = {f"resnet50_{t}": {"{v}": [v]} for t, v in (("rnn", 0.1), ("gru", 0.2), ("lstm", 0.3))}
    values |= {f"vgg16_{t}": {"{v}": [v]} for t, v in (("rnn", 0.1), ("gru", 0.4), ("lstm", 0.1))}
    values["densenet121_rnn"] = {"{v}": [0.9]}
    text = said(both(values))
    assert "In the mean over 2 networks of a face, GRU is highest, 0.600, 0.200 above LSTM (0.400), in one run" in text
    assert "; then RNN 0.200." in text


def test_augmentation_is_told_in_the_mean_over_missing_conditions():
    full = {"{a}": [0.1], "{v}": [0.3], "{a,v}": [0.6]}
    augmented = {"{a}": [0.3], "{v}": [0.4], "{a,v}": [0.5]}
    text = said(both({"multimodal": full, "multimodal_augmented": augmented}))
    assert (
        "Training on missing conditions too, mean CCC: in the mean over the two missing conditions it reaches 0.350, "
        "0.150 above training on full rows alone (0.200), in one run; under {a,v} it reaches 0.500, 0.100 "
        "below training on full rows alone (0.600), in one run."
    ) in text


def test_the_multimodal_row_is_compared_with_the_best_single_modality_on_validation():
    values = {"multimodal": {"{a,v}": [0.5]}, "acoustic": {"{a}": [0.4]}, "visual": {"{v}": [0.2]}}
    data = both(values)
    assert "0.100 above the best single modality (Acoustic alone) (0.400)" in said(data)
    assert "each the best of these very numbers" in said(data)
    validated = {"multimodal": {"{a,v}": [0.1]}, "visual": {"{v}": [0.1]}, "acoustic": {"{v}": [0.9]}}
    text = said(of_values(values, values, ccc=values, val_ccc=validated))  # what sound got under {v} is not of its row
    assert "0.300 above the best single modality (Visual alone) (0.200), in one run; each chosen on validation" in text


def test_a_control_that_is_far_from_nothing_is_pointed_out():
    near = said(both({"shuffled_labels": {"{a}": [0.01, 0.03]}}))
    assert "must be near 0, mean CCC: labels shuffled 0.020 ± 0.014." in near
    assert "look for a leak: Labels shuffled (control)" in said(both({"shuffled_labels": {"{a}": [0.3, 0.31]}}))


def test_rows_that_were_left_out_are_named_with_the_reason():
    data = replace(NOTHING, left_out={"vgg16_pretrained": "no weights", "alexnet_pretrained": "no weights", "x": "y."})
    assert findings(data)[1] == "Not trained: VGG16 (P) and AlexNet (P): no weights; x: y."


def test_nothing_at_all_says_so():
    assert findings(NOTHING) == ["No results are stored for omg_study yet."]
    assert to_markdown(NOTHING) == "- No results are stored for omg_study yet.\n"
    section, text = dimension_section(NOTHING, 1), page(NOTHING)
    assert section["blocks"] == [] and section["published"] is None and section["after"] is None
    for line in section["absent"]:
        assert line in text and line not in page_of_all()
    assert len(section["absent"]) == 4


def test_one_dimension_has_no_total_and_no_word_of_the_other():
    text = to_markdown(ONE)
    assert "| CCC of valence by network | Valence | Slides: valence |" in text
    assert "rousal" not in text.replace("of arousal", "") and "Total" not in text and "total" not in text
    assert "Study of valence" in page_of_one() and "Study of valence and arousal" not in page_of_one()


def test_one_seed_shows_no_deviation():
    assert "±" not in to_markdown(ONE).replace("± is", "")
    assert 'class="spread"' not in page_of_one()


def test_several_seeds_show_their_deviation():
    assert "| Multimodal, augmented | **" in to_markdown(DATA) and "± " in to_markdown(DATA)
    assert 'class="spread"' in page_of_all()


def test_hostile_names_are_escaped():
    named = {"experiment": {"multimodal": HOSTILE}}
    data = replace(
        DATA,
        corpus=HOSTILE,
        protocol=HOSTILE,
        runs_note=HOSTILE,
        results=DATA.results.replace(named),
        predictions=DATA.predictions.replace({"dialogue_id": {"video1": HOSTILE}}),
        left_out={HOSTILE: HOSTILE},
        sound_of=HOSTILE,
        faces_of=HOSTILE,
        sounds={HOSTILE: DATA.sounds["mel"]},
        curves=DATA.curves.replace({"experiment": {"multimodal_augmented": HOSTILE}}),
    )
    for hostile in (data, DimensionData(study=HOSTILE, protocol=HOSTILE)):
        shown = Page(page(hostile))
        assert shown.open == []
        assert not shown.all("script")
        assert not any(name.startswith("on") for _, attributes in shown.elements for name in attributes)
        text = to_markdown(hostile)
        assert "<script" not in text and "<img" not in text


@pytest.mark.parametrize("data", [(DATA,), (ONE,), (replace(DATA, study="valence_arousal"), ONE), (NOTHING,)])
def test_the_section_is_well_formed_described_and_stands_alone(data):
    text = page_of_all() if data[0] is DATA else page_of_one() if data[0] is ONE else page(*data)
    shown = Page(text)
    assert shown.open == []
    assert text.count("<table") == text.count("<caption")
    assert all(image["alt"] and str(image["src"]).startswith("data:image/svg+xml") for image in shown.all("img"))
    identifiers = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    links = {link["href"] for link in shown.all("a")}
    assert {f"#dimensions-{number}" for number, _ in enumerate(data, 1)} <= links


def test_alt_texts_tell_the_numbers():
    values = {"conv2d_5": {"{a}": [0.2]}, "vgg16": {"{a}": [0.1]}}
    alts = [image["alt"] for image in Page(page(of_values(values, values))).all("img")]
    assert any("5Conv2D valence 0.200, arousal 0.200; VGG16 (NP) valence 0.100" in str(alt) for alt in alts)
    assert any("valence: CCC 0." in str(image["alt"]) for image in Page(page_of_all()).all("img"))


def test_the_markdown_tables_have_even_rows():
    for block in to_markdown(DATA).split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1


def test_every_known_row_is_explained():
    explained = to_markdown(DATA).split("```text")[1]
    assert all(name in explained for name in ("5Conv2D, MFCC", "DenseNet121 + LSTM", "Labels shuffled (control)"))


def test_a_page_without_dimensions_is_what_it_was():
    assert "dimensions-1" not in render_report(REPORT)


def test_coverage_is_shown_by_split_with_only_the_modalities_that_it_has():
    rows = pd.DataFrame([["test", 5, 4, 3, 2], ["train", 1000, 9, 8, 7]], columns=[*COVERAGE, "visual"])
    facts = replace(REPORT.facts, coverage=rows)
    found = coverage_found(facts)
    assert found["columns"] == ["utterances", "labelled", "media", "visual"]
    assert found["rows"] == [("train", [1000, 9, 8, 7]), ("test", [5, 4, 3, 2]), ("all", [1005, 13, 11, 9])]
    assert found["note"] == ""
    text = render_report(replace(REPORT, facts=facts))
    assert '<td class="number">1,005</td>' in text and "What is there of each split is not stored." not in text
    assert "What is there of each split is not stored." in render_report(REPORT)


def test_omg_emotion_is_compared_with_its_release_and_with_what_the_slides_had():
    rows = pd.DataFrame([["train", 2442, 0, 3], ["val", 617, 0, 0], ["test", 2229, 0, 0]], columns=COVERAGE)
    note = coverage_found(replace(REPORT.facts, coverage=rows, layout="omg"))["note"]
    assert "2,442 / 617 / 2,229 utterances" in note and "1,790 / 550 / 1,450" in note
    assert "Here are the rows of 2,442 / 617 / 2,229, and the media of 3 / 0 / 0." in note
    empty = CorpusFacts(media_files=0, utterances=0, dialogues=0, speakers=0, layout="omg")
    assert coverage_found(empty) == {"columns": ["utterances", "labelled", "media"], "rows": [], "note": ""}
