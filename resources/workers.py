"""The worker processes that extraction may use."""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import dagster as dg

from affectory.features.extraction import Extraction, Progress, extract
from affectory.features.feature_set import FeatureSet, Segment


class Workers(dg.ConfigurableResource):
    """Runs a feature set over many utterances in `processes` (0: one a CPU core); parts wait in `staging`."""

    staging: str
    processes: int = 0
    file_timeout_s: float = 600.0  # to probe a media file, or to find its voices
    task_timeout_s: float = 60.0  # and 2 s more for each second of media in the task
    cell_timeout_s: float = 12 * 3600.0  # to train all rows of a study in one fold with one seed

    @property
    def count(self) -> int:
        """How many worker processes there may be: `processes`, or one a CPU core."""
        return self.processes or os.cpu_count() or 1

    def extract(
        self,
        segments: Sequence[Segment],
        feature_set: FeatureSet,
        *,
        staging: Path,
        stored_fingerprints: Collection[str],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Extraction:
        """affectory.features.extraction.extract with this deployment's processes and time-out."""
        return extract(
            segments,
            feature_set,
            staging=staging,
            stored_fingerprints=stored_fingerprints,
            workers=self.count,
            timeout_s=self.task_timeout_s,
            on_progress=on_progress,
        )
