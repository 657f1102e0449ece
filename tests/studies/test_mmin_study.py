"""The study of MMIN says what imagination adds beside augmentation and pretraining, and no more than the test holds."""

from dataclasses import replace
from statistics import mean

import pytest

from affectory.report.markdown import section_markdown
from affectory.report.section import Figure, Grid, Section
from affectory.results.names import SPEAKER_NORMALISED
from affectory.results.words import NO_BREAK
from affectory.studies.mmin_study import ROWS, augmentation, imagined_figure, single_modalities
from affectory.studies.study import AS_ABOVE, NORMALISED_TITLE
from affectory.vocabulary import Modality
from tests.fixtures.pages import texts
from tests.fixtures.studies import (
    CLEAR,
    UNCLEAR,
    of_study,
    of_values,
    section_of,
    sentences_of,
    study_data,
    three_modalities,
    whole_study,
)

CONTROLS = {"augmented_pretrained": [0.605, 0.61, 0.615, 0.62, 0.60], "mmin_no_imagination": [0.61] * 5}


@pytest.fixture(scope="module")
def section() -> Section:
    return section_of(whole_study())


def grids(section: Section) -> list[Grid]:
    return [item for block in section.blocks for item in block.items if isinstance(item, Grid)]


def test_mmin_is_compared_with_the_augmented_baseline():
    clear, unclear = sentences_of(of_values(CLEAR)), sentences_of(of_values(UNCLEAR))
    assert "MMIN (0.612) is 0.100 above the augmented baseline (0.512; the test holds it" in clear
    assert "Of the slides’ order the paired test holds" in clear and "not shown by" not in clear
    assert "MMIN (0.522) is 0.010 above the augmented baseline (0.512; not shown" in unclear
    assert "In the slides’ direction, but not shown by the test: MMIN above the augmented baseline" in unclear
    reversed_ = sentences_of(of_values({**CLEAR, "mmin": [0.45, 0.47, 0.46, 0.48, 0.44], "mctn": [0.55] * 5}))
    assert "Against the slides’ order: MMIN below the augmented baseline by 0.052 (the test holds it" in reversed_
    assert "the augmented baseline below MCTN by 0.038" in reversed_


def test_a_gain_that_the_controls_share_is_not_called_imagination():
    shared = sentences_of(of_values({**CLEAR, **CONTROLS}))
    assert "is not shown to come from imagination: the test does not put it above the pretrained augmented" in shared
    lower = dict.fromkeys(CONTROLS, CLEAR["full_baseline"])
    assert "here imagination adds to pretraining" in sentences_of(of_values({**CLEAR, **lower}))
    assert "imagination" not in sentences_of(of_values({**UNCLEAR, **lower})).replace("MMIN without imagination", "")


def test_the_preset_best_is_told_to_lose_where_it_loses():
    losing = {**CLEAR, "best": CLEAR["augmented_baseline"], "linear_svm": CLEAR["full_baseline"]}
    text = sentences_of(of_values(losing))
    assert "the preset best (0.512) is 0.104 above the linear SVM (0.408; the test holds it" in text
    assert "it is 0.100 below MMIN (0.612; the test holds it" in text
    assert "and level with the augmented baseline (0.512; not shown, p 1.000)." in text


def test_the_gain_of_augmentation_is_over_single_modalities_only(section: Section):
    results = three_modalities().results
    run = results.query("experiment == 'mmin' and seed == 0 and metric == 'ua'")
    wanted = mean(run[run["condition"].isin(["{a}", "{v}", "{t}"])]["value"])
    of_one = single_modalities(results, "ua").query("experiment == 'mmin' and seed == 0")
    assert of_one["value"].item() == pytest.approx(wanted)
    planned = "In the mean over the single modalities, one comparison that was planned beforehand: the augmented"
    assert planned in "\n".join(section.findings) and augmentation(three_modalities()) == []


def test_rows_normalised_by_speaker_are_ranked_by_themselves(section: Section):
    text = "\n".join(section.findings)
    assert "the highest UA of 12 rows" in text and "the highest UA of 3 rows" in text
    alone = sentences_of(of_values({f"best{SPEAKER_NORMALISED}": [0.5, 0.6, 0.7]}))
    mean_words = f"With {NORMALISED_TITLE}, in the mean over the two missing conditions"
    assert f"{mean_words}, the preset best reaches UA 0.600." in alone
    assert "With both modalities, {a,v} and speaker-wise normalisation, the preset best reaches UA 0.600." in alone
    assert "transductive" not in sentences_of(of_values(CLEAR))


def test_the_section_has_every_table_and_picture_the_plain_rows_first(section: Section):
    drawn = ["conditions", "missing_modalities", "missing_frames", "calibration"]
    normalised = [f"{name}_speaker_normalised" for name in drawn]
    assert [figure.name for figure in section.figures] == [*drawn, "imagined", "learning_curves", *normalised]
    assert [block.heading for block in section.blocks] == ["", "", f"With {NORMALISED_TITLE}"]
    assert section.notes == () and section.headline == ""
    pictures = [figure.draw("svg") for figure in section.figures[:6]]
    assert all(picture.startswith(b"<?xml") for picture in pictures)
    assert section.figures[1].draw("svg") == pictures[1]  # the same bytes each time
    assert section.figures[1].draw("png").startswith(b"\x89PNG")


def test_the_block_of_normalised_rows_says_nothing_again_and_how_it_was_made_where_it_stands_alone(section: Section):
    *_, below = section.blocks
    assert {item.caption if isinstance(item, Figure) else item.note for item in below.items} == {AS_ABOVE}
    titles = [item.title for item in below.items if isinstance(item, Figure)]
    assert len(titles) == 4 and all(title.endswith(", with speaker-wise normalisation") for title in titles)
    text = section_markdown(section)
    assert f"#### With {NORMALISED_TITLE}" in text and SPEAKER_NORMALISED not in text
    only = study_data({f"mmin{SPEAKER_NORMALISED}": 0.5, f"best{SPEAKER_NORMALISED}": 0.6}, folds=3, utterances=8)
    alone = section_of(only)
    assert alone.blocks[-1].heading.startswith("With ")
    assert "recomputed from them in each run" in section_markdown(alone) and AS_ABOVE not in section_markdown(alone)
    assert "No sweep" not in " ".join(alone.notes)  # it is drawn, under the block's own name


def test_normalised_rows_with_fewer_runs_say_so():
    rows = {name: CLEAR[name] for name in ("mmin", "augmented_baseline")}
    data = of_values({**rows, **{f"{name}{SPEAKER_NORMALISED}": values[:3] for name, values in rows.items()}})
    above, below = [grid.note for grid in grids(section_of(data)) if grid.title == "Scores by condition"]
    assert f"5{NO_BREAK}folds" in above and f"3{NO_BREAK}folds" in below


def test_imagined_points_are_those_that_every_condition_has_with_the_distances_of_the_features():
    small = study_data({"mmin": 0.5, "best": 0.6}, folds=1, utterances=12)
    figure, fewer = imagined_figure(small), imagined_figure(replace(small, imagined=small.imagined[5:]))
    assert figure and fewer
    picture = figure.draw("svg")
    assert picture != fewer.draw("svg")
    assert any("relative error 0.7" in text or "relative error 0.6" in text for text in texts(picture))
    assert imagined_figure(of_values(CLEAR)) is None


def test_how_near_imagination_comes_is_told_of_both_kinds_of_rows_and_ranks_nothing(section: Section):
    title = "How near imagined joint features come to the true ones"
    plain, normalised = [grid for grid in grids(section) if grid.title.startswith(title)]
    assert normalised.title == f"{title}, with speaker-wise normalisation"
    assert [group.heading for group in plain.groups] == ["Relative error", "Cosine", "Energy distance"]
    assert [name for name, _ in plain.groups[0].lines] == ["MMIN-AE", "MMIN-NoCycle", "MMIN"]
    assert not any(value.strong for group in plain.groups for _, values in group.lines for value in values)
    assert not any(grid.title.startswith(title) for grid in grids(section_of(of_values(CLEAR))))


def test_what_is_not_stored_has_a_line_that_says_so_and_an_empty_study_one_sentence():
    notes = section_of(of_values(CLEAR)).notes
    for start in ("No sweep of missing rates", "No imagined representations", "No learning curves of MMIN"):
        assert any(note.startswith(start) for note in notes)
    nothing = section_of(of_study("mmin_study"))
    assert nothing.findings == ("No results are stored for mmin_study yet.",) and nothing.blocks == nothing.notes == ()
    unknown = section_of(of_values({"mmin": [float("nan")] * 3}))
    assert unknown.findings == nothing.findings


def test_one_modality_has_its_condition_alone_and_is_compared_under_it():
    levels = {"augmented_baseline": 0.5, "mmin": 0.6, "best": 0.7}
    section = section_of(study_data(levels, [Modality.TEXTUAL], folds=3, utterances=16))
    assert grids(section)[0].columns == ("{t}",)
    text = "\n".join(section.findings)
    assert "With every modality there, {t}, the preset best has the highest" in text
    assert "missing conditions" not in text


def test_every_row_that_has_results_is_explained(section: Section):
    results = {name.removesuffix(SPEAKER_NORMALISED) for name in set(whole_study().results["experiment"])}
    assert [title for title, _ in section.meanings] == [row.title for row in ROWS if row.name in results]
