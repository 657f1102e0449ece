"""The feature store: everything the pipeline keeps between runs, in one DuckDB file (tables: store_tables.py)."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa

from affectory.refusals import Refusal
from affectory.vocabulary import Modality
from resources.feature_parts import read_parts
from resources.store_connection import StoreError, reading, transaction, writing
from resources.store_rows import insert, registered, replace, rows_of
from resources.store_tables import REPLACED_BY, add_feature_set, known_feature_table

if TYPE_CHECKING:
    import duckdb

    from affectory.data.batches import Sequences


class FeatureStore(dg.ConfigurableResource):
    """One DuckDB file at `path`, written by one process at a time.

    Each call opens and closes its own connection. A call that finds the store in use waits up to `lock_timeout_s`
    seconds, then raises StoreBusyError, which names the holder; nothing is changed by a call that raises.
    """

    path: str
    lock_timeout_s: float = 60

    def replace_rows(self, table: str, corpus: str, frame: pd.DataFrame) -> int:
        """Put `frame` (the columns of the table but `corpus`) in the place of the rows stored for the corpus.

        `predictions` (`probabilities`: a dict a row) and `results` replace only the trainings that the frame holds.
        Returns the number of rows. ValueError when the columns are not those of the table.
        """
        if table not in REPLACED_BY:
            raise StoreError(f"table {table!r}: expected one of {', '.join(REPLACED_BY)}")
        with self._writing(f"replacing {table} of corpus {corpus}") as connection, transaction(connection):
            replace(connection, table, corpus, rows_of(connection, table, frame.assign(corpus=corpus)))
        return len(frame)

    def add_results(self, rows: pd.DataFrame) -> int:
        """Add rows of `results`, in the place of those of the same training, condition and metric."""
        for corpus, frame in rows.groupby("corpus"):
            self.replace_rows("results", str(corpus), frame)
        return len(rows)

    def keep_runs(self, corpus: str, study_or_family: str, run_ids: Collection[str]) -> None:
        """Remove from the tables of results what is of other MLflow runs of the study or family than `run_ids`."""
        with (
            self._writing(f"keeping the runs of {study_or_family}, corpus {corpus}") as connection,
            transaction(connection),
        ):
            for table in ("results", "predictions", "dimension_predictions", "sweeps", "imagined"):
                connection.execute(
                    f"DELETE FROM {table} WHERE corpus = ? AND family = ? AND NOT list_contains(?, mlflow_run_id)",
                    [corpus, study_or_family, list(run_ids)],
                )

    def replace_refusals(self, corpus: str, stage: str, refusals: Sequence[Refusal]) -> int:
        """Put the refusals of a stage into `quarantine`, in the place of its former ones."""
        for refusal in refusals:
            if refusal.stage != stage:
                raise StoreError(f"{refusal}: expected a refusal of stage {stage}")
        now = datetime.now(UTC)
        # object: pandas' own text cannot hold a file name that is not UTF-8, and such a name is one to refuse.
        frame = pd.DataFrame([{**vars(refusal), "corpus": corpus, "at": now} for refusal in refusals], dtype=object)
        with self._writing(f"quarantine of {stage} of corpus {corpus}") as connection, transaction(connection):
            connection.execute("DELETE FROM quarantine WHERE corpus = ? AND stage = ?", [corpus, stage])
            if refusals:
                insert(connection, "quarantine", rows_of(connection, "quarantine", frame))
        return len(refusals)

    def fingerprints(self, corpus: str, feature_set: str) -> dict[str, str]:
        """utterance_id -> fingerprint of what is stored; empty when the corpus has nothing of the feature set."""
        with self._reading(f"fingerprints of {feature_set}") as connection:
            if (table := known_feature_table(connection, feature_set)) is None:
                return {}
            rows = connection.execute(f'SELECT utterance_id, fingerprint FROM "{table}" WHERE corpus = ?', [corpus])
            return dict(rows.fetchall())

    def load_parts(
        self, corpus: str, feature_set: str, modality: Modality, parts: Sequence[Path], keep: Collection[str]
    ) -> int:
        """Store the rows of staged Parquet parts and delete the parts; returns the number of rows they held.

        One transaction replaces the rows of these utterances and removes those of utterances that are not in `keep`.
        The parts are deleted after it has been committed: a kill in between leaves parts that the next load stores
        again, with the same result. Widths belong to a corpus: rows of its older version of another width are removed.
        """
        with self._writing(f"loading {feature_set} of corpus {corpus}") as connection:
            with transaction(connection):
                table = known_feature_table(connection, feature_set)
                if parts:
                    table = add_feature_set(connection, feature_set, modality)
                if table is None:
                    return 0
                present = [part for part in parts if part.exists()]
                _refuse_vanished(connection, table, corpus, set(parts).difference(present))
                n_rows = sum(_load(connection, table, corpus, rows) for rows in read_parts(present))
                _keep_only(connection, table, corpus, keep)
            for part in present:
                part.unlink(missing_ok=True)
        return n_rows

    def read_sequences(self, corpus: str, feature_set: str, utterance_ids: Sequence[str]) -> "Sequences":
        """The frames of the utterances, in their order, as one float32 array; length 0 where the modality is missing.

        Raises StoreError when the corpus has no row of the feature set at all.
        """
        from affectory.data.batches import Sequences  # brings torch, which takes seconds to import

        with self._reading(f"reading {feature_set} of corpus {corpus}") as connection:
            table = known_feature_table(connection, feature_set)
            width = _width(connection, table, corpus) if table else None
            if table is None or width is None:
                raise StoreError(
                    f"corpus {corpus} has nothing of feature set {feature_set!r}: materialise its features first"
                )
            lengths, frames = _read_frames(connection, table, corpus, utterance_ids, width)
        return Sequences(feature_set, frames, lengths)

    def feature_sets(self, corpus: str) -> dict[Modality, list[str]]:
        """modality -> names of the feature sets that have rows of the corpus, in alphabetical order."""
        names_by_modality: dict[Modality, list[str]] = {}
        with self._reading(f"feature sets of corpus {corpus}") as connection:
            rows = connection.execute(
                "SELECT DISTINCT modality, feature_set FROM features WHERE corpus = ? ORDER BY ALL", [corpus]
            ).fetchall()
        for modality, feature_set in rows:
            names_by_modality.setdefault(Modality(modality), []).append(feature_set)
        return names_by_modality

    def not_finite(self, corpus: str, feature_set: str) -> list[str]:
        """The utterances whose stored frames hold NaN or infinity; empty when the corpus has nothing of the set."""
        with self._reading(f"checking {feature_set} of corpus {corpus}") as connection:
            if (table := known_feature_table(connection, feature_set)) is None:
                return []
            rows = connection.execute(
                f'SELECT utterance_id FROM "{table}" WHERE corpus = ? '
                "AND NOT list_bool_and(list_transform(flatten(frames), lambda x: isfinite(x))) ORDER BY 1",
                [corpus],
            )
            return [utterance_id for (utterance_id,) in rows.fetchall()]

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """The rows of one SELECT over the tables, with `?` or `$name` parameters; it cannot write or open files."""
        with self._reading("a query") as connection:
            relation = connection.sql(sql, params=parameters or None)
            if relation is None:
                raise StoreError(f"expected one SELECT, got {sql!r}")
            return relation.to_arrow_table().to_pandas(maps_as_pydicts="strict")

    def _writing(self, purpose: str) -> "AbstractContextManager[duckdb.DuckDBPyConnection]":
        return writing(Path(self.path), timeout_s=self.lock_timeout_s, purpose=purpose)

    def _reading(self, purpose: str) -> "AbstractContextManager[duckdb.DuckDBPyConnection]":
        return reading(Path(self.path), timeout_s=self.lock_timeout_s, purpose=purpose)


def _load(connection: "duckdb.DuckDBPyConnection", table: str, corpus: str, rows: pa.Table) -> int:
    width = rows.column("width")[0].as_py()
    with registered(connection, rows.append_column("corpus", pa.array([corpus] * len(rows)))) as incoming:
        connection.execute(
            f'DELETE FROM "{table}" WHERE corpus = ? '
            f"AND (width <> ? OR utterance_id IN (SELECT utterance_id FROM {incoming}))",
            [corpus, width],
        )
        connection.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM {incoming}')
    return len(rows)


def _keep_only(connection: "duckdb.DuckDBPyConnection", table: str, corpus: str, keep: Collection[str]) -> None:
    with registered(connection, pa.table({"utterance_id": pa.array(sorted(keep), pa.string())})) as kept_ids:
        connection.execute(
            f'DELETE FROM "{table}" WHERE corpus = ? AND utterance_id NOT IN (SELECT utterance_id FROM {kept_ids})',
            [corpus],
        )


def _width(connection: "duckdb.DuckDBPyConnection", table: str, corpus: str) -> int | None:
    return connection.execute(f'SELECT max(width) FROM "{table}" WHERE corpus = ?', [corpus]).fetchall()[0][0]


def _refuse_vanished(connection: "duckdb.DuckDBPyConnection", table: str, corpus: str, vanished: set[Path]) -> None:
    """A part that is gone was loaded by a run beside this one, which its name (the fingerprint) shows, or is lost."""
    for part in vanished:
        stored = connection.execute(
            f'SELECT 1 FROM "{table}" WHERE corpus = ? AND fingerprint = ?', [corpus, part.stem]
        ).fetchall()
        if not stored:
            raise StoreError(f"{part} is gone and not in the store; run again: what it held is extracted anew")


def _read_frames(
    connection: "duckdb.DuckDBPyConnection", table: str, corpus: str, utterance_ids: Sequence[str], width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lengths int64 [N] and frames float32 [sum T, D], copied row by row (an utterance, not a frame) out of Arrow."""
    positions = pa.table(
        {"utterance_id": pa.array(utterance_ids, pa.string()), "position": np.arange(len(utterance_ids))}
    )
    lengths = np.zeros(len(utterance_ids), np.int64)
    with registered(connection, positions) as ids:
        source = f'FROM "{table}" JOIN {ids} USING (utterance_id) WHERE corpus = $corpus AND n_frames > 0'
        counts = connection.execute(f"SELECT position, n_frames {source}", {"corpus": corpus}).fetchnumpy()
        lengths[counts["position"]] = counts["n_frames"]
        starts = np.cumsum(lengths) - lengths
        frames = np.empty((int(lengths.sum()), width), np.float32)
        reader = connection.sql(f"SELECT position, frames {source}", params={"corpus": corpus}).to_arrow_reader(256)
        for batch in reader:
            values = batch.column("frames").flatten().flatten().to_numpy().reshape(-1, width)
            ends = np.cumsum(lengths[batch.column("position").to_numpy()])
            for position, end in zip(batch.column("position").to_numpy(), ends, strict=True):
                start, length = starts[position], lengths[position]
                frames[start : start + length] = values[end - length : end]
    return lengths, frames
