"""The tables of the feature store: their definitions, what a write replaces, and the names of feature tables."""

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


FORMAT = 3  # rises when a definition below changes

TABLES = """
CREATE TABLE store (format INTEGER NOT NULL);

CREATE TABLE media_files (
    corpus VARCHAR NOT NULL, media VARCHAR NOT NULL, sha256 VARCHAR, size_bytes BIGINT, container VARCHAR,
    duration_s DOUBLE, audio_codec VARCHAR, audio_rate_hz DOUBLE, video_codec VARCHAR, width INTEGER, height INTEGER,
    video_rate_hz DOUBLE, verdict VARCHAR NOT NULL, reason VARCHAR, detail VARCHAR,
    PRIMARY KEY (corpus, media)
);

CREATE TABLE utterances (
    corpus VARCHAR NOT NULL, utterance_id VARCHAR NOT NULL, dialogue_id VARCHAR, turn INTEGER, speaker VARCHAR,
    split VARCHAR, culture VARCHAR, media VARCHAR, start_s DOUBLE, end_s DOUBLE, transcript VARCHAR, emotion VARCHAR,
    valence DOUBLE, arousal DOUBLE, dominance DOUBLE, sentiment VARCHAR,
    PRIMARY KEY (corpus, utterance_id)
);

CREATE TABLE folds (
    corpus VARCHAR NOT NULL, fold INTEGER NOT NULL, utterance_id VARCHAR NOT NULL, split VARCHAR NOT NULL,
    protocol VARCHAR, -- one sentence: how the fold came about
    PRIMARY KEY (corpus, fold, utterance_id)
);

CREATE TABLE missing_modality_sets (
    corpus VARCHAR NOT NULL, utterance_id VARCHAR NOT NULL, split VARCHAR, condition VARCHAR NOT NULL,
    acoustic BOOLEAN NOT NULL, visual BOOLEAN NOT NULL, textual BOOLEAN NOT NULL,
    feature_sets VARCHAR, -- what the masks are over: one set a modality, joined by commas
    PRIMARY KEY (corpus, utterance_id, condition)
);

CREATE TABLE quarantine (
    corpus VARCHAR NOT NULL, media VARCHAR, utterance_id VARCHAR, stage VARCHAR NOT NULL, reason VARCHAR NOT NULL,
    detail VARCHAR NOT NULL, sha256 VARCHAR, "at" TIMESTAMP WITH TIME ZONE NOT NULL
);

CREATE TABLE predictions (
    corpus VARCHAR NOT NULL, family VARCHAR NOT NULL, experiment VARCHAR NOT NULL, fold INTEGER NOT NULL,
    seed BIGINT NOT NULL, condition VARCHAR NOT NULL, utterance_id VARCHAR NOT NULL, label VARCHAR, predicted VARCHAR,
    probabilities MAP(VARCHAR, DOUBLE), mlflow_run_id VARCHAR,
    PRIMARY KEY (corpus, family, experiment, fold, seed, condition, utterance_id)
);

CREATE TABLE dimension_predictions (
    corpus VARCHAR NOT NULL, family VARCHAR NOT NULL, experiment VARCHAR NOT NULL, fold INTEGER NOT NULL,
    seed BIGINT NOT NULL, condition VARCHAR NOT NULL, utterance_id VARCHAR NOT NULL, dimension VARCHAR NOT NULL,
    label DOUBLE NOT NULL, predicted DOUBLE NOT NULL, mlflow_run_id VARCHAR,
    PRIMARY KEY (corpus, family, experiment, fold, seed, condition, utterance_id, dimension)
);

CREATE TABLE results (
    corpus VARCHAR NOT NULL, family VARCHAR NOT NULL, experiment VARCHAR NOT NULL, fold INTEGER NOT NULL,
    seed BIGINT NOT NULL, condition VARCHAR NOT NULL, metric VARCHAR NOT NULL, value DOUBLE, selected_on VARCHAR,
    mlflow_run_id VARCHAR,
    PRIMARY KEY (corpus, family, experiment, fold, seed, condition, metric)
);

CREATE TABLE sweeps (
    corpus VARCHAR NOT NULL, family VARCHAR NOT NULL, experiment VARCHAR NOT NULL, fold INTEGER NOT NULL,
    seed BIGINT NOT NULL, kind VARCHAR NOT NULL, rate DOUBLE NOT NULL, metric VARCHAR NOT NULL, value DOUBLE,
    mlflow_run_id VARCHAR,
    PRIMARY KEY (corpus, family, experiment, fold, seed, kind, rate, metric)
);

-- What a model imagined of the missing modalities beside what its teacher encodes, laid out on a plane.
CREATE TABLE imagined (
    corpus VARCHAR NOT NULL, family VARCHAR NOT NULL, experiment VARCHAR NOT NULL, fold INTEGER NOT NULL,
    seed BIGINT NOT NULL, condition VARCHAR NOT NULL, utterance_id VARCHAR NOT NULL, label VARCHAR,
    true_x DOUBLE, true_y DOUBLE, imagined_x DOUBLE, imagined_y DOUBLE, mlflow_run_id VARCHAR,
    PRIMARY KEY (corpus, family, experiment, fold, seed, condition, utterance_id)
);

-- Which feature sets there are: each has the table named here, and the view `features` is their union.
CREATE TABLE feature_sets (
    feature_set VARCHAR PRIMARY KEY, modality VARCHAR NOT NULL, table_name VARCHAR NOT NULL UNIQUE
);

CREATE VIEW features AS
    SELECT NULL::VARCHAR AS corpus, NULL::VARCHAR AS utterance_id, NULL::VARCHAR AS modality,
           NULL::VARCHAR AS feature_set, NULL::INTEGER AS n_frames, NULL::BOOLEAN AS valid, NULL::VARCHAR AS reason,
           NULL::DOUBLE AS coverage, NULL::VARCHAR AS fingerprint
    WHERE false;
"""

# One row an utterance. `frames` holds n_frames lists of `width` numbers: docs/decisions/0001-feature-columns.md.
FEATURE_TABLE = """
CREATE TABLE "{table}" (
    corpus VARCHAR NOT NULL, utterance_id VARCHAR NOT NULL, n_frames INTEGER NOT NULL, width INTEGER NOT NULL,
    frames FLOAT[][] NOT NULL, valid BOOLEAN NOT NULL, reason VARCHAR NOT NULL, coverage DOUBLE NOT NULL,
    fingerprint VARCHAR NOT NULL,
    PRIMARY KEY (corpus, utterance_id), CHECK (len(frames) = n_frames), CHECK (valid = (n_frames > 0))
)
"""

FEATURES_OF_ONE_TABLE = """
    SELECT f.corpus, f.utterance_id, s.modality, s.feature_set, f.n_frames, f.valid, f.reason, f.coverage,
           f.fingerprint
    FROM "{table}" AS f, feature_sets AS s WHERE s.table_name = '{table}'
"""

# What a write replaces: all stored rows that agree with an incoming one in these columns.
REPLACED_BY: dict[str, tuple[str, ...]] = {
    "media_files": ("corpus",),
    "utterances": ("corpus",),
    "folds": ("corpus",),
    "missing_modality_sets": ("corpus",),
    "predictions": ("corpus", "family", "experiment", "fold", "seed", "condition"),
    "dimension_predictions": ("corpus", "family", "experiment", "fold", "seed", "condition"),
    "results": ("corpus", "family", "experiment", "fold", "seed", "condition", "metric"),
    "sweeps": ("corpus", "family", "experiment", "fold", "seed"),
    "imagined": ("corpus", "family", "experiment", "fold", "seed"),
}

FEATURE_SET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,99}")
PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")


def feature_table(feature_set: str) -> str:
    """The table of a feature set: `compare` -> `feature_compare`, `bert:x/y` -> `feature_bert_x_y_<8 hex digits>`.

    A name that is no plain identifier gets a digest, so that two names never share a table. ValueError on any other.
    """
    if not FEATURE_SET_NAME.fullmatch(feature_set):
        raise ValueError(
            f"feature set {feature_set!r}: expected 1-100 of the characters A-Z a-z 0-9 _ . : / @ + -, the first a "
            "letter or digit; rename the set (of a ready-made one, the part of its file name after the modality)"
        )
    if PLAIN_NAME.fullmatch(feature_set):
        return f"feature_{feature_set}"
    digest = hashlib.sha256(feature_set.encode()).hexdigest()[:8]
    return f"feature_{re.sub(r'[^a-z0-9]+', '_', feature_set.lower())[:50]}_{digest}"


def create_tables(connection: "duckdb.DuckDBPyConnection") -> None:
    """Define everything in an empty database."""
    connection.execute(TABLES)
    connection.execute("INSERT INTO store VALUES (?)", [FORMAT])


def known_feature_table(connection: "duckdb.DuckDBPyConnection", feature_set: str) -> str | None:
    """The table of a feature set that is in the catalogue, else None."""
    table = feature_table(feature_set)
    entries = connection.execute("SELECT 1 FROM feature_sets WHERE feature_set = ?", [feature_set]).fetchall()
    return table if entries else None


def add_feature_set(connection: "duckdb.DuckDBPyConnection", feature_set: str, modality: str) -> str:
    """The table of a feature set, made when it is first seen; ValueError when the name is taken by another modality."""
    table = feature_table(feature_set)
    entries = connection.execute("SELECT modality FROM feature_sets WHERE feature_set = ?", [feature_set]).fetchall()
    if not entries:
        connection.execute("INSERT INTO feature_sets VALUES (?, ?, ?)", [feature_set, modality, table])
        connection.execute(FEATURE_TABLE.format(table=table))
        tables = [row[0] for row in connection.execute("SELECT table_name FROM feature_sets ORDER BY 1").fetchall()]
        union = "UNION ALL".join(FEATURES_OF_ONE_TABLE.format(table=name) for name in tables)
        connection.execute(f"CREATE OR REPLACE VIEW features AS {union}")
    elif entries[0][0] != modality:
        raise ValueError(
            f"feature set {feature_set} is stored as {entries[0][0]}, the new parts are {modality}: a name means one "
            "modality; rename the new set"
        )
    return table
