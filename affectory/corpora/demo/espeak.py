"""Speech synthesis by espeak-ng, run as a program of its own.

espeak-ng is GPL-3. It is never loaded into a process that holds Affectory: `voice.py` starts this file with the
interpreter and talks to it through pipes. It imports nothing of Affectory.

Standard input: JSON, a list of {"text", "voice", "rate_wpm", "pitch", "pitch_range", "seed"}.
Standard output: a line of JSON {"rate_hz": int, "samples": [int]}, then the 16-bit samples of all sentences.
"""

import ctypes
import json
import sys
from pathlib import Path

import espeakng_loader

SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: samples come by callback, nothing is played
DO_NOT_EXIT = 0x8000
UTF8 = 1
RATE, PITCH, RANGE = 1, 3, 4  # espeak_PARAMETER
SAMPLES_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def check_voice(voice: str, data: Path) -> None:
    """Exit with a message where a voice's variant is not installed: espeak-ng would use the plain voice silently."""
    variant = voice.partition("+")[2]
    if variant and not (data / "voices" / "!v" / variant).is_file():
        sys.exit(f"voice {voice}: espeak-ng has no variant {variant} in {data / 'voices' / '!v'}")


def synthesise(library: ctypes.CDLL, line: dict, collected: bytearray) -> bytes:
    """16-bit samples of one sentence."""
    collected.clear()
    library.espeak_ng_SetRandSeed(ctypes.c_long(line["seed"]))  # the breathy variants are seeded by the clock otherwise
    if library.espeak_SetVoiceByName(line["voice"].encode()) != 0:
        sys.exit(f"voice {line['voice']}: espeak-ng does not know it")
    for parameter, key in ((RATE, "rate_wpm"), (PITCH, "pitch"), (RANGE, "pitch_range")):
        library.espeak_SetParameter(parameter, line[key], 0)
    text = line["text"].encode() + b"\0"
    if library.espeak_Synth(text, len(text), 0, 0, 0, UTF8, None, None) != 0:
        sys.exit(f"espeak-ng could not speak: {line['text']}")
    return bytes(collected)


def main() -> None:
    """Speaks what standard input asks for."""
    lines = json.load(sys.stdin)
    data = Path(espeakng_loader.get_data_path())
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(SYNCHRONOUS, 0, str(data.parent).encode(), DO_NOT_EXIT)
    if rate_hz <= 0:
        sys.exit(f"espeak-ng found no data in {data}")
    collected = bytearray()

    def collect(samples, count, _events) -> int:
        if samples and count > 0:
            collected.extend(ctypes.string_at(samples, 2 * count))
        return 0

    callback = SAMPLES_CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    for line in lines:
        check_voice(line["voice"], data)
    spoken = [synthesise(library, line, collected) for line in lines]
    header = {"rate_hz": rate_hz, "samples": [len(samples) // 2 for samples in spoken]}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + b"".join(spoken))


if __name__ == "__main__":
    main()
