"""The studies: one file each; this dictionary is the list of them."""

from __future__ import annotations

from affectory.results.names import Name, Names
from affectory.studies import mmgcn_study, mmin_study, omg_study
from affectory.studies.study import Study

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        mmin_study.STUDY,
        mmgcn_study.STUDY,
        omg_study.STUDY,
    )
}


def row_names() -> Names:
    """Of the rows of all studies, in their order; deployed families' experiments are called so too.

    The first study that has a row names it.
    """
    names: dict[str, Name] = {}
    for study in STUDIES.values():
        names = {**names, **{row: name for row, name in study.names.items() if row not in names}}
    return Names(names)


__all__ = ["STUDIES", "row_names"]
