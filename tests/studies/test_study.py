"""A study shows what it lists and nothing of another; its texts reach the page and Markdown as text."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from affectory.report.html import section_html
from affectory.report.markdown import findings_markdown, section_markdown
from affectory.report.section import Grid, Section
from affectory.report.study_data import StudyData
from affectory.results.names import SPEAKER_NORMALISED
from affectory.studies import STUDIES, row_names
from affectory.studies.study import Row, Study
from affectory.vocabulary import Modality
from tests.fixtures.dimensions import dimension_data
from tests.fixtures.pages import HOSTILE, Page
from tests.fixtures.studies import of_study, section_of, study_data, undrawn

MADE_UP = Study(
    name="toy_study",
    family="mmin",
    title="Study of a toy",
    description="Two rows of another study's family, and nothing of its own.",
    rows=(
        Row("augmented_baseline", "mmin", title="Toy baseline"),
        Row("mmin", "mmin", title="Toy", means="what is made up"),
    ),
    metrics=("ua", "wa"),
    references={"mmin": "†"},
)
SMALL = study_data({"mmin": 0.5, "augmented_baseline": 0.6}, folds=3, utterances=12)


def toy_data() -> StudyData:
    """The made-up study with everything that the study of MMIN stores."""
    frames = ("results", "predictions", "sweeps", "imagined", "history")
    return of_study(MADE_UP, **{name: getattr(SMALL, name) for name in frames})


def test_a_study_of_classes_without_findings_has_the_general_sentences_and_tables_alone():
    section = MADE_UP.section(toy_data())
    starts = (
        "In the mean over the two missing",
        "With both modalities",
        "With calibrated prob",
        "The paired test counts",
    )
    assert [sentence.startswith(start) for sentence, start in zip(section.findings, starts, strict=True)] == [True] * 4
    (block,) = section.blocks
    titles = [item.title for item in block.items if isinstance(item, Grid)]
    assert titles == ["Scores by condition", "Toy minus every other row, UA", "ECE before → after calibration"]
    drawn = ["conditions", "missing_modalities", "missing_frames", "calibration"]
    assert [figure.name for figure in section.figures] == drawn and section.notes == ()
    assert section.meanings == (("Toy", "what is made up"),)
    words = " ".join([*section.findings, section_markdown(section)])
    assert "MMIN" not in words and "slides" not in words and "magin" not in words


def test_a_study_without_references_marks_and_compares_nothing():
    section = replace(MADE_UP, references={}).section(replace(toy_data(), references={}))
    text = section_markdown(section)
    assert "minus every other row" not in text and "†" not in text and "by a paired test" not in text
    assert "picked by these very numbers" in " ".join(section.findings)


def test_a_row_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match=r"study toy_study: rows \['mmin'\] are there twice"):
        replace(MADE_UP, rows=(*MADE_UP.rows, MADE_UP.rows[1]))


def test_rows_of_all_studies_have_titles_and_meanings_and_the_first_study_names_a_deployed_experiment():
    for study in STUDIES.values():
        for row in study.rows:
            assert row.title and row.means, (study.name, row.name)
        titles = [row.title for row in study.rows]
        assert len(set(titles)) == len(titles), study.name
        assert {*study.references, study.pictured} - {""} <= {row.name for row in study.rows}, study.name
        assert all(names == study.names[row] for row, names in study.names.items())
    assert row_names().title("mmin") == "MMIN" and row_names().title("multimodal") == "Multimodal"


def hostile(data: StudyData) -> StudyData:
    """A name that tries to be more than text in every place where data brings one."""
    some = str(data.results["experiment"].iloc[0])
    videos = {"dialogue_id": {"video1": HOSTILE}} if data.dimensions else {}
    labels = {} if data.dimensions else {"label": {"angry": HOSTILE}, "predicted": {"angry": HOSTILE}}
    return replace(
        data,
        title=HOSTILE,
        corpus=HOSTILE,
        protocol=HOSTILE,
        runs_note=HOSTILE,
        unit_word=HOSTILE,
        sample_of=HOSTILE,
        left_out={HOSTILE: HOSTILE},
        results=data.results.replace({"experiment": {some: HOSTILE}}),
        predictions=data.predictions.replace({"experiment": {some: HOSTILE}, **videos, **labels}),
    )


def conversations() -> StudyData:
    """The numbers of SMALL as of the conversation study, one of its rows and one that is not known."""
    renamed = {"experiment": {"mmin": "mmgcn"}}
    results = pd.concat([SMALL.results, SMALL.results.query("metric == 'wa'").assign(metric="weighted_f1")])
    results = results.drop_duplicates(["experiment", "fold", "seed", "condition", "metric"])
    return of_study("mmgcn_study", results=results.replace(renamed), predictions=SMALL.predictions.replace(renamed))


@pytest.fixture(scope="module")
def sections() -> list[Section]:
    """Of each study, of one and of several modalities and dimensions, of nothing, and of hostile names."""
    one_modality = study_data({"mmin": 0.5, "best": 0.6}, [Modality.TEXTUAL], folds=3, utterances=12)
    normalised = study_data({"best": 0.6, f"best{SPEAKER_NORMALISED}": 0.7}, folds=3, utterances=12)
    whole = [SMALL, normalised, one_modality, conversations(), dimension_data(1), dimension_data(1, ("valence",))]
    data = [*whole, *map(hostile, (SMALL, conversations(), dimension_data(1))), *map(of_study, STUDIES)]
    return [undrawn(section_of(one)) for one in data]


@pytest.mark.slow
def test_every_section_is_well_formed_on_the_page_with_everything_described(sections: list[Section]):
    for number, section in enumerate(sections):
        html = section_html(section, f"section-{number}")
        page = Page(html)
        assert page.open == [] and not page.all("script")
        assert html.count("<table") == html.count("<caption")
        assert all(image["alt"] and str(image["src"]).startswith("data:image/svg+xml") for image in page.all("img"))
        assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
        assert SPEAKER_NORMALISED not in html and "{dimensions}" not in html
        names = [figure.name for figure in section.figures]
        assert len(set(names)) == len(names)


def test_every_section_has_even_tables_in_markdown_and_nothing_hostile_outside_of_a_fence(sections: list[Section]):
    for section in sections:
        text = f"{section_markdown(section)}\n{findings_markdown(section)}"
        for block in text.split("\n\n"):
            if block.startswith("|"):
                assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1
        outside = "".join(text.split("```")[::2])
        assert "<script" not in outside and "<img" not in outside
        assert not re.search(r"\bnan\b", outside)
