"""The documents name everything that a user can ask for; their lists are written from the code by `make docs`."""

import argparse
import re

import pytest

from affectory.cli import build_parser
from ops.study_plan import StudyConfig
from ops.training import TrainingConfig
from tests.fixtures.documents import ROOT, RUN_MAKE_DOCS, TABLES, code_of, guides, undocumented, unnamed

REGISTRIES = {
    "feature set": "FEATURE_SETS",
    "family": "FAMILIES",
    "preset": "FAMILIES",
    "corpus layout": "LAYOUTS",
    "study": "STUDIES",
    "row of a study": "STUDIES",
    "option of a study": "STUDIES",
}
PACKAGES = ("affectory", "assets", "ops", "pipelines", "resources")
VARIABLE = re.compile(r"\b(?:AFFECTORY_[A-Z_]+|DAGSTER_HOME|MLFLOW_TRACKING_URI)\b")


def commands() -> dict[str, argparse.ArgumentParser]:
    """The commands of `affectory`, by name."""
    [subparsers] = [action.choices for action in build_parser()._actions if action.choices]
    return dict(subparsers)


def environment_variables() -> set[str]:
    """Those of ours that the code or the Makefile names."""
    files = [ROOT / "Makefile", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    return {name for path in files for name in VARIABLE.findall(path.read_text())}


def test_the_tables_of_the_documents_are_what_the_code_says():
    assert [f"{page.relative_to(ROOT)}: {RUN_MAKE_DOCS}" for page in TABLES.outdated()] == []


def test_a_page_that_asks_for_a_table_which_nobody_writes_is_refused():
    with pytest.raises(ValueError, match=r"page\.md: table 'cats'; expected one of default feature sets, feature sets"):
        TABLES.filled("<!-- table: cats -->\n<!-- end -->", ROOT / "page.md")


@pytest.mark.parametrize("kind", REGISTRIES)
def test_everything_of_a_registry_is_named(kind: str):
    assert undocumented()[kind] == [], f"a {kind} of {REGISTRIES[kind]} is in no document: {RUN_MAKE_DOCS}"


def test_every_field_of_a_run_configuration_is_named():
    fields = {*StudyConfig.model_fields, *TrainingConfig.model_fields}
    assert unnamed(sorted(fields)) == [], "a field of a training's configuration: write it into docs/studies.md"


def test_every_make_target_is_named():
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    missing = unnamed([f"make {target}" for target in targets], [*guides(), ROOT / "CONTRIBUTING.md"])
    assert missing == [], "a make target is in no document: write it into README.md, or into CONTRIBUTING.md"


def test_every_environment_variable_is_named():
    variables = environment_variables()
    assert {"AFFECTORY_HOME", "DAGSTER_HOME", "MLFLOW_TRACKING_URI"} <= variables
    assert unnamed(sorted(variables)) == [], "an environment variable is in no document: write it into README.md"


def test_every_command_and_option_of_the_command_line_is_named():
    options = {option for command in commands().values() for option in command._option_string_actions}
    missing = unnamed([f"affectory {name}" for name in commands()]) + unnamed(sorted(options - {"-h", "--help"}))
    assert missing == [], "a command or option is in no document: write it into docs/serving.md or docs/demo-corpus.md"


def test_a_name_counts_where_it_stands_as_code_and_as_a_word_of_its_own():
    assert "`compare`" in code_of(tuple(guides()))
    assert unnamed(["compare", "ompare", "compar"]) == ["ompare", "compar"]
