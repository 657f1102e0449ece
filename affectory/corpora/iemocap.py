"""The layout "iemocap": the official release as it is unpacked, in IEMOCAP_full_release/ of the corpus folder.

    SessionN/dialog/EmoEvaluation/<dialogue>.txt       labels, one bracketed line an utterance, annotators below it:
        % [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]
        [6.2901 - 8.2357]<tab>Ses01F_impro01_F000<tab>neu<tab>[2.5000, 2.5000, 2.5000]
        C-E2:<tab>Neutral;<tab>()
        A-E3:<tab>val 3; act 2; dom  2;<tab>()
    SessionN/dialog/transcriptions/<dialogue>.txt      texts; ids with XX and lines of `F:` or `M:` are none:
        Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
    SessionN/sentences/wav/<dialogue>/<utterance>.wav  one sound an utterance
    SessionN/sentences/video/<dialogue>/<utterance>.mp4   not in the release: the speaker's half, see docs/corpora.md

The letter in the dialogue's name says who wears the markers, the letter before the number who speaks.

The release's film of a dialogue, dialog/avi/DivX/<dialogue>.avi, shows both speakers side by side, whoever wears the
markers on the left. It is not read: a face found there may be the listener's. Without a clip in sentences/video an
utterance has its sound and its text, and its visual modality is missing.

Sources: C. Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language Resources and
Evaluation 42, 2008; the lines as the public preparation scripts parse them (Rongjiehuang/GenerSpeech,
exp/data/IEMOCAP/collect_emotion.py; CXianRen/AMST, Doc/dataset/IEMOCAP.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from affectory.corpora.corpus import Corpus, CorpusError
from affectory.corpora.layout import Layout
from affectory.corpora.official import bad_line, is_there, label_of, read_text, refuse_file, row_of
from affectory.corpora.rows import NUMBER, RowError, UtteranceRow, refuse
from affectory.media import MediaError
from affectory.refusals import Refusal

RELEASE = "IEMOCAP_full_release"
LABELS = ("angry", "sad", "neutral", "happy")  # 1,103, 1,084, 1,708 and 1,636 of the 5,531 that the field uses
NAMES = {
    "ang": "angry", "sad": "sad", "neu": "neutral", "hap": "happy", "exc": "excited", "fru": "frustrated",
    "fea": "fearful", "sur": "surprised", "dis": "disgusted", "oth": "", "xxx": "",
}  # fmt: skip

DIALOGUE = re.compile(r"Ses\d\d[FM]_(impro|script)\w+", re.ASCII)
UTTERANCE = re.compile(r"(?P<session>Ses\d\d)[FM]_\w+_(?P<speaker>[FM])\d{3}", re.ASCII)
LABEL_LINE = re.compile(
    r"\[(?P<start>[^\s\]]+) - (?P<end>[^\s\]]+)\]\s+(?P<id>\S+)\s+(?P<code>\S+)\s+"
    r"\[(?P<valence>[^,\]]+),(?P<arousal>[^,\]]+),(?P<dominance>[^,\]]+)\]\s*"
)
BESIDE_LABELS = re.compile(r"\s*|%.*|[CA]-\w+:.*")  # blank lines, the header, annotators
TEXT_LINE = re.compile(r"(?P<id>\S+) +\[[^\]]*\]:(?P<text>.*)")
BESIDE_TEXTS = re.compile(r"\s*|[FM]:.*")


def check(corpus: Corpus) -> None:
    """Raises CorpusError without a label file."""
    if not any(corpus.root.glob(f"{RELEASE}/Session[0-9]/dialog/EmoEvaluation/Ses*.txt")):
        raise CorpusError(
            f"corpus {corpus.name}: expected {RELEASE}/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt and the like, "
            "came no such file; unpack the release into the corpus folder"
        )


def rows(corpus: Corpus) -> tuple[list[UtteranceRow], list[Refusal]]:
    """The lines of the label files, an utterance each, by dialogue and time.

    Speakers are Ses01_F .. Ses05_M, turns count a dialogue's utterances by their start, valence, arousal and dominance
    are the means of the annotators on their scale of 1 to 5.
    """
    utterances: list[UtteranceRow] = []
    refusals: list[Refusal] = []
    for session, dialogue in _dialogues(corpus):
        texts = _texts(corpus, f"{RELEASE}/{session}/dialog/transcriptions/{dialogue}.txt", refusals)
        utterances += _rows(corpus, session, dialogue, texts, refusals)
    return utterances, refusals


def _dialogues(corpus: Corpus) -> list[tuple[str, str]]:
    """(session folder, dialogue) for every file of labels or texts, sorted."""
    files = [
        path
        for kind in ("EmoEvaluation", "transcriptions")
        for path in corpus.root.glob(f"{RELEASE}/Session[0-9]/dialog/{kind}/Ses*.txt")
    ]
    return sorted({(path.parts[-4], path.stem) for path in files if DIALOGUE.fullmatch(path.stem)})


def _lines(corpus: Corpus, path: str, refusals: list[Refusal]) -> Iterator[tuple[int, str]]:
    try:
        yield from enumerate(read_text(corpus, path).split("\n"), start=1)
    except MediaError as error:
        refusals.append(refuse_file(path, error))


def _texts(corpus: Corpus, path: str, refusals: list[Refusal]) -> dict[str, str]:
    """{utterance: what was said}; a line that is neither a text nor one of the release's known others is a refusal."""
    texts: dict[str, str] = {}
    for number, line in _lines(corpus, path, refusals):
        if text := TEXT_LINE.fullmatch(line):
            texts[text["id"]] = text["text"].strip()
        elif not BESIDE_TEXTS.fullmatch(line):
            error = bad_line("UTTERANCE [START-END]: TEXT", line)
            refusals.append(refuse(row_of(path, number), error.reason, error.detail))
    return texts


def _rows(
    corpus: Corpus, session: str, dialogue: str, texts: dict[str, str], refusals: list[Refusal]
) -> Iterator[UtteranceRow]:
    """A dialogue's utterances by start; a line that cannot be one is a refusal."""
    path = f"{RELEASE}/{session}/dialog/EmoEvaluation/{dialogue}.txt"
    labelled: list[tuple[float, int, dict[str, str]]] = []  # start, line, fields
    for number, line in _lines(corpus, path, refusals):
        if BESIDE_LABELS.fullmatch(line):
            continue
        label = LABEL_LINE.fullmatch(line)
        try:
            labelled.append((_start_s(label, line), number, _fields(corpus, dialogue, label, line)))
        except RowError as error:
            row = row_of(path, number, utterance_id=label["id"] if label else "")
            refusals.append(refuse(row, error.reason, error.detail))
    for turn, (_, number, fields) in enumerate(sorted(labelled, key=lambda entry: entry[:2])):
        name = fields["utterance_id"]
        media, text = _media(corpus, session, dialogue, name), texts.get(name, "")
        yield row_of(path, number, dialogue_id=dialogue, turn=str(turn), media=media, transcript=text, **fields)


def _start_s(label: re.Match[str] | None, line: str) -> float:
    if label is None or not NUMBER.fullmatch(label["start"]):
        raise bad_line("[START - END] UTTERANCE EMOTION [V, A, D]", line)
    return float(label["start"])


def _fields(corpus: Corpus, dialogue: str, label: re.Match[str] | None, line: str) -> dict[str, str]:
    """Who spoke, and the labels. Raises RowError for an utterance of another dialogue or an unknown emotion."""
    parts = label and UTTERANCE.fullmatch(label["id"])
    if not label or not parts or not label["id"].startswith(f"{dialogue}_"):
        raise bad_line(f"an utterance of {dialogue}, such as {dialogue}_F000", line)
    return {
        "utterance_id": label["id"],
        "speaker": f"{parts['session']}_{parts['speaker']}",
        "emotion": _emotion(corpus, label["code"]),
        **{column: label[column].strip() for column in ("valence", "arousal", "dominance")},
    }


def _emotion(corpus: Corpus, code: str) -> str:
    """The label of a code; excited is happy where corpus.toml does not name it, as in the field's four classes."""
    labels = corpus.emotions or LABELS
    merged = NAMES if "excited" in labels else NAMES | {"exc": "happy"}
    return label_of(code, merged, labels)


def _media(corpus: Corpus, session: str, dialogue: str, utterance: str) -> str:
    """The clip of the speaker where there is one, else the sound."""
    clip = f"{RELEASE}/{session}/sentences/video/{dialogue}/{utterance}.mp4"
    return clip if is_there(corpus, clip) else f"{RELEASE}/{session}/sentences/wav/{dialogue}/{utterance}.wav"


LAYOUT = Layout(
    name="iemocap",
    tree=tuple(
        f"{RELEASE}/Session[0-9]/{part}"
        for part in ("dialog/EmoEvaluation", "dialog/transcriptions", "sentences/wav", "sentences/video")
    ),
    check=check,
    rows=rows,
    emotions=tuple(filter(None, NAMES.values())),
)
