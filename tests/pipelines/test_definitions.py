"""The deployment's definitions: names that others rely on, and what starts runs."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from affectory.studies import STUDIES
from assets.partitions import corpus_partitions
from pipelines.definitions import defs
from pipelines.deployment import Places, prepare
from pipelines.schedules import weekly_retraining
from pipelines.sensors import corpora_watch
from resources.corpus_folders import CorpusFolders

ASSETS = {
    "corpora", "media_files", "utterances", "acoustic_features", "visual_features", "textual_features",
    "missing_modality_sets", "mmin_teacher", "mmin", "mmgcn", "valence_arousal", "mmin_study",
    "mmgcn_study", "omg_study", "evaluation_report",
}  # fmt: skip


def test_the_lineage_has_the_assets_that_others_rely_on():
    graph = defs.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == ASSETS


def test_every_asset_explains_itself():
    for node in defs.resolve_asset_graph().asset_nodes:
        assert node.description and node.group_name != "default" and node.kinds and node.owners, node.key


def test_every_asset_but_corpora_takes_one_corpus():
    for node in defs.resolve_asset_graph().asset_nodes:
        expected = None if node.key == dg.AssetKey("corpora") else corpus_partitions
        assert node.partitions_def == expected, node.key


def test_training_waits_for_the_gpu_and_loading_for_the_one_writer():
    pools = {op.name: op.pool for asset in defs.assets or [] for op in asset.node_def.iterate_op_defs()}
    expected = {
        **{name: "gpu" for name in pools if name in STUDIES or name.startswith("train_")},
        **{name: "duckdb_writer" for name in pools if name.startswith("load_")},
    }
    assert {name: pool for name, pool in pools.items() if pool} == expected
    assert {"train_mmin", "train_mmin_teacher", "mmin_study", "load_acoustic", "load_textual"} <= set(expected)


def test_jobs_and_the_weekly_retraining_are_there():
    assert {job.name for job in defs.jobs or []} == {"extract", "train", "study", "everything"}
    assert weekly_retraining.cron_schedule == "0 3 * * 1"


def test_the_weekly_retraining_asks_for_a_run_of_each_registered_corpus():
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("corpus", ["demo", "mine"])
        context = dg.build_schedule_context(
            instance=instance,
            repository_def=defs.get_repository_def(),
            scheduled_execution_time=datetime(2026, 11, 23, 3, tzinfo=UTC),
        )
        requests = weekly_retraining.evaluate_tick(context).run_requests
    assert {request.partition_key for request in requests or []} == {"demo", "mine"}


def test_the_sensor_asks_for_a_run_once_new_media_have_settled(tmp_path: Path):
    media = tmp_path / "mine" / "media"
    media.mkdir(parents=True)
    (media / "a.mp4").write_bytes(b"first")

    with dg.instance_for_test() as instance:

        def look(cursor: str | None) -> dg.SensorResult:
            context = dg.build_sensor_context(instance=instance, cursor=cursor)
            result = corpora_watch(context, corpus_folders=CorpusFolders(folder=str(tmp_path)))
            for request in result.dynamic_partitions_requests:
                instance.add_dynamic_partitions("corpus", list(request.partition_keys))
            return result

        first = look(None)
        assert not first.run_requests
        assert first.dynamic_partitions_requests[0].partition_keys == ["mine"]
        second = look(first.cursor)
        assert [request.partition_key for request in second.run_requests] == ["mine"]
        third = look(second.cursor)
        assert not third.run_requests
        (media / "b.mp4").write_bytes(b"second")
        fourth = look(third.cursor)
        assert not fourth.run_requests
        fifth = look(fourth.cursor)
        assert [request.partition_key for request in fifth.run_requests] == ["mine"]
        assert not look(None).run_requests and not look(look(None).cursor).run_requests


def test_preparing_a_deployment_keeps_the_users_dagster_settings(tmp_path: Path):
    places = Places(home=tmp_path / "home", corpora=tmp_path / "corpora")
    prepare(places)
    settings = places.dagster / "dagster.yaml"
    assert "enabled: false" in settings.read_text()
    settings.write_text("telemetry:\n  enabled: true\n")
    prepare(places)
    assert "enabled: true" in settings.read_text()
