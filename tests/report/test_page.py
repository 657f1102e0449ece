"""The report stands alone as one page, escapes everything, fits odd corpora and claims no more than its numbers."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from affectory.report.corpus_tables import chance_level
from affectory.report.data import CorpusFacts, ReportData
from affectory.report.page import render_report
from affectory.report.summary import corpus_summary, results_summary
from affectory.vocabulary import Modality
from tests.fixtures.names import NAMES
from tests.fixtures.pages import HOSTILE, Page
from tests.fixtures.reports import facts, provenance, report_data
from tests.fixtures.sections import hostile_section, section

RESULT_COLUMNS = (
    "corpus", "family", "experiment", "fold", "seed", "condition", "metric", "value", "selected_on", "mlflow_run_id",
)  # fmt: skip
COVERAGE_COLUMNS = ["split", "utterances", "labelled", "media"]


def undrawn(data: ReportData) -> ReportData:
    """The same without learning curves, which take most of the time."""
    return replace(data, history=data.history[:0])


@pytest.fixture(scope="module")
def full() -> str:
    return render_report(replace(report_data(), sections=(section(), section(title="Valence and arousal"))))


def compared(ours: list[float], theirs: list[float]) -> list[str]:
    """The summary of MMIN against the augmented baseline, one value a seed, the same under every condition."""
    rows = [
        ("demo", "mmin", experiment, 0, seed, condition, "ua", value, "val", "r")
        for experiment, values in (("mmin", ours), ("augmented_baseline", theirs))
        for seed, value in enumerate(values)
        for condition in ("{a}", "{v}", "{a,v}")
    ]
    return results_summary(
        ReportData(
            corpus="c",
            facts=facts(),
            provenance=provenance(),
            results=pd.DataFrame(rows, columns=RESULT_COLUMNS),
            names=NAMES,
        )
    )


def test_the_page_is_well_formed_and_every_table_and_picture_is_described(full):
    page = Page(full)
    assert page.open == []
    assert full.count("<table") == full.count("<caption")
    assert all(image["alt"] for image in page.all("img"))
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {link["href"] for link in page.all("a") if str(link["href"]).startswith("#")} <= {
        f"#{i}" for i in identifiers
    }


def test_the_page_stands_alone(full):
    page = Page(full)
    assert not page.all("script") and not page.all("iframe") and not page.all("object")
    assert "@import" not in full and "url(" not in full
    assert all(str(image["src"]).startswith("data:image/svg+xml;base64,") for image in page.all("img"))
    assert all(link["href"] == "data:," for link in page.all("link"))
    outside = [str(link["href"]) for link in page.all("a") if not str(link["href"]).startswith("#")]
    assert outside and all(address.startswith("http://127.0.0.1:5000/#/runs/") for address in outside)
    assert set(re.findall(r"https?://[^/\"'\s<]+", full)) == {"http://127.0.0.1:5000"}


def test_runs_are_plain_text_without_a_server_or_with_one_that_is_no_web_address():
    for server in ("", "javascript:alert(1)//", "file:///tmp"):
        data = undrawn(report_data([Modality.ACOUSTIC], seeds=1))
        page = render_report(replace(data, provenance=replace(data.provenance, mlflow_url=server)))
        assert "full_baseline-0-0" in page
        assert "javascript:" not in page and "file:" not in page


def test_everything_hostile_is_escaped():
    data, words = report_data(seeds=1), {"angry": HOSTILE}
    held = replace(
        data.facts,
        label_counts=data.facts.label_counts.replace({"label": words}),
        missingness=data.facts.missingness.replace({"reason": {"no_face": HOSTILE}}),
        quarantine=pd.DataFrame([[HOSTILE] * 5], columns=data.facts.quarantine.columns),
        description=HOSTILE, protocol=HOSTILE, licence=HOSTILE, released=HOSTILE, planted=(HOSTILE,),
    )  # fmt: skip
    source = replace(
        data.provenance,
        dagster_run_id=HOSTILE,
        mlflow_how=HOSTILE,
        versions={HOSTILE: HOSTILE},
        feature_sets={"visual": HOSTILE},
    )
    named = {"experiment": {"augmented_baseline": HOSTILE}}
    page = Page(
        render_report(
            replace(
                data,
                corpus=HOSTILE,
                facts=held,
                provenance=source,
                notes=(HOSTILE,),
                sections=(hostile_section(),),
                results=data.results.replace({**named, "selected_on": {"val": HOSTILE}, "family": {"mmin": HOSTILE}}),
                runs=data.runs.replace({**named, "selected_on": {"val": HOSTILE}}),
                predictions=data.predictions.replace({**named, "label": words, "predicted": words}),
                history=data.history.replace({**named, "name": {"loss/ce": f"loss/{HOSTILE}"}}),
            )
        )
    )
    assert page.open == []
    assert not page.all("script")
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


@pytest.mark.parametrize("modalities", [[Modality.ACOUSTIC, Modality.TEXTUAL], [Modality.VISUAL]])
def test_corpora_of_fewer_modalities_have_fewer_columns(modalities):
    page = render_report(undrawn(report_data(modalities)))
    assert "{a,v,t}" not in page
    assert ("two missing conditions" in page) is (len(modalities) == 2)
    assert ("no average and no MMIN" in page) is (len(modalities) == 1)


def test_a_corpus_without_labels_says_why_it_has_no_model():
    data = ReportData(corpus="clips", facts=facts(labelled=False), provenance=provenance())
    page = render_report(data)
    assert "There is no model of this corpus: none of its utterances carries an emotion label." in page
    assert 'class="scores' not in page and "<img" not in page
    assert "no video track" in page  # the corpus's own facts stay
    assert chance_level(data.facts) is None


def test_the_callers_reason_replaces_the_derived_one():
    data = ReportData(corpus="c", facts=facts(), provenance=provenance(), notes=("mmin skipped: one class only",))
    assert results_summary(data) == ["mmin skipped: one class only"]


def test_an_empty_corpus_renders():
    nothing = CorpusFacts(media_files=0, utterances=0, dialogues=0, speakers=0)
    assert "No features have been extracted." in render_report(
        ReportData(corpus="c", facts=nothing, provenance=provenance())
    )


def test_one_seed_shows_no_deviation_and_says_so():
    data = report_data(seeds=1)
    assert 'class="spread"' not in render_report(undrawn(data))
    assert any("there is no deviation" in line for line in results_summary(data))


def test_a_frame_without_its_columns_is_refused_by_name():
    with pytest.raises(ValueError, match=r"report of demo: history lacks columns \['epoch'\]"):
        replace(report_data(), history=report_data().history.drop(columns="epoch"))


def test_the_summary_gives_the_difference_with_its_paired_deviation():
    first = compared([0.70, 0.80], [0.60, 0.68])[0].replace("\N{NO-BREAK SPACE}", " ")
    assert first == (
        "Averaged over the two missing conditions, MMIN reaches UA 0.750: "
        "0.110 ± 0.014 above the augmented baseline (0.640)."
    )


def test_the_summary_says_when_the_baseline_is_ahead():
    assert "below the augmented baseline (0.640), so the baseline is ahead." in compared([0.50, 0.58], [0.60, 0.68])[0]


def test_the_summary_does_not_separate_what_the_deviation_covers():
    assert "which these runs do not tell from no difference" in compared([0.60, 0.70], [0.65, 0.62])[0]
    assert "level with the augmented baseline (0.650)" in compared([0.60, 0.70], [0.70, 0.60])[0]


def test_the_summary_names_what_is_not_above_chance():
    lines = compared([0.60, 0.60], [0.25, 0.25])  # four classes
    assert "Not above chance (UA 0.250) by more than a deviation: Augmented baseline under {a}, {v}, {a,v}." in lines


def test_selection_on_test_is_called_optimistic():
    data = report_data(seeds=1)
    lines = results_summary(replace(data, results=data.results.assign(selected_on="test/ua")))
    assert any("selected on test/ua: those scores are optimistic" in line for line in lines)


def test_the_summary_never_ranks_methods_and_gives_the_size_of_the_test():
    scope = results_summary(report_data())[-1]
    assert "they do not rank methods" in scope
    assert "36 utterances; a single one is 0.028 of WA" in scope  # 1 / 36


def test_utterances_without_a_feature_row_count_as_not_extracted():
    page = render_report(ReportData(corpus="c", facts=facts(), provenance=provenance()))
    assert "139 of 160" in page
    assert "4 not extracted" in page  # 160 - 139 - 13 - 4
    assert "visual in 17 (11" in corpus_summary(report_data())[1]


def test_a_long_quarantine_is_cut_and_says_so():
    data = undrawn(report_data([Modality.ACOUSTIC], seeds=1))
    refused = pd.DataFrame(
        [["m.mp4", f"u{n}", "utterances", "bad_number", "x"] for n in range(60)], columns=data.facts.quarantine.columns
    )
    page = render_report(replace(data, facts=replace(data.facts, quarantine=refused)))
    assert "The first 50 of 60 refused items" in page
    assert "u49<" in page and "u50<" not in page


def test_the_caption_says_what_is_averaged_marked_and_selected(full):
    assert "Average: mean over the six missing conditions, recomputed from them in each run." in full
    assert "strictly highest mean of its column" in full
    assert "The epoch of each run was selected on the validation part." in full


def test_each_section_is_reached_from_the_top_and_its_headline_stands_in_the_summary(full):
    anchors = {str(link["href"]) for link in Page(full).all("a")}
    assert {"#section-1", "#section-2"} <= anchors and "#section-3" not in anchors
    assert full.count("<li>MMIN is higher.</li>") == 2
    assert "section-1" not in render_report(undrawn(report_data([Modality.ACOUSTIC], seeds=1)))


def test_a_section_speaks_for_a_corpus_without_labels():
    data = ReportData(corpus="c", facts=facts(labelled=False), provenance=provenance(), sections=(section(),))
    assert results_summary(data) == ["MMIN is higher."]


def test_runs_of_families_without_a_table_of_classes_are_listed_too():
    data = undrawn(report_data([Modality.ACOUSTIC], seeds=1))
    run = {"experiment": "multimodal", "fold": 0, "seed": 0, "selected_on": "val", "mlflow_run_id": "run-of-dimensions"}
    more = pd.DataFrame([run, run])
    page = render_report(replace(data, runs=pd.concat([data.runs, more])))
    assert "run-of-dimensions" in page and "2 training runs" in page


def test_what_stands_in_backticks_is_code_and_nothing_else_is():
    data = undrawn(report_data([Modality.ACOUSTIC], seeds=1))
    page = render_report(replace(data, notes=("Train with `make study <name>`, or 1 < 2 ` alone.",)))
    assert "Train with <code>make study &lt;name&gt;</code>, or 1 &lt; 2 ` alone." in page


def test_the_split_is_beside_what_was_released_where_that_is_known():
    counts = pd.DataFrame([("train", 1200, 1200, 1100), ("test", 30, 30, 20)], columns=COVERAGE_COLUMNS)
    held = replace(facts(), coverage=counts)
    page = render_report(ReportData(corpus="c", facts=held, provenance=provenance()))
    assert "not comparable" not in page and '<td class="number">1,230</td>' in page
    released = replace(held, released="It was released with 2,442 / 617 / 2,229 utterances.")
    page = render_report(ReportData(corpus="c", facts=released, provenance=provenance()))
    assert (
        "It was released with 2,442 / 617 / 2,229 utterances. Here are the rows of 1,200 / 0 / 30, and the media of "
        "1,100 / 0 / 20. Scores on different parts of it are not comparable."
    ) in page
