"""A GGUF file in place of an endpoint, with llama.cpp's real server (tools/llama-server.py): a small model
through the stages expand and entail, and pictures to a multimodal model of random weights that is made
here. The answers are poor or noise; the protocol is real."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import gm
import tiny_model

sys.path.insert(0, os.path.join(gm.HOME, "tests", "tools"))
import tiny_gguf  # noqa: E402

LLM = os.path.join(gm.HOME, ".deps", "llm")
SMOL = os.path.join(LLM, "SmolLM2-135M-Instruct.Q4_1.gguf")
SERVER = f"{sys.executable} {os.path.join(gm.HOME, 'tools', 'llama-server.py')} -t 1"
PICTURES = ("baseline.jpg", "cmyk.jpg", "alpha.webp")


def need_server():
    if not os.path.isdir(os.path.join(LLM, "xllamacpp")):
        raise gm.Skip("no llama.cpp server; `tools/setup.sh tests` gets it (130.6 MB)")


def env(d):
    return {"GMNER_CACHE": d / "cache.sqlite", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}


def predict(d, recipe, model, server, *args):
    return gm.run("predict", d / "posts.jsonl", "-r", d.write("r.yaml", recipe), "-o", d / "out.jsonl", "--endpoint",
                  model, "--llama-server", server, *args, env=env(d))


def posts(d):
    with open(d / "out.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def counts(r):
    line = next(x for x in r.err.splitlines() if "answered=" in x)
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}


def servers(d):
    """The processes that serve a model of this folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if any(w.endswith(b"llama-server.py") for w in words) and any(d.path.encode() in w for w in words):
            found.append(int(pid))
    return found


def test_small_model():
    need_server()
    recipe = ("name: small\nstages:\n  - stage: expand\n    backend: llm\n    max_tokens: 100\n"
              "  - stage: entail\n    backend: llm\n    max_tokens: 4\n")
    with gm.Folder() as d:
        model = d / "small.gguf"
        os.symlink(SMOL, model)
        given = [{"id": str(i), "text": f"{name} plays a concert in Paris", "entities": [
            {"text": name, "start": 0, "end": len(name), "type": "PER"}]} for i, name in enumerate(("Anna", "Bert"))]
        d.write("posts.jsonl", "".join(json.dumps(p) + "\n" for p in given))
        r = gm.expect_ok(predict(d, recipe, model, SERVER, "--in-flight", "2"))
        n = counts(r)
        assert n["sent"] >= 2 and n["answered"] + n["failed"] == n["requests"], r.err
        for p in posts(d):
            e = p["entities"][0]
            # an answer that fits, or a note that says why not: nothing else can happen to an entity
            assert e.get("expression") or e["note"].startswith("expand_rejected:"), e
            assert "visible" not in e or 0 <= e["visible"] <= 1
            assert (e["text"], e["type"], e["start"]) == (given[int(p["id"])]["entities"][0]["text"], "PER", 0)
        assert any(e.get("expression") for p in posts(d) for e in p["entities"]), posts(d)
        # once more: all from the store; no server is started for it
        again = gm.expect_ok(predict(d, recipe, model, "no-such-command"))
        assert "answered=" not in again.err
        assert not servers(d)


def test_correction_by_steps():
    """Both questions of refine through the real server: their schemas are grammars that it takes, and what a small
    model makes of them leaves the confident entity as it is."""
    need_server()
    recipe = "name: refine\nstages:\n  - stage: refine\n    backend: llm\n    max_tokens: 150\n"
    with gm.Folder() as d:
        model = d / "small.gguf"
        os.symlink(SMOL, model)
        unsure = {"marginal": 0.5, "entropy": 1, "margin": 1, "span_score": 0.5, "type_score": 0.5}
        d.write("posts.jsonl", json.dumps({"id": "1", "text": "Anna Lee plays a concert in Paris with Bert", "entities": [
            {"text": "Anna", "start": 0, "end": 4, "type": "LOC", "score": 0.25, "uncertainty": unsure},
            {"text": "Paris", "start": 28, "end": 33, "type": "LOC"}], "entity_candidates": [
                {"text": "Bert", "start": 39, "end": 43, "type": "PER", "score": 0.3}]}) + "\n")
        n = counts(gm.expect_ok(predict(d, recipe, model, SERVER, "--in-flight", "1")))
        assert n["requests"] == 2 and n["retries"] == 0 and n["answered"] + n["failed"] == 2, n
        (post,) = posts(d)
        paris = [e for e in post["entities"] if e["text"] == "Paris"]
        assert len(paris) == 1 and paris[0]["source"] == "input" and "note" not in paris[0], post
        assert all(post["text"][e["start"]:e["end"]] == e["text"] for e in post["entities"]), post
        assert all(e["type"] in ("PER", "LOC", "ORG", "OTHER") for e in post["entities"]), post
        assert not servers(d)


def test_pictures():
    """Each picture goes through the server's image decoder and the projector into the prompt."""
    need_server()
    recipe = "name: pictures\nstages:\n  - stage: look\n    backend: llm\n    max_tokens: 24\n    prompt: "
    with gm.Folder() as d:
        tiny_gguf.main(d.path)
        # short: noise looks at what is near
        recipe += d.write("own.txt", "--- user\n{{image}}\nDescribe this photo.") + "\n"
        server = f"{SERVER} --mmproj {d / 'mmproj.gguf'}"
        d.write("posts.jsonl", "".join(json.dumps({"id": n, "text": "x", "image": os.path.join(
            gm.HOME, "tests", "golden", "image", n)}) + "\n" for n in PICTURES))
        r = gm.expect_ok(predict(d, recipe, d / "text.gguf", server, "--in-flight", "2"))
        n = counts(r)
        assert n["answered"] == len(PICTURES) and n["reasks"] == n["retries"] == 0, r.err
        captions = [p["caption"] for p in posts(d)]
        assert all(re.fullmatch(r"[A-Za-z ]{1,24}", c) for c in captions), captions
        assert len(set(captions)) == len(PICTURES), captions  # what it says depends on the pixels
        # without the projector the same server refuses pictures: that ends the run at once
        os.remove(d / "cache.sqlite")
        r = predict(d, recipe, d / "text.gguf", SERVER, "--run", d / "second")
        gm.expect(r, 1, "image input is not supported")
        assert counts(r)["retries"] == 0, r.err
        assert not servers(d)


def test_a_model_that_cannot_ground_is_refused():
    """coords: auto through the real server: random weights say no box that fits."""
    need_server()
    recipe = "name: boxes\nstages:\n  - stage: ground\n    backend: llm\n    max_tokens: 40\n"
    with gm.Folder() as d:
        tiny_gguf.main(d.path)
        server = f"{SERVER} --mmproj {d / 'mmproj.gguf'}"
        d.write("posts.jsonl", json.dumps({"id": "1", "text": "Anna", "image": os.path.join(
            gm.HOME, "tests", "golden", "image", PICTURES[0]), "entities": [
                {"text": "Anna", "start": 0, "end": 4, "type": "PER"}]}) + "\n")
        r = gm.expect(predict(d, recipe + "    coords: auto\n", d / "text.gguf", server), 1, "fit no coordinates",
                      "grid28 xyxy", "1 yxyx")
        n = counts(r)
        assert n["requests"] == 12 and n["retries"] == 0, r.err
        # with coordinates given nothing is asked beforehand, and the run does what it can
        r = gm.expect_ok(predict(d, recipe + "    coords: \"1000\"\n", d / "text.gguf", server))
        assert counts(r)["requests"] == 1, r.err
        assert posts(d)[0]["entities"][0].get("note", "").startswith("ground_rejected:") or \
            "regions" in posts(d)[0]["entities"][0], posts(d)
        assert not servers(d)


def test_several_pictures():
    """An example's picture and the post's in one question about two entities; what noise says is rejected."""
    need_server()
    image = lambda i: os.path.join(gm.HOME, "tests", "golden", "image", PICTURES[i])  # noqa: E731
    with gm.Folder() as d:
        tiny_gguf.main(d.path)
        tiny_model.write(d / "encoder")
        both = [{"text": "Anna", "start": 0, "end": 4, "type": "PER"}, {"text": "Rome", "start": 8, "end": 12, "type": "LOC"}]
        d.write("pool.jsonl", json.dumps({"id": "2", "text": "Bert visits Paris", "image": image(1)}) + "\n")
        d.write("posts.jsonl", json.dumps({"id": "1", "text": "Anna in Rome", "image": image(0), "entities": both}) + "\n")
        recipe = ("name: boxes\nstages:\n  - stage: ground\n    backend: llm\n    max_tokens: 30\n    batch: post\n"
                  f"    coords: \"1000\"\n    examples: {{pool: {d / 'pool.jsonl'}, encoder: {d / 'encoder'}}}\n")
        server = f"{SERVER} --mmproj {d / 'mmproj.gguf'}"
        r = gm.expect_ok(predict(d, recipe, d / "text.gguf", server))
        n = counts(r)
        assert n["requests"] == 1 + 2 and n["retries"] == 0, r.err  # about both, and then about each
        for e in posts(d)[0]["entities"]:
            assert e.get("note", "").startswith(("ground_rejected:", "no_box:")) or e["regions"], e
        assert not servers(d)


def test_riveg_whole():
    """The shipped recipe from the caption on, with boxes chosen by number and checked by crops, and expressions of both
    kinds, through the real server: it takes every schema and every number of pictures. What noise answers is refused, or
    is one of the numbers that there are; entities stay what they were."""
    need_server()
    for kind in ("identity", "visual"):
        with gm.Folder() as d:
            tiny_gguf.main(d.path)
            tiny_model.write_entail(d / "entail")
            with open(os.path.join(gm.HOME, "recipes", "riveg.yaml"), encoding="utf-8") as f:
                text = f.read()
            head, *stages = re.split(r"(?m)^(?=  - stage: )", text)
            stages = [s for s in stages if not re.match(r"  - stage: (tag|read|segment)", s)]
            stages.append("  - stage: check\n    backend: llm\n    crop: 0.15\n    marks: 20\n    unconfirmed: keep\n")
            recipe = head + "".join(s.rstrip() + "\n    max_tokens: 24\n" for s in stages)
            for old, new in (("coords: auto", "batch: post\n    marks: 20"), ("    detector: nanodet\n", ""), ("visible: 0.5", "visible: 0"),
                             ("    tagger: ner-knowledge\n", ""), ("kind: identity\n    images: never", "kind: " + kind),
                             ("encoder: entail-default", f"encoder: {d / 'entail'}")):
                assert old in recipe, old
                recipe = recipe.replace(old, new)
            given = [{"text": "Anna", "start": 0, "end": 4, "type": "PER"}, {"text": "Rome", "start": 8, "end": 12, "type": "LOC"}]
            boxes = [[1, 1, 30, 30], [20, 5, 60, 60]]
            d.write("posts.jsonl", json.dumps({
                "id": "1", "text": "Anna in Rome", "entities": given, "objects": [{"box": b, "score": 0.9} for b in boxes],
                "image": os.path.join(gm.HOME, "tests", "golden", "image", PICTURES[0])}) + "\n")
            server = f"{SERVER} --mmproj {d / 'mmproj.gguf'}"
            r = gm.expect_ok(predict(d, recipe, d / "text.gguf", server, "--in-flight", "1"))
            n = counts(r)
            assert n["retries"] == 0 and n["answered"] + n["failed"] == n["requests"] >= 1 + 1 + 1 + 2 + 1, r.err
            (post,) = posts(d)
            assert [{k: e[k] for k in given[0]} for e in post["entities"]] == given and "error" not in post, post
            for e in post["entities"]:
                assert 0 <= e["visible"] <= 1 and "encoder" in e["evidence"], e
                assert all(x["box"] in boxes for x in e["regions"]), e
                assert e["regions"] or "no_box:" in e["note"] or "ground_rejected:" in e["note"], e
            assert not servers(d)


def test_server_ends_with_a_killed_run():
    need_server()
    with gm.Folder() as d:
        tiny_gguf.main(d.path)
        d.write("posts.jsonl", "".join(json.dumps({"id": str(i), "text": "x" * 500, "entities": [
            {"start": 0, "end": 500, "type": "PER"}]}) + "\n" for i in range(2000)))
        r = d.write("r.yaml", "name: ex\nstages:\n  - stage: expand\n    backend: llm\n")
        p = subprocess.Popen([gm.PROGRAM, "predict", d / "posts.jsonl", "-r", r, "-o", d / "out.jsonl", "--endpoint",
                              d / "text.gguf", "--llama-server", SERVER, "--in-flight", "2"],
                             env={**os.environ, **env(d)}, stderr=subprocess.DEVNULL)
        while p.poll() is None and not servers(d):
            time.sleep(0.05)
        assert p.poll() is None
        time.sleep(0.5)
        p.send_signal(signal.SIGKILL)
        p.wait()
        until = time.monotonic() + 60
        while servers(d) and time.monotonic() < until:
            time.sleep(0.1)
    

def test_sentences():
    """gmner synth: whatever the small model writes is accepted or refused for a reason, and is counted."""
    need_server()
    with gm.Folder() as d:
        model = d / "small.gguf"
        os.symlink(SMOL, model)
        d.write("seeds.jsonl", json.dumps({"id": "1", "text": "Anna plays a concert in Paris", "entities": [
            {"start": 0, "end": 4, "type": "PER"}, {"start": 24, "end": 29, "type": "LOC"}]}) + "\n")
        r = gm.expect_ok(gm.run("synth", "--seeds", d / "seeds.jsonl", "-o", d / "out.jsonl", "--endpoint", model,
                                "--llama-server", SERVER, "--in-flight", "2", "--keep", "1", "--vary", "1", "--min-words",
                                "3", "--max-words", "12", env=env(d)))
        line = next(x for x in r.err.splitlines() if "asked_again=" in x)
        n = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
        with open(d / "out.jsonl", encoding="utf-8") as f, open(d / "out.jsonl.refused.jsonl", encoding="utf-8") as g:
            out, refused = [json.loads(x) for x in f], [json.loads(x) for x in g]
        assert len(out) == n["sentences"] and len(refused) == n["refused"] and out + refused and n["failed"] == 0, r.err
        assert n["requests"] == 2 + n["asked_again"], r.err
        for p in out:
            assert all(p["text"][e["start"]:e["end"]] == e["text"] for e in p["entities"]) and p["entities"], p


gm.main(globals())
