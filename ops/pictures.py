"""Pictures in Dagster's metadata."""

import base64


def inline(png: bytes) -> str:
    """Markdown that shows the picture without a file or a server."""
    return f"![picture](data:image/png;base64,{base64.b64encode(png).decode()})"
