"""What is broken is refused by name and the rest goes on; what leaks is blocked before anything trains."""

import csv
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fixtures.deployments import failures, made

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]
EXTRACTION = "group:ingestion or key:acoustic_features or key:visual_features"


def read_rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(table: Path, rows: list[dict[str, str]]) -> None:
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def broken(new_deployment, demo_corpus):
    """Two good dialogues of the demo, and one of each bad thing beside them; extracted, not trained."""
    deployment = new_deployment()
    root = deployment.places.corpora / "broken"
    (root / "media").mkdir(parents=True)
    (root / "features").mkdir()
    for name in ("d001", "d002"):
        shutil.copy(demo_corpus / "media" / f"{name}.mp4", root / "media")
    (root / "media" / "letter.mp4").write_text("Dear Sir or Madam,\n" * 100)
    rows = [row for row in read_rows(demo_corpus / "utterances.csv") if row["dialogue_id"] in ("d001", "d002")]
    good = dict(rows[0])
    rows += [
        {**good, "utterance_id": "gone", "media": "media/nowhere.mp4"},
        {**good, "utterance_id": "outside", "media": "../../../etc/passwd"},
        {**good, "utterance_id": "late", "start_s": "9000", "end_s": "9001"},
        {**good, "utterance_id": "typo", "emotion": "hapy"},
        {**good, "utterance_id": "letter", "media": "media/letter.mp4"},
        dict(good),
    ]
    write_rows(root / "utterances.csv", rows)
    ids = [rows[place]["utterance_id"] for place in (0, 1, 2, 3)]
    frames = [[[1.0, 2.0]], [[float("nan"), 0.0]], [[1.0, 2.0, 3.0]], [[0.5, 0.5]]]
    pq.write_table(pa.table({"utterance_id": ids, "frames": frames}), root / "features" / "visual.gaze.parquet")
    deployment.ids = ids
    deployment.result = deployment.run("broken", select=EXTRACTION, config={})
    return deployment


def test_a_bad_row_is_refused_with_its_reason(broken):
    reasons = {
        "gone": "media_not_found",
        "outside": "media_outside_corpus",
        "late": "beyond_media_end",
        "typo": "unknown_label",
        "letter": "media_refused",
    }
    for utterance_id, reason in reasons.items():
        rows = broken.query("SELECT reason, detail FROM quarantine WHERE utterance_id = ?", utterance_id)
        assert rows["reason"].tolist() == [reason]
        assert utterance_id in rows["detail"][0]
        assert broken.query("SELECT 1 FROM utterances WHERE utterance_id = ?", utterance_id).empty


def test_a_doubled_utterance_counts_once(broken):
    assert len(broken.query("SELECT 1 FROM utterances WHERE utterance_id = ?", broken.ids[0])) == 1
    reasons = broken.query("SELECT reason FROM quarantine WHERE utterance_id = ?", broken.ids[0])
    assert reasons["reason"].tolist() == ["duplicate_utterance_id"]


def test_a_text_file_named_mp4_is_refused_before_anything_opens_it(broken):
    row = broken.query("SELECT verdict, reason FROM media_files WHERE media = 'media/letter.mp4'")
    assert row.values.tolist() == [["refused", "unreadable_media"]]


def test_bad_rows_of_a_ready_made_file_are_refused_and_good_ones_taken(broken):
    rows = broken.query("SELECT utterance_id, valid, reason FROM features WHERE feature_set = 'gaze'")
    states = dict(zip(rows["utterance_id"], zip(rows["valid"], rows["reason"], strict=True), strict=True))
    first, nan, wide, last = (states[utterance_id] for utterance_id in broken.ids)
    assert first == last == (True, "")
    assert nan == (False, "non_finite_features")
    assert wide == (False, "wrong_width")
    quarantined = broken.query("SELECT utterance_id FROM quarantine WHERE stage = 'visual_features'")
    assert set(quarantined["utterance_id"]) == {broken.ids[1], broken.ids[2]}


def test_the_rest_of_the_corpus_goes_on(broken):
    assert broken.result.success
    utterances = broken.query("SELECT count(*) AS n FROM utterances")["n"][0]
    stored = broken.query("SELECT count(*) AS n FROM features WHERE feature_set = 'compare'")["n"][0]
    assert utterances == stored > 10


def test_refusals_outlive_a_run_that_has_nothing_new_to_do(broken):
    before = broken.query("SELECT utterance_id, stage, reason FROM quarantine ORDER BY ALL")
    assert broken.run("broken", select=EXTRACTION, config={}).success
    after = broken.query("SELECT utterance_id, stage, reason FROM quarantine ORDER BY ALL")
    assert after.equals(before)


def test_a_corpus_of_which_most_is_broken_fails_saying_so(new_deployment):
    deployment = new_deployment()
    media = deployment.places.corpora / "ruined" / "media"
    media.mkdir(parents=True)
    for name in "abc":
        (media / f"{name}.mp4").write_text("not a video")
    result = deployment.run("ruined", select="group:ingestion", config={})
    assert not result.success
    [failure] = failures(result)
    assert "3 of 3 media files were refused" in failure


def test_a_speaker_on_both_sides_of_the_split_stops_the_run_before_training(demo):
    rows = read_rows(table := demo.places.corpora / "demo" / "utterances.csv")
    speaker = next(row["speaker"] for row in rows if row["split"] == "train")
    write_rows(table, [row | ({"speaker": speaker} if row["split"] == "test" else {}) for row in rows])
    result = demo.run("demo", select="not (key:corpora or group:features or group:studies)")
    assert not result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [check.check_name for check in failed] == ["no_speaker_or_dialogue_crosses_splits"]
    assert not made(result) & {"mmin_teacher", "mmin"}


@pytest.mark.slow
def test_a_series_whose_cast_plays_in_all_official_parts_is_trained_and_says_so(new_deployment):
    deployment = new_deployment()
    root = deployment.places.corpora / "series"
    root.mkdir(parents=True)
    (root / "corpus.toml").write_text('licence = "test"\nculture = "en"\nlayout = "meld"\n')
    header = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    for part, dialogues in (("train", 8), ("dev", 3), ("test", 3)):
        lines = [
            f"{turn},How are you {turn}?,{('Joey', 'Ross')[turn % 2]},{('joy', 'anger')[(turn + number) % 2]},neutral,"
            f"{number},{turn},1,1,00:00:01,00:00:02"
            for number in range(dialogues)
            for turn in range(4)
        ]
        (root / f"{part}_sent_emo.csv").write_text("\n".join([header, *lines]))
    config = {"mmgcn": {"config": {"preset": "debug", "seeds": [0]}}}
    select = "group:ingestion or group:features or group:conditions or key:mmgcn or key:evaluation_report"
    assert deployment.run("series", select=select, config=config).success
    note = deployment.query("SELECT DISTINCT protocol FROM folds")["protocol"].tolist()
    assert len(note) == 1 and "2 speakers are in more than one part" in note[0]
    page = (deployment.places.reports / "series" / "evaluation.html").read_text()
    assert "MMGCN" in page and "not of new speakers" in page


def test_a_corpus_of_which_most_rows_are_refused_fails_saying_so(new_deployment, demo_corpus: Path):
    deployment = new_deployment()
    root = deployment.places.corpora / "typos"
    shutil.copytree(demo_corpus, root)
    table = root / "utterances.csv"
    table.write_text(
        table.read_text().replace(",happy,", ",hapy,").replace(",sad,", ",sda,").replace(",angry,", ",agry,")
    )
    result = deployment.run("typos", select="group:ingestion", config={})
    assert not result.success
    [failure] = failures(result)
    assert "utterances were refused" in failure and "unknown_label" in failure
