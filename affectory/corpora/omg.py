"""The layout "omg": the tables of the One-Minute-Gradual Emotion dataset, and its clips where they could be had.

    omg_TrainVideos.csv, omg_ValidationVideos.csv, omg_TestVideos_WithLabels.csv   one line an utterance:
        link,start,end,video,utterance,arousal,valence,EmotionMaxVote
        https://www.youtube.com/watch?v=CROcsl0lIec,15.4127,19.6829,5b44393ed,utterance_4.mp4,0.1701,-0.0237,4
    omg_TrainTranscripts.csv, omg_ValidationTranscripts.csv, omg_TestTranscripts.tsv   what a recogniser heard; the
        last has commas in spite of its name and may be called .csv:
        link,video,utterance,transcript
        "https://www.youtube.com/watch?v=CROcsl0lIec",5b44393ed,utterance_4.mp4,"hi I'm fine"
    media/5b44393ed/utterance_4.mp4    a clip an utterance, as the release's prepare_data.py cuts them; or
    media/5b44393ed.mp4                the whole film, of which start and end are the utterance

All but the first table may be absent, and so may every film: the release has links, of which many no longer work.

An utterance is 5b44393ed_utterance_4, a dialogue one `video`. Who speaks is not told; several videos are cut from one
link, so the link stands for the speaker, and what is disjoint by speaker is disjoint by link. Arousal goes from 0 to 1,
valence from -1 to 1; the emotion is the one that most of the five annotators chose.

Source: P. Barros et al., "The OMG-Emotion Behavior Dataset", IJCNN 2018; the tables, README (codes of the emotions)
and prepare_data.py of knowledgetechnologyuhh/OMGEmotionChallenge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from affectory.corpora.corpus import Corpus
from affectory.corpora.layout import Layout
from affectory.corpora.official import bad_line, first_there, is_there, label_of
from affectory.corpora.release_tables import check_tables, read_table, read_tables
from affectory.corpora.rows import NUMBER, RowError, UtteranceRow
from affectory.refusals import Refusal
from affectory.vocabulary import Split

TABLES = {
    Split.TRAIN: "omg_TrainVideos.csv",
    Split.VAL: "omg_ValidationVideos.csv",
    Split.TEST: "omg_TestVideos_WithLabels.csv",
}
TRANSCRIPTS = {
    Split.TRAIN: ("omg_TrainTranscripts.csv",),
    Split.VAL: ("omg_ValidationTranscripts.csv",),
    Split.TEST: ("omg_TestTranscripts.tsv", "omg_TestTranscripts.csv"),
}
TREE = (*TABLES.values(), *(path for paths in TRANSCRIPTS.values() for path in paths))
COLUMNS = ("link", "start", "end", "video", "utterance", "arousal", "valence", "EmotionMaxVote")
TEXT_COLUMNS = ("video", "utterance", "transcript")
CODES = {"0": "anger", "1": "disgust", "2": "fear", "3": "happy", "4": "neutral", "5": "sad", "6": "surprise"}
EMOTIONS = tuple(CODES.values())
LOWEST = {"arousal": 0.0, "valence": -1.0}  # the highest is 1

VIDEO = re.compile(r"\w[\w\-]{0,79}", re.ASCII)
UTTERANCE = re.compile(r"(?P<name>utterance_(?P<turn>\d{1,6}))\.mp4", re.ASCII)
LINK = re.compile(r"[?&]v=(?P<id>[\w\-]+)", re.ASCII)


def rows(corpus: Corpus) -> tuple[list[UtteranceRow], list[Refusal]]:
    """The lines of the video tables, an utterance each, with their texts out of the transcript tables.

    Splits are the official ones. An utterance without a film has its text and labels alone, its times are those in the
    link's film.
    """
    refusals: list[Refusal] = []
    texts = {split: _texts(corpus, split, refusals) for split in TABLES}
    utterances, unusable = read_tables(
        corpus, TABLES, COLUMNS, "{video}_{utterance}", partial(_utterance, corpus, texts)
    )
    return utterances, refusals + unusable


def _texts(corpus: Corpus, split: Split, refusals: list[Refusal]) -> dict[str, str]:
    """{utterance: what the recogniser heard}; of two lines of one utterance, the first that says something."""
    texts: dict[str, str] = {}
    path = first_there(corpus, TRANSCRIPTS[split])
    for _, fields in read_table(corpus, path, TEXT_COLUMNS, refusals) if path else ():
        name = f"{fields['video']}_{fields['utterance'].removesuffix('.mp4')}"
        texts[name] = texts.get(name) or fields["transcript"]
    return texts


def _utterance(
    corpus: Corpus, texts: Mapping[Split, Mapping[str, str]], split: Split, fields: dict[str, str]
) -> dict[str, str]:
    """The utterance of a line. Raises RowError for names, labels or numbers that cannot be."""
    video, file_name = fields["video"], UTTERANCE.fullmatch(fields["utterance"])
    if not file_name or not VIDEO.fullmatch(video):
        raise bad_line("a video such as 5b44393ed and an utterance such as utterance_4.mp4", ",".join(fields.values()))
    name, link = f"{video}_{file_name['name']}", LINK.search(fields["link"])
    return {
        "utterance_id": name,
        "dialogue_id": video,
        "turn": file_name["turn"],
        "speaker": link["id"] if link else fields["link"],
        "split": split.value,
        **_place(corpus, video, fields),
        "transcript": texts[split].get(name, ""),
        "emotion": label_of(fields["EmotionMaxVote"], CODES | {"": ""}, corpus.emotions or EMOTIONS),
        **{column: _within(fields[column], column) for column in LOWEST},
    }


def _place(corpus: Corpus, video: str, fields: dict[str, str]) -> dict[str, str]:
    """The clip whole, or else start and end in the film where there is one, and in the link's where there is none."""
    clip, film = f"media/{video}/{fields['utterance']}", f"media/{video}.mp4"
    if is_there(corpus, clip):
        return {"media": clip}
    media = film if is_there(corpus, film) else ""
    return {"media": media, "start_s": fields["start"], "end_s": fields["end"]}


def _within(value: str, column: str) -> str:
    """The value as it stands; what is no number is left for the check of the row. Raises RowError beyond the scale."""
    lowest = LOWEST[column]
    if NUMBER.fullmatch(value) and not lowest <= float(value) <= 1.0:
        came = f"expected {column} from {lowest:g} to 1, came {value[:40]}; copy the table from the release again"
        raise RowError("bad_number", came)
    return value


LAYOUT = Layout(
    name="omg",
    tree=TREE,
    check=partial(check_tables, tables=TREE),
    rows=rows,
    emotions=EMOTIONS,
    released=(
        "OMG-Emotion was released with 2,442 / 617 / 2,229 utterances (train / val / test), as links, many of which no "
        "longer work; the slides’ author still found 1,790 / 550 / 1,450 of them."
    ),
)
