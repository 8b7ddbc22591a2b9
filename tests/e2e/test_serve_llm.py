"""gmner serve with a recipe that asks a language model: a slow answer holds up nobody else, what was asked is counted,
and a model's server that fails is told of without a word of where it is."""
import json
import os
import threading
import time

import gm
import llm_server
from served import Server, problem

SLOW_S = 2


class Model(llm_server.Own):
    """Waits for posts with "slow" in them; refuses the key while `refuses`."""

    def __init__(self):
        self.refuses, self.n = False, 0

        def say(text, _):
            self.n += 1
            if self.refuses:
                return llm_server.Reply(401, {"error": {"message": "no such key"}})
            if "slow" in text:
                time.sleep(SLOW_S)
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
        while not model.n:
            time.sleep(0.01)
        ask("quick", {"text": "a post of Ann Lee"})
        ask("quick lines", {"posts": [{"text": "Bob Ray"}, {"text": "Paris"}]}, "/v1/predict?stream=true")
        assert slow.is_alive(), "the slow one was first"
        slow.join()
        assert order == ["quick", "quick lines", "slow"], order
        assert all(a.status == 200 for a in answers.values())
        assert answers["quick"].json["knowledge"], answers["quick"].body
        mixed = s.post({"posts": [{"id": "1", "text": "slow and first"}, {"id": "2", "text": "second"}]},
                       "/v1/predict?stream=true")
        assert [p["id"] for p in mixed.lines] == ["1", "2"], "lines are in the request's order"


def test_counts():
    with gm.Folder() as d, Model() as model, started(d, model) as s:
        for _ in range(2):
            assert s.post({"posts": [{"text": "Ann Lee"}, {"text": "Bob Ray"}]}).status == 200
        deadline = time.monotonic() + 10
        while (m := s.metrics())['gmner_llm_cache_hits_total{recipe="i"}'] < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
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


def test_stop_waits_for_answers():
    with gm.Folder() as d, Model() as model, started(d, model) as s:
        c = s.connection()
        c.request("POST", "/v1/predict", json.dumps({"text": "a slow post of Ann Lee"}).encode(),
                  {"Content-Type": "application/json"})
        while not model.n:
            time.sleep(0.01)
        s.process.terminate()
        r = c.getresponse()
        assert r.status == 200 and json.loads(r.read())["knowledge"]
        assert s.process.wait(gm.TIMEOUT_S) == 0


if __name__ == "__main__":
    os.environ.pop("OPENAI_API_KEY", None)
    gm.main(globals())
