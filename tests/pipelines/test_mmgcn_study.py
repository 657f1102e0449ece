"""The conversation study on a generated corpus, through Dagster: what is stored, what is shown, what is refused."""

import shutil

import pytest

from affectory.results.names import ON_TEST

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

FEW = ["utterance", "bc_lstm", "mmgcn", "mmgcn_layers_1", "mmgcn_partial", "mmgcn_shuffled_labels"]


def study(deployment, **options):
    return deployment.study("mmgcn_study", **{"experiments": FEW, **options})


@pytest.fixture(scope="module")
def studied(demo_of_module):
    demo = demo_of_module
    result, metadata = study(demo)
    assert result.success
    return demo, metadata


def test_the_rows_are_stored_and_what_was_selected_on_test_says_so(studied):
    deployment, _ = studied
    found = deployment.query("SELECT * FROM results WHERE family = 'mmgcn_study'")
    assert set(found["experiment"]) == set(FEW)
    on_test = found["metric"].str.endswith(ON_TEST)
    assert set(found.loc[on_test, "selected_on"]) == {"test"} and set(found.loc[~on_test, "selected_on"]) == {"val"}
    assert "weighted_f1" in set(found.loc[~on_test, "metric"])


def test_dagster_and_the_page_show_pictures_tables_and_the_side_column(studied):
    deployment, metadata = studied
    assert {"classes", "depth", "edges", "conditions", "findings", "tables"} <= set(metadata)
    assert "Best epoch on test" in metadata["tables"] and "F1 of each class" in metadata["tables"]
    page = (deployment.places.reports / "demo" / "evaluation.html").read_text()
    assert "Study of MMGCN" in page and "It is no honest score" in page and "Preset debug." in page
    assert "From whom one utterance receives" in page and "over its depth" in page


def test_the_chosen_utterance_is_the_one_that_is_drawn_on_the_page_too(studied):
    deployment, _ = studied
    chosen = deployment.query(
        "SELECT utterance_id FROM folds WHERE split = 'test' AND fold = 0 ORDER BY utterance_id LIMIT 1"
    )["utterance_id"].iloc[0]
    result, metadata = study(deployment, utterance=chosen)
    assert result.success and metadata["reused"] == metadata["trainings"]
    page = (deployment.places.reports / "demo" / "evaluation.html").read_text()
    assert f"belong to the utterance {chosen}" in page


def test_an_utterance_that_is_not_there_is_refused_before_anything_is_trained(studied):
    deployment, _ = studied
    before = deployment.query("SELECT count(*) AS n FROM results")["n"].iloc[0]
    result, _ = study(deployment, utterance="nobody", experiments=[])
    assert not result.success and deployment.query("SELECT count(*) AS n FROM results")["n"].iloc[0] == before


def test_a_corpus_without_dialogues_is_skipped_with_one_clear_line(studied, new_deployment):
    deployment, _ = studied
    alone = new_deployment()
    shutil.copytree(deployment.places.corpora / "demo", alone.places.corpora / "demo")
    table = alone.places.corpora / "demo" / "utterances.csv"
    lines = table.read_text().splitlines()
    place = lines[0].split(",").index("dialogue_id")
    cut = [",".join("" if n == place else cell for n, cell in enumerate(line.split(","))) for line in lines[1:]]
    table.write_text("\n".join([lines[0], *cut]))
    select = "group:ingestion or key:textual_features or group:conditions or key:mmgcn_study or key:evaluation_report"
    result = alone.run("demo", select=select, config={})
    assert result.success
    assert not len(alone.query("SELECT 1 FROM results"))
    page = (alone.places.reports / "demo" / "evaluation.html").read_text()
    assert "No model of the family mmgcn was trained: every dialogue is a single utterance" in page
