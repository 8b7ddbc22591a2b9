"""gmner similar: what comes out for which files and options. The numbers themselves are compared with
transformers and NumPy by tests/ref/similar_reference.py."""
import json
import math
import os
import sqlite3
import struct
import subprocess
import zlib

import gm
import tiny_model

NAMES = [("Anna", "PER"), ("Carla", "PER"), ("Berlin", "LOC"), ("Paris", "LOC"), ("Moon", "ORG")]
WORDS = "anna lives in berlin and visits the big red moon today with carla a paris is rome".split()


def post(number, prefix="p"):
    """Words of which some are its own, up to three entities, none in every fifth."""
    words = [WORDS[(number * (3 + i) + 7 * i * i) % len(WORDS)] for i in range(9)]
    words += [f"{own}{prefix}{number}" for own in ("we", "saw", "the", "number")]
    text, entities = " ".join(words), []
    for k in range(number % 4 if number % 5 else 0):
        name, kind = NAMES[(number + 2 * k) % len(NAMES)]
        text += " " + name
        entities.append({"start": len(text) - len(name), "end": len(text), "type": kind})
    return {"id": f"{prefix}{number}", "text": text, "entities": entities}


def jsonl(posts):
    return "".join(json.dumps(p) + "\n" for p in posts)


class Files(gm.Folder):
    """A folder with a tiny encoder, 8 posts and a pool of 30."""

    def __enter__(self):
        super().__enter__()
        tiny_model.write(self / "encoder")
        self.posts = [post(i, "q") for i in range(8)]
        self.pool = [post(i) for i in range(30)]
        self.write("posts.jsonl", jsonl(self.posts))
        self.write("pool.jsonl", jsonl(self.pool))
        return self

    def similar(self, *args, **more):
        return gm.run("similar", *args, "--encoder", self / "encoder",
                      **{"env": {"GMNER_CACHE": self / "cache/replies.sqlite"}, **more})

    def ask(self, *args, **more):
        return gm.expect_ok(self.similar(self / "posts.jsonl", "--pool", self / "pool.jsonl", *args, **more))


def check_line(line, weights, k):
    assert len(line["similar"]) == k and len({h["post"] for h in line["similar"]}) == k
    scores = [h["score"] for h in line["similar"]]
    assert scores == sorted(scores, reverse=True), scores
    for hit in line["similar"]:
        assert hit["id"] == f"p{hit['post'] - 1}"
        assert set(hit["parts"]) <= set(weights) and set(hit["parts"]) == set(hit["values"])
        assert all(-1e-5 <= x <= 1 + 1e-5 for x in hit["parts"].values()), hit
        assert abs(sum(weights[p] * x for p, x in hit["parts"].items()) - hit["score"]) < 1e-5, hit


def test_lines_scores_and_parts():
    with Files() as d:
        r = d.ask()
        assert [p["id"] for p in r.posts] == [p["id"] for p in d.posts]
        for line in r.posts:
            check_line(line, {"text": 0.4, "entity": 0.6}, 3)
        said = [l for l in r.err.splitlines() if "--clip" in l]
        assert len(said) == 1 and "text=0.4 entity=0.6" in said[0], r.err
        for line in d.ask("--k", 5, "--weights", "text=1,entity=3").posts:
            check_line(line, {"text": 1, "entity": 3}, 5)
        r = d.ask("-k1", "--weights", "text=1")
        assert "--clip" not in r.err  # pictures were not asked for
        for line in r.posts:
            check_line(line, {"text": 1}, 1)


def test_parts_are_scaled_over_all_pairs():
    with Files() as d:
        for way in "sum", "best":
            lines = d.ask("--k", 30, "--entity", way).posts
            for part in "text", "entity":
                values = [h["values"][part] for l in lines for h in l["similar"]]
                low, high = min(values), max(values)
                assert len(values) == 8 * 30 and low < high
                for line in lines:
                    for h in line["similar"]:
                        n = (h["values"][part] - low) / (high - low)
                        assert abs(h["parts"][part] - n) < 1e-4, (h, n)


def test_entities():
    """Of equal names the cosine is 1: so the sums are known."""
    def with_entities(number, *entities):
        p = post(number)
        text, out = f"words of number w{number} only", []
        for name, kind in entities:
            text += " " + name
            out.append({"start": len(text) - len(name), "end": len(text), "type": kind})
        return {"id": p["id"], "text": text, "entities": out}

    with Files() as d:
        anna = ("anna", "PER")
        d.write("pool.jsonl", jsonl([with_entities(0), with_entities(1, anna), with_entities(2, anna, anna),
                                     with_entities(3, ("anna", "LOC")), with_entities(4, ("anna", "PER"), anna, anna)]))
        d.write("posts.jsonl", jsonl([with_entities(7, anna, anna), with_entities(8), with_entities(9, ("anna", "NEW"))]))
        for way, wanted in (("sum", [[0, 3.6, 7.2, 2, 10.8], [0] * 5, [0, 1, 2, 1, 3]]),
                            ("best", [[0, 1.8, 1.8, 1, 1.8], [0] * 5, [0, 1, 1, 1, 1]])):
            lines = d.ask("--k", 9, "--entity", way, "--duplicate", 1).posts
            for line, want in zip(lines, wanted):
                got = {h["post"] - 1: h["values"]["entity"] for h in line["similar"]}
                assert len(got) == 5 and all(math.isclose(got[i], w, abs_tol=2e-6) for i, w in enumerate(want)), got


def test_itself_and_near_duplicates_are_left_out():
    with Files() as d:
        r = gm.expect_ok(d.similar(d / "pool.jsonl", "--pool", d / "pool.jsonl", "--k", 40))
        for i, line in enumerate(r.posts):
            assert line["id"] == f"p{i}" and len(line["similar"]) == 29
            assert all(h["post"] != i + 1 for h in line["similar"])
        # The same file under another name: not known to be the same, and the same answer.
        d.write("again.jsonl", jsonl(d.pool))
        assert gm.expect_ok(d.similar(d / "again.jsonl", "--pool", d / "pool.jsonl", "--k", 40)).out == r.out
        # Other case and punctuation; one word more.
        near = dict(d.pool[4], text=d.pool[4]["text"].upper() + " !"), dict(d.pool[9], text=d.pool[9]["text"] + " new")
        d.write("posts.jsonl", jsonl(near))
        lines = d.ask("--k", 30).posts
        assert [{h["post"] for h in l["similar"]} & {5, 10} for l in lines] == [{10}, {5}]
        lines = d.ask("--k", 30, "--duplicate", 1).posts
        assert [{h["post"] for h in l["similar"]} & {5, 10} for l in lines] == [{10}, {5, 10}]


def png(path, w, h, colour):
    rows = b"".join(b"\0" + b"".join(bytes(colour(x / w, y / h)) for x in range(w)) for y in range(h))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_clip(d):
    """A picture encoder of our own in OpenVINO's IR: the mean colours of 4 x 4 blocks."""
    def port(i, *dims):
        return f'<port id="{i}" precision="FP32">' + "".join(f"<dim>{n}</dim>" for n in dims) + "</port>"
    d.write("clip.bin", struct.pack("<qq", 1, 48))
    d.write("clip.xml", f"""<?xml version="1.0"?><net name="m" version="11"><layers>
<layer id="0" name="pixels" type="Parameter" version="opset1"><data shape="?,3,224,224" element_type="f32"/>
<output><port id="0" precision="FP32" names="pixels"><dim>-1</dim><dim>3</dim><dim>224</dim><dim>224</dim></port></output></layer>
<layer id="1" name="blocks" type="AvgPool" version="opset1"><data strides="56,56" kernel="56,56" pads_begin="0,0"
 pads_end="0,0" exclude-pad="false" rounding_type="floor" auto_pad="valid"/><input>{port(0, -1, 3, 224, 224)}</input>
<output>{port(1, -1, 3, 4, 4)}</output></layer>
<layer id="2" name="shape" type="Const" version="opset1"><data element_type="i64" shape="2" offset="0" size="16"/>
<output><port id="0" precision="I64"><dim>2</dim></port></output></layer>
<layer id="3" name="embeds" type="Reshape" version="opset1"><data special_zero="false"/><input>{port(0, -1, 3, 4, 4)}
<port id="1" precision="I64"><dim>2</dim></port></input><output><port id="2" precision="FP32" names="embeds">
<dim>1</dim><dim>48</dim></port></output></layer>
<layer id="4" name="r" type="Result" version="opset1"><input>{port(0, 1, 48)}</input></layer></layers><edges>
<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/><edge from-layer="1" from-port="1" to-layer="3" to-port="0"/>
<edge from-layer="2" from-port="0" to-layer="3" to-port="1"/><edge from-layer="3" from-port="2" to-layer="4" to-port="0"/>
</edges></net>""")
    return d / "clip.xml"


# With this variable OpenVINO's TBB leaves out RTLD_DEEPBIND, which the sanitizers cannot live with.
VISION = {"TBB_ENABLE_SANITIZERS": "1"}


def test_images():
    if not os.path.exists(os.path.join(gm.HOME, ".deps", "openvino")):
        raise gm.Skip("no OpenVINO runtime")
    colours = {"red": lambda x, y: (255, 20, 20), "rose": lambda x, y: (230, 60, 60),
               "blue": lambda x, y: (10, 20, 255), "ramp": lambda x, y: (int(255 * x), int(255 * y), 90)}
    with Files() as d:
        clip = write_clip(d)
        for name, colour in colours.items():
            png(d / f"{name}.png", 60 if name == "ramp" else 40, 40, colour)
        d.write("pool.jsonl", jsonl([dict(post(i), image=f"{name}.png") for i, name in enumerate(["blue", "rose", "ramp"])]
                                    + [post(3)]))
        d.write("posts.jsonl", jsonl([dict(post(0, "q"), image="red.png"), post(1, "q")]))
        r = d.ask("--clip", clip, "--weights", "image=1", "--k", 4, env=VISION)
        first, second = r.posts
        assert "--clip" not in r.err
        assert [h["id"] for h in first["similar"]] == ["p1", "p2", "p0", "p3"], first
        assert first["similar"][0]["parts"] == {"image": 1} and first["similar"][2]["parts"] == {"image": 0}
        # A pair of which one has no picture has no such part, and 0 of its weight.
        assert first["similar"][3]["parts"] == {} and first["similar"][3]["score"] == 0
        assert all(h["values"] == {} and h["score"] == 0 for h in second["similar"])
        for line in d.ask("--clip", clip, "--k", 3, env=VISION).posts:
            check_line(line, {"text": 0.4, "image": 0.2, "entity": 0.6}, 3)

        # A picture that can't be read counts as none, is told of, and shows in the status.
        d.write("blue.png", "no picture")
        r = d.similar(d / "posts.jsonl", "--pool", d / "pool.jsonl", "--clip", clip, "--k", 4, env=VISION)
        assert r.code == 3 and "post p0 counts as one without an image" in r.err, r.err
        assert [h for h in r.posts[0]["similar"] if h["id"] == "p0"][0]["parts"].keys() == {"text", "entity"}
        gm.expect(d.similar(d / "posts.jsonl", "--pool", d / "pool.jsonl", "--clip", d / "absent.onnx"), 1, "absent.onnx")


def test_formats_and_standard_input():
    with Files() as d:
        conll = "IMGID:7\nAnna\tB-PER\nvisits\tO\nParis\tB-LOC\n\nIMGID:9\nbig\tO\nred\tO\nmoon\tO\nrises\tO\ntonight\tO\n\n"
        d.write("pool.txt", conll)
        r = gm.expect_ok(d.similar("-", "--pool", d / "pool.txt", "-k", 2, stdin=jsonl(d.posts)))
        assert {h["id"] for h in r.posts[0]["similar"]} == {"7", "9"}
        r = gm.expect_ok(d.similar("--pool", d / "pool.jsonl", "-o", d / "out.jsonl", stdin=conll))
        assert r.out == ""
        with open(d / "out.jsonl", encoding="utf-8") as f:
            assert [json.loads(l)["id"] for l in f] == ["7", "9"]
        # A line that can't be read is told of and left out; no posts and no samples are no fault.
        r = d.similar("--pool", d / "pool.jsonl", stdin=jsonl(d.posts[:1]) + "{broken\n" + jsonl(d.posts[1:2]))
        assert r.code == 3 and len(r.posts) == 2 and len(r.errors) == 1, r.err
        d.write("empty.jsonl", "")
        assert all(l["similar"] == [] for l in gm.expect_ok(
            d.similar(d / "posts.jsonl", "--pool", d / "empty.jsonl")).posts)
        assert gm.expect_ok(d.similar(d / "empty.jsonl", "--pool", d / "pool.jsonl")).out == ""


def test_threads_do_not_matter():
    with Files() as d:
        assert d.ask("--threads", 1).out == d.ask("--threads", 3).out


def test_wrong_usage():
    with Files() as d:
        gm.expect(gm.run("similar", d / "posts.jsonl"), 2, "--pool FILE")
        for weights in "text", "text=", "texts=1", "text=-1", "text=nan", "text=0", "=1", "text=1e9":
            gm.expect(d.similar(d / "posts.jsonl", "--pool", d / "pool.jsonl", "--weights", weights), 2, "--weights")
        gm.expect(d.similar(d / "posts.jsonl", "--pool", d / "pool.jsonl", "--weights", "image=1"), 2, "--clip FILE")
        gm.expect(d.similar(d / "posts.jsonl", "--pool", d / "pool.jsonl", "--k", 0), 2, "--k")
        gm.expect(d.similar(d / "posts.jsonl", "--pool", d / "absent.jsonl"), 1, "absent.jsonl")
        gm.expect(gm.run("similar", d / "posts.jsonl", "--pool", d / "pool.jsonl", "--encoder", "absent"), 1, "absent")


def test_index():
    """A pool that a search by the graph looks at whole has the same answers; of a larger one nearly all."""
    with Files() as d:
        for more in ((), ("--entity", "best"), ("--weights", "text=1", "--k", "5")):
            assert d.ask(*more, "--index", "hnsw").out == d.ask(*more).out
        d.write("pool.jsonl", jsonl([post(i) for i in range(1500)]))
        found, exact = d.ask("--index", "hnsw", "--threads", "1").out, d.ask().out
        found, exact = ([[h["post"] for h in json.loads(line)["similar"]] for line in out.splitlines()]
                        for out in (found, exact))
        same = sum(len(set(a) & set(b)) for a, b in zip(found, exact))
        assert same >= 0.9 * sum(map(len, exact)), (same, found, exact)
        gm.expect(d.similar(d / "posts.jsonl", "--pool", d / "pool.jsonl", "--index", "flat"), 2, "--index")


def test_vectors_are_kept():
    """A pool's vectors, of texts, names and pictures, are made once: the answers are the same with them, without
    them, and where they are damaged or can't be kept."""
    with Files() as d:
        kept = d / "cache/vectors.sqlite"

        def rows():
            with sqlite3.connect(kept) as db:
                return db.execute("SELECT count(*), sum(length(value)) FROM vector").fetchone()

        first = d.ask().out
        n, n_bytes = rows()
        names = {p["text"][e["start"]:e["end"]] for p in d.pool for e in p["entities"]}
        assert n == len(d.pool) + len(names) and n_bytes > 64 * n, (n, n_bytes)
        assert d.ask().out == first and rows() == (n, n_bytes)
        with sqlite3.connect(kept) as db:  # they are taken from there: one that is exchanged shows
            a, b = (db.execute("SELECT key, value FROM vector ORDER BY rowid LIMIT 1 OFFSET ?", (i,)).fetchone() for i in (0, 1))
            db.execute("UPDATE vector SET value = ? WHERE key = ?", (b[1], a[0]))
        assert d.ask().out != first
        with sqlite3.connect(kept) as db:  # one that is damaged is made anew
            db.execute("UPDATE vector SET value = substr(value, 1, 20) WHERE key = ?", (a[0],))
        assert d.ask().out == first and rows() == (n, n_bytes)
        assert d.ask(env={"GMNER_CACHE": "/proc/nowhere/replies.sqlite"}).out == first
        for end in ("-wal", "-shm"):
            if os.path.exists(kept + end):
                os.remove(kept + end)
        with open(kept, "wb") as f:
            f.write(b"no database" * 1000)
        r = d.ask()
        assert r.out == first and r.err.count("vectors are not kept for the next time") == 1 and kept in r.err, r.err


def test_two_at_once_keep_vectors():
    with Files() as d:
        env = {**os.environ, "GMNER_CACHE": d / "cache/replies.sqlite"}
        words = [gm.PROGRAM, "similar", d / "posts.jsonl", "--pool", d / "pool.jsonl", "--encoder", d / "encoder"]
        runs = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
        out = [r.communicate() for r in runs]
        assert all(r.returncode == 0 for r in runs) and len({o for o, _ in out}) == 1, out
        assert not any(b"not kept" in e for _, e in out), out


gm.main(globals())
