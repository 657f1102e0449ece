"""One encoder for all networks of spectrograms: windows of the rows that have frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

from torch import Tensor, nn

from affectory.layers.spectrogram.conv2d_5 import Conv2d5
from affectory.layers.spectrogram.conv_1d_2d import Conv1d2d
from affectory.layers.spectrogram.conv_attention import ConvAttention
from affectory.layers.spectrogram.image_cnn import ImageCNN
from affectory.layers.spectrogram.windows import Crop, window

_NETWORKS: dict[str, Callable[[int, int, float], nn.Module]] = {
    "alexnet": lambda bands, channels, dropout: ImageCNN("alexnet", dropout=dropout),
    "vgg16": lambda bands, channels, dropout: ImageCNN("vgg16", dropout=dropout),
    "resnet50": lambda bands, channels, dropout: ImageCNN("resnet50", dropout=dropout),
    "conv2d_5": lambda bands, channels, dropout: Conv2d5(channels=channels),
    "conv_attention": lambda bands, channels, dropout: ConvAttention(channels=channels),
    "conv_1d_2d": lambda bands, channels, dropout: Conv1d2d(in_features=bands, channels=channels),
}
ARCHITECTURES = tuple(_NETWORKS)


def spectrogram_encoder(
    architecture: str,
    *,
    in_features: int,
    window_frames: int = 94,
    crop: Crop = "random",
    channels: int = 16,
    dropout: float = 0.5,
) -> SpectrogramEncoder:
    """The encoder of one of ARCHITECTURES; ValueError with those known where it is none of them.

    `in_features` are the spectrogram's bands, `window_frames` the steps that a network reads of a row (94 are 3 s at
    31.25 frames a second), `crop` which of a longer one. `channels` are of the first 2-D block of the three networks
    that are not torchvision's, `dropout` of the hidden layers of AlexNet's and VGG16's classifiers: no other has any.
    """
    if architecture not in _NETWORKS:
        raise ValueError(f"audio architecture {architecture!r}: expected one of {', '.join(ARCHITECTURES)}")
    network = _NETWORKS[architecture](in_features, channels, dropout)
    return SpectrogramEncoder(network, window_frames=window_frames, crop=crop)


class SpectrogramEncoder(nn.Module):
    """A network over a window of each row: its penultimate activations, without a head.

    Rows without frames are left out, also of the statistics of batch normalisation. Shapes: frames [B, T, in_features],
    mask bool [B, T], padding at the end -> [B, out_features], zeros where a row has no frame.
    """

    def __init__(self, network: nn.Module, *, window_frames: int, crop: Crop) -> None:
        super().__init__()
        if crop not in get_args(Crop):
            raise ValueError(f"crop {crop!r}: expected one of {', '.join(get_args(Crop))}")
        self.network, self.window_frames = network, window_frames
        self.crop: Crop = crop
        self.out_features = int(network.out_features)  # pyright: ignore[reportArgumentType]

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        rows = mask.any(1).nonzero()[:, 0]
        if not len(rows):
            return frames.new_zeros(len(frames), self.out_features)
        x, inside = window(frames, mask, steps=self.window_frames, crop=self.crop, training=self.training)
        encoded = self.network(x[rows], inside[rows])  # [n, H]
        return encoded.new_zeros(len(frames), self.out_features).index_copy(0, rows, encoded)

    def missing(self) -> Tensor:
        """[1, out_features] of zeros: what stands in for a row without frames."""
        return next(self.parameters()).new_zeros(1, self.out_features)

    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Takes torchvision's weights as ImageCNN.load_imagenet; ValueError where the network is not one of them."""
        if not isinstance(self.network, ImageCNN):
            raise ValueError(
                f"{type(self.network).__name__}: only {', '.join(ARCHITECTURES[:3])} have ImageNet weights"
            )
        self.network.load_imagenet(state_dict)
