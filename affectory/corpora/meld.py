"""The layout "meld": MELD's official tables, and its clips where they are.

    train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv   one line an utterance; the last two may be absent:
        Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime
        1,"Oh my God, he’s lost it.",Phoebe,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"
    train_splits/dia0_utt0.mp4                 one film an utterance, as the release's archives unpack: also in train/
    dev_splits_complete/dia0_utt0.mp4          also in dev/
    output_repeated_splits_test/dia0_utt0.mp4  also in test/
    media/dev_dia0_utt0.mp4                    or all of them in media/, under names that no other clip bears

Dialogues are numbered anew in each table: dialogue 0 of the dev part is `dev_dia0`. StartTime and EndTime lie in an
episode that is not in the release; they are not read, a clip is its utterance. Of the clips without a line in a table
(`final_videos_testdia..._utt....mp4` among them) nothing is known and nothing read.

Source: S. Poria et al., "MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations", ACL 2019;
the tables and README of declare-lab/MELD, issues 9, 20, 22, 27 and 39 there for the clips that are absent or wrong.
"""

from __future__ import annotations

from functools import partial

from affectory.corpora.corpus import Corpus
from affectory.corpora.layout import Layout
from affectory.corpora.official import first_there, label_of
from affectory.corpora.release_tables import check_tables, read_tables, whole_number
from affectory.corpora.rows import UtteranceRow
from affectory.refusals import Refusal
from affectory.vocabulary import Split

PARTS = {"train": Split.TRAIN, "dev": Split.VAL, "test": Split.TEST}
TABLES = {part: f"{part}_sent_emo.csv" for part in PARTS}
CLIPS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
NAME = "{part}_dia{Dialogue_ID}_utt{Utterance_ID}"
EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
SENTIMENTS = ("negative", "neutral", "positive")


def rows(corpus: Corpus) -> tuple[list[UtteranceRow], list[Refusal]]:
    """The lines of the tables, an utterance each.

    Splits are the official ones, speakers bear their names in the script, `turn` is the release's own number, which
    leaves out turns that are not in the release. An utterance without a clip has its text alone.
    """
    return read_tables(corpus, TABLES, COLUMNS, NAME, partial(_utterance, corpus))


def _utterance(corpus: Corpus, part: str, fields: dict[str, str]) -> dict[str, str]:
    """The utterance of a line. Raises RowError for numbers that are none and for unknown labels."""
    dialogue, turn = whole_number(fields, "Dialogue_ID"), whole_number(fields, "Utterance_ID")
    return {
        "utterance_id": f"{part}_dia{dialogue}_utt{turn}",
        "dialogue_id": f"{part}_dia{dialogue}",
        "turn": turn,
        "speaker": fields["Speaker"],
        "split": PARTS[part].value,
        "media": _media(corpus, part, f"dia{dialogue}_utt{turn}.mp4"),
        "transcript": fields["Utterance"],
        "emotion": label_of(fields["Emotion"], {name: name for name in EMOTIONS}, corpus.emotions or EMOTIONS),
        "sentiment": label_of(fields["Sentiment"], {name: name for name in SENTIMENTS}, SENTIMENTS),
    }


def _media(corpus: Corpus, part: str, name: str) -> str:
    """The utterance's clip, or nothing where there is none."""
    return first_there(corpus, (f"media/{part}_{name}", f"{CLIPS[part]}/{name}", f"{part}/{CLIPS[part]}/{name}"))


LAYOUT = Layout(
    name="meld",
    tree=(*TABLES.values(), *CLIPS.values(), *(f"{part}/{folder}" for part, folder in CLIPS.items())),
    check=partial(check_tables, tables=tuple(TABLES.values())),
    rows=rows,
    emotions=EMOTIONS,
    shared_speakers=True,
)
