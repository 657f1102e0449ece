"""`python -m pipelines.summary CORPUS`: the conditions table on the terminal, and where everything is."""

import sys

from affectory.tables import conditions_table, to_text
from pipelines.deployment import Places
from resources.feature_store import FeatureStore
from resources.reports import Reports


def summarise(places: Places, corpus: str) -> str:
    """The table of the corpus's results under every condition, then the places."""
    store = FeatureStore(path=str(places.features))
    results = store.query("SELECT * FROM results WHERE corpus = ? AND family = 'mmin'", [corpus])
    page = Reports(folder=str(places.reports)).path(corpus)
    table = to_text(conditions_table(results)) if len(results) else "no results: the report says why"
    return "\n".join(
        [
            "",
            table,
            "",
            f"report page   {page}",
            f"DuckDB        {places.features}",
            f"MLflow        {places.tracking_uri}",
            "make ui       opens Dagster on http://127.0.0.1:3000 and MLflow on http://127.0.0.1:5000",
        ]
    )


if __name__ == "__main__":
    print(summarise(Places.from_environment(), sys.argv[1]))
