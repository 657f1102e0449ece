from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch

from affectory.media.voice_activity import LONGEST_S, segment_by_voice, voice_turns

RATE_HZ = 16000


@pytest.fixture(scope="module")
def sentences() -> list[np.ndarray]:
    """Three spoken sentences at 16 kHz, without silence at their ends."""
    voice = pytest.importorskip("affectory.corpora.demo.voice")
    texts = (
        "We are leaving for the station now.",
        "Nobody told me about the meeting.",
        "The letter came this morning.",
    )
    how = {
        "voice": "en-us+m3",
        "rate_wpm": 150,
        "pitch": 50,
        "pitch_range": 50,
        "gain_db": 0,
        "brightness": 0,
        "seed": 1,
    }
    spoken = voice.speak([voice.Line(text=text, **how) for text in texts], item="test")
    return [_resample(samples, voice.RATE_HZ) for samples in spoken]


def _resample(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    times = np.arange(int(len(samples) * RATE_HZ / rate_hz)) * rate_hz / RATE_HZ
    return np.interp(times, np.arange(len(samples)), samples).astype(np.float32)


def pause(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE_HZ), np.float32)


def in_file(path: Path, *parts: np.ndarray) -> tuple[Path, float]:
    samples = np.concatenate(parts)
    soundfile.write(path, samples, RATE_HZ)
    return path, len(samples) / RATE_HZ


def test_sentences_with_short_pauses_are_turns_of_their_own(sentences, tmp_path):
    first, second, third = sentences
    file = in_file(tmp_path / "talk.wav", pause(1.0), first, pause(0.35), second, pause(0.8), third, pause(1.0))
    turns = segment_by_voice(*file)
    lengths = [len(samples) / RATE_HZ for samples in sentences]
    starts = np.cumsum([1.0, lengths[0] + 0.35, lengths[1] + 0.8])
    assert len(turns) == 3
    np.testing.assert_allclose([start_s for start_s, _ in turns], starts, atol=0.15)
    np.testing.assert_allclose([end_s for _, end_s in turns], starts + lengths, atol=0.15)


def test_the_same_file_is_segmented_the_same_way_again(sentences, tmp_path):
    file = in_file(tmp_path / "talk.wav", pause(0.5), sentences[0], pause(0.5), sentences[1])
    assert segment_by_voice(*file) == segment_by_voice(*file)


def test_chunks_of_any_length_give_the_same_turns(sentences):
    samples = np.concatenate([pause(0.5), sentences[0], pause(0.5)])
    assert voice_turns([samples]) == voice_turns(np.array_split(samples, 37)) != []


def test_speech_without_a_pause_is_split_at_thirty_seconds(sentences, tmp_path):
    samples = [part for _ in range(9) for part in sentences]
    path, duration_s = in_file(tmp_path / "speech.wav", *samples)
    assert duration_s > 2 * LONGEST_S - 20
    turns = segment_by_voice(path, duration_s)
    assert len(turns) >= duration_s // LONGEST_S + 1
    assert all(0 <= start_s < end_s <= min(start_s + LONGEST_S, duration_s) for start_s, end_s in turns)
    assert all(before[1] <= after[0] for before, after in pairwise(turns))


def test_a_file_without_a_voice_comes_whole_in_pieces(tmp_path):
    path, duration_s = in_file(tmp_path / "silence.wav", pause(75.0))
    assert segment_by_voice(path, duration_s) == [(0.0, 25.0), (25.0, 50.0), (50.0, 75.0)]


def test_a_file_without_an_audio_track_comes_whole(tmp_path):
    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48)))
        container.mux(stream.encode(None))
    assert segment_by_voice(path, 2.0) == [(0.0, 2.0)]


def test_the_callers_threads_are_left_alone(tmp_path):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        voice_turns([pause(0.1)])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
