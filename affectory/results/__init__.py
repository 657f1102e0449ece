"""Results as plain tables: metrics, means by condition, tested differences, and the words for them."""
