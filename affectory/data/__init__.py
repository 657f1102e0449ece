"""A corpus as arrays: the rows, what is fitted on training rows, batches with masks, missing conditions, folds."""
