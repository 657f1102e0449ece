"""The folder of report pages."""

import os
from pathlib import Path

import dagster as dg


class Reports(dg.ConfigurableResource):
    """Writes `<folder>/<corpus>/<name>`; a page appears whole or not at all."""

    folder: str

    def path(self, corpus: str, name: str = "evaluation.html") -> Path:
        """Where a page of the corpus lies, or will lie."""
        return Path(self.folder) / corpus / name

    def write(self, corpus: str, page: str, name: str = "evaluation.html") -> Path:
        """Write a page, in the place of an earlier one; returns its path."""
        path = self.path(corpus, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
        return path
