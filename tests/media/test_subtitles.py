"""Transcripts beside a video: what is read, and which utterance gets which words."""

from math import inf
from pathlib import Path

import pytest

from affectory.media.subtitles import Cue, TranscriptError, assign, read_transcript


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_subrip_cues_carry_their_times_and_lose_their_markup(tmp_path: Path):
    first = "1\r\n00:00:01,500 --> 00:00:03,000\r\n<i>Hello</i>\r\nthere\r\n\r\n"
    path = written(tmp_path, "a.srt", first + "2\r\n01:00:00,0 --> 01:00:01,0\r\nBye\r\n")
    assert read_transcript(path) == [Cue(1.5, 3.0, "Hello there"), Cue(3600.0, 3601.0, "Bye")]


def test_webvtt_minutes_without_hours_are_read(tmp_path: Path):
    path = written(tmp_path, "a.vtt", "WEBVTT\n\nintro\n00:01.000 --> 00:02.500 align:left\nHello\n")
    assert read_transcript(path) == [Cue(1.0, 2.5, "Hello")]


def test_a_table_keeps_words_that_look_like_missing_values(tmp_path: Path):
    path = written(tmp_path, "a.csv", "start_s,end_s,transcript\n0,1,NA\n1,2,null\n2,3,\n")
    assert [cue.text for cue in read_transcript(path)] == ["NA", "null"]


def test_a_plain_text_spans_the_whole_file(tmp_path: Path):
    assert read_transcript(written(tmp_path, "a.txt", "So\n it goes\n")) == [Cue(0.0, inf, "So it goes")]


def test_what_is_no_transcript_is_refused_with_the_reason(tmp_path: Path):
    for name, text, message in [
        ("a.doc", "x", "expected one of .srt, .vtt, .csv, .txt, got .doc"),
        ("a.csv", "start,end\n1,2\n", "expected columns start_s, end_s, transcript"),
        ("a.csv", "start_s,end_s,transcript\n0,1,a\nsoon,2,b\n", "line 3: expected seconds, got 'soon' and '2'"),
        ("a.csv", "start_s,end_s,transcript\nnan,2,b\n", "line 2: expected seconds"),
        ("a.srt", "no times at all\n", "expected text, found none"),
    ]:
        with pytest.raises(TranscriptError, match=message):
            read_transcript(written(tmp_path, name, text))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(TranscriptError, match="UTF-8"):
        read_transcript(tmp_path / "a.txt")


def test_a_cue_goes_to_the_utterance_it_overlaps_most_and_one_outside_all_is_named():
    cues = [Cue(0.0, 2.5, "Hello"), Cue(2.5, 4.0, "you"), Cue(8.0, 9.0, "Bye")]
    texts, outside = assign(cues, [(0.0, 2.0), (2.0, 5.0), (5.0, 6.0)])
    assert texts == ["Hello", "you", None]
    assert outside == [Cue(8.0, 9.0, "Bye")]


def test_a_plain_text_fits_one_utterance_only():
    cue = Cue(0.0, inf, "Hello")
    assert assign([cue], [(1.0, 2.0)]) == (["Hello"], [])
    with pytest.raises(TranscriptError, match=r"found 2 utterances.*\.srt"):
        assign([cue], [(1.0, 2.0), (3.0, 4.0)])
