"""gmner serve with a recipe that asks a language model: a slow answer holds up nobody else, what was asked is counted,
and a model's server that fails is told of without a word of where it is."""
import json
import os
import signal
import threading

import gm
import llm_server
from served import PATIENT, Server, problem


class Model(llm_server.Own):
    """Says nothing of posts with "slow" in them until `go` is set; refuses the key while `refuses`."""

    def __init__(self):
        self.refuses, self.n, self.go = False, 0, threading.Event()

        def say(text, _):
            self.n += 1
            if self.refuses:
                return llm_server.Reply(401, {"error": {"message": "no such key"}})
            if "slow" in text:
                self.go.wait(gm.TIMEOUT_S)
            return "Named entities: none."

        super().__init__(say)


def started(d, model, *more):
    recipe = d.write("i.yaml", "name: i\nstages:\n  - stage: tag\n  - stage: inform\n")
    return Server("--recipe", recipe, "--endpoint", model.url, *more, env={"GMNER_CACHE": d / "c.sqlite"})


def test_slow_answers():
    with gm.Folder() as d, Model() as model, started(d, model) as s:
        order, answers = [], {}

        def ask(name, value, path="/v1/predict"):
            answers[name] = s.post(value, path)
            order.append(name)

        slow = threading.Thread(target=ask, args=("slow", {"text": "a slow post of Ann Lee"}))
        slow.start()
        gm.until("the model is asked", lambda: model.n)
        ask("quick", {"text": "a post of Ann Lee"})
        ask("quick lines", {"posts": [{"text": "Bob Ray"}, {"text": "Paris"}]}, "/v1/predict?stream=true")
        assert slow.is_alive(), "the slow one was first"
        model.go.set()
        slow.join()
        assert order == ["quick", "quick lines", "slow"], order
        assert all(a.status == 200 for a in answers.values())
        assert answers["quick"].json["knowledge"], answers["quick"].body
        model.go.clear()
        asked = model.n
        both_asked = lambda: gm.until("both are asked", lambda: model.n == asked + 2)
        threading.Thread(target=lambda: (both_asked(), model.go.set())).start()
        mixed = s.post({"posts": [{"id": "1", "text": "slow and first"}, {"id": "2", "text": "second"}]},
                       "/v1/predict?stream=true")
        assert [p["id"] for p in mixed.lines] == ["1", "2"], "lines are in the request's order"


def test_counts():
    with gm.Folder() as d, Model() as model, started(d, model) as s:
        for _ in range(2):
            assert s.post({"posts": [{"text": "Ann Lee"}, {"text": "Bob Ray"}]}).status == 200
        s.wait_for('gmner_llm_cache_hits_total{recipe="i"}', 2)
        m = s.metrics()
        assert m['gmner_llm_requests_total{recipe="i"}'] == 4 and m['gmner_llm_cache_hits_total{recipe="i"}'] == 2, m
        assert m['gmner_llm_sent_total{recipe="i"}'] == model.n == 2
        assert m['gmner_llm_prompt_tokens_total{recipe="i"}'] == 20
        assert m['gmner_llm_completion_tokens_total{recipe="i"}'] == 10
        assert m['gmner_stage_posts_total{stage="inform"}'] == 4


def test_failing_model():
    with gm.Folder() as d, Model() as model, started(d, model) as s:
        assert s.post({"text": "Ann Lee"}).status == 200
        model.refuses = True
        failed = s.post({"text": "Bob Ray"})
        problem(failed, 502, "backend")
        for inside in (str(model.port), "127.0.0.1", "key", d.path, ".c:"):
            assert inside not in failed.body.decode(), failed.body
        assert "recipe" in s.stderr() and "401" in s.stderr(), s.stderr()
        model.refuses = False
        assert s.post({"text": "Bob Ray"}).status == 200, "it does not recover"


def test_budget():
    """The budget is that of the server, however often its client begins anew."""
    with gm.Folder() as d, Model() as model, started(d, model, "--price", "1,1000", "--budget", "0.32") as s:
        statuses = [s.post({"text": f"Ann Lee {i}"}).status for i in range(12)]
        assert statuses[0] == 200 and statuses == sorted(statuses) and statuses[-1] == 502, statuses
        assert "budget" in s.stderr() and model.n == statuses.count(200)


def test_stop_finishes():
    """What was taken is answered after the signal to stop, and nothing new is taken."""
    with gm.Folder() as d, Model() as model, started(d, model, *PATIENT) as s:
        ready, asked = s.connection(), []
        assert s.ask("GET", "/readyz", connection=ready).status == 200
        for i in range(12):
            c = s.connection()
            posts = [{"id": f"{i}.{j}", "text": f"slow post {i}.{j} of Ann Lee"} for j in range(5)]
            c.request("POST", "/v1/predict" + ("?stream=true" if i % 3 == 2 else ""),
                      json.dumps({"posts": posts}).encode(), {"Content-Type": "application/json"})
            asked.append((c, posts))
        gm.until("all have come", lambda: s.n_posts("i") == 60)
        s.process.send_signal(signal.SIGTERM)
        gm.until("it stops", lambda: s.ask("GET", "/readyz", connection=ready).status == 503)
        problem(s.post({"text": "too late"}), 503, "stopping")
        model.go.set()
        for i, (c, posts) in enumerate(asked):
            r = c.getresponse()
            body = r.read()
            assert r.status == 200, body
            got = [json.loads(l) for l in body.splitlines()] if i % 3 == 2 else json.loads(body)["posts"]
            assert [p["id"] for p in got] == [p["id"] for p in posts] and all(p["knowledge"] for p in got), body
        assert s.process.wait(gm.TIMEOUT_S) == 0


if __name__ == "__main__":
    os.environ.pop("OPENAI_API_KEY", None)
    gm.main(globals())
