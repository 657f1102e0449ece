"""What a demo corpus's planted.csv says, in sentences for the report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from affectory.vocabulary import MODALITIES

TABLE = "planted.csv"


def planted_facts(root: Path) -> tuple[str, ...]:
    """One sentence on the cues and one on what was removed; none for a corpus without planted answers."""
    if not (root / TABLE).is_file():
        return ()
    table = pd.read_csv(root / TABLE, keep_default_na=False)
    agreeing = [f"{modality} {(table[f'shown_{modality}'] == table['emotion']).mean():.0%}" for modality in MODALITIES]
    removed = [f"{modality} of {table['removed'].tolist().count(modality.value)}" for modality in MODALITIES]
    return (
        f"Each of the {len(table)} utterances shows its emotion in voice, face and words, not always the true one: "
        f"{', '.join(agreeing)} show the label.",
        f"Removed on purpose: {', '.join(removed)} utterances.",
    )
