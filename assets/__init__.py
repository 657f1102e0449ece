"""The nouns of the lineage: thin definitions over `ops`, `resources` and the library."""
