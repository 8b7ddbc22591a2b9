"""Everything a user can get wrong: one clear line that says what and where, the right status, no
crash, and no output that looks complete. Runs a recipe without the tagger; what concerns the
tagger is in test_tagging.py."""
import json
import os
import resource
import shutil
import signal
import shlex
import struct
import subprocess
import zlib

import gm

PHOTO = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
RECIPE = "name: boxes\nstages:\n  - stage: look\n  - stage: expand\n"


def png(width, height, rows=b""):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + \
        chunk(b"IEND", b"")


def good_png():
    return png(40, 30, b"".join(b"\0" + b"\x40\x80\xc0" * 40 for _ in range(30)))


def predict(d, lines, *args, **kw):
    """The lines (posts or raw text) as posts.jsonl through the recipe above."""
    text = b"".join((l if isinstance(l, bytes) else json.dumps(l).encode()) + b"\n" for l in lines)
    d.write("posts.jsonl", text)
    d.write("boxes.yaml", RECIPE)
    return gm.run("predict", d / "posts.jsonl", "--recipe", d / "boxes.yaml", *args, **kw)


def program_without_rights(d):
    """The program, and for root one that has not root's right to read and write everything."""
    if os.geteuid() != 0:
        return gm.PROGRAM
    script = d.write("gmner.sh", f'#!/bin/sh\nexec setpriv --bounding-set=-dac_override,-dac_read_search '
                                 f'{shlex.quote(gm.PROGRAM)} "$@"\n')
    os.chmod(script, 0o700)
    return script


def check_bad_image(d, name, *parts, program=gm.PROGRAM):
    """A bad image between two good posts: the others are done, --strict stops without output."""
    posts = [{"id": "a", "text": "x", "image": "good.png"}, {"id": "b", "text": "y", "image": name},
             {"id": "c", "text": "z"}]
    d.write("good.png", good_png())
    r = gm.expect(predict(d, posts, program=program), 3, "post b: look: ", d / name, *parts)
    assert [p["id"] for p in r.posts] == ["a", "b", "c"], r.out
    assert r.posts[1]["error"]["stage"] == "look" and r.posts[1]["text"] == "y", r.posts[1]
    assert "error" not in r.posts[0] and "objects" in r.posts[0], r.posts[0]
    out = d.write("out.jsonl", "kept\n")
    gm.expect(predict(d, posts, "--strict", "-o", out, program=program), 1, "post b: look: ", d / name)
    with open(out, encoding="utf-8") as f:
        assert f.read() == "kept\n"
    assert not [n for n in d.names() if n.endswith(".tmp")], d.names()


def test_missing_image():
    with gm.Folder() as d:
        check_bad_image(d, "none.jpg", "No such file")


def test_empty_image():
    with gm.Folder() as d:
        d.write("empty.jpg", "")
        check_bad_image(d, "empty.jpg", "empty")


def test_text_named_jpg():
    with gm.Folder() as d:
        d.write("text.jpg", "this is no picture\n" * 50)
        check_bad_image(d, "text.jpg")


def test_directory_for_an_image():
    with gm.Folder() as d:
        os.mkdir(d / "dir.jpg")
        check_bad_image(d, "dir.jpg", "directory")


def test_huge_header():
    with gm.Folder() as d:
        d.write("huge.png", png(60000, 60000))
        check_bad_image(d, "huge.png", "60000")


def test_corrupt_png():
    with gm.Folder() as d:
        data = bytearray(good_png())
        data[45:55] = b"\xff" * 10
        d.write("bad.png", bytes(data))
        check_bad_image(d, "bad.png")


def test_truncated_jpeg():
    with open(PHOTO, "rb") as f:
        data = f.read()
    with gm.Folder() as d:
        for n in (3, 200, len(data) // 2, len(data) - 2000):
            d.write("cut.jpg", data[:n])
            check_bad_image(d, "cut.jpg")


def test_jpeg_huge_header():
    with open(PHOTO, "rb") as f:
        data = bytearray(f.read())
    at = data.index(b"\xff\xc0") if b"\xff\xc0" in data else data.index(b"\xff\xc2")
    data[at + 5:at + 9] = struct.pack(">HH", 60000, 60000)
    with gm.Folder() as d:
        d.write("huge.jpg", bytes(data))
        check_bad_image(d, "huge.jpg", "60000")


def test_unreadable_image():
    with gm.Folder() as d:
        os.chmod(d.write("secret.jpg", "x"), 0)
        check_bad_image(d, "secret.jpg", "denied", program=program_without_rights(d))


def check_bad_line(line, *parts):
    with gm.Folder() as d:
        posts = [{"id": "a", "text": "x"}, line, {"id": "c", "text": "z"}]
        r = gm.expect(predict(d, posts), 3, d / "posts.jsonl" + ":2:", *parts)
        assert [p["id"] for p in r.posts] == ["a", "c"], r.out
        gm.expect(predict(d, posts, "--strict", "-o", d / "out.jsonl"), 1, d / "posts.jsonl" + ":2:")
        assert d.names() == ["boxes.yaml", "posts.jsonl"], d.names()


def test_malformed_json():
    check_bad_line(b'{"id": "b", "text"')
    check_bad_line(b'{"id": "b", "text": "y"} trailing')
    check_bad_line(b"[1, 2]", "object")
    check_bad_line(b'"just a string"')
    check_bad_line(b'{"id": "b"}', "text")
    check_bad_line(b'{"id": "b", "text": 17}', "text")
    check_bad_line(b'{"id": "b", "text": "y", "image": 7}', "image")
    check_bad_line(b'{"id": "b", "text": "y", "entities": 3}', "entities")
    check_bad_line(b'{"id": "b", "text": "y", "entities": [{"start": 5, "end": 2, "type": "PER"}]}',
                   "entities")
    check_bad_line(b"\x00\x01\x02")


def test_nested_brackets():
    check_bad_line(b"[" * 200000 + b"]" * 200000)
    check_bad_line(b'{"text": "y", "x": ' + b"[" * 200000 + b"]" * 200000 + b"}")
    check_bad_line(b'{"a":' * 200000)


def test_invalid_utf8():
    with gm.Folder() as d:
        r = gm.expect_ok(predict(d, [b'{"id": "a", "text": "caf\xe9 \xf0\x9f\x98 x"}']))
        assert r.posts[0]["text"] == "caf\ufffd \ufffd x", r.out
        d.write("boxes.yaml", RECIPE)
        r = gm.expect_ok(gm.run("predict", "--recipe", d / "boxes.yaml", "--text", b"caf\xe9"))
        assert r.posts[0]["text"] == "caf\ufffd", r.out


def test_conll():
    with gm.Folder() as d:
        d.write("boxes.yaml", RECIPE)
        path = d.write("posts.txt", "IMGID:1\nParis\tB-LOC\n\nIMGID:2\nBad\tB-LOC\tx\ty\n\n"
                                    "IMGID:3\nRome\tB-LOC\n\n")
        r = gm.expect(gm.run("predict", path, "--recipe", d / "boxes.yaml"), 3, path + ":5")
        assert [p["id"] for p in r.posts] == ["1", "3"], r.out
        r = gm.run("predict", path, "--recipe", d / "boxes.yaml", "--images", d / "pictures")
        assert r.code == 3 and len(r.errors) == 3, r.err
        assert d / "pictures/1.jpg" in r.err and d / "pictures/3.jpg" in r.err, r.err


def test_million_words():
    with gm.Folder() as d:
        post = {"id": "a", "text": "word " * 1000000}
        r = gm.expect(predict(d, [post]), 3, "post a: input", "over 20000 words", "--max-words")
        r = gm.expect_ok(predict(d, [post], "--max-words", "2000000"))
        assert len(r.posts[0]["text"]) >= 4999999


def test_input_file():
    with gm.Folder() as d:
        d.write("boxes.yaml", RECIPE)
        args = ["--recipe", d / "boxes.yaml", "-o", d / "out.jsonl"]
        gm.expect(gm.run("predict", d / "none.jsonl", *args), 1, d / "none.jsonl", "No such file")
        gm.expect(gm.run("predict", d.path, *args), 1, d.path, "directory")
        assert d.names() == ["boxes.yaml"], d.names()
        d.write("empty.jsonl", "")
        gm.expect_ok(gm.run("predict", d / "empty.jsonl", *args))
        assert os.path.getsize(d / "out.jsonl") == 0


def test_order_and_fields():
    """More posts than a batch holds: all there, in order, unknown fields kept."""
    with gm.Folder() as d:
        d.write("good.png", good_png())
        posts = [{"id": str(i), "text": f"t{i}", "extra": {"n": i}} for i in range(200)]
        for p in posts[::7]:
            p["image"] = "good.png"
        r = gm.expect_ok(predict(d, posts, "-o", d / "out.jsonl"))
        assert r.out == ""
        with open(d / "out.jsonl", encoding="utf-8") as f:
            out = [json.loads(line) for line in f]
        assert [p["id"] for p in out] == [p["id"] for p in posts]
        assert all(p["extra"] == q["extra"] for p, q in zip(out, posts))
        assert all(("objects" in p) == ("image" in p) for p in out)


def test_many_errors_are_summed_up():
    """The first ten of each kind, and how many more there are."""
    kinds = ('{"text": "a", "entities": [{"type": "X", "start": 0, "end": %d9}]}', '{"text": %d}', '{broken')
    with gm.Folder() as d:
        bad = d.write("bad.jsonl", "".join((k % i if "%" in k else k) + "\n" for i in range(1, 101) for k in kinds))
        for args in (("data", "convert", bad, d / "o.jsonl"), ("data", "stats", bad), ("view", bad),
                     ("predict", bad, "--recipe", "tag", "-o", d / "o.jsonl")):
            r = gm.run(*args)
            assert r.code == 3 and len(r.errors) == 30, (args, len(r.errors), r.err[-2000:])
            assert r.err.count("90 more errors such as: ") == 3, (args, r.err[-2000:])
        posts = d.write("posts.jsonl", "".join(json.dumps({"id": f"p{x}", "text": "a", "image": f"no/{x}.jpg"}) + "\n"
                                                for x in ("a", "b", 3) * 9))
        recipe = d.write("look.yaml", "name: look\nstages:\n  - stage: look\n    backend: detector\n")
        r = gm.run("predict", posts, "--recipe", recipe, "-o", d / "o.jsonl")
        assert len(r.errors) == 10 and "17 more errors such as: look: " in r.err, r.err
        with open(d / "o.jsonl", encoding="utf-8") as f:
            assert sum("error" in json.loads(line) for line in f) == 27  # each has its own
        r = gm.run("data", "check", bad)
        assert len(r.out.splitlines()) == 22 and "300, the first 20 shown (--all" in r.out, r.out[-500:]
        r = gm.run("data", "check", bad, "--all")
        assert r.out.count(": unreadable: ") == 300 and "--all" not in r.out, r.out[-500:]
        assert len(json.loads(gm.run("data", "check", bad, "--json").out)["findings"]) == 300


def test_output_place():
    with gm.Folder() as d:
        posts = [{"id": "a", "text": "x"}]
        os.mkdir(d / "dir")
        gm.expect(predict(d, posts, "-o", d / "dir"), 1, d / "dir", "is a directory")
        gm.expect(predict(d, posts, "-o", d / "no/such/out.jsonl"), 1, d / "no/such/out.jsonl",
                  "cannot write")
        gm.expect(predict(d, posts, "--html", d / "dir"), 1, d / "dir", "is a directory")
        os.chmod(d / "dir", 0o500)
        gm.expect(predict(d, posts, "-o", d / "dir/out.jsonl", program=program_without_rights(d)), 1, "cannot write")


def test_disk_full():
    with gm.Folder() as d, open("/dev/full", "wb") as full:
        posts = [{"id": "a", "text": "x"}]
        gm.expect(predict(d, posts, "-o", "/dev/full"), 1, "/dev/full", "No space left")
        gm.expect(predict(d, posts, stdout=full), 1, "standard output", "No space left")


def test_file_size_limit():
    """A disk that fills in the middle of the work: the old output stays, the new one goes."""
    with gm.Folder() as d:
        predict(d, [{"id": str(i), "text": "word " * 1000} for i in range(200)], "-o", d / "x.jsonl")
        os.rename(d / "x.jsonl", d / "posts.jsonl")
        out = d.write("out.jsonl", "kept\n")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
        p = subprocess.run([gm.PROGRAM, "predict", d / "posts.jsonl", "--recipe", d / "boxes.yaml",
                            "-o", out], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                           preexec_fn=limit, timeout=gm.TIMEOUT_S, check=False)
        gm.expect(gm.Result(p.returncode, "", p.stderr.decode()), 1, out, "cannot write")
        with open(out, encoding="utf-8") as f:
            assert f.read() == "kept\n"
        assert d.names() == ["boxes.yaml", "out.jsonl", "posts.jsonl"], d.names()


def test_recipes():
    with gm.Folder() as d:
        for text, part in ((RECIPE + "colour: red\n", "unknown key \"colour\""),
                           (RECIPE + "    size: 3\n", "stage expand: unknown setting \"size\""),
                           ("name: x\nstages:\n  - stage: look\n    score: high\n", "\"score\" must be"),
                           ("name: x\nstages: [\n", "boxes.yaml:"),
                           ("[]", "a recipe is a mapping"),
                           ("", "boxes.yaml: empty file"),
                           ("name: x\nstages:\n  - stage: look\n    backend: eyes\n",
                            "stage look has no backend \"eyes\"; it has: detector"),
                           ("name: x\nstages:\n  - stage: look\n    model: nothing\n",
                            "no model \"nothing\"; known are: ")):
            path = d.write("boxes.yaml", text)
            photo = d.write("good.png", good_png())
            r = gm.expect(gm.run("predict", "--recipe", path, "--text", "x", "--image", photo), 1, part)
            assert r.out == "", r.out
        gm.expect(gm.run("predict", "--recipe", d / "none.yaml", "--text", "x"), 1, d / "none.yaml")


def test_settings_are_read_before_any_post():
    """What a recipe has wrong is told at the start with its line, whatever posts there are: text alone, or none."""
    with gm.Folder() as d:
        empty = d.write("none.jsonl", "")
        for stage, backend, setting, part in (
                ("tag", "native", "policy: some", "it must be none or tweets"),
                ("look", "detector", "score: 7", '"score" is 7'), ("look", "llm", "sighted: 1", 'unknown setting "sighted"'),
                ("read", "ppocr", "lines: 1.5", "it must be a whole number"),
                ("read", "ppocr", "precision_read: f8", "f8"), ("expand", "template", "size: 3", 'unknown setting "size"'),
                ("entail", "native", "fusion: 3", "must be a mapping"), ("ground", "objects", "boxes: 3", '"boxes"'),
                ("ground", "phrases", "objects: 0.5", "it must be a whole number"), ("ground", "llm", "prompt: no.txt", "no.txt"),
                ("segment", "matting", "things: cats", "it must be u2netp or none"),
                ("segment", "matting", "model: dogs", "it knows selfie and pose"),
                ("segment", "sam", "precision: high", "high")):
            more = "    model: ./no\n" if backend == "phrases" else ""
            path = d.write("r.yaml", f"name: x\nstages:\n  - stage: {stage}\n    backend: {backend}\n    {setting}\n{more}")
            for words in (("--text", "Ann Lee"), (empty,)):
                r = gm.expect(gm.run("predict", "--recipe", path, "--endpoint", "http://127.0.0.1:1/v1", *words)
                              if backend == "llm" else gm.run("predict", "--recipe", path, *words), 1, f"stage {stage}: ", part)
                assert r.out == "" and (backend == "llm" or f"{path}:5: " in r.err or "knows" in r.err), r.err


def test_settings_files():
    """What a settings file has counts, and what is wrong with it is told with its line."""
    with gm.Folder() as d:
        photo = d.write("good.png", good_png())
        recipe = d.write("r.yaml", "name: x\nsettings: [tuned.yaml]\nstages:\n  - stage: ground\n")
        post = d.write("in.jsonl", json.dumps({"id": "1", "text": "Ann", "image": "good.png", "objects": [], "entities": [
            {"start": 0, "end": 3, "type": "PER", "visible": 0.6}]}))

        def note(*args):
            return gm.expect_ok(gm.run("predict", post, "--recipe", recipe, *args)).posts[0]["entities"][0]["note"]
        d.write("tuned.yaml", "# by gmner tune\n\nground:\n  visible: 0.7\n")
        assert note() == "no_box:below_threshold:0.7", note()
        assert note("--settings", d.write("mine.yaml", "ground: {visible: 0.8}\n")) == "no_box:below_threshold:0.8"
        for text, part in (("ground:\n  visible: 3\n", "tuned.yaml:2: stage ground: setting \"visible\" is 3"),
                           ("ground:\n\n  vision: 1\n", "tuned.yaml:3: stage ground: unknown setting \"vision\""),
                           ("entail: {bound: 1}\n", "tuned.yaml:1: recipe x has no stage entail")):
            d.write("tuned.yaml", text)
            gm.expect(gm.run("predict", "--recipe", recipe, "--text", "x", "--image", photo), 1, part)


def test_missing_model():
    """A model that is not there: the message names the command that gets it."""
    with gm.Folder() as d:
        d.write("recipes/boxes.yaml", RECIPE)
        shutil.copy(os.path.join(gm.HOME, "models", "nanodet.json"), os.path.dirname(
            d.write("models/.keep", "")))
        # A copy of the program, since the folder above the executable counts as home as well.
        program = shutil.copy(gm.PROGRAM, os.path.dirname(d.write("build/.keep", "")))
        photo = d.write("good.png", good_png())
        gm.expect(gm.run("predict", "--recipe", "boxes", "--text", "x", "--image", photo,
                         env={"GMNER_HOME": d.path, "GMNER_MODELS": d / "none"}, program=program),
                  1, "stage look: model nanodet: nanodet.onnx is not there",
                  "get it with: gmner models get nanodet")


def test_models_of_another_kind():
    with gm.Folder() as d:
        photo = d.write("good.png", good_png())
        recipe = d.write("r.yaml", "stages:\n  - stage: look\n    model: selfie\n")
        r = gm.expect(gm.run("predict", "-r", recipe, "--text", "x", "--image", photo), 1,
                      "stage look: model selfie is none for this: it has no nanodet.onnx")
        assert "models get" not in r.err, r.err
        for model, part in (("entail-default", 'a model for task "entail" where one for "ner" is needed'),
                            ("selfie", "config.json: no such file; a model directory needs it")):
            gm.expect(gm.run("predict", "-r", "tag", "--tagger", model, "--text", "x"), 1, part)


def test_what_may_not_be_looked_at_is_not_called_missing():
    with gm.Folder() as d:
        program = program_without_rights(d)
        data, locked = d.write("t.txt", "IMGID:1\nAnn\tB-PER\n"), d / "locked"
        posts = d.write("p.jsonl", json.dumps({"text": "Ann", "image": "locked/in/a.png"}) + "\n")
        d.write("locked/in/x", "")
        os.chmod(locked, 0)
        for args, code in (((*"predict --text x -r tag --tagger".split(), locked + "/in"), 1),
                           (("train", "--train", data, "-o", d / "m", "--encoder", locked + "/in"), 1),
                           (("train", "--resume", "-o", locked + "/in"), 1), (("runs", "show", locked + "/in"), 1),
                           (("models", "quantise", locked + "/in", "-o", d / "q"), 1),
                           (("data", "convert", locked + "/in", d / "o.jsonl", "--from", "voc"), 1),
                           (("data", "check", posts), 3), (("data", "check", data, "--xml", locked + "/in"), 3)):
            r = gm.run(*args, program=program)
            assert r.code == code and "Permission denied" in r.err + r.out, (args, r.code, r.err, r.out)
            for wrong in ("no such", "no run", "not there", "image-missing", "no file"):
                assert wrong not in r.err + r.out, (args, r.err, r.out)


def test_recipes_without_a_name():
    """The file's name is theirs; a name that no recipe has is answered with those that there are."""
    with gm.Folder() as d:
        recipe = d.write("mine.yaml", "stages:\n  - stage: expand\n")
        gm.expect(gm.run("predict", "-r", recipe, "--text", "x", "--tagger", "ner-default"), 2, "recipe mine has no tag stage")
        gm.expect(gm.run("predict", "-r", "mine", "--text", "x"), 2, 'no recipe "mine"; there are: embedded, ', "./mine.yaml")


gm.main(globals())
