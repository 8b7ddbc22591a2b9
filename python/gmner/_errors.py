"""What goes wrong, one class a status of gmner.h, so that a caller can tell what to do about it."""
from __future__ import annotations

from typing import Any


class GmnerError(Exception):
    """Anything that the library refuses or fails at. `code` is its name: "io", "format", "model" …

    Of a post that failed, `post` is what was found of it before, and `stage` where it failed.
    """

    code = "unknown"
    post: Any = None
    stage: str = ""


class OutOfMemoryError(GmnerError, MemoryError):
    """There is not enough memory."""

    code = "nomem"


class FileError(GmnerError, OSError):
    """A file can't be read or written."""

    code = "io"


class FormatError(GmnerError, ValueError):
    """A post, file or answer is not what it should be."""

    code = "format"


class ArgumentError(GmnerError, ValueError):
    """An option or setting that can't be."""

    code = "arg"


class ShapeError(GmnerError):
    """A model whose tensors do not fit."""

    code = "shape"


class NetworkError(GmnerError, ConnectionError):
    """The network, or the server of a language model."""

    code = "net"


class TooSlowError(GmnerError, TimeoutError):
    """It took longer than it may."""

    code = "again"


class ModelError(GmnerError):
    """A model that is missing or broken."""

    code = "model"


class CancelledError(GmnerError):
    """Model.cancel was called, or a budget is spent."""

    code = "cancel"


class BusyError(GmnerError):
    """What can do one thing at a time was asked for a second."""

    code = "busy"


class ClosedError(GmnerError, ValueError):
    """The model was closed."""

    code = "closed"


# In the order of enum gmner_status, from 1.
_CLASSES = (OutOfMemoryError, FileError, FormatError, ArgumentError, ShapeError, NetworkError, TooSlowError,
            ModelError, CancelledError, BusyError, ClosedError)
_BY_CODE = {c.code: c for c in _CLASSES}


def error_of(status: int, message: str) -> GmnerError:
    """The exception of a number of enum gmner_status; called by the extension module."""
    return _CLASSES[status - 1](message) if 0 < status <= len(_CLASSES) else GmnerError(message)


def error_of_code(code: str, message: str) -> GmnerError:
    """The exception of the name that a record's `error` has as its code."""
    return _BY_CODE.get(code, GmnerError)(message)
