"""Encoders of spectrograms as pictures, one network a file, all of the same form.

    network(x [B, S, in_features], mask bool [B, S]) -> [B, network.out_features]

S steps are a window of fixed length, zeros where a row is shorter; every row has a valid step. Zero is the training
mean. `SpectrogramEncoder` cuts the windows and leaves out the rows that have no frame. The networks are known from the
names of a table of results alone: their channels are not published, and are what `channels` makes them here.
"""

from affectory.layers.spectrogram.encoder import ARCHITECTURES, SpectrogramEncoder, spectrogram_encoder
from affectory.layers.spectrogram.windows import Crop, window

__all__ = ["ARCHITECTURES", "Crop", "SpectrogramEncoder", "spectrogram_encoder", "window"]
