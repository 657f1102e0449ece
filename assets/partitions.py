"""The one partition: a corpus folder's name."""

import dagster as dg

CORPUS = "corpus"
corpus_partitions = dg.DynamicPartitionsDefinition(name=CORPUS)

OWNERS = ["team:affectory"]
