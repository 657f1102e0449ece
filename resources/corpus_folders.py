"""The folder of corpus folders."""

from pathlib import Path

import dagster as dg

from affectory.corpora import Corpus, find_corpora, open_corpus
from affectory.refusals import Refusal


class CorpusFolders(dg.ConfigurableResource):
    """Finds and opens the corpus folders below `folder` (AFFECTORY_CORPORA)."""

    folder: str

    def find(self) -> tuple[list[Corpus], list[Refusal]]:
        """Every readable corpus folder, and a refusal for each that is not."""
        return find_corpora(Path(self.folder))

    def open(self, name: str) -> Corpus:
        """The corpus of a partition key; raises CorpusError naming the folder when it is gone or unreadable."""
        return open_corpus(Path(self.folder) / name)
