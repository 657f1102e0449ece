"""Results as people read them: sections of findings, tables and figures, and the page of a corpus."""
