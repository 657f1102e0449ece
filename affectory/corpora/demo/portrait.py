"""What of a drawn speaker never moves: wall, shoulders, and a head without eyes, brows and mouth.

Everything here is drawn once a speaker and cached by `face.py`. Colours are RGB. Head coordinates are in units of the
face's half width, x to the right, y down, the origin just below the eyes; `to_pixels` places them on the head canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FRAME_PX = 224  # FaceMesh needs a face of about 64 px; this one is about 105 px wide
CANVAS_PX = 2 * FRAME_PX  # the head is drawn at twice the size and shrunk by the one warp of each frame
UNIT_PX = 106.0  # half a face's width on the canvas
ORIGIN_PX = CANVAS_PX / 2

Colour = tuple[int, int, int]
Image = NDArray[np.uint8]
Field = NDArray[np.floating]  # [CANVAS_PX, CANVAS_PX]

HAIR_STYLES = ("short", "parted", "long", "bun")


@dataclass(frozen=True, kw_only=True)
class Look:
    """A speaker's appearance. It is drawn by lot, apart from culture and voice: nothing of it predicts an emotion."""

    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    wall: Colour
    hair_style: str
    jaw: float  # width of the lower face, 0.9 slim .. 1.05 broad
    length: float  # height of the face, 1.25 .. 1.4 half widths
    eye_distance: float  # from the middle line to an eye's centre
    brow_weight: float  # half thickness of a brow
    seed: int  # of the hair's strands


def to_pixels(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Canvas pixels of head coordinates, both [..., 2]."""
    return np.asarray(points, np.float64) * UNIT_PX + ORIGIN_PX


def _grid() -> tuple[Field, Field]:
    """Head coordinates of each canvas pixel."""
    axis = ((np.arange(CANVAS_PX) - ORIGIN_PX) / UNIT_PX).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


def blob(x: Field, y: Field, at: tuple[float, float], size: tuple[float, float]) -> Field:
    """A soft spot of height 1 around `at`, `size` wide and high, over the coordinates x and y."""
    return np.exp(-(((x - at[0]) / size[0]) ** 2) - ((y - at[1]) / size[1]) ** 2)


def _edge(distance: Field) -> Field:
    """Signed distance in units (positive inside) -> coverage 0..1 with a soft rim of about 2 px."""
    return np.clip(0.5 + distance * UNIT_PX / 2, 0, 1)


def _face(look: Look, x: Field, y: Field) -> Field:
    """Coverage of the face: an ellipse above, narrowed to the jaw below."""
    narrowing = np.where(y > 0, 1 - (0.36 - 0.3 * (look.jaw - 0.95)) * (np.clip(y, 0, None) / look.length) ** 2.4, 1.0)
    radius = np.sqrt((x / narrowing) ** 2 + (y / look.length) ** 2)
    return _edge(1 - radius)


def _lighting(look: Look, x: Field, y: Field) -> Field:
    """Brightness of the skin, lit from the upper left, with the hollows and ridges that make it a face."""
    nx, ny = x / 1.25, y / (look.length * 1.2)
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0.05, 1))
    light = 0.62 + 0.5 * np.clip(-0.32 * nx - 0.38 * ny + 0.86 * nz, 0, 1)
    for side in (-1, 1):
        light -= 0.17 * blob(x, y, (side * look.eye_distance, -0.14), (0.30, 0.17))
        light -= 0.10 * blob(x, y, (side * 0.17, -0.10), (0.08, 0.22))  # the nose's root
        light += 0.07 * blob(x, y, (side * 0.52, 0.30), (0.24, 0.18))  # cheekbone
        light -= 0.16 * blob(x, y, (side * 0.15, 0.36), (0.055, 0.09))  # wing of the nose
        light -= 0.45 * blob(x, y, (side * 0.085, 0.425), (0.05, 0.026))  # nostril
    light += 0.11 * blob(x, y, (-0.02, 0.05), (0.06, 0.30))  # bridge
    light += 0.12 * blob(x, y, (-0.02, 0.33), (0.09, 0.08))  # tip
    light -= 0.14 * blob(x, y, (0, 0.46), (0.14, 0.04))
    light -= 0.08 * blob(x, y, (0, 0.93), (0.22, 0.05))  # under the lower lip
    light += 0.05 * blob(x, y, (0, 1.08), (0.20, 0.12))  # chin
    return light


def _ears(x: Field, y: Field, scale: float = 1.0) -> Field:
    distances = (np.hypot((x - side * 1.0) / (0.14 * scale), (y - 0.02) / (0.25 * scale)) for side in (-1, 1))
    return np.maximum(*(_edge((1 - distance) * 0.12) for distance in distances))


def _strands(look: Look) -> Field:
    """A fine vertical texture around 1, for hair."""
    noise = np.random.default_rng(look.seed).normal(size=(CANVAS_PX, CANVAS_PX)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigmaX=1.5, sigmaY=14)
    return 1 + 0.07 * smooth / smooth.std()


def _hair_back(look: Look, x: Field, y: Field) -> Field:
    """Coverage of the hair that hangs behind the face."""
    if look.hair_style == "long":
        width = 1.13 + 0.06 * np.clip(y, 0, None)
        sides = _edge(np.minimum(width - np.abs(x), 1.25 - y)) * (y > -0.35)
        return np.maximum(sides, _skull(look, x, y))
    if look.hair_style == "bun":
        return np.maximum(_edge(0.42 - np.hypot(x, y + look.length + 0.22)), _skull(look, x, y))
    return _skull(look, x, y) * _edge(-0.05 - y)


def _skull(look: Look, x: Field, y: Field) -> Field:
    return _edge(1 - np.sqrt((x / 1.12) ** 2 + ((y + 0.10) / (look.length + 0.05)) ** 2)) * _edge(0.12 - y)


def _hair_front(look: Look, x: Field, y: Field) -> Field:
    """Coverage of the hair over the forehead: the skull above a hairline."""
    part = {"short": 0.0, "parted": -0.35, "long": 0.1, "bun": 0.0}[look.hair_style]
    rise = {"short": 0.18, "parted": 0.30, "long": 0.42, "bun": 0.22}[look.hair_style]
    hairline = -look.length + 0.40 + rise * np.abs(x - part) ** 2.2
    return _skull(look, x, y) * _edge(hairline - y)


def _over(image: Field, colour: Field, coverage: Field) -> Field:
    return image + coverage[..., None] * (colour - image)


def head(look: Look) -> Image:
    """RGBA [CANVAS_PX, CANVAS_PX, 4], colour premultiplied by alpha: hair, ears, face and nose."""
    x, y = _grid()
    skin, hair = np.array(look.skin, np.float32), np.array(look.hair, np.float32)
    crown = 0.80 + 0.30 * np.clip(-y, 0, 1.4) + 0.18 * blob(x, y, (-0.35, -1.05), (0.35, 0.22))
    strands = hair * (_strands(look) * crown)[..., None]
    face, back, front = _face(look, x, y), _hair_back(look, x, y), _hair_front(look, x, y)
    ears = _ears(x, y) * (look.hair_style != "long")
    shadow = cv2.GaussianBlur(np.roll(front, 8, axis=0), (0, 0), 7)  # of the hair on the forehead
    light = (_lighting(look, x, y) * (1 - 0.22 * shadow))[..., None]
    blush = blob(np.abs(x), y, (0.55, 0.38), (0.26, 0.20))
    image = np.zeros((CANVAS_PX, CANVAS_PX, 3), np.float32)
    image = _over(image, strands * 0.70, back)
    image = _over(image, skin * (0.84 - 0.25 * _ears(x, y, 0.55))[..., None], ears)
    image = _over(image, skin * light + np.array([8, -11, -8], np.float32) * blush[..., None], face)
    image = _over(image, strands, front)
    alpha = np.maximum.reduce([back, ears, face, front])
    premultiplied = np.clip(image, 0, 255) * np.minimum(alpha, 1)[..., None]
    return np.dstack([premultiplied, alpha * 255]).round().astype(np.uint8)


def backdrop(look: Look) -> Image:
    """RGB [FRAME_PX, FRAME_PX, 3]: a wall with a soft light on it, neck and shoulders."""
    axis = np.linspace(-1, 1, FRAME_PX, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    image = np.array(look.wall, np.float32) * (1.05 - 0.28 * np.hypot(x + 0.3, y + 0.4))[..., None]
    collar = np.sqrt(np.clip(1 - (x / 0.27) ** 2, 0, 1)) * 0.16
    shoulders = np.clip((y - 0.60 - 0.24 * np.abs(x) ** 2.4 - collar) * FRAME_PX / 4, 0, 1)
    neck = np.clip((0.235 + 0.10 * np.clip(y - 0.55, 0, None) - np.abs(x)) * FRAME_PX / 4, 0, 1) * (y > 0)
    throat = 0.76 - 0.22 * np.exp(-(((y - 0.56) / 0.12) ** 2)) - 0.12 * x
    shirt = np.array(look.shirt, np.float32) * (1.05 - 0.25 * np.abs(x + 0.2) - 0.2 * (y - 0.6))[..., None]
    image = _over(image, np.array(look.skin, np.float32) * throat[..., None], neck)
    return np.clip(_over(image, shirt, shoulders), 0, 255).round().astype(np.uint8)
