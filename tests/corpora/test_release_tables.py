"""The tables of releases: what spreadsheets did to their bytes, quotes and commas."""

import pytest

from affectory.corpora import Corpus, CorpusError
from affectory.corpora.release_tables import read_table, whole_number
from affectory.corpora.rows import RowError


def table(tmp_path, content: str | bytes, columns=("id", "text")):
    (tmp_path / "t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    refusals = []
    lines = list(read_table(Corpus(name="c", root=tmp_path), "t.csv", columns, refusals))
    return [(line, fields["id"], fields["text"]) for line, fields in lines], refusals


def test_a_curly_apostrophe_is_one_however_it_was_saved(tmp_path):
    for apostrophe in ["’".encode(), b"\x92", "\x92".encode()]:
        lines, refusals = table(tmp_path, b"id,text\n1,it" + apostrophe + "s Nestlé\n".encode())
        assert lines == [(2, "1", "it’s Nestlé")] and not refusals


def test_three_dots_saved_as_a_line_break_of_old_terminals_stay_in_their_line(tmp_path):
    lines, _ = table(tmp_path, "id,text\n1,So\x85 So\u2028yes\n")
    assert lines == [(2, "1", "So… So\u2028yes")]


def test_a_byte_that_means_nothing_is_a_replacement_character(tmp_path):
    assert table(tmp_path, b"id,text\n1,a\x81b\n")[0] == [(2, "1", "a\ufffdb")]


def test_a_mark_at_the_start_and_windows_line_ends_are_no_text(tmp_path):
    assert table(tmp_path, "\ufeffid,text\r\n1, yes \r\n\r\n2,no\r\n")[0] == [(2, "1", "yes"), (4, "2", "no")]


def test_a_line_with_too_many_or_too_few_fields_is_refused_and_the_rest_is_read(tmp_path):
    lines, refusals = table(tmp_path, 'id,text\n1,a,b\n2\n3,"a, b"\n')
    assert lines == [(4, "3", "a, b")]
    assert [refusal.reason for refusal in refusals] == ["bad_row", "bad_row"]
    assert "(t.csv line 2): expected 2 fields, came 3; copy" in refusals[0].detail


def test_a_quote_that_does_not_close_costs_its_own_line_alone(tmp_path):
    for broken in ['2,"open', '2,"o"pen', '2,"' + "x" * 200_000]:
        lines, refusals = table(tmp_path, f'id,text\n1,a\n{broken}\n3,"c"\n')
        assert lines == [(2, "1", "a"), (4, "3", "c")]
        assert "(t.csv line 3): expected 2 fields, came quotes that do not close" in refusals[0].detail


def test_a_header_without_a_needed_column_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CorpusError, match=r"c/t\.csv: expected a first line with.*without text: 'id, words'; copy"):
        table(tmp_path, "id,words\n1,a\n")


def test_only_digits_are_a_whole_number():
    for text in ["", "-1", "1.5", "²", "1" * 10]:
        assert whole_number({"n": "007"}, "n") == "7"
        with pytest.raises(RowError, match="expected a whole number in n"):
            whole_number({"n": text}, "n")
