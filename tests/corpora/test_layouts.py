"""A layout is one object: what a toy says of itself is all that reading its corpora needs."""

import pytest

from affectory.corpora import LAYOUTS, CorpusError, Layout, corpus_state, find_corpora, media_paths, open_corpus
from affectory.corpora.official import row_of
from affectory.corpora.release_tables import check_tables


@pytest.fixture
def toy(monkeypatch, new_release):
    """A release of the layout "toy": lines.txt names an utterance a line, its sound lies in sounds/."""

    def rows(corpus):
        names = (corpus.root / "lines.txt").read_text().split()
        return [row_of("lines.txt", 1, utterance_id=name, media=f"sounds/{name}.wav") for name in names], []

    layout = Layout(
        name="toy",
        check=lambda corpus: check_tables(corpus, ["lines.txt", "more.txt"]),
        rows=rows,
        tree=("lines.txt", "sounds"),
        emotions=("glad", "glum"),
        shared_speakers=True,
    )
    monkeypatch.setitem(LAYOUTS, layout.name, layout)
    release = new_release("toys")
    release.write("lines.txt", "b a c")
    release.write_sound("sounds/a.wav")
    release.write_sound("sounds/b.wav")
    release.write("corpus.toml", 'licence = "CC0"\nculture = "en"\nlayout = "toy"\n')
    return release


def test_every_layout_is_listed_under_its_own_name():
    assert all(name == layout.name for name, layout in LAYOUTS.items())


def test_a_new_layout_is_found_read_and_watched_by_what_it_says_of_itself(toy):
    corpora, _ = find_corpora(toy.root.parent)
    assert [(corpus.name, corpus.layout, corpus.shared_speakers) for corpus in corpora] == [("toys", "toy", True)]
    assert media_paths(corpora[0]) == ["sounds/b.wav", "sounds/a.wav"]
    assert toy.column("media") == {"b": "sounds/b.wav", "a": "sounds/a.wav"}
    assert toy.refused() == [("c", "media_not_found")]
    state = corpus_state(corpora[0])
    toy.write_sound("sounds/c.wav")
    assert corpus_state(corpora[0]) != state


def test_its_folder_is_known_by_its_files_alone_and_refused_with_the_remedy(toy):
    (toy.root / "corpus.toml").unlink()
    corpora, [refusal] = find_corpora(toy.root.parent)
    assert not corpora and "name the layout of an official release in corpus.toml" in refusal.detail


@pytest.mark.parametrize(
    ("line", "absent", "message"),
    [
        ('emotions = ["sad"]', "", r'expected emotions to be some of glad, glum in layout "toy", came sad; correct it'),
        ("shared_speakers = 1", "", "expected shared_speakers = true or false, came 1"),
        ("", "lines.txt", "expected lines.txt in the corpus folder, came no such file.* where you have them, more.txt"),
    ],
)
def test_what_it_cannot_do_without_is_an_error(toy, line, absent, message):
    toy.write("corpus.toml", (toy.root / "corpus.toml").read_text() + line)
    (toy.root / absent).unlink() if absent else None
    with pytest.raises(CorpusError, match=message):
        open_corpus(toy.root)
