"""Sections in Markdown: even tables, everything escaped, marks and headings where they belong."""

import pandas as pd

from affectory.report.conditions import conditions_grid
from affectory.report.markdown import findings_markdown, grid_markdown, section_markdown
from affectory.report.section import Block, Figure, Grid, Group, Section, Value
from affectory.results.tables import conditions_table
from tests.fixtures.names import NAMES
from tests.fixtures.pages import HOSTILE
from tests.fixtures.reports import results_frame
from tests.fixtures.sections import hostile_section, section


def test_a_section_is_its_lede_then_its_tables_and_at_last_what_the_rows_are():
    parts = section_markdown(section()).rstrip("\n").split("\n\n")
    kinds = [part.split("\n")[0].split(" ")[0] for part in parts]
    assert kinds == ["How", "|", "A", "|", "####", "|", "Of", "```text"]
    assert parts[4] == "#### Against others"
    assert parts[-1] == "```text\nMMIN                imagines what is missing\nBest (preset best)  votes\n```"


def test_the_findings_are_a_list_of_their_own():
    assert findings_markdown(section()).splitlines() == [
        "- MMIN is higher: 0.610 of `mmin`, 1 &lt; 2.",
        "- Nothing else is shown.",
    ]
    assert "is higher" not in section_markdown(section())


def test_values_carry_weight_mark_and_spread():
    values = (Value("0.610", "± 0.010", "†", True), Value("0.600", "± 0.020"), Value("–"))
    grid = Grid(title="UA", columns=("{a}", "{v}", "{t}"), groups=(Group((("MMIN", values),)),))
    assert grid_markdown(grid).splitlines() == [
        "| UA | {a} | {v} | {t} |",
        "|:--|--:|--:|--:|",
        "| MMIN | **0.610**† ± 0.010 | 0.600 ± 0.020 | – |",
    ]


def test_a_mark_stands_after_the_mean_it_is_given_for_and_nowhere_else():
    rows = pd.DataFrame({"experiment": ["mmin", "full_baseline"], "value": [0.61, 0.6]})
    table = conditions_table(rows.assign(metric="ua", condition="{a}", fold=0, seed=0), ["ua"], NAMES)
    grid = conditions_grid(table, title="Scores", names=NAMES, marked={("ua", "mmin", "{a}"): "†"})
    lines = grid_markdown(grid).splitlines()[2:]
    heading = "| *UA, mean recall of the classes* |  |"
    assert lines == [heading, "| Full-modality baseline | 0.600 |", "| MMIN | **0.610**† |"]


def test_a_column_says_its_span_only_where_another_has_its_name():
    lines = [("x", (Value("1"),) * 5)]
    spans = (("", 2), ("Slides", 2), ("Time", 1))
    columns = ("Valence", "Arousal", "Valence", "Arousal", "Seconds")
    grid = Grid(title="CCC", columns=columns, groups=(Group(tuple(lines)),), spans=spans)
    assert grid_markdown(grid).splitlines()[0] == (
        "| CCC | Valence | Arousal | Slides: Valence | Slides: Arousal | Seconds |"
    )


def test_columns_of_words_stand_left():
    values = (Value("0.1"), Value("holds"))
    grid = Grid(title="t", columns=("p", "Test"), groups=(Group((("x", values), ("y", (Value("–"),) * 2))),))
    assert grid_markdown(grid).splitlines()[1] == "|:--|--:|:--|"


def test_headings_of_groups_are_italic_lines_and_tables_have_even_lines():
    table = conditions_table(results_frame(("mmin", "a|<b>")), names=NAMES)
    lines = grid_markdown(conditions_grid(table, title="Scores", names=NAMES)).splitlines()
    assert lines[2].startswith("| *WA, accuracy* |")
    assert any(line.startswith("| a\\|&lt;b&gt; |") for line in lines)
    assert {line.replace("\\|", "").count("|") for line in lines} == {10}


def test_hostile_texts_are_escaped_everywhere():
    text = section_markdown(hostile_section()) + findings_markdown(hostile_section())
    outside = "".join(text.split("```")[::2])
    assert HOSTILE in text.split("```")[1].replace("text\n", "")  # a fenced block, which shows it as it is
    assert "<script" not in outside and "<img" not in outside


def test_a_section_of_pictures_alone_has_no_headings_without_tables():
    picture = Figure(name="p", title="P", caption="c", draw=lambda form: b"")
    assert section_markdown(Section(title="S", blocks=(Block((picture,), "Pictures"),))) == "\n"
