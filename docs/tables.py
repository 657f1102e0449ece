"""Writes the tables of the documents that list what the code has: `make docs`, or `python docs/tables.py`.

A page of the root folder or of docs/ asks for a table by a pair of lines, and what stands between them is
written anew each time:

    <!-- table: feature sets -->
    <!-- end -->

tests/test_docs.py fails where a page differs from what would be written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from affectory.corpora import LAYOUTS, Layout
from affectory.features import DEFAULT_SETS, FEATURE_SETS, MODEL_SETS, FeatureSet
from affectory.models import FAMILIES
from affectory.models.family import Family
from affectory.studies import STUDIES
from affectory.studies.study import LINEAR_SVM, Row, Study
from affectory.vocabulary import MODALITIES

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(<!-- table: (?P<name>[^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """The documents that people write; full tables of results and decisions are not among them."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def filled(page: str, where: Path) -> str:
    """The text of a page with its tables as they are now; ValueError for one that nobody writes."""

    def block(match: re.Match[str]) -> str:
        writers = tables()
        if match["name"] not in writers:
            raise ValueError(f"{where.name}: table {match['name']!r}; expected one of {', '.join(writers)}")
        return f"{match[1]}{writers[match['name']]()}\n{match[3]}"

    return BLOCK.sub(block, page)


def outdated() -> list[Path]:
    """The pages whose tables are not what the code says now."""
    return [page for page in pages() if filled(page.read_text(), page) != page.read_text()]


def tables() -> dict[str, Callable[[], str]]:
    """Every table that a page may ask for, by name."""
    of_rows = {f"rows of {name}": lambda study=study: study_rows(study) for name, study in STUDIES.items()}
    return {
        "default feature sets": default_feature_sets,
        "feature sets": feature_sets,
        "families": families,
        "corpus layouts": corpus_layouts,
        "studies": studies,
        "studies in full": studies_in_full,
        **of_rows,
    }


def default_feature_sets() -> str:
    """A line a modality: the sets there are, in short, and which is taken where none is asked for."""
    lines = []
    for modality in MODALITIES:
        names = [name for name, feature_set in FEATURE_SETS.items() if feature_set.modality is modality]
        of_models = [name for name, feature_set in model_sets().items() if feature_set.modality is modality]
        lines.append(
            (modality, code([*dict.fromkeys(map(_in_short, names)), *of_models]), code([DEFAULT_SETS[modality]]))
        )
    return table(("modality", "feature sets", "default"), lines)


def _in_short(feature_set: str) -> str:
    """`faces:resnet50:random` -> `faces:<network>`."""
    name, colon, _ = feature_set.partition(":")
    return f"{name}:<network>" if colon else name


def feature_sets() -> str:
    sets = sorted(FEATURE_SETS.values(), key=lambda one: MODALITIES.index(one.modality))
    lines = [(f"`{one.name}`", one.modality, f"{one.width:,}", _frames(one), one.means) for one in sets]
    lines += [(f"`{name}`", one.modality, "the model's", _frames(one), one.means) for name, one in model_sets().items()]
    return table(("feature set", "modality", "values a frame", "frames", "what it is"), lines)


def model_sets() -> dict[str, FeatureSet]:
    """Those around a model of the user's, under the form of their names."""
    return {f"{prefix}:<folder or hub name>": of_model("") for prefix, of_model in MODEL_SETS.items()}


def _frames(feature_set: FeatureSet) -> str:
    return f"{feature_set.rate_hz:g} a second" if feature_set.rate_hz else ""


def families() -> str:
    """Deployed families first, each with what is registered of it."""
    ordered = sorted(FAMILIES.values(), key=lambda family: not family.deployed)
    lines = [
        (f"`{family.name}`", family.description, _learns(family), code(family.deployed[:1]), code(family.presets))
        for family in ordered
    ]
    return table(("family", "what it is", "learns", "registers", "presets"), lines)


def _learns(family: Family[Any]) -> str:
    what = "valence and arousal" if family.of_dimensions else "classes"
    return f"{what}, of dialogues" if family.of_dialogues else what


def corpus_layouts() -> str:
    lines = [(f"`{layout.name}`", code(layout.tree), _classes(layout)) for layout in LAYOUTS.values()]
    return table(("layout", "reads, besides what every corpus folder may hold", "classes"), lines)


def _classes(layout: Layout) -> str:
    return "the corpus's own" if layout.emotions is None else ", ".join(layout.emotions)


def studies() -> str:
    lines = [(f"`{study.name}`", study.description, f"`{study.family}`", len(study.rows)) for study in STUDIES.values()]
    return table(("study", "what it fills", "about", "rows"), lines)


def studies_in_full() -> str:
    """A heading a study: its own options, and its rows or the page that has them."""
    return "\n\n".join("\n\n".join(_in_full(study)) for study in STUDIES.values())


def _in_full(study: Study) -> Iterable[str]:
    yield f"### {study.name}"
    presets = ", ".join(f"`{name}`" for name in presets_of(study))
    yield f"{study.description} Presets: {presets}."
    if study.options:
        lines = [(f"`{name}`", option.means, code(option.choices)) for name, option in study.options.items()]
        yield table(("option", "what it says", "choices"), lines)
    page = next((page for page in pages() if f"<!-- table: rows of {study.name} -->" in page.read_text()), None)
    yield f"Its rows: [{page.name}]({page.relative_to(ROOT / 'docs')})." if page else study_rows(study)


def presets_of(study: Study) -> list[str]:
    """Those of the study's families that all of them have, or something else that they take for it."""
    families = {row.family for row in study.rows} & set(FAMILIES)
    named = dict.fromkeys(name for family in [study.family, *sorted(families)] for name in FAMILIES[family].presets)
    taken = {family: {name: study.presets.get(family, {}).get(name, name) for name in named} for family in families}
    return [name for name in named if all(taken[f][name] in FAMILIES[f].presets for f in families)]


def study_rows(study: Study) -> str:
    """A line a row; what it reads is a column of a study whose rows name feature sets."""
    reads = [_reads(row) for row in study.rows]
    heads, lines = ["row", "title", "what is trained"], [[f"`{row.name}`", row.title, row.means] for row in study.rows]
    if any(reads):
        heads, lines = [*heads, "reads"], [[*line, sets] for line, sets in zip(lines, reads, strict=True)]
    return table(heads, lines)


def _reads(row: Row) -> str:
    """The feature sets that the row names; the corpus's own where it leaves the choice to the corpus."""
    if row.feature_sets or row.family == LINEAR_SVM:
        return code(row.feature_sets)
    family = FAMILIES[row.family]
    experiment = row.experiment or row.name
    configs = [family.study_experiments(preset).get(experiment) for preset in family.presets]
    return code(next((family.reads(config) for config in configs if config is not None), ()))


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def table(heads: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """In GitHub's Markdown."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


if __name__ == "__main__":
    for page in outdated():
        page.write_text(filled(page.read_text(), page))
        print(page.relative_to(ROOT))
