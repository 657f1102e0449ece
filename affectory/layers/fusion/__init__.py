"""Ways to fuse the modalities of a dialogue's utterances around one deep graph convolution, one a file.

Late, gated, MFN and MulT take nodes [M, U, H], zeros where `present` bool [M, U] is False, of dialogues of `lengths`,
and give [U, layer.out_features]; early fusion takes the features themselves, before any encoder. MMGCN itself is
models/mmgcn.py. Where the rows MFN and MulT stand to the graph is not published: here they run over the utterances of
a dialogue, and what they give an utterance is the node of a graph of one kind of node.
"""
