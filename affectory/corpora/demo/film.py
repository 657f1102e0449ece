"""One dialogue as a film: the sound laid out in time, the frames of whoever speaks, and the .mp4 that holds both."""

from __future__ import annotations

import io
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectory.corpora.demo.acting import play
from affectory.corpora.demo.face import draw
from affectory.corpora.demo.portrait import FRAME_PX, Image
from affectory.corpora.demo.process import run
from affectory.corpora.demo.script import Dialogue, Turn
from affectory.corpora.demo.voice import RATE_HZ, Line, speak
from affectory.vocabulary import Modality

FRAME_RATE_HZ = 10
UTTERANCE_S = (1.3, 3.3)
_TAIL_S = 0.6
_ROOM_RMS = 0.0008  # -62 dB of full scale: a quiet room
_ENCODER_TIMEOUT_S = 120.0  # a 30 s dialogue takes about 1 s


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A turn placed in its film. The camera shows its speaker from `shot_start_s` to `shot_end_s`."""

    turn: Turn
    start_s: float
    end_s: float
    shot_start_s: float
    shot_end_s: float


@dataclass(frozen=True, kw_only=True)
class Film:
    """A staged dialogue. `sound` is what a microphone hears; `speech` has neither room nor muting. Both at RATE_HZ."""

    scenes: tuple[Scene, ...]
    sound: NDArray[np.float32]
    speech: NDArray[np.float32]
    n_frames: int


def stage(dialogue: Dialogue) -> Film:
    """The dialogue as a film: its sentences synthesised and placed in time. DemoError where espeak-ng fails."""
    spoken = _speak(dialogue)
    starts, ends, time_s = [], [], 0.0
    for turn, samples in zip(dialogue.turns, spoken, strict=True):
        starts.append(round(time_s + turn.pause_s, 3))
        ends.append(starts[-1] + len(samples) / RATE_HZ)
        time_s = ends[-1]
    n_frames = int(np.ceil((time_s + _TAIL_S) * FRAME_RATE_HZ))
    between = [(end + start) / 2 for end, start in zip(ends[:-1], starts[1:], strict=True)]
    cuts = [0.0, *between, n_frames / FRAME_RATE_HZ]
    scenes = tuple(
        Scene(turn=turn, start_s=starts[i], end_s=ends[i], shot_start_s=cuts[i], shot_end_s=cuts[i + 1])
        for i, turn in enumerate(dialogue.turns)
    )
    speech = np.zeros(n_frames * RATE_HZ // FRAME_RATE_HZ, np.float32)
    for scene, samples in zip(scenes, spoken, strict=True):
        first = round(scene.start_s * RATE_HZ)
        speech[first : first + len(samples)] = samples
    return Film(scenes=scenes, sound=_record(speech, scenes, dialogue.seed), speech=speech, n_frames=n_frames)


def _speak(dialogue: Dialogue) -> list[NDArray[np.float32]]:
    """Every turn's samples; a sentence of unfit length is said again, faster or slower."""
    item = f"dialogue {dialogue.dialogue_id}"
    lines = [_line(turn) for turn in dialogue.turns]
    spoken = speak(lines, item=item)
    fitting = [_at_fitting_rate(line, len(samples) / RATE_HZ) for line, samples in zip(lines, spoken, strict=True)]
    return spoken if fitting == lines else speak(fitting, item=item)


def _at_fitting_rate(line: Line, duration_s: float) -> Line:
    fitting_s = float(np.clip(duration_s, *UTTERANCE_S))
    return replace(line, rate_wpm=round(line.rate_wpm * duration_s / fitting_s))


def _line(turn: Turn) -> Line:
    voice = turn.voice
    return Line(
        text=turn.sentence,
        voice=f"{turn.speaker.culture.accent}+{turn.speaker.variant}",
        rate_wpm=round(float(np.clip(158 + 20 * voice.rate, 120, 260))),
        pitch=round(float(np.clip(45 + 10 * voice.pitch, 0, 99))),
        pitch_range=round(float(np.clip(50 + 20 * voice.pitch_range, 5, 99))),
        gain_db=4 * voice.loudness,
        brightness=float(np.clip(0.3 * voice.brightness, -0.85, 0.85)),
        seed=turn.seed,
    )


def _record(speech: NDArray[np.float32], scenes: tuple[Scene, ...], seed: int) -> NDArray[np.float32]:
    """Speech in a quiet room; a muted shot is digital silence."""
    room = np.random.default_rng(seed).normal(scale=_ROOM_RMS, size=len(speech)).astype(np.float32)
    sound = speech + room
    for scene in scenes:
        if scene.turn.removed is Modality.ACOUSTIC:
            sound[round(scene.shot_start_s * RATE_HZ) : round(scene.shot_end_s * RATE_HZ)] = 0
    return np.clip(sound, -1, 1)


def frames(film: Film) -> Iterator[Image]:
    """RGB [FRAME_PX, FRAME_PX, 3] of every frame, in order."""
    times_s = np.arange(film.n_frames) / FRAME_RATE_HZ
    loudness = _loudness(film.speech, film.n_frames)
    for scene in film.scenes:
        in_shot = (times_s >= scene.shot_start_s) & (times_s < scene.shot_end_s)
        covered = scene.turn.removed is Modality.VISUAL
        for expression in play(scene.turn, times_s[in_shot], scene.start_s, scene.end_s, loudness[in_shot]):
            yield draw(scene.turn.speaker.look, expression, covered=covered)


def _loudness(speech: NDArray[np.float32], n_frames: int) -> NDArray[np.floating]:
    """[n_frames] in 0..1: how loud the speech is while each frame is shown."""
    rms = np.sqrt(np.mean(speech.reshape(n_frames, -1) ** 2, axis=1))
    return np.clip(rms / max(np.percentile(rms, 95), 1e-6), 0, 1) ** 0.8


def write_film(film: Film, target: Path) -> None:
    """Writes h264 + aac to `target`, by way of a temporary name. Raises DemoError with ffmpeg's last words.

    One thread and no metadata: the same film gives the same bytes.
    """
    import ffmpeg
    import imageio_ffmpeg

    part = target.with_name(f".{target.name}.part")
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        sound.write_bytes(_wave(film.sound))
        pictures = ffmpeg.input(
            "pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{FRAME_PX}x{FRAME_PX}", r=FRAME_RATE_HZ
        )
        output = ffmpeg.output(
            pictures, ffmpeg.input(str(sound)), str(part), format="mp4", movflags="+faststart", threads=1,
            vcodec="libx264", preset="veryfast", crf=23, g=20, pix_fmt="yuv420p",
            acodec="aac", audio_bitrate="48k", aac_coder="fast",
            map_metadata=-1, fflags="+bitexact", **{"flags:v": "+bitexact", "flags:a": "+bitexact"},
        ).global_args("-loglevel", "error")  # fmt: skip
        command = ffmpeg.compile(output, imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
        pixels = b"".join(frame.tobytes() for frame in frames(film))
        run(command, pixels, item=f"film {target.name}", timeout_s=_ENCODER_TIMEOUT_S)
    part.replace(target)


def _wave(sound: NDArray[np.float32]) -> bytes:
    """16-bit mono RIFF."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
