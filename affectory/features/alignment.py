"""Closed-form similarity alignment of point sets: Umeyama, 'Least-squares estimation of transformation parameters
between two point patterns', IEEE Transactions on Pattern Analysis and Machine Intelligence 13(4), 1991.

Shapes: T point sets of K points in d dimensions.
"""

from __future__ import annotations

import numpy as np


def umeyama(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The scale [T], rotation [T, d, d] and shift [T, d] that bring each source [T, K, d] nearest to target [K, d].

    Minimises the sum over K of |target - (scale * rotation @ source + shift)|^2; rotations never mirror (det = 1).
    """
    source_mean, target_mean = source.mean(axis=1), target.mean(axis=0)  # [T, d], [d]
    centred_source, centred_target = source - source_mean[:, None], target - target_mean
    covariance = np.einsum("ki,tkj->tij", centred_target, centred_source) / len(target)  # [T, d, d], equation 38
    u, singular, vt = np.linalg.svd(covariance)
    signs = np.ones_like(singular)
    signs[:, -1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))  # equation 39
    rotation = (u * signs[:, None, :]) @ vt  # equation 40
    variance = np.square(centred_source).sum(axis=2).mean(axis=1)  # [T], equation 36
    scale = (singular * signs).sum(axis=1) / variance  # equation 42
    shift = target_mean - scale[:, None] * np.einsum("tij,tj->ti", rotation, source_mean)  # equation 41
    return scale, rotation, shift
