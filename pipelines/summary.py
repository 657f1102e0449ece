"""`python -m pipelines.summary CORPUS`: the conditions table on the terminal, and where everything is."""

import sys

from affectory.models import FAMILIES
from affectory.report.terminal import to_text
from affectory.results.tables import conditions_table
from affectory.studies import row_names
from ops.evaluation import MAIN_METRICS
from pipelines.deployment import Places
from resources.feature_store import FeatureStore
from resources.reports import Reports


def summarise(places: Places, corpus: str) -> str:
    """The tables of the corpus's results under every condition, a family each, then the places."""
    store = FeatureStore(path=str(places.features))
    names = row_names()
    deployed = [name for name, family in FAMILIES.items() if family.deployed]
    results_by_family = [
        store.query("SELECT * FROM results WHERE corpus = ? AND family = ?", [corpus, family]) for family in deployed
    ]
    page = Reports(folder=str(places.reports)).path(corpus)
    tables = [
        to_text(conditions_table(results, MAIN_METRICS[FAMILIES[family].of_dimensions], names), names)
        for family, results in zip(deployed, results_by_family, strict=True)
        if len(results)
    ]
    return "\n".join(
        [
            *(f"\n{table}" for table in tables or ["no results: the report says why"]),
            "",
            f"report page   {page}",
            f"DuckDB        {places.features}",
            f"MLflow        {places.tracking_uri}",
            "make ui       opens Dagster on http://127.0.0.1:3000 and MLflow on http://127.0.0.1:5000",
        ]
    )


if __name__ == "__main__":
    print(summarise(Places.from_environment(), sys.argv[1]))
