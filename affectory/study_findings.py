"""What a study found, in plain sentences computed from its numbers."""

from __future__ import annotations

from collections.abc import Callable

from affectory import mmgcn_findings, mmin_findings
from affectory.study_data import StudyData
from affectory.study_kinds import MMGCN_STUDY
from affectory.study_sentences import calibration, highest_rows, scope


def findings(data: StudyData) -> list[str]:
    """Sentences on what the numbers show and do not show; raw text, to be escaped where it is shown."""
    if data.kind.metrics[0] not in set(data.results["metric"]):
        return [f"No results are stored for {data.study} yet."]
    own = mmgcn_findings.PARTS if data.study == MMGCN_STUDY else mmin_findings.PARTS
    parts: list[Callable[[StudyData], list[str]]] = [highest_rows, *own, calibration, scope]
    return [line for part in parts for line in part(data)]
