"""The moving face: eyes, brows and mouth drawn for one instant, and the head's turn.

A face is drawn on the speaker's cached head at twice the size; one warp turns, nods and shrinks it into the frame: 1 ms
a frame where drawing the whole head takes 60. What a frame shows is geometry that face landmarks catch: lifted mouth
corners, sloping brows, open eyes, an open mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from affectory.corpora.demo.portrait import (
    CANVAS_PX,
    FRAME_PX,
    ORIGIN_PX,
    UNIT_PX,
    Colour,
    Image,
    Look,
    backdrop,
    blob,
    head,
    to_pixels,
)

_SUBPIXEL_BITS = 4
_MOUTH_Y, _EYE_Y, _BROW_Y = 0.70, -0.10, -0.40


@dataclass(frozen=True, kw_only=True)
class Expression:
    """What face and head do at one instant; 0 is at rest, about -1..1 where no comment says otherwise."""

    corner_lift: float = 0.0  # mouth corners up (+) or down (-)
    brow_slope: float = 0.0  # inner ends up (+, worried) or down (-, frowning)
    brow_lift: float = 0.0
    eye_opening: float = 1.0  # 0 shut, 1 at rest, 1.5 wide
    mouth_opening: float = 0.0  # 0 closed .. 1
    turn: float = 0.0  # to the right
    nod: float = 0.0  # down
    lean_deg: float = 0.0
    shift_px: tuple[float, float] = (0.0, 0.0)


def draw(look: Look, expression: Expression, *, covered: bool = False) -> Image:
    """RGB [FRAME_PX, FRAME_PX, 3]. `covered`: a folder is held before the face, so that no face can be found."""
    wall, bare_head = _layers(look)
    canvas = bare_head.copy()
    for side in (-1, 1):
        _eye(canvas, look, expression, side)
        _brow(canvas, look, expression, side)
    _mouth(canvas, look, expression)
    map_x, map_y = _warp(expression)
    moved = cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    through = cv2.cvtColor(255 - moved[..., 3], cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(wall, through, scale=1 / 255)
    frame = np.asarray(cv2.add(behind, cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)), np.uint8)
    if covered:
        _folder(frame, look, expression)
    return frame


@lru_cache(maxsize=32)  # 1 MB a speaker
def _layers(look: Look) -> tuple[Image, Image]:
    return backdrop(look), head(look)


def _fixed(points: NDArray[np.floating], corner: tuple[int, int] = (0, 0)) -> NDArray[np.int32]:
    """Head coordinates -> OpenCV's fixed-point pixels, counted from `corner`."""
    return np.round((to_pixels(points) - corner) * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _fill(canvas: Image, points: NDArray[np.floating], colour: Colour) -> None:
    cv2.fillPoly(canvas, [_fixed(points)], (*colour, 255), cv2.LINE_AA, _SUBPIXEL_BITS)


def _line(canvas: Image, points: NDArray[np.floating], colour: Colour, width: float) -> None:
    thickness = max(1, round(width * UNIT_PX))
    cv2.polylines(canvas, [_fixed(points)], False, (*colour, 255), thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (int(min(255, max(0, part * factor))) for part in colour)
    return red, green, blue


_ARC = np.linspace(-1, 1, 15)


def _eye(canvas: Image, look: Look, expression: Expression, side: int) -> None:
    centre = side * look.eye_distance
    half_width, opening = 0.215, 0.105 * expression.eye_opening
    smile = max(0.0, expression.corner_lift)  # a smile lifts the lower lid
    x = centre + half_width * _ARC
    bulge = 1 - np.abs(_ARC) ** 2.2
    tilt = -0.03 * side * _ARC  # outer corner a little higher
    upper = np.column_stack([x, _EYE_Y + tilt - opening * bulge])
    lower = np.column_stack([x, _EYE_Y + tilt + (0.62 - 0.35 * smile) * opening * bulge])
    almond = np.concatenate([upper, lower[::-1]])
    if opening > 0.012:
        _eyeball(canvas, look, centre, almond)
    _line(canvas, upper, _shade(look.skin, 0.22), 0.040)
    _line(canvas, upper - np.array([0, 0.075]), _shade(look.skin, 0.66), 0.02)
    _line(canvas, lower[2:-2], _shade(look.skin, 0.60), 0.015)


def _eyeball(canvas: Image, look: Look, centre: float, almond: NDArray[np.floating]) -> None:
    """White, iris and pupil, drawn on a patch of their own and seen through the almond between the lids."""
    left, top = (int(edge) for edge in np.floor(to_pixels(almond.min(axis=0))) - 2)
    right, bottom = (int(edge) for edge in np.ceil(to_pixels(almond.max(axis=0))) + 3)
    patch = canvas[top:bottom, left:right]
    ball = np.full_like(patch, (238, 236, 234, 255))
    discs = (((0, 0), 0.105, _shade(look.iris, 0.55)), ((0, 0), 0.088, look.iris), ((0, 0), 0.044, (18, 16, 16)))
    for (dx, dy), radius, colour in (*discs, ((-0.03, -0.035), 0.02, (250, 250, 250))):
        x, y = (int(part) for part in _fixed(np.array([centre + dx, _EYE_Y - 0.012 + dy]), (left, top)))
        size = round(radius * UNIT_PX * (1 << _SUBPIXEL_BITS))
        cv2.circle(ball, (x, y), size, (*colour, 255), -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    opening = np.zeros(patch.shape[:2], np.uint8)
    cv2.fillPoly(opening, [_fixed(almond, (left, top))], 1, cv2.LINE_8, _SUBPIXEL_BITS)
    lid_shadow = np.linspace(0.72, 1.0, len(patch), dtype=np.float32)[:, None, None]
    shaded = (ball[..., :3] * lid_shadow).astype(np.uint8)
    np.copyto(patch[..., :3], shaded, where=opening[..., None].astype(bool))


def _brow(canvas: Image, look: Look, expression: Expression, side: int) -> None:
    along = np.linspace(0, 1, 9)  # inner end -> outer end
    x = side * (look.eye_distance - 0.25 + 0.52 * along)
    arch = -0.075 * np.sin(np.pi * np.clip(along * 0.85 + 0.12, 0, 1))
    slope = -0.15 * expression.brow_slope * (1 - along) ** 1.2 + 0.05 * expression.brow_slope * along
    y = _BROW_Y + arch + slope - 0.09 * expression.brow_lift
    weight = look.brow_weight * (1 - 0.75 * along**2)
    upper = np.column_stack([x, y - weight])
    lower = np.column_stack([x, y + weight])
    _fill(canvas, np.concatenate([upper, lower[::-1]]), _shade(look.hair, 0.75))
    if expression.brow_slope < -0.3:  # a frown folds the skin between the brows
        fold = np.array([(side * 0.07, _BROW_Y - 0.02), (side * 0.055, _BROW_Y + 0.14)])
        _line(canvas, fold, _shade(look.skin, 0.78), 0.02)


def _mouth(canvas: Image, look: Look, expression: Expression) -> None:
    lift, opening = expression.corner_lift, max(0.0, expression.mouth_opening)
    half_width = 0.36 + 0.07 * max(0.0, lift) - 0.05 * opening
    x = half_width * _ARC
    seam = _MOUTH_Y + 0.05 * lift - 0.14 * lift * _ARC**2  # the line between the lips
    bulge = 1 - _ARC**2
    inner_top = seam - 0.03 * opening * bulge
    inner_bottom = seam + 0.26 * opening * bulge
    cupid = 0.085 * bulge**0.7 * (1 - 0.22 * np.exp(-((_ARC / 0.16) ** 2)))
    top = np.column_stack([x, inner_top - cupid])
    bottom = np.column_stack([x, inner_bottom + 0.115 * bulge**0.8])
    inner_upper, inner_lower = np.column_stack([x, inner_top]), np.column_stack([x, inner_bottom])
    lips = (int(look.skin[0] * 0.80), int(look.skin[1] * 0.58), int(look.skin[2] * 0.60))
    _fill(canvas, np.concatenate([top, inner_upper[::-1]]), _shade(lips, 0.90))
    _fill(canvas, np.concatenate([inner_lower, bottom[::-1]]), lips)
    if opening > 0.06:
        _fill(canvas, np.concatenate([inner_upper, inner_lower[::-1]]), (58, 22, 24))
        teeth = np.column_stack([x, np.minimum(inner_top + 0.07 * bulge, inner_bottom)])
        _fill(canvas, np.concatenate([inner_upper[3:-3], teeth[3:-3][::-1]]), (232, 228, 220))
    _line(canvas, inner_upper, _shade(lips, 0.55), 0.02)
    if abs(lift) > 0.25:  # the fold from nose to mouth corner
        for side in (-1, 1):
            lowest = (side * (half_width + 0.09), _MOUTH_Y - 0.1 * lift)
            fold = np.array([(side * 0.22, 0.38), (side * 0.36, 0.50), lowest])
            _line(canvas, fold, _shade(look.skin, 0.78), 0.02)


@lru_cache(maxsize=1)
def _fields() -> tuple[NDArray[np.float32], ...]:
    """Base position of each frame pixel on the canvas, and how much a turn, a nod and the jaw move what is there."""
    axis = np.arange(FRAME_PX, dtype=np.float32) * (CANVAS_PX / FRAME_PX)
    x, y = np.meshgrid(axis, axis)
    u, v = (x - ORIGIN_PX) / UNIT_PX, (y - ORIGIN_PX) / UNIT_PX
    relief = blob(u, v, (0, 0.1), (0.75, 0.95)) + 0.25 * blob(u, v, (0, 0.3), (0.25, 0.25))
    jaw = np.clip(v - 0.75, 0, 1) * np.exp(-((u / 0.8) ** 4))
    return x - np.float32(ORIGIN_PX), y - np.float32(ORIGIN_PX), relief, jaw


def _warp(expression: Expression) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each frame pixel lies on the canvas."""
    x, y, relief, jaw = _fields()
    angle = np.float32(np.deg2rad(expression.lean_deg))
    cosine, sine = np.cos(angle), np.sin(angle)
    shift_x, shift_y = (np.float32(2 * shift) for shift in expression.shift_px)
    x, y = x - shift_x, y - shift_y
    map_x = cosine * x + sine * y + np.float32(ORIGIN_PX) - np.float32(14 * expression.turn) * relief
    drop = np.float32(12 * max(0.0, expression.mouth_opening))
    map_y = cosine * y - sine * x + np.float32(ORIGIN_PX) - np.float32(12 * expression.nod) * relief - drop * jaw
    return map_x, map_y


def _folder(frame: Image, look: Look, expression: Expression) -> None:
    """A cardboard folder held up by its lower corners."""
    middle = np.array([FRAME_PX / 2 + expression.shift_px[0], FRAME_PX * 0.49 + expression.shift_px[1]])
    angle = np.deg2rad(expression.lean_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def place(points: Sequence[tuple[float, float]]) -> NDArray[np.int32]:
        return np.round((np.array(points) @ turn.T + middle) * (1 << _SUBPIXEL_BITS)).astype(np.int32)

    board = place([(-66, -84), (66, -84), (66, 84), (-66, 84)])
    cv2.fillPoly(frame, [board], (58, 84, 104), cv2.LINE_AA, _SUBPIXEL_BITS)
    for top in range(-68, 60, 16):  # a printed pattern, as a plain board can pass for a face that was tracked until now
        stripe = [(-66, top), (66, top - 14), (66, top - 8), (-66, top + 6)]
        cv2.fillPoly(frame, [place(stripe)], (206, 176, 104), cv2.LINE_AA, _SUBPIXEL_BITS)
    for side in (-1, 1):
        hand = place([(side * 66, 70), (side * 44, 62), (side * 42, 74), (side * 48, 92), (side * 66, 96)])
        cv2.fillPoly(frame, [hand], _shade(look.skin, 0.85), cv2.LINE_AA, _SUBPIXEL_BITS)
