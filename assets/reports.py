"""The page of a corpus."""

from collections.abc import Sequence

import dagster as dg

from affectory.report.conditions import conditions_grid
from affectory.report.corpus_tables import chance_level
from affectory.report.figures.bars import condition_bars
from affectory.report.markdown import bullets, grid_markdown
from affectory.report.page import render_report
from affectory.report.summary import summary
from affectory.results.tables import conditions_table
from affectory.studies import row_names
from assets.models import MODEL_ASSETS
from assets.partitions import OWNERS, corpus_partitions
from assets.studies import STUDY_ASSETS
from ops.pictures import picture_markdown
from ops.reporting import collect
from resources.corpus_folders import CorpusFolders
from resources.feature_store import FeatureStore
from resources.reports import Reports
from resources.tracking import Tracking


def report_asset(reported: Sequence[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """The asset of the page, which waits for the given models and studies."""

    @dg.asset(
        partitions_def=corpus_partitions,
        deps=reported,
        group_name="reports",
        kinds={"html"},
        owners=OWNERS,
    )
    def evaluation_report(
        context: dg.AssetExecutionContext,
        corpus_folders: CorpusFolders,
        store: FeatureStore,
        tracking: Tracking,
        reports: Reports,
    ) -> dg.MaterializeResult:
        """One self-contained HTML page a corpus: conditions, confusion matrices, learning curves, what is missing."""
        corpus = corpus_folders.open(context.partition_key)
        data = collect(store, tracking, corpus, dagster_run_id=context.run_id)
        page = reports.write(corpus.name, render_report(data))
        metadata: dict[str, dg.MetadataValue] = {
            "page": dg.MetadataValue.path(page),
            "summary": dg.MetadataValue.md(bullets(summary(data))),
        }
        if len(data.results):
            names = row_names()
            table = conditions_table(data.results, names=names)
            table_markdown = grid_markdown(conditions_grid(table, "Scores by condition", names=names))
            picture = condition_bars(table, "ua", chance=chance_level(data.facts), names=names, form="png")
            metadata |= {
                "table": dg.MetadataValue.md(table_markdown),
                "ua": dg.MetadataValue.md(picture_markdown(picture)),
            }
        context.log.info(f"report: {page}")
        return dg.MaterializeResult(metadata=metadata)

    return evaluation_report


evaluation_report = report_asset([*MODEL_ASSETS, *STUDY_ASSETS])
