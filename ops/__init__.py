"""Verbs with side effects: extracting, training, evaluating, registering."""
