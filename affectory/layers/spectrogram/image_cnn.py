"""Networks of photographs read the spectrogram as one (AlexNet, VGG16, ResNet50; with ImageNet weights or without)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from affectory.layers.spectrogram.windows import picture

# The last layer, and the shortest side of a picture: AlexNet and VGG16 pool a smaller one to nothing, and ResNet50 to
# one pixel, of which batch normalisation has no variance where a batch has one row.
_LAST_LAYER = {"alexnet": "classifier.6", "vgg16": "classifier.6", "resnet50": "fc"}
_SMALLEST = {"alexnet": 63, "vgg16": 32, "resnet50": 33}


class ImageCNN(nn.Module):
    """torchvision's network without its last layer; the spectrogram is each of the three colours.

    AlexNet and VGG16 end in 4096 activations of their classifier, whose layers `dropout` is of; ResNet50, which has no
    dropout, in 2048 averages. As spectrogram/__init__.py. The weights are torchvision's random ones until
    `load_imagenet`. ImageNet's own mean and deviation are of pixels and take no part: the input is z-scored.
    """

    def __init__(self, architecture: str, *, dropout: float) -> None:
        from torchvision.models import get_model  # takes over a second, for these networks alone

        super().__init__()
        self.architecture = architecture
        options = {} if architecture == "resnet50" else {"dropout": dropout}
        self.cnn = get_model(architecture, weights=None, **options)
        self.out_features = cast(nn.Linear, self.cnn.get_submodule(_LAST_LAYER[architecture])).in_features
        self.cnn.set_submodule(_LAST_LAYER[architecture], nn.Identity())
        if architecture == "vgg16":
            self.cnn.set_submodule("classifier.5", nn.Identity())  # a dropout, which the head has too

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        image = picture(x, smallest=_SMALLEST[self.architecture])
        return self.cnn(image.expand(-1, 3, -1, -1))

    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Takes the weights of torchvision's whole network, but for its last layer.

        ValueError where one is missing, unexpected or of another shape, with its name.
        """
        last = _LAST_LAYER[self.architecture]
        weights = {name: value for name, value in state_dict.items() if name.rpartition(".")[0] != last}
        try:
            self.cnn.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"not the weights of torchvision's {self.architecture}: {error}") from error
