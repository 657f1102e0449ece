import hashlib
import os
import struct
import wave
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from affectory.media import MediaError, open_media, probe_file, probe_files

SOUND = [(0.0, 0.3 * np.sin(np.arange(32000) / 10))]  # two seconds
PICTURES = [(k / 25, 128) for k in range(50)]


def reason(path: Path) -> str:
    """Why the file is refused; '' where it is accepted."""
    file = probe_file(path.parent, path.name)
    assert (file.verdict == "refused") == bool(file.reason) == bool(file.detail)
    assert file.reason == "" or path.name in file.detail
    return file.reason


def test_a_probe_tells_digest_tracks_and_duration(make_media):
    path = make_media("talk.mkv", pictures=PICTURES, sounds=SOUND)
    file = probe_file(path.parent, "talk.mkv")
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.size_bytes == path.stat().st_size
    assert (file.container, file.audio_codec, file.audio_rate_hz) == ("matroska,webm", "pcm_s16le", 16000)
    assert (file.video_codec, file.width, file.height, file.video_rate_hz) == ("h264", 64, 48, 25.0)
    assert file.duration_s == pytest.approx(2.0, abs=0.05)
    assert (file.verdict, file.reason, file.detail) == ("accepted", "", "")


def test_one_track_is_enough_and_the_other_is_recorded_as_absent(make_media):
    voice = probe_file(make_media("voice.wav", sounds=SOUND).parent, "voice.wav")
    face = probe_file(make_media("face.mp4", pictures=PICTURES).parent, "face.mp4")
    assert (voice.verdict, voice.audio_codec, voice.video_codec, voice.width) == ("accepted", "pcm_s16le", None, None)
    assert (face.verdict, face.audio_codec, face.audio_rate_hz, face.video_codec) == ("accepted", None, None, "h264")


def test_a_turned_video_has_the_size_of_the_upright_picture(make_media):
    path = make_media("turned.mp4", pictures=PICTURES, turned=90)
    file = probe_file(path.parent, path.name)
    assert (file.width, file.height) == (48, 64)


def test_cover_art_is_no_video_track(tmp_path):
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(cover.encode(None))
    file = probe_file(tmp_path, "song.m4a")
    assert (file.verdict, file.audio_codec, file.video_codec) == ("accepted", "aac", None)


def test_text_that_is_named_like_a_video_is_refused(make_media):
    for name, content in [
        ("notes.mp4", "Dear diary,\n" * 200),
        ("script.mp4", "ffconcat version 1.0\nfile 'other.wav'\n"),
        ("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.wav\n#EXT-X-ENDLIST\n"),
        ("dash.mp4", "<?xml version='1.0'?><MPD><Period><BaseURL>other.wav</BaseURL></Period></MPD>"),
        ("session.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5000 RTP/AVP 0\n"),
        ("page.mp4", "<html><body>404</body></html>"),
    ]:
        path = make_media("other.wav", sounds=SOUND).with_name(name)
        path.write_text(content)
        assert reason(path) == "unreadable_media", name


def test_a_name_is_only_ever_a_name(make_media):
    make_media("other.wav", sounds=SOUND)
    for name in ["concat:other.wav", "http:__x.mp4", "-i.mp4", "file%03d.wav", "a b'\"$(x).wav", "näme…😀.wav"]:
        path = make_media("x.wav", sounds=SOUND)
        assert reason(path.rename(path.with_name(name))) == "", name


def test_a_file_without_bytes_a_folder_and_a_missing_one_are_refused(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    assert reason(tmp_path / "empty.mp4") == "empty_file"
    assert reason(tmp_path / "folder.mp4") == "not_a_regular_file"
    assert reason(tmp_path / "absent.mp4") == "media_not_found"


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_and_hangs_nobody(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert reason(tmp_path / "pipe.mp4") == "not_a_regular_file"
    with pytest.raises(MediaError, match="not_a_regular_file"), open_media(tmp_path / "pipe.mp4"):
        pass


def test_links_that_leave_the_corpus_folder_are_not_followed(make_media, tmp_path):
    outside = make_media("outside.wav", sounds=SOUND)
    corpus = tmp_path / "corpus"
    (corpus / "media").mkdir(parents=True)
    (corpus / "media" / "out.wav").symlink_to(outside)
    (corpus / "away").symlink_to(tmp_path)
    (corpus / "media" / "loop.wav").symlink_to("loop.wav")
    outside.rename(corpus / "media" / "in.wav")
    (corpus / "media" / "near.wav").symlink_to("in.wav")
    (tmp_path / "outside.wav").write_bytes(b"x")
    verdicts = {
        name: probe_file(corpus, name).reason for name in ("media/out.wav", "away/outside.wav", "media/near.wav")
    }
    assert verdicts == {
        "media/out.wav": "media_outside_corpus",
        "away/outside.wav": "media_outside_corpus",
        "media/near.wav": "",
    }
    assert probe_file(corpus, "media/loop.wav").reason == "media_not_found"
    assert probe_file(corpus, "../outside.wav").reason == "media_outside_corpus"
    assert probe_file(corpus, "/etc/hostname").reason == "media_outside_corpus"


def test_a_corpus_folder_may_itself_be_a_link(make_media, tmp_path):
    path = make_media("real/voice.wav", sounds=SOUND)
    (tmp_path / "alias").symlink_to(path.parent)
    assert probe_file(tmp_path / "alias", "voice.wav").verdict == "accepted"


def test_a_name_that_is_not_utf8_is_refused_and_shown_escaped(make_media):
    path = make_media("voice.wav", sounds=SOUND)
    odd = os.fsdecode(b"caf\xe9.wav")
    path.rename(path.with_name(odd))
    file = probe_file(path.parent, odd)
    assert (file.reason, file.media) == ("name_not_utf8", "caf\\udce9.wav")


def test_a_cut_video_is_refused(make_media):
    for name, options in [
        ("cut.mp4", {"movflags": "faststart"}),
        ("cut_no_index.mp4", {}),
        ("cut.mkv", {}),
        ("cut.mov", {"movflags": "faststart"}),
        ("cut.avi", {}),
    ]:
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 96000)
        audio = "aac" if name.endswith("mp4") else "pcm_s16le"
        video = "mpeg4" if name.endswith("avi") else "libx264"
        pictures = [(k / 25, 3 * k % 200) for k in range(150)]
        path = make_media(name, pictures=pictures, sounds=[(0.0, noise)], audio=audio, video=video, options=options)
        assert reason(path) == ""
        whole = path.read_bytes()
        path.write_bytes(whole[: int(0.6 * len(whole))])
        assert reason(path) == ("unreadable_media" if name == "cut_no_index.mp4" else "truncated")


def test_cut_sound_is_refused(tmp_path):
    for name in ["cut.wav", "cut.flac"]:
        path = tmp_path / name
        soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 96000), 16000)
        assert reason(path) == ""
        path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
        assert reason(path) == "truncated"


def test_damaged_sound_is_refused(make_media):
    path = make_media("damaged.mp4", sounds=[(0.0, np.random.default_rng(0).uniform(-0.5, 0.5, 96000))], audio="aac")
    content = bytearray(path.read_bytes())
    content[2000:20000] = bytes(18000)
    path.write_bytes(content)
    assert reason(path) in ("undecodable_audio", "truncated")


def test_a_picture_of_too_many_pixels_is_refused(make_media):
    assert reason(make_media("huge.mp4", pictures=[(0.0, 0)], size=(8192, 2080))) == "too_many_pixels"


def test_a_picture_larger_than_its_header_says_is_not_decoded(make_media):
    path = make_media("grows.avi", pictures=[(0.0, 0), (0.04, 0)], size=(8192, 2080), video="mjpeg")
    path.write_bytes(path.read_bytes().replace(struct.pack("<ii", 8192, 2080), struct.pack("<ii", 64, 48)))
    assert reason(path) in ("unreadable_media", "undecodable_video", "too_many_pixels")


def test_time_stamps_a_billion_seconds_apart_are_refused(make_media):
    assert reason(make_media("bomb.mkv", pictures=[(0.0, 50), (1e9, 50)])) == "duration_over_limit"


def test_sound_that_is_not_a_number_is_refused(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.full(1600, np.nan, np.float32), 16000, subtype="FLOAT")
    assert reason(tmp_path / "nan.wav") == "not_finite_audio"


def test_a_rate_that_would_swell_when_resampled_is_refused(tmp_path):
    with wave.open(str(tmp_path / "slow.wav"), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(1)
        file.writeframes(bytes(80_000))
    assert reason(tmp_path / "slow.wav") == "unsupported_rate"


def test_a_container_without_tracks_is_refused(tmp_path):
    # ftyp and an empty moov: a valid mp4 with nothing in it.
    ftyp = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom")
    (tmp_path / "nothing.mp4").write_bytes(ftyp + struct.pack(">I4s", 8, b"moov"))
    assert reason(tmp_path / "nothing.mp4") in ("no_tracks", "unreadable_media")


def test_many_files_are_probed_in_order_and_the_bad_do_not_stop_the_good(make_media):
    good = make_media("good.wav", sounds=SOUND)
    bad = good.with_name("bad.mp4")
    bad.write_text("no video")
    reports: list[tuple[int, int]] = []
    files = probe_files(
        good.parent,
        ["good.wav", "bad.mp4", "good.wav"],
        workers=2,
        on_progress=lambda *progress: reports.append(progress),
    )
    assert [file.reason for file in files] == ["", "unreadable_media", ""]
    assert files[0] == files[2] == replace(probe_file(good.parent, "good.wav"))
    assert reports == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.slow
def test_a_probe_that_takes_too_long_refuses_its_file_alone(tmp_path):
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(384_000)
        file.writeframes(bytes(2))
    size = 384_000 * 2 * 2700  # 2 GB that take no space on the disk, and seconds to digest and decode
    with (tmp_path / "long.wav").open("r+b") as file:
        file.seek(4), file.write(struct.pack("<I", size + 36))
        file.seek(40), file.write(struct.pack("<I", size))
        file.truncate(size + 44)
    soundfile.write(tmp_path / "short.wav", np.zeros(1600), 16000)
    files = probe_files(tmp_path, ["short.wav", "long.wav"], workers=1, timeout_s=2.0)
    assert [file.reason for file in files] == ["", "probe_timeout"]
    assert "2 s" in files[1].detail
