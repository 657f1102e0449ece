"""One short line an event on the terminal; the whole record stays in Dagster's event log."""

import logging
import sys

import dagster as dg


class ShortFormatter(logging.Formatter):
    """`12:03:55 acoustic_features: 120 of 320 utterances, ...`"""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        step = (meta.get("step_key") or "run").split(".")[0]
        line = f"{self.formatTime(record, '%H:%M:%S')} {step}: {meta.get('orig_message') or record.getMessage()}"
        event = meta.get("dagster_event")
        error = getattr(getattr(event, "event_specific_data", None), "error", None)
        return f"{line}\n{error.to_string()}" if error else line


@dg.logger(
    description="Short lines on stderr, from INFO up unless log_level says otherwise.",
    config_schema=dg.Field(dg.Shape({"log_level": dg.Field(str, default_value="INFO")}), is_required=False),
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """A logger that writes ShortFormatter's lines to stderr."""
    logger = logging.Logger("affectory", level=(context.logger_config or {}).get("log_level", "INFO"))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ShortFormatter())
    logger.addHandler(handler)
    return logger
