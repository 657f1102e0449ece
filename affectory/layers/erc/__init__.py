"""Context models of emotion recognition in conversation, one a file, all of the same form.

    layer(x [G, N, in_features], mask bool [G, N], speakers int64 [G, N]) -> [G, N, layer.out_features]

Padding is last in a dialogue and counts for nothing. Speakers are numbered by their order of appearance in it.
"""
