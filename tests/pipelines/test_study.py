"""The missing-modality study on a generated corpus, through Dagster: its rows, what it reuses, what is shown."""

import pytest

from affectory.vocabulary import conditions, missing_conditions

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

FEW = ["augmented_baseline", "mmin", "mctn", "partial_baseline", "linear_svm", "best"]


def study(deployment, **options):
    return deployment.study("mmin_study", **{"experiments": FEW, **options})


@pytest.fixture(scope="module")
def studied(demo_of_module):
    demo = demo_of_module
    folds = {"missing_modality_sets": {"config": {"cross_validation": 3}}}
    assert demo.run("demo", select="key:missing_modality_sets", config=folds).success
    result, metadata = study(demo, speaker_normalised=["best"])
    assert result.success
    return demo, metadata


def test_every_row_is_scored_in_every_fold_under_its_conditions(studied):
    deployment, _ = studied
    found = deployment.query("SELECT * FROM results WHERE family = 'mmin_study' AND metric = 'ua'")
    for name in (*FEW, "full_baseline", "best/speaker_normalised"):
        rows = found[found["experiment"] == name]
        assert set(rows["fold"]) == {1, 2, 3} and set(rows["seed"]) == {0}
        under = missing_conditions() if name == "mctn" else conditions()
        assert set(rows["condition"]) == {str(condition) for condition in under}
        assert len(rows) == len(under) * 3


def test_the_folds_of_the_study_leave_the_deployed_fold_as_it_was(studied):
    deployment, _ = studied
    folds = deployment.query("SELECT fold, split, count(*) AS n, any_value(protocol) AS said FROM folds GROUP BY ALL")
    assert set(folds["fold"]) == {0, 1, 2, 3} and set(folds["split"]) == {"train", "val", "test"}
    assert folds.groupby("fold")["said"].nunique().eq(1).all()


def test_a_corpus_keeps_its_deployed_results_beside_those_of_the_study(studied):
    deployment, _ = studied
    assert len(deployment.query("SELECT 1 FROM results WHERE family = 'mmin'"))


def test_missing_rates_and_imagined_points_are_stored(studied):
    deployment, _ = studied
    sweeps = deployment.query("SELECT DISTINCT kind, rate FROM sweeps WHERE experiment = 'mmin'")
    assert len(sweeps) == 2 * 8
    points = deployment.query("SELECT DISTINCT condition, fold, seed FROM imagined WHERE experiment = 'mmin'")
    assert set(points["condition"]) == {str(condition) for condition in missing_conditions()} and len(points) == 6


def test_the_page_and_dagster_show_the_study(studied):
    deployment, metadata = studied
    page = (deployment.places.reports / "demo" / "evaluation.html").read_text()
    assert "MCTN" in page and "Linear SVM" in page
    assert "MMIN" in metadata["tables"] and metadata["findings"]


def test_a_second_study_trains_only_what_is_new(studied):
    deployment, before = studied
    _, after = study(deployment, experiments=[*FEW, "mmin_ae"], speaker_normalised=["best"])
    assert after["trainings"] == before["trainings"] + 3 and after["reused"] == before["trainings"]
    assert set(deployment.query("SELECT experiment FROM results WHERE family = 'mmin_study'")["experiment"]) >= {
        "mmin_ae"
    }


def test_rows_that_are_no_longer_asked_for_leave_the_tables(studied):
    deployment, _ = studied
    study(deployment, experiments=["full_baseline"])
    left = deployment.query("SELECT DISTINCT experiment FROM results WHERE family = 'mmin_study'")["experiment"]
    assert set(left) == {"full_baseline"}


def test_an_unknown_row_is_refused_with_the_known_ones(studied):
    deployment, _ = studied
    result, _ = study(deployment, experiments=["mimn"])
    assert not result.success


def test_what_was_left_out_for_once_comes_back_without_training(studied):
    deployment, _ = studied
    assert study(deployment, speaker_normalised=["best"])[0].success
    before = deployment.query("SELECT * FROM results WHERE family = 'mmin_study' ORDER BY ALL")
    assert study(deployment, experiments=["full_baseline"])[0].success
    assert len(deployment.query("SELECT * FROM results WHERE family = 'mmin_study'")) < len(before)
    result, metadata = study(deployment, speaker_normalised=["best"])
    assert result.success and metadata["reused"] == metadata["trainings"]
    assert deployment.query("SELECT * FROM results WHERE family = 'mmin_study' ORDER BY ALL").equals(before)


def test_a_machine_without_chance_stands_for_the_seeds_that_are_asked_for(studied):
    deployment, _ = studied
    for seeds, reused in (([0], 3), ([0, 1], 3), ([1], 3)):
        result, metadata = study(deployment, experiments=["linear_svm"], seeds=seeds)
        assert result.success and metadata["reused"] == reused
        stored = deployment.query("SELECT DISTINCT seed FROM results WHERE family = 'mmin_study'")
        assert sorted(stored["seed"]) == seeds


@pytest.mark.parametrize("seeds", [[], [2, 2], [-1]])
def test_seeds_that_name_no_training_are_refused_and_nothing_is_lost(studied, seeds: list[int]):
    deployment, _ = studied
    result, _ = study(deployment, seeds=seeds)
    assert not result.success
    assert len(deployment.query("SELECT 1 FROM results WHERE family = 'mmin_study'"))


def test_results_of_folds_that_are_no_more_are_not_shown_and_the_report_is_still_made(studied):
    deployment, _ = studied
    folds = {"missing_modality_sets": {"config": {}}}
    assert deployment.run("demo", select="key:missing_modality_sets", config=folds).success
    assert deployment.run("demo", select="key:evaluation_report").success
    assert "MCTN" not in (deployment.places.reports / "demo" / "evaluation.html").read_text()
