"""What is wrong is an exception that says what, and never a crash. The sanitizers run this file."""
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import photo

import gmner


@pytest.mark.parametrize("call", [
    lambda m: m(5), lambda m: m(b"bytes"), lambda m: m(), lambda m: m({"id": "1"}), lambda m: m("a", image=7),
    lambda m: m("a", image=np.zeros((4, 4))), lambda m: m("a", image=np.zeros((4, 4, 7), np.uint8)),
    lambda m: m("a", image=np.zeros((0, 4, 3), np.uint8)), lambda m: m({"text": None}), lambda m: m({"text": 5}),
    lambda m: m.pipe("text"), lambda m: m.pipe({"text": "a"}), lambda m: list(m.pipe([5])),
    lambda m: list(m.pipe([("a", None, 3)])), lambda m: list(m.pipe(["a"], as_tuples=True)),
    lambda m: m.pipe(7), lambda m: m({"text": "a", "more": object()}), lambda m: gmner.load(5),
    lambda m: gmner.load("tag", threads="1"), lambda m: gmner.load("tag", threads=True),
    lambda m: gmner.load("tag", colour=1), lambda m: gmner.load("tag", llm_budget="x"),
    lambda m: gmner.Post.from_json(5)])
def test_wrong_types(tagger, call):
    with pytest.raises(TypeError):
        call(tagger)


@pytest.mark.parametrize("call", [
    lambda m: m.pipe(["a"], batch_size=0), lambda m: m("a", errors="ignore"), lambda m: m.pipe([], errors=""),
    lambda m: gmner.load("tag", threads=-1), lambda m: gmner.load("tag", threads=2000),
    lambda m: m({"text": "a", "x": float("nan")}), lambda m: gmner.Post.from_json("{"), lambda m: gmner.Post.from_json("3"),
    lambda m: gmner.load("tag\0")])
def test_wrong_values(tagger, call):
    with pytest.raises(ValueError):
        call(tagger)


def test_a_recipe_that_is_none():
    with pytest.raises(gmner.ArgumentError, match='no recipe "nope"; there are: embedded'):
        gmner.load("nope")
    with pytest.raises(gmner.ArgumentError):
        gmner.load("riveg")  # asks a language model, and no server is named


def test_a_model_that_is_missing(tmp_path):
    with pytest.raises(gmner.GmnerError) as caught:
        gmner.load("tag", tagger=tmp_path / "none", threads=1)("Obama")
    assert str(tmp_path / "none") in str(caught.value)
    assert isinstance(caught.value, (gmner.ModelError, gmner.FileError, gmner.ArgumentError))


def test_posts_that_fail(nlp):
    with pytest.raises(gmner.FileError, match="missing.jpg") as caught:
        nlp("Obama in Rome", image="missing.jpg")
    assert caught.value.stage == "look" and [e.text for e in caught.value.post.ents] == ["Obama", "Rome"]
    post = nlp("Obama in Rome", image="missing.jpg", errors="keep")
    assert isinstance(post.error, OSError) and [e.text for e in post.ents] == ["Obama", "Rome"]
    with pytest.raises(gmner.GmnerError):
        nlp("Obama", image=b"no picture")
    posts = list(nlp.pipe(["Rome", ("Rome", b""), {"text": "Rome", "entities": 5}, "Rome"]))
    assert [p.error is None for p in posts] == [True, False, False, True]
    with pytest.raises(gmner.FormatError):
        list(nlp.pipe(["Rome", {"text": "Rome", "entities": 5}], errors="raise"))


def test_texts_that_are_odd(tagger):
    for text in ("\ud83d alone", "\0", "a" * 100000, "\U0010ffff", "\r\n\t"):
        assert tagger(text).error is None


ASKED_WHILE_IT_LOGS = """
import logging, sys, threading, time
import gmner

class Slow(logging.Handler):
    def emit(self, record):
        time.sleep(0.3)  # the GIL is free meanwhile
        print(record.getMessage(), flush=True)

def ask():
    while not done.wait(0.001):
        nlp.usage()

logging.getLogger("gmner").addHandler(Slow())
nlp, done = gmner.load(sys.argv[1], llm_endpoint=sys.argv[2], threads=1), threading.Event()
thread = threading.Thread(target=ask)
thread.start()
for name in ("Ann", "Joe"):
    nlp({"text": name, "entities": [{"type": "PER", "start": 0, "end": 3}]}, errors="keep")
done.set()
thread.join()
print(nlp.usage()["requests"])
"""


def test_usage_while_the_client_logs(tmp_path):
    """Who asks what was spent has the GIL, and who logs wants it: neither waits for the other for ever."""
    import llm_server
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: r\nstages:\n  - stage: expand\n    backend: llm\n")
    answers = {"Ann": '{"phrases": [{"entity": 1, "phrase": "a woman"}]}'}
    with llm_server.Own(lambda text, _: answers["Ann"] if "Ann" in text else ("", {"finish_reason": "length"})) as server:
        done = subprocess.run([sys.executable, "-c", ASKED_WHILE_IT_LOGS, recipe, server.url], check=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "thoughts fill max_tokens" in done.stdout and done.stdout.splitlines()[-1] == "2", done


def close_while(model, work):
    """Close the model under three threads that do this."""
    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    model.close()
    for t in threads:
        t.join()


def test_closed_while_it_is_asked_what_was_spent():
    model, ends = gmner.load("tag", threads=1), []

    def work():
        try:
            while True:
                assert model.usage()["requests"] == 0
        except gmner.ClosedError:
            ends.append("closed")

    close_while(model, work)
    assert ends == ["closed"] * 3


def test_closed():
    model = gmner.load("tag", threads=1)
    with model:
        assert model("Rome").ents
    for call in (lambda: model("Rome"), lambda: list(model.pipe(["Rome"])), model.usage, model.__enter__):
        with pytest.raises(gmner.ClosedError, match="closed"):
            call()
    model.close()
    model.cancel()
    assert "closed" in repr(model)


def test_closed_while_others_use_it():
    model = gmner.load("tag", threads=1)
    texts = ["Obama met Merkel in Berlin"] * 50
    ends = []

    def work():
        try:
            while True:
                assert len(list(model.pipe(texts))) == 50
        except gmner.ClosedError:
            ends.append("closed")

    close_while(model, work)
    assert ends == ["closed"] * 3


def test_cancel(tagger):
    caught = []

    def work():
        try:
            list(tagger.pipe(["Obama met Merkel in Berlin on Monday " * 10] * 20000, batch_size=20000))
        except gmner.CancelledError as e:
            caught.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        time.sleep(0.05)
        tagger.cancel()
    assert len(caught) == 1
    assert tagger("Rome").ents


def test_ctrl_c(tagger):
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        list(tagger.pipe(["Obama met Merkel in Berlin on Monday " * 10] * 20000, batch_size=20000))
    timer.join()
    assert tagger("Rome").ents


def test_nothing_leaks(tagger):
    def rss():
        with open("/proc/self/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def work():
        for _ in range(100):
            tagger("Obama in Berlin")
            with pytest.raises(TypeError):
                tagger(5)
            gmner.load("tag", threads=1).close()

    work()
    before = rss()
    for _ in range(3):
        work()
    assert rss() - before < 8 << 20


def test_extension_alone():
    """The extension's own checks, past those of the package."""
    from gmner import _gmner
    model = _gmner.Model({"recipe": b"tag", "threads": 1}, None)
    for pairs in (5, [5], [(b"{}",)], [("{}", None)], [(b"{}", "x")], [(b"{}", None, 1)]):
        with pytest.raises(TypeError):
            model.predict(pairs)
    assert model.predict([]) == []
    assert '"stage": "input"' in model.predict([(b"{", None)])[0]
    for options in ({"nope": 1}, {"recipe": "tag"}, {"threads": b"1"}):
        with pytest.raises(TypeError):
            _gmner.Model(options, None)
    with pytest.raises(OverflowError):
        _gmner.Model({"threads": -1}, None)
    with pytest.raises(TypeError):
        _gmner.Model([], None)


def test_results_outlive_the_model():
    model = gmner.load("embedded", threads=1)
    post = model("Grace Hopper", image=photo("grace_hopper.jpg"))
    model.close()
    del model
    mask = post.ents[0].masks[0]
    boxes = post.ents[0].boxes
    del post
    gc.collect()
    assert mask.any() and len(boxes) == 1


def test_log(caplog, tmp_path):
    caplog.set_level("DEBUG", "gmner")
    with gmner.load("embedded", threads=1) as model:
        model("Grace Hopper", image=photo("grace_hopper.jpg"))
    assert all(r.name == "gmner" for r in caplog.records)


POST = {"id": "1", "text": "Ann Lee", "entities": [{"type": "PER", "start": 0, "end": 7}]}


def advised(tmp_path):
    """Calls whose messages in the program name its options."""
    train, score = gmner.train, gmner.evaluate
    out = tmp_path / "model"
    held = tmp_path / "held"
    held.mkdir()
    (held / "gmner.json").write_text("{}")
    (held / "model.safetensors").write_bytes(b"")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "some/base"}')
    ground = tmp_path / "ground.yaml"
    ground.write_text("name: x\nstages:\n  - stage: expand\n    backend: llm\n")
    posts = [POST]
    load = lambda *a, **k: gmner.load(*a, threads=1, **k)("Ann Lee in Oslo")
    return [
        lambda: train(posts, out, colour=1), lambda: train(posts, out, epoch=1), lambda: train(posts, out, epochs="x"),
        lambda: train(posts, out, epochs=-1), lambda: train(posts, out, task="entail"), lambda: train(posts, out, task="x"),
        lambda: train(posts, out, resume=True, overwrite=True), lambda: train(posts, held),
        lambda: train(posts, held, resume=True), lambda: train(posts, out, encoder=""),
        lambda: train(posts, out, precision="f16"), lambda: train([{"id": "1", "text": "a"}], out),
        lambda: score(posts, posts, colour=1), lambda: score(posts, posts, iou=0.5), lambda: score(posts, posts, iou=7),
        lambda: score(posts, posts, box="all"), lambda: score(posts, posts, xml=tmp_path), lambda: score(posts, posts, seed=1),
        lambda: score(posts, posts, svg="a.svg"), lambda: score(posts, posts, images="a"),
        lambda: score(posts, posts, tags="bio", scheme="conlleval"), lambda: score(posts, posts, task="entail", bootstrap=5),
        lambda: score(posts, posts, task="gmner", rule="refineg", box="all"), lambda: score("-", posts, vs="-"),
        lambda: score(posts, [{"id": "1", "text": "Ann Lee"}]), lambda: gmner.models.add("/no/folder"),
        lambda: gmner.models.add(held, "No Name!"), lambda: gmner.models.get("no-such-model"),
        lambda: load("tag", tagger=adapter), lambda: load("tag", tagger=held), lambda: load("tag", max_words=2),
        lambda: load("tag", precision="f16"), lambda: load(ground), lambda: load(ground, llm_endpoint="/no/such.gguf"),
        lambda: load("riveg", llm_endpoint="http://127.0.0.1:1/v1", llm_budget=1.0),
        lambda: load("riveg", llm_endpoint="http://127.0.0.1:1/v1", llm_key_file="/etc/hostname"),
        lambda: gmner.load("embedded", threads=1, max_pixels=4)("Ann", image=np.zeros((64, 64, 3), np.uint8))]


def test_no_advice_about_command_lines(tmp_path, caplog):
    """A caller of Python has options with underscores and no command line."""
    caplog.set_level("DEBUG", "gmner")
    said = []
    for number, call in enumerate(advised(tmp_path)):
        with pytest.raises((gmner.GmnerError, TypeError)) as caught:
            call()
            pytest.fail(f"call {number} is fine")
        said.append(f"{number}: {caught.value}")
    said += [r.getMessage() for r in caplog.records]
    assert len(said) > 30 and any("option overwrite" in text for text in said)
    for text in said:
        assert not re.search(r"(?<!\S)[^\w\s]*--\w", text), text
