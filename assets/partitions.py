"""The one partition: a corpus folder's name."""

import dagster as dg

corpus_partitions = dg.DynamicPartitionsDefinition(name="corpus")

OWNERS = ["team:affectory"]
