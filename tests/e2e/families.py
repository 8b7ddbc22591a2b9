"""Models that say boxes in a language of their own, for scripted servers: the generated pictures of
`coords: auto` with the places of their shapes, and the answers of model families."""
import base64
import json
import re

# name: width and height of its picture, and its box there (src/stages/coords_probe.c)
SHAPES = {
    "red circle": (900, 500, (570, 50, 750, 230)),
    "blue square": (900, 500, (90, 270, 290, 470)),
    "green circle": (500, 900, (40, 560, 260, 780)),
    "orange rectangle": (500, 900, (250, 60, 440, 340)),
    "purple circle": (640, 640, (400, 70, 590, 260)),
    "black rectangle": (640, 640, (60, 330, 260, 580)),
}


def shape(text):
    """The shape that a prompt asks for; None = it asks for something else."""
    m = re.search(r'Find "([a-z]+ (?:circle|square|rectangle))" \(shape\)', text)
    return m and m.group(1)


def shapes(text):
    """{number: shape} of a prompt that asks for several; empty = it asks for something else."""
    return {int(n): s for n, s in re.findall(r"(?m)^(\d+)\. ([a-z]+ (?:circle|square|rectangle)) \(shape\)$", text)}


def of_shapes(text):
    """What a model that says 0..1000 answers to a prompt about shapes, one or several; None = it asks for
    something else."""
    one, several = shape(text), shapes(text)
    if one:
        return json.dumps({"boxes": [scaled(part(one), 1000, 1000)]})
    return several and in_list("qwen3-vl", {n: part(s) for n, s in several.items()}, 1000, 1000) or None


def part(name):
    """Where a shape lies, as fractions of its picture."""
    w, h, box = SHAPES[name]
    return [x / (h if i % 2 else w) for i, x in enumerate(box)]


def sent_size(request):
    """Width and height of the picture of a request's last message, from the JPEG's frame header."""
    url = next(p["image_url"]["url"] for p in request["messages"][-1]["content"] if p["type"] == "image_url")
    data, at = base64.b64decode(url.split(",", 1)[1]), 2
    while not 0xC0 <= data[at + 1] <= 0xC2:
        at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
    return int.from_bytes(data[at + 7:at + 9], "big"), int.from_bytes(data[at + 5:at + 7], "big")


def scaled(b, w, h):
    return [round(x * (h if i % 2 else w)) for i, x in enumerate(b)]


def turned(b):
    return [b[1], b[0], b[3], b[2]]


def grid(side, n):
    return round(side / n) * n


# Each: fractions of the picture and its size as sent -> what the model says.
FAMILIES = {
    "qwen2.5-vl": lambda b, w, h: json.dumps([{"bbox_2d": scaled(b, w, h), "label": "it"}]),
    "pixels of 32": lambda b, w, h: json.dumps({"bbox": scaled(b, grid(w, 32), grid(h, 32))}),
    "qwen3-vl": lambda b, w, h: "```json\n%s\n```" % json.dumps([{"bbox_2d": scaled(b, 1000, 1000)}]),
    "gemini": lambda b, w, h: json.dumps([{"box_2d": turned(scaled(b, 1000, 1000)), "label": "it"}]),
    "internvl": lambda b, w, h: "<ref>it</ref><box>[%s]</box>" % scaled(b, 1000, 1000),
    "florence-2": lambda b, w, h: "it" + "".join("<loc_%d>" % int(x * 1000) for x in b),
    "deepseek-vl2": lambda b, w, h: "<|ref|>it<|/ref|><|det|>[%s]<|/det|>" % scaled(b, 999, 999),
    "fractions": lambda b, w, h: json.dumps({"boxes": [[round(x, 4) for x in b]]}),
}


def in_list(name, of, w, h):
    """A family's answer about several: {number: part of the picture}. What is no JSON goes in as text."""
    out = []
    for n, b in of.items():
        said = FAMILIES[name](b, w, h)
        try:
            said = json.loads(said.strip("`").removeprefix("json\n"))
            one = said[0] if isinstance(said, list) else said
        except ValueError:
            one = {"boxes": said}
        out.append({"entity": n, **one})
    return json.dumps(out)
