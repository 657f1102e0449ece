"""A section in HTML: every text escaped, every table and picture described, spans and groups where they belong."""

import pytest

from affectory.report.html import marked, section_html
from affectory.report.section import Block, Grid, Group, Section, Value
from tests.fixtures.pages import Page
from tests.fixtures.sections import differences, hostile_section, section


def html_of(*items: Grid) -> str:
    return section_html(Section(title="S", blocks=(Block(items),)))


@pytest.fixture(scope="module")
def html() -> str:
    return section_html(section(), "section-1")


def test_a_section_is_well_formed_and_every_table_and_picture_is_described(html):
    page = Page(html)
    assert page.open == []
    assert html.count("<table") == html.count("<caption") == 3
    assert all(image["alt"] and str(image["src"]).startswith("data:image/svg+xml") for image in page.all("img"))
    assert all(region["tabindex"] == "0" and region["aria-label"] for region in page.all("div"))
    assert page.all("section")[0]["aria-labelledby"] == page.all("h2")[0]["id"] == "section-1"


def test_hostile_texts_stay_text():
    page = Page(section_html(hostile_section()))
    assert page.open == []
    assert not page.all("script") and len(page.all("img")) == 1  # the figure
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_everything_that_a_section_says_is_there(html):
    for text in ("<code>make study</code>", "1 &lt; 2", "<h3>Against others</h3>", "No sweep of missing rates"):
        assert text in html
    assert "<dt>Best (preset <code>best</code>)</dt><dd>votes</dd>" in html


def test_folded_tables_open_under_their_title(html):
    assert "<summary>Further scores</summary>" in html and '<caption class="heard">Further scores</caption>' in html


def test_values_carry_weight_mark_and_spread():
    values = (Value("0.610", "± 0.010", "†", strong=True), Value("–"))
    html = html_of(Grid(title="UA", columns=("{a}", "{v}"), groups=(Group((("MMIN", values),)),)))
    assert '<strong>0.610</strong><sup>†</sup><span class="spread">± 0.010</span></td>' in html
    assert '<td class="number">–</td>' in html


def test_spans_stand_over_their_columns_and_words_are_not_set_as_numbers():
    html = html_of(differences())
    heads = Page(html).all("th")
    assert [(th["colspan"], th["class"]) for th in heads if th.get("scope") == "colgroup"] == [("5", "span")] * 2
    assert html.count('class="number start"') == 6 and html.count('class="words"') == 6  # a head and two lines each
    assert "d<sub>z</sub>" in html


def test_groups_have_headings_only_where_they_have_any_and_columns_may_stand_apart():
    line = (("x", (Value("1"), Value("2"))),)
    groups = (Group(line), Group(line, "UA", "mean recall"))
    html = html_of(Grid(title="t", columns=("a", "b"), groups=groups, emphasised=frozenset({1})))
    assert html.count('scope="rowgroup"') == 1 and "UA <small>mean recall</small>" in html
    assert html.count('class="number apart"') == 3


def test_many_meanings_are_folded():
    few, many = (Section(title="S", meanings=(("x", "y"),) * number) for number in (3, 40))
    assert "<details open>" in section_html(few) and "<details>" in section_html(many)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`a_b` and d_z", "<code>a_b</code> and d<sub>z</sub>"),
        ("a lone ` stays", "a lone ` stays"),
        ("`<b>` & <b>", "<code>&lt;b&gt;</code> &amp; &lt;b&gt;"),
        ("mmin_no_cycle", "mmin_no_cycle"),
        ("", ""),
    ],
)
def test_sentences_are_escaped_and_marked(text, shown):
    assert marked(text) == shown


def test_a_table_whose_lines_or_spans_do_not_fit_its_columns_is_refused():
    with pytest.raises(ValueError, match="table t: line x has 1 values for 2 columns"):
        Grid(title="t", columns=("a", "b"), groups=(Group((("x", (Value("1"),)),)),))
    with pytest.raises(ValueError, match="table t: its spans do not cover its 2 columns"):
        Grid(title="t", columns=("a", "b"), groups=(), spans=(("s", 1),))
