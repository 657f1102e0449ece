"""Pictures in Dagster's metadata."""

from affectory.report.figures.style import data_uri


def picture_markdown(png: bytes) -> str:
    """Markdown that shows the picture without a file or a server."""
    return f"![picture]({data_uri(png, 'png')})"
