"""What a caller calls a post, as the pair that the extension takes: a record's JSON, and the picture's bytes."""
from __future__ import annotations

import json
import os
import struct
import zlib
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

Pair = Tuple[bytes, Optional[bytes]]
#: A path, a file's content, a PIL image, or an array [height, width] or [height, width, 1..4] of uint8.
Image = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, "np.ndarray[Any, Any]", Any]
#: A text, a pair of text and image, or a record (docs/record.md) whose image may be any Image.
Item = Union[str, Tuple[str, Optional[Image]], Mapping[str, Any]]


def png_of(pixels: "np.ndarray[Any, Any]") -> bytes:
    """Pixels as a PNG file that is not compressed, which costs little more than copying them."""
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.dtype != np.uint8:
        raise TypeError(f"image: an array of {pixels.dtype}; numbers of 0 to 255 as uint8 are needed")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or 0 in pixels.shape:
        raise TypeError(f"image: an array of shape {pixels.shape}; [height, width] or [height, width, 1..4] is needed")
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, width * channels)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    kind = (0, 4, 2, 6)[channels - 1]  # grey, grey and alpha, RGB, RGBA
    return b"".join((b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
                     chunk(b"IDAT", zlib.compress(rows.tobytes(), 0)), chunk(b"IEND", b"")))


def _pixels_of_pil(image: Any) -> "np.ndarray[Any, Any]":
    """As PIL shows it: a turn that EXIF asks for is the caller's (PIL.ImageOps.exif_transpose)."""
    if image.mode not in ("1", "L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if "transparency" in image.info or "A" in image.getbands() else "RGB")
    return np.asarray(image)


def read_image(image: Any) -> Tuple[Optional[str], Optional[bytes]]:
    """(path, None), (None, content of a file) or, where there is no image, (None, None)."""
    if image is None:
        return None, None
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        return (os.fsdecode(path), None)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return None, bytes(image)
    if isinstance(image, np.ndarray):
        return None, png_of(image)
    if hasattr(image, "getbands") and hasattr(image, "tobytes"):
        return None, png_of(_pixels_of_pil(image))
    if isinstance(image, Mapping) and set(image) == {"bytes", "path"}:  # an undecoded image of `datasets`
        return read_image(image["bytes"] if image["bytes"] is not None else image["path"])
    raise TypeError(f"image: a {type(image).__name__}; a path, bytes, a PIL image or a numpy array is needed")


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name}: a {type(value).__name__}; a str is needed")


def record_of(item: Any) -> Tuple[Dict[str, Any], Any]:
    """An item as the fields of a record without its image, and the image."""
    if isinstance(item, str):
        return {"text": item}, None
    if isinstance(item, Mapping):
        record = dict(item)
        return record, record.pop("image", None)
    if isinstance(item, tuple) and len(item) == 2:
        _check_text("text", item[0])
        return {"text": item[0]}, item[1]
    raise TypeError(f"a post is a str, a pair (text, image) or a dict, not a {type(item).__name__}")


def pair_of(item: Any, number: int) -> Pair:
    """An item as the extension takes it; `number` becomes its id where it has none, as in the program."""
    record, image = record_of(item)
    path, content = read_image(image)
    fields: Dict[str, Any] = {}
    for name, value in record.items():
        if name in ("text", "caption", "knowledge") and value is not None:
            _check_text(name, value)
        fields[name] = value
    if record.get("text") is None and record.get("tokens") is None:
        raise TypeError("a post needs a text (str) or tokens (list of str)")
    if content is None:
        fields = _in_place(item, fields, path)
    if fields.get("id") is None:  # None counts as absent, as null does in a record
        fields["id"] = str(number)
    try:
        text = json.dumps(fields, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError as e:
        raise ValueError(f"post {number}: {e}") from None
    return text.encode("utf-8", "surrogatepass"), content


def _in_place(item: Any, fields: Dict[str, Any], path: Optional[str]) -> Dict[str, Any]:
    """The path, or None, where the caller's dict had the image, so that the record keeps its order."""
    if not isinstance(item, Mapping):
        return fields if path is None else {**fields, "image": path}
    return {name: path if name == "image" else fields[name] for name in item}


def _plain(value: Any) -> Any:
    """What JSON doesn't know: numbers and arrays of numpy, and sequences that are no lists."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"a {type(value).__name__} is nothing that a record can hold")
