#!/usr/bin/env python3
"""Make tests/golden/image: pictures and masks with what Pillow and pycocotools make of them.

Made with Python 3.11, Pillow 13.0.0, numpy 2.4.6, pycocotools 2.0.11; seed 7.
  python3 -m venv V && V/bin/pip install pillow==13.0.0 numpy==2.4.6 pycocotools==2.0.11
  V/bin/python tests/ref/image_reference.py
Pictures are small and lossless where they are the expected side, so that the folder stays small.
"""
import io
import pathlib
import struct

import numpy as np
from PIL import Image, ImageOps
from pycocotools import mask as coco

OUT = pathlib.Path(__file__).parent.parent / "golden" / "image"
rng = np.random.default_rng(7)


def scene(w, h):
    """Smooth colours, hard edges and noise: what a resizing or a colour conversion can get wrong."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    rgb = np.stack([255 * x / w, 255 * y / h, 127 + 120 * np.sin(x / 3 + y / 5)], -1)
    rgb[h // 4 : h // 2, w // 3 : w // 2] = (250, 20, 30)
    rgb[h // 2 :, : w // 5] = rng.uniform(0, 255, (h - h // 2, w // 5, 3))
    return Image.fromarray(rgb.round().clip(0, 255).astype(np.uint8))


def save(image, name, **options):
    image.save(OUT / name, **options)


def decoding():
    """decode.txt: file, expected picture, tolerance in levels."""
    base, lines = scene(61, 43), []

    def case(name, image, tolerance, expected=None, raw=None, **options):
        if not raw:
            save(image, name, **options)
        if expected is None:
            expected = ImageOps.exif_transpose(Image.open(OUT / name)).convert("RGB")
        save(expected, name + ".expected.png", optimize=True)
        lines.append(f"{name} {name}.expected.png {tolerance}")

    def on_white(image):
        rgba = np.asarray(image.convert("RGBA")).astype(np.float64)
        alpha = rgba[..., 3:] / 255
        return Image.fromarray((rgba[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8))

    # Two levels between versions of libjpeg; CMYK by Pillow's own formula.
    case("baseline.jpg", base, 2, quality=90)
    case("progressive.jpg", base, 2, quality=85, progressive=True)
    case("grey.jpg", base.convert("L"), 2, quality=90)
    case("cmyk.jpg", base.convert("CMYK"), 3, quality=95)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        case(f"exif{orientation}.jpg", base.crop((0, 0, 37, 24)), 2, quality=90, subsampling=0, exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    case("exif6.png", base.crop((0, 0, 37, 24)), 0, exif=exif)
    case("exif6.webp", base.crop((0, 0, 37, 24)), 1, lossless=True, exif=exif)
    case("lossy.webp", base, 2, quality=80)

    case("rgb.png", base, 0)
    case("grey.png", base.convert("L"), 0)
    case("bits1.png", base.convert("1"), 0)
    case("palette.png", base.quantize(17), 0)
    deep = np.asarray(base.convert("L")).astype(np.uint16) * 257
    case("grey16.png", Image.fromarray(deep), 1, expected=base.convert("L").convert("RGB"))
    rgba = base.convert("RGBA")
    rgba.putalpha(Image.fromarray(np.linspace(0, 255, 61 * 43).reshape(43, 61).astype(np.uint8)))
    case("alpha.png", rgba, 1, expected=on_white(rgba))
    case("alpha.webp", rgba, 1, expected=on_white(rgba), lossless=True, exact=True)
    see_through = base.quantize(9)
    see_through.info["transparency"] = 3
    see_through.save(OUT / "trns.png", transparency=3)
    case("trns.png", see_through, 1, expected=on_white(Image.open(OUT / "trns.png")), transparency=3)
    more_formats(base, rgba, case, on_white)
    (OUT / "decode.txt").write_text("\n".join(lines) + "\n")


def bitmap(w, h, bits, compression, pixels, tail=b"", palette=b"", head=40):
    """A BMP of the kinds that Pillow doesn't write; `tail` are masks behind the first 40 bytes."""
    at = 14 + 40 + len(tail) + len(palette)
    info = struct.pack("<IiiHHIIiiII", head, w, h, 1, bits, compression, len(pixels), 0, 0, len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at) + info + tail + palette + pixels


def runs(indices, bits):
    """RLE8 or RLE4 from the lowest row: of each row a literal stretch, then runs, and an end of line."""
    out = b""
    for row in indices[::-1]:
        literal = [int(v) for v in row[:5]]
        if bits == 8:
            out += bytes([0, 5, *literal, 0])
        else:
            out += bytes([0, 5, literal[0] << 4 | literal[1], literal[2] << 4 | literal[3], literal[4] << 4, 0])
        x = 5
        while x < len(row):
            n = 1
            while x + n < len(row) and row[x + n] == row[x] and n < 255:
                n += 1
            out += bytes([n, int(row[x]) * (17 if bits == 4 else 1)])
            x += n
        out += b"\0\0"
    return out + b"\0\1"


def tiled_tiff(image, side):
    """A TIFF file of bare tiles, which Pillow doesn't write."""
    w, h = image.size
    across, down = -(-w // side), -(-h // side)
    whole = np.zeros((down * side, across * side, 3), np.uint8)
    whole[:h, :w] = np.asarray(image)
    tiles = [whole[y * side:(y + 1) * side, x * side:(x + 1) * side].tobytes()
             for y in range(down) for x in range(across)]
    short = {256: w, 257: h, 259: 1, 262: 2, 277: 3, 284: 1, 322: side, 323: side}
    arrays = {258: (3, "<3H", [8, 8, 8]), 324: (4, f"<{len(tiles)}I", None), 325: (4, f"<{len(tiles)}I",
                                                                                  [len(t) for t in tiles])}
    at = {tag: 0 for tag in arrays}
    start = 8 + 2 + 12 * (len(short) + len(arrays)) + 4
    for tag, (_, form, _) in arrays.items():
        at[tag], start = start, start + struct.calcsize(form)
    arrays[324] = (*arrays[324][:2], [start + i * len(tiles[0]) for i in range(len(tiles))])
    out = b"II*\0" + struct.pack("<IH", 8, len(short) + len(arrays))
    for tag in sorted([*short, *arrays]):
        if tag in short:
            out += struct.pack("<HHIHH", tag, 3, 1, short[tag], 0)
        else:
            out += struct.pack("<HHII", tag, arrays[tag][0], len(arrays[tag][2]), at[tag])
    out += bytes(4) + b"".join(struct.pack(form, *values) for _, form, values in arrays.values())
    return out + b"".join(tiles)


def more_formats(base, rgba, case, on_white):
    """GIF, BMP, TIFF, AVIF, and the first picture of animations."""
    def written(name, data, tolerance, expected):
        (OUT / name).write_bytes(data)
        case(name, Image.open(io.BytesIO(data)), tolerance, expected=expected, raw=data)

    small, other = base.crop((0, 0, 37, 24)), base.crop((20, 15, 57, 39))
    few = base.quantize(13)
    case("plain.gif", few, 0)
    case("laced.gif", few, 0, interlace=1)
    frames = [im.convert("RGBA").quantize(9) for im in (small, other)]
    case("moving.gif", frames[0], 0, expected=frames[0].convert("RGB"), save_all=True, append_images=frames[1:])
    holes = base.quantize(9)
    holes.info["transparency"] = 3
    holes.save(OUT / "trns.gif", transparency=3)
    case("trns.gif", holes, 0, expected=on_white(Image.open(OUT / "trns.gif")), transparency=3)
    case("moving.webp", small, 0, save_all=True, append_images=[other], lossless=True, exact=True)

    case("rgb.bmp", base, 0)
    case("grey.bmp", base.convert("L"), 0)
    case("bits1.bmp", base.convert("1"), 0)
    case("alpha.bmp", rgba, 1, expected=base)  # 32 bits without masks: the fourth byte means nothing
    n = np.asarray(base).astype(np.uint32)
    rows = lambda v, kind: v[::-1].astype(kind).tobytes()
    pad16 = lambda v: np.pad(v, ((0, 0), (0, v.shape[1] % 2)))
    five = n >> 3
    of16 = five[..., 0] << 10 | five[..., 1] << 5 | five[..., 2]
    spread = lambda v, most: Image.fromarray((v * 255 / most).round().astype(np.uint8))
    written("bits16.bmp", bitmap(61, 43, 16, 0, rows(pad16(of16), "<u2")), 1, spread(five, 31))
    high = np.array([31, 63, 31])
    of565 = (n[..., 0] >> 3) << 11 | (n[..., 1] >> 2) << 5 | n[..., 2] >> 3
    q565 = np.stack([n[..., 0] >> 3, n[..., 1] >> 2, n[..., 2] >> 3], -1)
    written("bits565.bmp", bitmap(61, 43, 16, 3, rows(pad16(of565), "<u2"), struct.pack("<III", 0xF800, 0x7E0, 0x1F)),
            1, spread(q565, high))
    a = np.asarray(rgba)[..., 3].astype(np.uint32)
    of32 = n[..., 0] << 16 | n[..., 1] << 8 | n[..., 2] | a << 24
    tail = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    written("masks32.bmp", bitmap(61, -43, 32, 3, of32.astype("<u4").tobytes(), tail, head=56), 1, on_white(rgba))
    for bits in (4, 8):
        p = base.quantize(16)
        colours = np.array(p.getpalette()[:48], np.uint8).reshape(-1, 3)
        palette = b"".join(bytes([c[2], c[1], c[0], 0]) for c in colours)
        written(f"rle{bits}.bmp", bitmap(61, 43, bits, bits == 8 and 1 or 2, runs(np.asarray(p), bits), palette=palette),
                0, p.convert("RGB"))

    case("raw.tif", small, 0)
    written("tiles.tif", tiled_tiff(small, 16), 0, small)
    case("lzw.tif", base, 0, compression="tiff_lzw")
    case("zip.tif", rgba, 1, expected=on_white(rgba), compression="tiff_adobe_deflate")
    case("palette.tif", few, 0, compression="packbits")
    case("bits1.tif", base.convert("1"), 0, compression="group4")
    exif = Image.Exif()
    exif[0x0112] = 6
    case("exif6.tif", small, 0, compression="tiff_lzw", exif=exif)
    case("small.avif", base, 3, quality=100, subsampling="4:4:4")


def resizing():
    """resize.txt, cubic.txt: x0 y0 x1 y1 of source.png, then the size, then the file that Pillow made."""
    source, lines = scene(173, 97), []
    save(source, "source.png", optimize=True)
    cases = [
        ((0, 0, 173, 97), (64, 64)), ((0, 0, 173, 97), (41, 13)), ((0, 0, 173, 97), (173, 97)),
        ((0, 0, 173, 97), (200, 150)), ((0, 0, 173, 97), (1, 1)), ((0, 0, 173, 97), (7, 90)),
        ((10.25, 5.5, 100.75, 80.125), (32, 48)), ((100, 40, 173, 97), (80, 61)),
        ((170.5, 95.5, 172.25, 96.75), (9, 5)), ((0.4, 0.4, 1.2, 96.9), (3, 33)),
    ]
    for i, (box, size) in enumerate(cases):
        save(source.resize(size, Image.BILINEAR, box=box), f"resize{i}.png", optimize=True)
        lines.append(" ".join(map(str, [*box, *size, f"resize{i}.png"])))
    (OUT / "resize.txt").write_text("\n".join(lines) + "\n")
    lines = []
    low = (0, 0, 173, 97), (160, 20)  # of which Pillow does the columns first
    for i, (box, size) in enumerate([*(cases[k] for k in (0, 2, 3, 5, 6, 8)), low]):
        save(source.resize(size, Image.BICUBIC, box=box), f"cubic{i}.png", optimize=True)
        lines.append(" ".join(map(str, [*box, *size, f"cubic{i}.png"])))
    (OUT / "cubic.txt").write_text("\n".join(lines) + "\n")


def masks():
    """rle.txt: h, w, pixels row by row as hexadecimal bits (first pixel = highest bit), counts."""
    lines = []
    shapes = [(1, 1), (1, 9), (9, 1), (5, 7), (31, 66), (64, 64), (40, 130), (17, 129)]
    for h, w in shapes:
        for kind in range(6):
            y, x = np.mgrid[0:h, 0:w]
            m = [
                np.zeros((h, w)), np.ones((h, w)), rng.uniform(size=(h, w)) < 0.5,
                rng.uniform(size=(h, w)) < 0.03,
                ((x - w / 2) / (w / 2.5)) ** 2 + ((y - h / 2) / (h / 2.5)) ** 2 < 1, x >= w // 2,
            ][kind].astype(np.uint8)
            counts = coco.encode(np.asfortranarray(m))["counts"].decode()
            lines.append(f"{h} {w} {np.packbits(m).tobytes().hex()} {counts}")
    # Long runs, whose differences need several groups of bits.
    for h, w, x0, x1 in [(1000, 700, 350, 351), (1000, 700, 0, 699)]:
        m = np.zeros((h, w), np.uint8)
        m[:, x0:x1] = 1
        lines.append(f"{h} {w} columns:{x0}:{x1} {coco.encode(np.asfortranarray(m))['counts'].decode()}")
    (OUT / "rle.txt").write_text("\n".join(lines) + "\n")


OUT.mkdir(parents=True, exist_ok=True)
decoding()
resizing()
masks()
