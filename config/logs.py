"""How the service logs: each record in one line of JSON, or of text for people (LOG_FORMAT).

uvicorn's own records come the same way: `config.run` and `config/logging.json`, which the image
names to uvicorn (UVICORN_LOG_CONFIG), say what Django's settings say. What a client sent is not
logged: query strings are cut off, and frames of WebSockets are not shown at any level.
"""

import json
import logging
import re
from typing import Any

import environ
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.msgspec import MsgspecFormatter

from gql_cluster.logs import NAMES, UNKNOWN, RequestFilter

_QUERY = re.compile(r"\?\S*")
# What libraries put on their records for themselves: requests, statements with their parameters.
_NOT_SHOWN = ("color_message", "params", "request", "server_time", "sql", "websocket")


def logging_settings() -> dict[str, Any]:
    """Return Django's LOGGING, as the environment has it."""
    level = environ.Env().str("LOG_LEVEL", default="INFO").upper()
    # Each of these has handlers of its own, which would print each message a second time.
    passed_on: dict[str, Any] = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"()": "config.logs.handler"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": passed_on,
            "uvicorn": passed_on,
            "uvicorn.access": passed_on,
            # Below INFO it shows every frame, and with it tokens and drafts.
            "uvicorn.error": {**passed_on, "level": max(level, "INFO", key=_number)},
        },
    }


def handler() -> logging.Handler:
    """Return what writes records to stderr, one a line."""
    made = logging.StreamHandler()
    made.setFormatter(formatter())
    made.addFilter(RequestFilter())
    made.addFilter(_without_secrets)
    return made


def formatter() -> logging.Formatter:
    """Return the formatter that LOG_FORMAT names: `json`, or `line`, the default with DEBUG."""
    env = environ.Env()
    default = "line" if env.bool("DEBUG", default=False) else "json"
    match env.str("LOG_FORMAT", default=default):
        case "json":
            return _Json(
                ("levelname", "name", "message"),
                rename_fields={"levelname": "level", "name": "logger"},
                reserved_attrs=[*RESERVED_ATTRS, *_NOT_SHOWN],
                timestamp="time",
            )
        case "line":
            return _Line("{asctime} {levelname} {name}: {message}", style="{")
        case other:
            raise ValueError(f"LOG_FORMAT has to be “json” or “line”, and not “{other}”.")


class _Json(MsgspecFormatter):
    """An object, with the ids that are known."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in log_data.items() if value != UNKNOWN}

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        try:
            return super().jsonify_log_record(log_data)
        except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 has none of
            return json.dumps(log_data, default=str)


class _Line(logging.Formatter):
    """A line for people, with the ids that are known behind the message."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        known = [(name, getattr(record, name, UNKNOWN)) for name in NAMES]
        ids = "".join(f" {name}={value}" for name, value in known if value != UNKNOWN)
        return super().formatMessage(record) + ids


def _without_secrets(record: logging.LogRecord) -> bool:
    """Take off an address what a client may have put behind it."""
    if record.name.startswith("uvicorn"):
        if isinstance(record.args, tuple):
            record.args = tuple(
                _QUERY.sub("", each) if isinstance(each, str) else each for each in record.args
            )
        if record.name == "uvicorn.error":
            record.name = "uvicorn"  # whatever it is about
    return True


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level]
