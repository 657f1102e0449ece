"""What does an epoch over faces cost with a frozen backbone's stored vectors, beside running the network again?

    python benchmarks/face_backbones.py [--rows 64] [--backbones resnet50 vgg16 densenet121]

Rows of 16 pictures of 112 by 112 pixels, a GRU over them, batches of 16, one thread; the same weights in both forms, so
that their outputs agree (ValueError where they do not, to 1e-4). `stored` trains on `faces:<backbone>`, which took the
seconds under `once` to make; `again` runs the network, frozen, in every step. CPU seconds of the best of two epochs,
after one batch to warm up; what an epoch is not (extraction, evaluation) is not in it.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from affectory.data.batches import Batch
from affectory.layers.imagenet import BACKBONES, as_images, backbone
from affectory.layers.pictures_in_time import PicturesInTime
from affectory.models import face_sequence
from affectory.models.of_dimensions import OfDimensions, OneEncoder
from affectory.vocabulary import DIMENSIONS, Modality

FACES, PIXELS, BATCH = 16, 112 * 112 * 3, 16
CONFIG = face_sequence.Config(backbone="resnet50", temporal="gru", dropout=0.0)


def model(in_features: int, network: nn.Module | None) -> OfDimensions:
    torch.manual_seed(0)
    encoder = PicturesInTime(in_features=in_features, temporal="gru", width=CONFIG.width, backbone=network, freeze=True)
    return OfDimensions(OneEncoder(Modality.VISUAL, encoder), DIMENSIONS, CONFIG)


def batch(frames: torch.Tensor) -> Batch:
    rows = len(frames)
    available, index = torch.ones(rows, 1, dtype=torch.bool), torch.arange(rows)
    labels = torch.rand(rows, 2, generator=torch.Generator().manual_seed(1))
    masks = {Modality.VISUAL: torch.ones(frames.shape[:2], dtype=torch.bool)}
    return Batch({Modality.VISUAL: frames}, masks, available, available, labels, index, index, index)


def epoch(trained: OfDimensions, frames: torch.Tensor) -> float:
    """CPU seconds of a pass over the rows: forward, loss, backward, step."""
    optimizer = torch.optim.SGD([p for p in trained.parameters() if p.requires_grad], 1e-3, 0.9, nesterov=True)
    trained.train()
    began = time.process_time()
    for rows in frames.split(BATCH):
        loss = trained.losses(batch(rows))["ccc"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.process_time() - began


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def compare(name: str, pictures: torch.Tensor) -> None:
    network = backbone(name, None).eval()
    vectors = torch.empty(*pictures.shape[:2], BACKBONES[name].width)

    @torch.inference_mode()
    def store() -> None:
        for row, faces in enumerate(pictures):
            vectors[row] = network(as_images(faces))

    once = timed(store)
    stored, again = model(vectors.shape[-1], None), model(PIXELS, network)
    again.load_state_dict(stored.state_dict(), strict=False)
    with torch.inference_mode():
        apart = (stored.eval()(batch(vectors[:2])) - again.eval()(batch(pictures[:2]))).abs().max().item()
    if apart > 1e-4:
        raise ValueError(f"{name}: both forms should agree, they differ by {apart:.1e}")
    for trained, frames in ((stored, vectors), (again, pictures)):
        epoch(trained, frames[:BATCH])
    ours = min(epoch(stored, vectors) for _ in range(2))
    theirs = min(epoch(again, pictures) for _ in range(2))
    print(f"{name:20} {once:8.2f} {ours:8.3f} {theirs:8.2f} {theirs / ours:10.0f} {apart:10.0e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--backbones", nargs="+", default=["resnet50", "vgg16", "densenet121"], choices=BACKBONES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pixels = np.random.default_rng(0).integers(0, 256, (arguments.rows, FACES, PIXELS), np.uint8)
    print(f"{'backbone':20} {'once s':>8} {'stored s':>8} {'again s':>8} {'again/ours':>10} {'apart':>10}")
    for chosen in arguments.backbones:
        compare(chosen, torch.from_numpy(pixels).float())
