"""A stage's own settings reach the request as they should: what is asserted is what the server was sent."""
import json
import os
import threading

import gm
import llm_server

IMAGE = os.path.join(gm.HOME, "tests", "golden", "image", "baseline.jpg")


def answer(text):
    if "isn't sure" in text:
        return '{"entities": [{"entity": 1, "action": "keep", "text": "Anna", "type": "PER"}]}'
    if "one word" in text:
        return "yes"
    return '{"phrases": [{"entity": 1, "phrase": "a woman"}]}'


def has_picture(request):
    parts = request["messages"][-1]["content"]
    return not isinstance(parts, str) and any(p["type"] == "image_url" for p in parts)


def posts(d, *images):
    d.write("in.jsonl", "".join(json.dumps({"id": str(i), "text": f"Anna waves {i}", **({"image": x} if x else {}),
                                            "entities": [{"start": 0, "end": 4, "type": "PER", "score": 0.3}]}) + "\n"
                                for i, x in enumerate(images)))


def predict(d, url, stages, *args):
    r = d.write("r.yaml", "name: r\nstages:\n" + stages)
    return gm.run("predict", d / "in.jsonl", "-r", r, "-o", d / "out.jsonl", "--endpoint", url, "--run", d / "run",
                  *args, env={"GMNER_CACHE": d / "cache.sqlite"})


def sent(stages, images=(IMAGE,), say=None):
    """What was sent, and what the run wrote."""
    requests = []

    def serve(text, request):
        requests.append(request)
        return say(text, request) if say else answer(text)

    with gm.Folder() as d, llm_server.Own(serve) as server:
        posts(d, *images)
        r = gm.expect_ok(predict(d, server.url, stages, "--model", "m"))
        with open(d / "out.jsonl", encoding="utf-8") as f:
            return requests, [json.loads(line) for line in f], r


def stage(name, *settings):
    if name == "refine":
        settings += ("combined: true",)  # one question about all
    return f"  - stage: {name}\n    backend: llm\n" + "".join(f"    {s}\n" for s in settings)


def test_extra_and_temperature():
    (q,), _, _ = sent(stage("expand", "temperature: none", "seed: 3",
                            "extra: {seed: null, top_k: 20, chat_template_kwargs: {enable_thinking: false}}"))
    assert "temperature" not in q and "seed" not in q
    assert (q["top_k"], q["chat_template_kwargs"]) == (20, {"enable_thinking": False})
    assert q["response_format"]["type"] == "json_schema"


def test_no_temperature_even_when_asked_again():
    said = iter(["nothing", answer("")])
    requests, out, _ = sent(stage("expand", "temperature: none"), say=lambda t, q: next(said))
    assert len(requests) == 2 and not any("temperature" in q for q in requests)
    assert out[0]["entities"][0]["expression"] == "a woman"


def test_names_of_the_limit():
    for name, key in (("max_tokens", "max_tokens"), ("max_completion_tokens", "max_completion_tokens"), ("none", None)):
        (q,), _, _ = sent(stage("expand", "max_tokens: 77", "max_tokens_name: " + name))
        assert {k: q[k] for k in q if k.startswith("max_")} == ({key: 77} if key else {}), (name, q)


def test_images():
    both = (IMAGE, None)
    requests, _, _ = sent(stage("refine"), both)
    assert sorted(map(has_picture, requests)) == [False, True]
    requests, _, _ = sent(stage("refine", "images: always"), both)
    assert list(map(has_picture, requests)) == [True]
    requests, _, _ = sent(stage("refine", "images: never"), both)
    assert list(map(has_picture, requests)) == [False, False]
    requests, out, _ = sent(stage("entail", "images: never"), both)  # by the caption alone
    assert list(map(has_picture, requests)) == [False] and out[0]["entities"][0]["visible"] == 1


def test_a_server_without_eyes():
    """A stage that can do without pictures does; others end the run with the server's words."""
    def blind(text, request):
        if has_picture(request):
            return llm_server.Reply(500, {"error": {"message": "image input is not supported"}})
        return answer(text)

    requests, out, r = sent(stage("refine"), (IMAGE,) * 6, blind)
    assert 7 <= len(requests) <= 12 and r.err.count("does without pictures") == 1, r.err
    assert all("note" not in p["entities"][0] and "error" not in p for p in out), out
    for stages in (stage("refine", "images: always"), stage("entail")):
        with gm.Folder() as d, llm_server.Own(blind) as server:
            posts(d, IMAGE)
            gm.expect(predict(d, server.url, stages), 1, "image input is not supported")


# ---- endpoints of stages ----

def two_stages(d, first, second, *args, env=None, settings=()):
    """refine at the run's endpoint (None: at its own), expand at one of its own."""
    stages = stage("refine", *settings) + stage("expand", "endpoint: " + second, *settings)
    r = d.write("r.yaml", "name: r\nstages:\n" + stages)
    base = ("--endpoint", first) if first else ()
    return gm.run("predict", d / "in.jsonl", "-r", r, "-o", d / "out.jsonl", "--run", d / "run", *base, *args,
                  env={"GMNER_CACHE": d / "cache.sqlite", "OPENAI_API_KEY": "sk-of-the-run", "OPENAI_BASE_URL": "",
                       **(env or {})})


class Server(llm_server.Own):
    def __init__(self, say=lambda t, q: answer(t)):
        self.requests = []
        super().__init__(lambda t, q: self.requests.append(q) or say(t, q))


def test_each_stage_asks_its_own_server():
    with gm.Folder() as d, Server() as a, Server() as b:
        posts(d, None, None, None)
        r = gm.expect_ok(two_stages(d, a.url, b.url, "--model", "big"))
        assert len(a.requests) == len(b.requests) == 3, r.err
        assert all("isn't sure" in q["messages"][-1]["content"] for q in a.requests)
        assert {q["model"] for q in a.requests} == {"big"} and {q["model"] for q in b.requests} == {"default"}
        # where the answers of a named model come from is no part of what they depend on; an unnamed one is the server's
        with Server() as c:
            gm.expect_ok(two_stages(d, a.url, c.url, "--model", "big"))
            assert len(c.requests) == 3 and len(a.requests) == 3
        gm.expect_ok(two_stages(d, a.url, b.url, settings=("model: named",)))
        with Server() as c, Server() as e:
            gm.expect_ok(two_stages(d, e.url, c.url, settings=("model: named",)))
            assert not c.requests and not e.requests and len(a.requests) == len(b.requests) == 6
        # no stage is left that would ask the run's own
        d.write("r2.yaml", "name: r\nstages:\n" + stage("expand", f"endpoint: {b.url}", "model: small"))
        gm.expect_ok(gm.run("predict", d / "in.jsonl", "-r", d / "r2.yaml", "-o", d / "out2.jsonl",
                            env={"GMNER_CACHE": d / "cache.sqlite", "OPENAI_BASE_URL": ""}))
        assert b.requests[-1]["model"] == "small"
        gm.expect(two_stages(d, None, b.url), 2, "give --endpoint")


def test_keys_go_to_their_servers_alone():
    with gm.Folder() as d, Server() as a, Server() as b:
        posts(d, None)
        gm.expect_ok(two_stages(d, a.url, b.url))
        assert (a.requests[0]["authorization"], b.requests[0]["authorization"]) == ("Bearer sk-of-the-run", None)
        # the same server under another path is the run's own
        gm.expect_ok(two_stages(d, a.url, a.url + "/", settings=("seed: 1",)))
        assert a.requests[-1]["authorization"] == "Bearer sk-of-the-run" and a.requests[-1]["api_key"] is None
        keys = d.write("keys", f"sk-first\n{b.url} sk-second\n")
        os.chmod(keys, 0o600)
        gm.expect_ok(two_stages(d, a.url, b.url, "--key-file", keys, "--model", "other", settings=("seed: 2",)))
        assert a.requests[-1]["authorization"] == "Bearer sk-first"
        assert b.requests[-1]["authorization"] == "Bearer sk-second"
        # Azure's servers know it by another header too
        gm.expect_ok(two_stages(d, a.url + "?api-version=1", b.url, settings=("seed: 4",)))
        assert (a.requests[-1]["authorization"], a.requests[-1]["api_key"]) == ("Bearer sk-of-the-run", "sk-of-the-run")
        assert b.requests[-1]["api_key"] is None
        with Server(lambda t, q: llm_server.Reply(401, {"error": {"message": "no key"}})) as closed:
            r = two_stages(d, a.url, closed.url, "--model", "third", settings=("seed: 3",))
            gm.expect(r, 1, "no key", "--key-file")


def test_a_slow_server_keeps_no_other_waiting():
    """expand's server answers only after refine's has had all its questions: both are asked at once."""
    asked, enough = [], threading.Event()

    def refine(text, _):
        asked.append(text)
        if len(asked) == 8:
            enough.set()
        return answer(text)

    with gm.Folder() as d, Server(refine) as a, Server(lambda t, q: enough.wait(30) and answer(t)) as b:
        posts(d, *[None] * 8)
        gm.expect_ok(two_stages(d, a.url, b.url, "--in-flight", "9"))
        assert enough.is_set() and len(b.requests) == 8


gm.main(globals())
