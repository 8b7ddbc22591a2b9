"""A stage's own settings reach the request as they should: what is asserted is what the server was sent."""
import json
import os

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
    d.write("in.jsonl", "".join(json.dumps({"id": str(i), "text": "Anna waves", **({"image": x} if x else {}),
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


gm.main(globals())
