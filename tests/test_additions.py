"""Each of the five things that people add is one file, one line and one test: the examples of CONTRIBUTING.md are.

They are run as the files that they are to be and listed in their registries, and nothing else is changed.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

from affectory.corpora import LAYOUTS
from affectory.features import FEATURE_SETS
from affectory.models import FAMILIES
from affectory.report.data import ReportData
from affectory.report.markdown import section_markdown
from affectory.report.page import render_report
from affectory.report.study_data import StudyData
from affectory.studies import STUDIES
from assets import conditions, corpus, features
from assets.models import model_assets
from assets.reports import report_asset
from assets.studies import study_assets
from pipelines.deployment import Places, resources
from pipelines.jobs import JOBS
from tests.corpora import test_layouts
from tests.corpora.conftest import Release
from tests.features import test_feature_sets
from tests.fixtures.documents import ROOT, TABLES, undocumented
from tests.fixtures.examples import load_examples
from tests.fixtures.reports import facts, provenance, results_frame
from tests.models import test_families, test_family
from tests.studies import test_plan, test_study

STUDY, TABLE = "augmentation_study", "Runs behind each row"


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> list[ModuleType]:
    """The modules of the examples; what they define is listed where CONTRIBUTING.md says."""
    modules = load_examples(monkeypatch)
    by_name = {module.__name__.removeprefix("affectory."): module for module in modules}
    study = by_name[f"studies.{STUDY}"]
    monkeypatch.setitem(FEATURE_SETS, "loudness", by_name["features.loudness"].Loudness())
    monkeypatch.setitem(FAMILIES, "mean_vote", by_name["models.mean_vote"].FAMILY)
    monkeypatch.setitem(LAYOUTS, "ravdess", by_name["corpora.ravdess"].LAYOUT)
    monkeypatch.setitem(STUDIES, STUDY, replace(study.STUDY, shows=(("What stands behind it", (study.runs_grid,)),)))
    return modules


def functions_of(modules: Sequence[ModuleType]) -> list[Callable[..., None]]:
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if name.startswith("test_") and inspect.isfunction(value) and value.__module__ == module.__name__
    ]


def test_the_test_of_each_example_passes(examples: list[ModuleType], tmp_path: Path):
    given: dict[str, Any] = {"new_release": lambda name: Release(tmp_path / name)}
    tests = functions_of(examples)
    assert len(tests) == 5
    for test in tests:
        test(**{name: given[name] for name in inspect.signature(test).parameters})


def test_a_deployed_family_and_a_study_are_assets_that_jobs_run_and_the_report_waits_for(
    examples: list[ModuleType], tmp_path: Path
):
    reported = [*model_assets(), *study_assets()]
    definitions = dg.Definitions(
        assets=[*dg.load_assets_from_modules([corpus, features, conditions]), *reported, report_asset(reported)],
        jobs=JOBS,
        resources=resources(Places(home=tmp_path, corpora=tmp_path)),
    )
    graph = definitions.resolve_asset_graph()
    added = {dg.AssetKey("mean_vote"), dg.AssetKey(STUDY)}
    assert added <= graph.get_all_asset_keys()
    assert added <= graph.get(dg.AssetKey("evaluation_report")).parent_keys
    selected = {job.name: set(job.selection.resolve(graph)) for job in JOBS}
    assert dg.AssetKey("mean_vote") in selected["train"] and dg.AssetKey(STUDY) in selected["study"]


def test_a_study_and_its_table_are_on_the_page_and_in_markdown(examples: list[ModuleType]):
    study = STUDIES[STUDY]
    rows = [row.name for row in study.rows]
    data = StudyData(
        study=STUDY,
        title=study.title,
        names=study.names,
        metrics=study.metrics,
        references=study.references,
        results=results_frame(rows, seeds=2),
    )
    section = study.section(data)
    page = render_report(ReportData(corpus="toys", facts=facts(), provenance=provenance(), sections=(section,)))
    for text in (page, section_markdown(section)):
        assert TABLE in text and all(row.title in text for row in study.rows)
    assert study.title in page and "imagin" not in section_markdown(section).lower()  # no other study's findings


def test_what_is_added_is_missed_in_the_documents_until_they_are_written_anew(examples: list[ModuleType]):
    missed = {kind: names for kind, names in undocumented().items() if names}
    assert missed == {
        "feature set": ["loudness"],
        "family": ["mean_vote"],
        "preset": ["mean_vote: default", "mean_vote: debug"],
        "corpus layout": ["ravdess"],
        "study": [STUDY],
    }
    catalogue = ROOT / "docs/catalogue.md"
    assert catalogue in TABLES.outdated()
    text = TABLES.filled(catalogue.read_text(), catalogue)
    assert all(f"`{name}`" in text for name in ("loudness", "mean_vote", "ravdess")) and f"### {STUDY}" in text


def test_the_tests_that_loop_over_a_registry_find_what_is_added(
    examples: list[ModuleType], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(test_feature_sets, "FEATURE_SETS", {"loudness": FEATURE_SETS["loudness"]})
    monkeypatch.setattr(test_family, "FAMILIES", {"mean_vote": FAMILIES["mean_vote"]})
    test_feature_sets.test_every_set_is_found_by_its_name_and_says_what_it_is()
    test_feature_sets.test_every_set_travels_to_a_worker_and_its_options_into_a_fingerprint()
    test_feature_sets.test_an_utterance_without_media_and_words_has_no_frames_and_says_why()
    test_layouts.test_every_layout_is_listed_under_its_own_name()
    test_family.test_every_family_has_its_own_name_a_description_and_experiments_that_studies_train_too()
    monkeypatch.setattr(test_plan, "STUDIES", {STUDY: STUDIES[STUDY]})
    test_plan.test_no_row_is_without_a_training_in_some_preset()
    test_study.test_rows_of_all_studies_have_titles_and_meanings_and_the_first_study_names_a_deployed_experiment()
    case = ("mean_vote", "mean_vote")
    for test in functions_of([test_families]):
        parameters = set(inspect.signature(test).parameters)
        if parameters and parameters <= {"case", "model", "data"}:
            made = {"case": case, "model": test_families.build(*case), "data": test_families.prepared(*case)}
            test(**{name: made[name] for name in parameters})
