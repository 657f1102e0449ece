"""The layout "emorynlp": the tables of EmoryNLP's emotion detection as declare-lab/MELD gives them, and their clips.

    emorynlp_train_final.csv, emorynlp_dev_final.csv, emorynlp_test_final.csv   one line an utterance:
        Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time
        Absolutely.,['Monica Geller'],Powerful,1,5,1,2,00:00:14.139,00:00:15.097
    emorynlp_train_splits/sea1_ep2_sc1_utt5.mp4    one film an utterance; emorynlp_dev_splits/, emorynlp_test_splits/
    media/sea1_ep2_sc1_utt5.mp4                    or all of them in media/

The dev and test tables may be absent. A dialogue is a scene of an episode. Start_Time and End_Time lie in an episode
that is not in the release; they are not read. Several speakers at once are one speaker, `Monica Geller & Rachel Green`;
`#ALL#` is the script's word for everybody.

Source: S. M. Zahiri and J. D. Choi, "Emotion Detection on TV Show Transcripts with Sequence-Based Convolutional Neural
Networks", AAAI workshops 2018; the tables and Utils/read_emorynlp.py (the clips' names) of declare-lab/MELD.
"""

from __future__ import annotations

import re
from functools import partial

from affectory.corpora.corpus import Corpus
from affectory.corpora.layout import Layout
from affectory.corpora.official import first_there, label_of
from affectory.corpora.release_tables import check_tables, read_tables, whole_number
from affectory.corpora.rows import UtteranceRow
from affectory.refusals import Refusal
from affectory.vocabulary import Split

PARTS = {"train": Split.TRAIN, "dev": Split.VAL, "test": Split.TEST}
TABLES = {part: f"emorynlp_{part}_final.csv" for part in PARTS}
CLIPS = {part: f"emorynlp_{part}_splits" for part in PARTS}
COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode")
NAME = "sea{Season}_ep{Episode}_sc{Scene_ID}_utt{Utterance_ID}"
EMOTIONS = ("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared")
NAMES = {name.capitalize(): name for name in EMOTIONS}  # as the tables write them

_SPEAKER = r"""'[^']*'|"[^"]*\""""  # a name as Python prints it
SPEAKERS = re.compile(rf"\[({_SPEAKER})(, ({_SPEAKER}))*\]")


def rows(corpus: Corpus) -> tuple[list[UtteranceRow], list[Refusal]]:
    """The lines of the tables, an utterance each.

    Splits are the official ones, `turn` is the script's number in the scene, which counts lines that are not in the
    release. An utterance without a clip has its text alone.
    """
    return read_tables(corpus, TABLES, COLUMNS, NAME, partial(_utterance, corpus))


def _utterance(corpus: Corpus, part: str, fields: dict[str, str]) -> dict[str, str]:
    """The utterance of a line. Raises RowError for numbers that are none and for an unknown emotion."""
    season, episode, scene, turn = (
        whole_number(fields, column) for column in ("Season", "Episode", "Scene_ID", "Utterance_ID")
    )
    dialogue = f"sea{season}_ep{episode}_sc{scene}"
    name = f"{dialogue}_utt{turn}"
    return {
        "utterance_id": name,
        "dialogue_id": dialogue,
        "turn": turn,
        "speaker": _speaker(fields["Speaker"]),
        "split": PARTS[part].value,
        "media": first_there(corpus, (f"media/{name}.mp4", f"{CLIPS[part]}/{name}.mp4")),
        "transcript": fields["Utterance"],
        "emotion": label_of(fields["Emotion"], NAMES, corpus.emotions or EMOTIONS),
    }


def _speaker(printed: str) -> str:
    """`Ross Geller` for `['Ross Geller']`; what is no such list is the name itself."""
    if not SPEAKERS.fullmatch(printed):
        return printed
    return " & ".join(name[1:-1] for name in re.findall(_SPEAKER, printed))


LAYOUT = Layout(
    name="emorynlp",
    tree=(*TABLES.values(), *CLIPS.values()),
    check=partial(check_tables, tables=tuple(TABLES.values())),
    rows=rows,
    emotions=EMOTIONS,
    shared_speakers=True,
)
