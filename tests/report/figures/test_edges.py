"""The map of edges names who speaks, in dialogues of any length."""

from affectory.report.figures.edges import edge_map
from tests.fixtures.figures import edges
from tests.fixtures.pages import texts


def test_speakers_are_letters_in_the_order_in_which_they_first_speak():
    words = texts(edge_map(edges(speakers=3)))
    assert words.count("A") == 4 and words.count("B") == 4 and "Speakers: A = s1, B = s2, C = s0" in words
    assert {"acoustic", "visual", "textual", "a", "v", "t"} <= set(words)
    assert "Outlined: utterance 3, sad" in words


def test_short_and_endless_dialogues_of_any_number_of_speakers_are_drawn():
    for utterances, speakers, modalities in (
        (3, 1, ("textual",)),
        (110, 40, ("visual",)),
        (3, 2, ("acoustic", "textual")),
    ):
        assert len(edge_map(edges(utterances, speakers, modalities), form="png")) > 2000


def test_one_modality_has_no_panel_of_edges_across():
    assert "Across" in texts(edge_map(edges())) and "Across" not in texts(edge_map(edges(modalities=("textual",))))
