"""Servers that answer in ways of their own: parameters they refuse, errors in a 200, compression, thoughts,
quotas, addresses. Each is understood or its own words reach the user; none is taken for a server that is down."""
import gzip
import json
import os
import threading
import time

import gm
import llm_server
from llm_server import Reply

POST = '{"id": "%d", "text": "Anna visits Rome", "entities": [{"start": 0, "end": 4, "type": "PER"}]}\n'
ANSWER = '{"phrases": [{"entity": 1, "phrase": "a woman"}]}'


def predict(d, url, n_posts=1, cache=None, args=()):
    d.write("posts.jsonl", "".join(POST % i for i in range(n_posts)))
    d.write("r.yaml", "name: ex\nstages:\n  - stage: expand\n    backend: llm\n")
    return gm.run("predict", d / "posts.jsonl", "-r", d / "r.yaml", "-o", d / "out.jsonl", "--endpoint", url,
                  "--model", "m", *args, env={"GMNER_CACHE": cache or d / "cache.sqlite"})


def written(d):
    with open(d / "out.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def asks(answer, n_posts=1, url="{}"):
    """The run's result, the posts it wrote, and how many requests it took."""
    requests = []
    start = time.monotonic()
    with gm.Folder() as d, llm_server.Own(lambda t, q: requests.append(q) or answer(q)) as s:
        r = predict(d, url.format(s.url), n_posts)
        posts = written(d) if os.path.exists(d / "out.jsonl") else []
    assert time.monotonic() - start < 60, r.err
    return r, posts, requests


def works(answer, n_posts=1, url="{}"):
    r, posts, requests = asks(answer, n_posts, url)
    gm.expect_ok(r)
    assert [p["entities"][0].get("expression") for p in posts] == ["a woman"] * n_posts, r.err
    return r, requests


def error(status, message, **more):
    return Reply(status, {"error": {"message": message, **more}})


def test_a_cache_that_cannot_be_opened():
    """Said once, with the variable's name; the run goes on without it."""
    for cache in ("/proc/nope/replies.sqlite", "{d}/no-database", "{d}/posts.jsonl/replies.sqlite"):
        with gm.Folder() as d, llm_server.Own(lambda t, q: ANSWER) as s:
            d.write("no-database", "this is a text\n" * 100)
            r = predict(d, s.url, 3, cache.format(d=d.path))
            gm.expect_ok(r)
            assert [p["entities"][0].get("expression") for p in written(d)] == ["a woman"] * 3, r.err
            assert r.err.count("cannot be cached") == r.err.count("GMNER_CACHE") == 1, r.err


def test_one_refusal_for_many_in_flight():
    gate = threading.Barrier(16, timeout=5)

    def answer(q):
        if "response_format" not in q:
            return ANSWER
        try:
            gate.wait()  # all of the first sixteen are refused at once
        except threading.BrokenBarrierError:
            pass
        return error(400, "This response_format type is unavailable now")
    r, requests = works(answer, 32)
    assert len(requests) <= 32 + 16 and r.err.count("does without response_format") == 1


def test_parameters_one_by_one():
    def answer(q):
        for name, message in (("max_tokens", "Unsupported parameter: 'max_tokens' is not supported. Use "
                                             "'max_completion_tokens' instead."),
                              ("temperature", "Unsupported value: 'temperature' does not support 0."),
                              ("response_format", 'Unknown name "additionalProperties" at "response_schema"')):
            if name in q:
                return Reply(400, [{"error": {"message": message}}])
        return ANSWER
    r, requests = works(answer, 4)
    assert "max_completion_tokens" in requests[-1] and r.err.count("does without") == 3


def test_what_the_body_says_counts_not_the_status():
    works(lambda q: error(500, "[{'loc': ('body', 'response_format', 'type')}]") if "response_format" in q else ANSWER)


def test_a_refusal_of_the_request_itself_is_not_taken_for_one_of_a_parameter():
    r, posts, requests = asks(lambda q: error(400, "the context has 10 tokens at most"))
    assert r.code == 3 and len(requests) == 1
    assert "the context has 10 tokens at most" in posts[0]["error"]["message"]


def test_envelopes():
    whole = llm_server.completion(ANSWER)
    for body in (b"\xef\xbb\xbf" + whole, whole.replace(b'"stop"', b'"stop", "x": [-Infinity, NaN, "\\ud83d"]'),
                 whole.replace(json.dumps(ANSWER).encode(), json.dumps([{"type": "text", "text": ANSWER[:20]}, {
                     "type": "text", "text": ANSWER[20:]}]).encode())):
        works(lambda q, body=body: Reply(200, body))


def test_compression():
    works(lambda q: Reply(200, gzip.compress(llm_server.completion(ANSWER)), [("Content-Encoding", "gzip")]))
    bomb = gzip.compress(b" " * (64 << 20))
    sent = []
    works(lambda q: ANSWER if sent else sent.append(1) or Reply(200, bomb, [("Content-Encoding", "gzip")]))


def test_thoughts():
    works(lambda q: "<think>\nIs it {\"phrases\": []}?\n</think>\n" + ANSWER)
    r, posts, requests = asks(lambda q: ("<think>\nMaybe " + ANSWER + " or", {"finish_reason": "length"}))
    assert r.code == 0 and len(requests) == 3 and "max_tokens" in r.err
    assert posts[0]["entities"][0]["note"] == "expand_rejected:schema"


def message(**members):
    return Reply(200, {"choices": [{"message": {"role": "assistant", "content": None, **members}}]})


def test_refusals_reach_the_user():
    for reply, words in ((message(refusal="I can't help with people."), "I can't help with people."),
                         (message(tool_calls=[{"function": {"name": "look_it_up"}}]), "look_it_up")):
        r, posts, requests = asks(lambda q, reply=reply: reply)
        assert r.code == 3 and len(requests) == 3 and words in posts[0]["error"]["message"], r.err
    r, posts, _ = asks(lambda q: message())
    assert r.code == 0 and posts[0]["entities"][0]["note"] == "expand_rejected:schema"


def stops(answer, *parts, n_posts=8):
    r, _, requests = asks(answer, n_posts)
    gm.expect(r, 1, *parts)
    assert len(requests) <= n_posts  # none is tried again


def test_what_waiting_does_not_mend_stops_the_run():
    stops(lambda q: error(429, "You exceeded your current quota.", code="insufficient_quota"),
          "You exceeded your current quota.")
    stops(lambda q: Reply(200, {"error": {"message": "Rate limit exceeded: free-models-per-day", "code": 429}}),
          "free-models-per-day")
    stops(lambda q: error(402, "Add credits"), "Add credits")
    stops(lambda q: error(400, "Invalid model name passed in model=m"), "Invalid model name")
    stops(lambda q: error(401, "Wrong key for this organisation"), "Wrong key for this organisation")


def test_waits_that_a_server_asks_for():
    """One that is longer than a request may take stops the run at once, in the server's words, and no post fails for it;
    another endpoint takes over; a shorter one is said once and waited for."""
    def busy(s):
        return Reply(429, {"error": {"message": "slow down"}}, [("Retry-After", str(s))])

    with gm.Folder() as d, llm_server.Own(lambda t, q: busy(3600)) as a, llm_server.Own(lambda t, q: ANSWER) as b:
        start = time.monotonic()
        r = predict(d, a.url, 3, args=("--in-flight", "1"))
        gm.expect(r, 1, "status 429: slow down", "asks to wait 3600 s", "run the same command again later")
        assert "deadline" not in r.err and "failed=1" not in r.err, r.err
        gm.expect_ok(predict(d, b.url, 3))  # goes on with every post
        assert [p["entities"][0].get("expression") for p in written(d)] == ["a woman"] * 3
        gm.expect_ok(predict(d, f"{a.url},{b.url}", 3, d / "fresh.sqlite", ("--run", d / "fresh", "--in-flight", "1")))
        assert [p["entities"][0].get("expression") for p in written(d)] == ["a woman"] * 3
        assert time.monotonic() - start < 60
    first = []
    start = time.monotonic()
    r, requests = works(lambda q: ANSWER if len(first) == 3 else first.append(q) or busy(6), 3)
    assert r.err.count("asks to wait 6 s") == 1 and time.monotonic() - start >= 6, r.err


def test_a_key_in_a_servers_words():
    """Whoever the key is for and wherever the server repeats it: in no message, record or run folder."""
    key = "sk-OWNSECRET-abcdef"

    def answer(q):
        words = f"got {q['authorization']} at {q['path']}"
        return error(400, words) if "0" in q["messages"][-1]["content"] else message(refusal=words)

    for url in ("{}", "{}?api_key=" + key):
        with gm.Folder() as d, llm_server.Own(lambda t, q: answer(q)) as s:
            d.write("keys", f"sk-BAREKEY-123456\n{s.url[:-3]} {key}\n")
            os.chmod(d / "keys", 0o600)
            d.write("posts.jsonl", POST % 0 + (POST % 1).replace("Rome", "R0me"))
            d.write("r.yaml", "name: ex\nstages:\n  - stage: expand\n    backend: llm\n")
            r = gm.run("predict", d / "posts.jsonl", "-r", d / "r.yaml", "-o", d / "out.jsonl", "--endpoint",
                       url.format(s.url), "--key-file", d / "keys", "--run", d / "run",
                       env={"GMNER_CACHE": d / "cache.sqlite"})
            for p in written(d):
                assert "got Bearer ***" in p["error"]["message"], p
            kept = [d / "out.jsonl"] + [os.path.join(f, n) for f, _, names in os.walk(d / "run") for n in names]
            assert len(kept) > 1 and r.code == 3
            for path in kept:
                with open(path, "rb") as f:
                    assert b"SECRET" not in f.read(), path
            assert "SECRET" not in r.err and "***" in r.err, r.err


def test_answers_are_of_their_model():
    """Kept answers and stage results are those of the same model: of an unnamed one those of its server, of a GGUF file
    those of its content, wherever it lies."""
    def run(d, url, *args):
        r = gm.expect_ok(gm.run("predict", d / "posts.jsonl", "-r", d / "r.yaml", "-o", d / "out.jsonl", "--run", d / "run",
                                "--endpoint", url, *args, env={"GMNER_CACHE": d / "cache.sqlite", "OPENAI_API_KEY": ""}))
        return written(d)[0]["entities"][0]["expression"], "answered=1" in r.err

    def say(who):
        return lambda t, q: ANSWER.replace("woman", who)

    with gm.Folder() as d, llm_server.Own(say("woman")) as a, llm_server.Own(say("child")) as b:
        d.write("posts.jsonl", POST % 0)
        d.write("r.yaml", "name: ex\nstages:\n  - stage: expand\n    backend: llm\n")
        assert run(d, a.url) == ("a woman", True)
        assert run(d, a.url + "?api_key=x") == ("a woman", False)  # a key is no part of a server
        assert run(d, b.url) == ("a child", True)
        assert run(d, a.url) == ("a woman", False)
        assert run(d, a.url, "--model", "m") == ("a woman", True)
        assert run(d, b.url, "--model", "m") == ("a woman", False)
        server = llm_server.local(d)
        for folder, who in (("v1", "woman"), ("v2", "child"), ("copy", "woman")):
            os.mkdir(d / folder)
            d.write(f"{folder}/model.gguf", ANSWER.replace("woman", who))
            assert run(d, d / f"{folder}/model.gguf", "--llama-server", server) == (f"a {who}", folder != "copy")


def test_addresses():
    stops(lambda q: Reply(404, b"404 page not found"), "404 page not found", "/v1/chat/completions")
    with gm.Folder() as d, llm_server.Own(lambda t, q: ANSWER if q["path"].startswith("/v1/") else Reply(
            404, b"404 page not found")) as s:
        gm.expect(predict(d, s.url[:-3]), 1, f"asked was {s.url[:-3]}/chat/completions", "ends in /v1")
    for end in ("?api-version=1", "/?api-version=1#x", "/chat/completions?api-version=1"):
        _, requests = works(lambda q: ANSWER, 1, "{}" + end)
        assert requests[0]["path"] == "/v1/chat/completions?api-version=1", requests[0]["path"]


gm.main(globals())
