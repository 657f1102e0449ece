"""The table of a terminal fits it, wraps long names and shows deviations only where there are runs to deviate."""

import pandas as pd

from affectory.report.terminal import to_text
from affectory.results.tables import conditions_table
from tests.fixtures.names import NAMES
from tests.fixtures.reports import results_frame

SEVEN = ["{a}", "{v}", "{t}", "{a,v}", "{a,t}", "{v,t}", "{a,v,t}"]
LONG = "mmin_with_quite_a_long_name/and_more"


def test_seven_conditions_fit_eighty_columns():
    lines = to_text(conditions_table(results_frame()), NAMES).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["WA", *SEVEN[:6], "Average", "{a,v,t}"]
    assert sum("MMIN" in line for line in lines) == 2


def test_long_names_are_wrapped_and_the_table_fits_a_hundred_columns():
    text = to_text(conditions_table(results_frame((*NAMES, LONG))), NAMES)
    assert max(map(len, text.splitlines())) <= 100
    assert "MMIN without imagination " in text and "Best " in text  # short titles
    assert text.count(LONG[:30]) == text.count(LONG[30:]) == 2  # not cut; two metrics


def test_one_seed_has_no_line_of_deviations_and_a_long_name_its_second_line_still():
    rows = results_frame(("a name of more than thirty letters",), seeds=1)
    lines = to_text(conditions_table(rows, ["ua"])).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["a", "letters"]
    assert "±" not in to_text(conditions_table(results_frame(seeds=1)))


def test_the_best_mean_has_a_star_and_no_results_no_table():
    text = to_text(conditions_table(results_frame(("mmin", "zeta"), seeds=1), ["ua"]), NAMES)
    values = pd.Series(results_frame(("mmin", "zeta"), seeds=1).query("metric == 'ua' and condition == '{a}'")["value"])
    assert f"{values.max():.3f}*" in text
    assert to_text(conditions_table(results_frame()[:0])) == ""
