"""`python -m pipelines.linear_svm CORPUS SET ...`: a linear SVM on utterance functionals of stored feature sets.

The row that every network has to beat: one machine a condition, its penalty selected on validation.
"""

import sys
from collections.abc import Sequence

from affectory.learning.linear_svm import evaluate_linear_svm
from affectory.report.terminal import to_text
from affectory.results.tables import conditions_table
from affectory.studies import row_names
from affectory.vocabulary import Split
from ops.datasets import choose_feature_sets, read_dataset
from pipelines.deployment import Places
from resources.feature_store import FeatureStore


def table(store: FeatureStore, corpus: str, names: Sequence[str]) -> str:
    """WA and UA under each condition of the named sets' modalities; ValueError where a set is not stored."""
    stored = store.feature_sets(corpus)
    modalities = [modality for modality, sets in stored.items() if set(sets) & set(names)]
    dataset = read_dataset(store, corpus, feature_sets=choose_feature_sets(stored, modalities, names))
    if dataset is None:
        return f"corpus {corpus} has no fold: nothing in it is labelled"
    train, val, test = (dataset.rows(split) for split in Split)
    results, _ = evaluate_linear_svm(dataset, train, val, test)
    keys = {"corpus": corpus, "family": "linear_svm", "experiment": "linear_svm", "fold": 0, "seed": 0}
    rows_called = row_names()
    return to_text(conditions_table(results.assign(**keys), names=rows_called), rows_called)


if __name__ == "__main__":
    print(table(FeatureStore(path=str(Places.from_environment().features)), sys.argv[1], sys.argv[2:]))
