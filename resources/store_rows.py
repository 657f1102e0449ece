"""DataFrames as rows of a store table: every column in the type of its definition, handed over through Arrow."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from resources.store_tables import REPLACED_BY

if TYPE_CHECKING:
    import duckdb


@contextmanager
def registered(connection: "duckdb.DuckDBPyConnection", rows: pa.Table) -> Iterator[str]:
    """Give the block an Arrow table under the SQL name `incoming`."""
    import duckdb

    connection.register("incoming", rows)
    try:
        yield "incoming"
    finally:
        with suppress(duckdb.TransactionException):  # aborted: nothing can be done in it but to roll back
            connection.unregister("incoming")


def rows_of(connection: "duckdb.DuckDBPyConnection", table: str, frame: pd.DataFrame) -> pa.Table:
    """`frame` with exactly the columns of `table`; ValueError names those that are missing or unknown."""
    columns = dict(
        connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [table]
        ).fetchall()
    )
    if set(frame.columns) != set(columns):
        raise ValueError(
            f"table {table}: expected the columns {', '.join(columns)}; missing: {sorted(set(columns) - set(frame))}, "
            f"unknown: {sorted(set(frame) - set(columns))}"
        )
    return pa.table({name: _column(frame.loc[:, name], kind) for name, kind in columns.items()})


def replace(connection: "duckdb.DuckDBPyConnection", table: str, corpus: str, rows: pa.Table) -> None:
    """Insert `rows` in the place of those that agree with one of them in the table's REPLACED_BY columns."""
    keys = ", ".join(REPLACED_BY[table])
    with registered(connection, rows) as incoming:
        if REPLACED_BY[table] == ("corpus",):  # also when nothing comes in
            connection.execute(f"DELETE FROM {table} WHERE corpus = ?", [corpus])
        else:
            connection.execute(f"DELETE FROM {table} WHERE ({keys}) IN (SELECT ({keys}) FROM {incoming})")
    insert(connection, table, rows)


def insert(connection: "duckdb.DuckDBPyConnection", table: str, rows: pa.Table) -> None:
    """Insert rows whose columns are the table's, in any order."""
    with registered(connection, rows) as incoming:
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {incoming}")


def _column(values: pd.Series, kind: str) -> pa.Array:
    if kind == "VARCHAR":
        return pa.array([None if pd.isna(value) else _text(value) for value in values], pa.string())
    if kind.startswith("MAP"):
        pairs = [None if value is None else [(_text(k), v) for k, v in value.items()] for value in values]
        return pa.array(pairs, pa.map_(pa.string(), pa.float64()))
    return pa.Array.from_pandas(values)


def _text(value: object) -> str:
    """Text as it is; what a file name holds beyond UTF-8 is written as an escape, for no table can hold it."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
