"""gmner serve with many clients at once: their posts go through the models together, and a stop loses none."""
import json
import signal
import threading

import gm
from served import Server, long_text

TAG = ("--recipe", "tag")
CLIENTS = 200


def text(i):
    return f"Grace Hopper number {i} visits Paris in May"


def all_at_once(server, n, ask):
    """[ask(i) of client i], all of them let go at one moment."""
    answers, gate = [None] * n, threading.Barrier(n)

    def client(i):
        gate.wait()
        answers[i] = ask(i)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def test_batches():
    with Server(*TAG) as s:
        s.post({"text": "the model is loaded"})
        before = s.metrics()
        answers = all_at_once(s, CLIENTS, lambda i: s.post({"id": str(i), "text": text(i)}))
        lines = "".join(json.dumps({"id": str(i), "text": text(i)}) + "\n" for i in range(CLIENTS))
        wanted = gm.expect_ok(gm.run("predict", "--recipe", "tag", stdin=lines)).posts
        for i, answer in enumerate(answers):
            assert answer.status == 200 and answer.json["id"] == str(i), answer.body
            assert names(answer.json) == names(wanted[i]), (answer.json, wanted[i])
        after = s.metrics()
        batches, posts = (after[k] - before[k] for k in ('gmner_stage_seconds_count{stage="tag"}',
                                                         'gmner_stage_posts_total{stage="tag"}'))
        assert posts == CLIENTS and batches < CLIENTS / 2, f"{posts} posts in {batches} batches"


def names(post):
    return [(e["text"], e["type"]) for e in post["entities"]]


def test_turns():
    """A short request does not wait for the end of a long one that came before it."""
    with Server(*TAG, "--max-queue", "10000", "--max-posts", "5000", "--timeout", "600") as s:
        s.post({"text": "the model is loaded"})
        long = s.connection()
        long.request("POST", "/v1/predict", json.dumps({"posts": [{"text": text(i)} for i in range(3000)]}).encode(),
                     {"Content-Type": "application/json"})
        gm.until("posts wait", lambda: s.metrics()['gmner_queue_posts{recipe="tag"}'], 0.001)
        assert s.post({"text": "Paris"}).status == 200
        assert s.metrics()['gmner_queue_posts{recipe="tag"}'] > 0, "the long request was done first"
        assert len(json.loads(long.getresponse().read())["posts"]) == 3000


def test_stop_in_time():
    """What is not done when the time for it is over is told so, and the process ends."""
    with Server(*TAG, "--drain", "0.1") as s:
        s.post({"text": "the model is loaded"})
        c = s.connection()
        c.request("POST", "/v1/predict", json.dumps({"posts": [{"text": long_text(19000)}] * 8}).encode(),
                  {"Content-Type": "application/json"})
        gm.until("they are worked on", lambda: s.metrics()['gmner_pipeline_posts{recipe="tag"}'], 0.001)
        s.process.send_signal(signal.SIGINT)
        r = c.getresponse()
        assert r.status == 503 and b"stopping" in r.read()
        assert s.process.wait(gm.TIMEOUT_S) == 0


def test_gone_clients():
    """Clients that leave before they have their answer are no harm to the others."""
    with Server(*TAG) as s:
        s.post({"text": "the model is loaded"})

        def leave(i):
            c = s.connection()
            c.request("POST", f"/v1/predict?stream={'true' if i % 2 else 'false'}",
                      json.dumps({"posts": [{"text": text(j)} for j in range(20)]}).encode(),
                      {"Content-Type": "application/json"})
            c.sock.close()
            c.close()

        all_at_once(s, 50, leave)
        assert s.post({"text": "Paris in May"}).json["entities"][0]["text"] == "Paris"
        gm.until("all are done", lambda: not s.n_posts("tag"))


if __name__ == "__main__":
    gm.main(globals())
