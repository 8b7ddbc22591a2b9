"""`coords: auto`: what numbers a model says boxes in is learned from its answers about three generated
pictures, kept by server and model, and refused where nothing fits."""
import json
import os
import re
import signal
import struct
import subprocess
import threading
import time
import zlib

import families
import gm
import llm_server

SIZES = ((331, 207), (998, 1303), (1600, 401))  # of the posts' pictures, odd on purpose
GOLD = (0.131, 0.242, 0.713, 0.888)             # of each
PAIRS = [f"{c} {o}" for c in ("sent", "grid28", "grid32", "1000", "1") for o in ("xyxy", "yxyx")]


def png(w, h):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress((b"\0" + b"\x80\x90\xa0" * w) * h)) + chunk(b"IEND", b""))


class Model(llm_server.Own):
    """Speaks a family's language about shapes and about the one entity of the posts; counts both."""

    def __init__(self, say):
        self.shapes, self.entities = [], []

        def answer(text, request):
            name = families.shape(text)
            (self.shapes if name else self.entities).append(text)
            return say(families.part(name) if name else GOLD, *families.sent_size(request), text)

        super().__init__(answer)


def family(name):
    return lambda b, w, h, _: families.FAMILIES[name](b, w, h)


def write_posts(d, sizes=SIZES, text="Ann Lee waves"):
    lines = []
    for i, (w, h) in enumerate(sizes):
        d.write(f"{w}x{h}.png", png(w, h))
        lines.append(json.dumps({"id": str(i), "text": text, "image": d / f"{w}x{h}.png", "entities": [
            {"text": "Ann Lee", "type": "PER", "start": 0, "end": 7}]}) + "\n")
    return d.write("in.jsonl", "".join(lines))


def ground(d, server, settings="", model="m", out="out.jsonl", args=()):
    r = d.write("r.yaml", "name: r\nstages:\n  - stage: ground\n    backend: llm\n" + settings)
    named = ("--model", model) if model else ()
    return gm.run("predict", d / "in.jsonl", "-r", r, "-o", d / out, "--endpoint", server.url, *named, *args,
                  env={"GMNER_CACHE": d / "cache.sqlite"})


def check_boxes(d, sizes=SIZES, out="out.jsonl"):
    with open(d / out, encoding="utf-8") as f:
        posts = [json.loads(line) for line in f]
    for (w, h), p in zip(sizes, posts):
        box = p["entities"][0]["regions"][0]["box"]
        for k, (got, share) in enumerate(zip(box, GOLD)):
            side = h if k % 2 else w
            assert abs(got - share * side) <= max(1, 0.51 * side / 999), (box, w, h)


def test_every_family():
    for name in families.FAMILIES:
        with gm.Folder() as d, Model(family(name)) as server:
            write_posts(d)
            r = gm.expect_ok(ground(d, server))
            assert (len(server.shapes), len(server.entities)) == (6, len(SIZES)), (name, r.err)
            check_boxes(d)
            # its own language: neither the questions about shapes nor those about posts say another
            assert not any("from 0 to 1000" in t for t in server.shapes + server.entities), name


def test_one_that_does_as_it_is_told():
    """Without a word on the numbers its answers are of no use; asked for 0 to 1000 it gives them."""
    def say(b, w, h, text):
        told = "from 0 to 1000" in text
        return json.dumps({"boxes": [families.scaled(b, 1000, 1000) if told else [1, 2, 3, 4]]})

    with gm.Folder() as d, Model(say) as server:
        write_posts(d)
        gm.expect_ok(ground(d, server))
        assert len(server.shapes) == 12
        assert all("[xmin, ymin, xmax, ymax]" in t for t in server.entities)
        check_boxes(d)


def test_refused_with_the_table():
    def say(b, w, h, text):
        return json.dumps({"boxes": [[len(text) % 97, 10, 400 + len(text) % 89, 300]]})

    with gm.Folder() as d, Model(say) as server:
        write_posts(d)
        r = gm.expect(ground(d, server, "    coords: auto\n"), 1, "stage ground", "fit no coordinates", *PAIRS)
        assert len(re.findall(r"\d\.\d\d\b", r.errors[0])) >= 20, r.errors  # both tables
        assert not server.entities
        with Model(lambda *_: "I can't see pictures.") as blind:
            gm.expect(ground(d, blind, "    coords: auto\n", model="blind"), 1, "0 of 6 answers hold boxes")
            assert not blind.entities


def test_not_asked_for_it_is_a_warning():
    """A recipe that says nothing of coords goes on with 0 to 1000, and tells it with the same table."""
    with gm.Folder() as d, Model(lambda *_: json.dumps({"boxes": [[100, 10, 400, 300]]})) as server:
        write_posts(d)
        r = gm.expect_ok(ground(d, server))
        assert all(w in r.err for w in ("fit no coordinates", "read as coords=1000", *PAIRS)), r.err
        assert len(server.shapes) == 12 and server.entities


def test_kept_by_server_and_model():
    with gm.Folder() as d, Model(family("gemini")) as server:
        write_posts(d)
        gm.expect_ok(ground(d, server))
        assert len(server.shapes) == 6
        write_posts(d, text="Ann Lee waves again")
        gm.expect_ok(ground(d, server, out="second.jsonl"))
        assert len(server.shapes) == 6
        check_boxes(d, out="second.jsonl")
        gm.expect_ok(ground(d, server, model="another", out="third.jsonl"))
        assert len(server.shapes) == 12
        gm.expect_ok(ground(d, server, "    image_side: 700\n", out="fourth.jsonl"))
        assert len(server.shapes) == 18  # what is sent is another picture
        with Model(family("qwen2.5-vl")) as elsewhere:
            write_posts(d, text="Ann Lee waves a third time")
            gm.expect_ok(ground(d, elsewhere, out="fifth.jsonl"))
            assert len(elsewhere.shapes) == 6
            check_boxes(d, out="fifth.jsonl")


def test_a_model_without_a_name_is_asked_each_time():
    with gm.Folder() as d, Model(family("qwen3-vl")) as server:
        write_posts(d)
        gm.expect_ok(ground(d, server, model=None))
        write_posts(d, text="Ann Lee waves again")
        gm.expect_ok(ground(d, server, model=None, out="second.jsonl"))
        assert len(server.shapes) == 12


def test_explicit_settings_ask_nothing():
    with gm.Folder() as d, Model(family("gemini")) as server:
        write_posts(d)
        gm.expect_ok(ground(d, server, "    coords: 1000\n    order: yxyx\n"))
        assert not server.shapes
        check_boxes(d)
        assert all("[ymin, xmin, ymax, xmax] in numbers from 0 to 1000" in t for t in server.entities)
        # an order alone: only the frame is learned
        gm.expect(ground(d, server, "    order: xyxy\n", out="second.jsonl"), 1, "fit no coordinates")


def test_asked_only_when_needed():
    """Neither for posts without pictures, nor where all is stored, nor in a dry run."""
    with gm.Folder() as d, Model(family("internvl")) as server:
        d.write("in.jsonl", json.dumps({"id": "0", "text": "Ann Lee", "entities": [
            {"text": "Ann Lee", "type": "PER", "start": 0, "end": 7}]}) + "\n")
        gm.expect_ok(ground(d, server))
        assert not server.shapes
        write_posts(d)
        dry = gm.expect_ok(ground(d, server, args=("--dry-run",)))
        assert "requests 9" in dry.out and not server.shapes, dry.out
        gm.expect_ok(ground(d, server, out="second.jsonl"))
        os.remove(d / "cache.sqlite")
        gm.expect_ok(ground(d, server, out="second.jsonl"))
        assert len(server.shapes) == 6


def test_a_stop_ends_the_questions():
    """The caller's thread itself waits for the answers about the shapes."""
    hold = threading.Event()
    with gm.Folder() as d, Model(lambda *_: hold.wait(60) and "null") as server:
        path = write_posts(d)
        r = d.write("r.yaml", "name: r\nstages:\n  - stage: ground\n    backend: llm\n")
        p = subprocess.Popen([gm.PROGRAM, "predict", path, "-r", r, "-o", d / "out.jsonl", "--endpoint", server.url,
                              "--model", "m"], env={**os.environ, "GMNER_CACHE": d / "cache.sqlite"},
                             stderr=subprocess.DEVNULL)
        while not server.shapes and p.poll() is None:
            time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        try:
            p.wait(10)
        finally:
            hold.set()
            p.kill()
        assert not server.entities


gm.main(globals())
