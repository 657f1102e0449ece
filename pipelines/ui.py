"""Both pages on this machine only: Dagster on port 3000, MLflow on port 5000; Ctrl-C stops both."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pipelines.deployment import CHECKOUT, Places, prepare

STOP_S = 20  # how long a page may take to end before it is killed


def commands(places: Places) -> dict[str, list[str]]:
    """Name -> command line; each binds 127.0.0.1."""
    binaries = Path(sys.executable).parent
    return {
        "Dagster  http://127.0.0.1:3000": [
            str(binaries / "dagster"), "dev", "-w", str(CHECKOUT / "workspace.yaml"), "-h", "127.0.0.1", "-p", "3000",
        ],
        "MLflow   http://127.0.0.1:5000": [
            str(binaries / "mlflow"), "server", "--backend-store-uri", places.tracking_uri,
            "--default-artifact-root", str(places.artifacts), "--host", "127.0.0.1", "--port", "5000", "--workers", "1",
        ],
    }  # fmt: skip


def _default_signals() -> None:
    # A background shell leaves SIGINT ignored, and a child that inherits that never stops.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def serve(lines: Mapping[str, list[str]], environment: Mapping[str, str]) -> int:
    """Run every page until one ends or Ctrl-C; returns the exit status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pages = [
        subprocess.Popen(line, env=dict(environment), preexec_fn=_default_signals, start_new_session=True)
        for line in lines.values()
    ]
    print("\n".join(lines), "Ctrl-C stops both.", sep="\n")
    try:
        os.wait()
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for page in pages:
            page.send_signal(signal.SIGINT)
        for page in pages:
            try:
                page.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(page.pid, signal.SIGKILL)


if __name__ == "__main__":
    places = Places.from_environment()
    prepare(places)
    sys.exit(serve(commands(places), os.environ | {"DAGSTER_HOME": str(places.dagster)}))
