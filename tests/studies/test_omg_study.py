"""The study of valence and arousal: its rows, the slides' numbers beside them, and sentences that follow the scores."""

from dataclasses import replace

import pytest

from affectory.report.markdown import section_markdown
from affectory.report.section import Grid, Section
from affectory.studies.omg_study import (
    AUDIO,
    MULTIMODAL,
    PUBLISHED,
    SLIDES_NUMBERS,
    STUDY,
    audio_rows,
    face_rows,
    feature_rows,
    modality_rows,
    published_grid,
)
from tests.fixtures.dimensions import both, dimension_data, of_values
from tests.fixtures.studies import of_study, section_of, sentences_of

SOUND_VALUES = {"conv2d_5": {"{a}": [0.1]}, "vgg16": {"{a}": [0.9]}}
HEADINGS = ["Sound", "Faces", "Modalities together", "Published systems", "After training"]


@pytest.fixture(scope="module")
def section() -> Section:
    return section_of(dimension_data())


@pytest.fixture(scope="module")
def of_valence() -> Section:
    return section_of(dimension_data(1, ("valence",)))


def texts(grid: Grid | None, title: str) -> list[str]:
    assert grid is not None
    lines = {name: values for group in grid.groups for name, values in group.lines}
    return [value.text for value in lines[title]]


def test_the_slides_numbers_are_as_printed_valence_before_arousal():
    totals = {"vgg16_pretrained": 0.480, "conv_1d_2d": 0.240, "resnet50_gru": 0.626, "vgg16_rnn": 0.497}
    for name, total in totals.items():
        assert sum(SLIDES_NUMBERS[name]) == pytest.approx(total)
    audio = {row.name for row in AUDIO}
    assert audio < set(SLIDES_NUMBERS) and len(audio) == 9 and len(SLIDES_NUMBERS) == 20
    assert len(PUBLISHED) == 12
    assert PUBLISHED["GammaLab (VA)"] == ("0.498", "0.361")
    assert PUBLISHED["ResNet50 + GRU (V), slides"] == ("0.446", "0.180")


def test_rows_are_titled_by_network_and_by_what_runs_over_the_faces():
    names = STUDY.names
    for name, title in {
        "resnet50_pretrained": "ResNet50 (P)",
        "vgg16_conv1d_4": "VGG16 + 4Conv1D",
        "mobilenet_v3_small_gru_random": "MobileNetV3-Small + GRU (random weights)",
        "resnet50_gru_fine_tuned_random": "ResNet50 + GRU (fine-tuned, random weights)",
        "conv_attention_of_mine": "conv_attention_of_mine",
    }.items():
        assert names.title(name) == title
    (meaning,) = names.meanings(["resnet50_gru_fine_tuned_random"])
    assert meaning[1] == "ResNet50 of each face, with random weights, trained too; GRU over the faces"


def test_rows_are_ordered_as_on_the_slides_and_random_weights_come_last():
    names = ["conv2d_5", "vgg16", "resnet50_gru", "resnet50_lstm", "vgg16_rnn", "resnet50_gru_fine_tuned"]
    names += ["vgg16_rnn_random", "multimodal", "mine"]
    assert STUDY.names.in_order(reversed(names)) == names


def test_rows_are_grouped_by_what_they_read_and_an_unknown_row_is_among_those_of_several_modalities():
    def groups(*names: str) -> list[list[str]]:
        data = of_values({name: {"{a}": [0.1]} for name in names})
        return [rows(data) for rows in (audio_rows, feature_rows, face_rows, modality_rows)]

    assert groups("mine", "vgg16") == [["vgg16"], [], [], ["mine"]]
    assert groups("conv2d_5_mfcc", "conv2d_5") == [["conv2d_5"], ["conv2d_5", "conv2d_5_mfcc"], [], []]
    assert groups("conv2d_5_mfcc") == [[], ["conv2d_5_mfcc"], [], []]
    assert modality_rows(dimension_data()) == [row.name for row in MULTIMODAL]
    assert not any(groups())


def test_the_best_row_is_told_with_its_distance_to_the_next():
    text = sentences_of(both({"conv2d_5": {"{a}": [0.2, 0.3, 0.4]}, "vgg16": {"{a}": [0.1, 0.25, 0.25]}}))
    assert (
        "Sound: 5Conv2D has the highest total CCC of 2 rows, 0.600 ± 0.200 (valence 0.300, arousal 0.300), "
        "0.200 ± 0.100 above VGG16 (NP) (0.400), more than the spread over runs (paired p 0.074)."
    ) in text
    one = sentences_of(both({"conv2d_5": {"{a}": [0.2]}}))
    assert "Sound: 5Conv2D reaches total CCC 0.400 (valence 0.200, arousal 0.200)." in one


def test_two_runs_test_nothing_and_one_run_has_no_spread():
    two = sentences_of(both({"conv2d_5": {"{a}": [0.2, 0.3]}, "vgg16": {"{a}": [0.1, 0.25]}}))
    assert "paired p" not in two and "Fewer than three runs test nothing." in two
    one = sentences_of(both({"conv2d_5": {"{a}": [0.2]}, "vgg16": {"{a}": [0.1]}}))
    assert "One run of each row, so there is no deviation, and any difference may be chance." in one and "±" not in one


def test_feature_sets_are_compared_under_one_network():
    text = sentences_of(both({f"conv2d_5{end}": {"{a}": [v]} for end, v in (("", 0.3), ("_mfcc", 0.1), ("_mel", 0.2))}))
    assert "Of 3 feature sets under 5Conv2D, log-mel is highest, 0.600, 0.200 above mel (0.400), in one run" in text
    assert "; then MFCC 0.200." in text
    assert "feature sets" not in sentences_of(both({"conv2d_5": {"{a}": [0.3]}, "vgg16": {"{a}": [0.2]}}))


def test_gru_lstm_and_rnn_are_compared_over_the_networks_that_have_all_three():
    values = {f"resnet50_{t}": {"{v}": [v]} for t, v in (("rnn", 0.1), ("gru", 0.2), ("lstm", 0.3))}
    values |= {f"vgg16_{t}": {"{v}": [v]} for t, v in (("rnn", 0.1), ("gru", 0.4), ("lstm", 0.1))}
    text = sentences_of(both({**values, "densenet121_rnn": {"{v}": [0.9]}}))
    assert "In the mean over 2 networks of a face, GRU is highest, 0.600, 0.200 above LSTM (0.400), in one run" in text
    assert "; then RNN 0.200." in text


def test_augmentation_is_told_in_the_mean_over_missing_conditions():
    full = {"{a}": [0.1], "{v}": [0.3], "{a,v}": [0.6]}
    augmented = {"{a}": [0.3], "{v}": [0.4], "{a,v}": [0.5]}
    assert (
        "Training on missing conditions too, mean CCC: in the mean over the two missing conditions it reaches 0.350, "
        "0.150 above training on full rows alone (0.200), in one run; under {a,v} it reaches 0.500, 0.100 "
        "below training on full rows alone (0.600), in one run."
    ) in sentences_of(both({"multimodal": full, "multimodal_augmented": augmented}))


def test_the_multimodal_row_is_compared_with_the_best_single_modality_on_validation():
    values = {"multimodal": {"{a,v}": [0.5]}, "acoustic": {"{a}": [0.4]}, "visual": {"{v}": [0.2]}}
    text = sentences_of(both(values))
    assert "0.100 above the best single modality (Acoustic alone) (0.400)" in text
    assert "each the best of these very numbers" in text
    validated = {"multimodal": {"{a,v}": [0.1]}, "visual": {"{v}": [0.1]}, "acoustic": {"{v}": [0.9]}}
    text = sentences_of(of_values(values, values, val_ccc=validated))  # what sound got under {v} is not of its row
    assert "0.300 above the best single modality (Visual alone) (0.200), in one run; each chosen on validation" in text


def test_a_control_that_is_far_from_nothing_is_pointed_out():
    near = sentences_of(both({"shuffled_labels": {"{a}": [0.01, 0.03]}}))
    assert "must be near 0, mean CCC: labels shuffled 0.020 ± 0.014." in near
    far = sentences_of(both({"shuffled_labels": {"{a}": [0.3, 0.31]}}))
    assert "look for a leak: Labels shuffled (control)" in far


def test_our_rows_beside_the_published_are_chosen_on_validation_and_not_on_test():
    data = of_values(SOUND_VALUES, SOUND_VALUES, val_ccc={"conv2d_5": {"{a}": [0.6]}, "vgg16": {"{a}": [0.5]}})
    grid = published_grid(data)
    assert grid and grid.groups[0].heading == "Here, on this corpus"
    assert texts(grid, "Sound: 5Conv2D") == ["0.100", "0.100"] and texts(grid, "GammaLab (VA)") == ["0.498", "0.361"]
    unchosen = published_grid(both(SOUND_VALUES))
    assert unchosen and len(unchosen.groups) == 1 and "none was chosen" in unchosen.note
    assert published_grid(replace(data, study="valence_arousal")) is None  # beside the study alone


def test_the_section_has_a_block_a_group_with_its_tables_and_pictures(section: Section):
    assert [block.heading for block in section.blocks] == [*HEADINGS, "What they give and are given"]
    drawn = ["sound_rows", "face_rows", "ccc_by_condition", "agreement", "timeline", "sounds", "faces"]
    assert [figure.name for figure in section.figures] == [*drawn, "learning_curves"]
    assert section.title == "Study of valence and arousal" and section.notes == ()
    assert section.headline == f"Study of valence and arousal: {section.findings[0]}"
    assert all(figure.draw("svg").startswith(b"<?xml") for figure in section.figures)
    sounds, faces = section.figures[5:7]
    assert sounds.alt == "Pictures over time of spectrogram, mel, logmel, mfcc." and faces.alt == "12 aligned faces."
    assert sounds.caption.startswith("5b44393ed_utterance_4, before normalisation.")
    text = section_markdown(section)
    assert "| Multimodal, augmented | **0." in text and "| 5Conv2D, log-mel | " in text
    assert "Not trained: VGG16 (P) and AlexNet (P): ImageNet’s" not in text  # that is a finding
    assert any(line.startswith("Not trained: VGG16 (P): ImageNet’s weights of vgg16") for line in section.findings)


def test_every_row_that_has_results_is_explained(section: Section):
    explained = dict(section.meanings)
    for title in ("5Conv2D, MFCC", "DenseNet121 + LSTM", "Labels shuffled (control)"):
        assert explained[title]


def test_one_dimension_has_no_total_and_no_word_of_the_other_and_one_seed_no_deviation(of_valence: Section):
    text = section_markdown(of_valence)
    assert "| CCC of valence by network | Here: Valence | Slides, other data: Valence |" in text
    whole = " ".join([of_valence.title, of_valence.headline, *of_valence.findings, text])
    assert "rousal" not in whole and "Total" not in whole and "total" not in whole and "±" not in whole
    assert of_valence.title == "Study of valence" and "CCC of valence" in of_valence.findings[0]


def test_results_of_the_deployed_family_are_shown_in_the_same_form():
    values = {"{a}": [0.1], "{v}": [0.3], "{a,v}": [0.5]}
    data = replace(both({"multimodal": values, "multimodal_augmented": values}), study="valence_arousal", title="VA")
    section = STUDY.section(data)
    assert section.title == "VA" and section.headline.startswith("VA: Training on missing conditions too, mean CCC: ")
    assert [block.heading for block in section.blocks] == ["Modalities together"]


def test_what_is_not_stored_has_a_line_that_says_so_and_an_empty_study_one_sentence():
    notes = " ".join(section_of(both(SOUND_VALUES)).notes)
    for words in ("No predictions", "No learning curves", "No acoustic features", "No faces"):
        assert words in notes
    empty = replace(of_study("omg_study", dimensions=("valence",)), left_out={"vgg16": "no weights"})
    section = section_of(empty)
    assert section.findings == ("No results are stored for omg_study yet.", "Not trained: VGG16 (NP): no weights.")
    assert section.blocks == () and section.headline == "" and STUDY.title_of(()) == "Study of dimensions"


def test_the_number_of_tested_utterances_is_told(section: Section):
    assert "Each row is tested on 84 utterances: those that have what it reads." in section.findings[-1]
