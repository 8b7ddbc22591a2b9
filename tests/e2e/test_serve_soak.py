"""gmner serve for five minutes (GM_SOAK_S) under all that clients do: texts, pictures, forms, lines, wrong requests, those
that leave, and those that drip. Its memory is flat, it answers all the while, and ends as it should."""
import json
import os
import random
import threading
import time

import gm
from served import Server, data_uri

SECONDS = float(os.environ.get("GM_SOAK_S", "300"))
PHOTO = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
TEXTS = ("Grace Hopper at the Navy Yard", "RT @nasa : the Hubble telescope is up", "nothing to see here",
         "Paris in May, with Édith Piaf", "#Obama meets Merkel in Berlin")


class Client(threading.Thread):
    """Asks until the time is over; counts what it got, and keeps what it should not have got."""

    def __init__(self, server, seed, photo, end):
        super().__init__()
        self.server, self.rng, self.photo, self.end = server, random.Random(seed), photo, end
        self.n, self.wrong, self.failure = 0, [], None

    def run(self):
        try:
            while time.monotonic() < self.end:
                getattr(self, self.rng.choice(("text",) * 6 + ("lines",) * 2 + ("picture", "faulty", "leave", "drip")))()
                self.n += 1
        except Exception as e:  # told by the test's own thread
            self.failure = e

    def post(self):
        return {"id": str(self.rng.random()), "text": " ".join(self.rng.choices(TEXTS, k=self.rng.randint(1, 4)))}

    def expect(self, answer, *statuses):
        if answer.status not in statuses:
            self.wrong.append((answer.status, answer.body[:300]))

    def text(self):
        self.expect(self.server.post(self.post(), "/v1/predict?recipe=tag"), 200, 429)

    def lines(self):
        posts = [self.post() for _ in range(self.rng.randint(1, 20))]
        answer = self.server.post({"posts": posts}, "/v1/predict?recipe=tag&stream=true")
        self.expect(answer, 200, 429)
        if answer.status == 200 and [p["id"] for p in answer.lines] != [p["id"] for p in posts]:
            self.wrong.append(("order", answer.body[:300]))

    def picture(self):
        fields = [("text", self.post()["text"]), ("image", self.photo)]
        self.expect(self.server.post_form(fields, "/v1/predict?recipe=embedded"), 200, 429)

    def faulty(self):
        self.expect(self.server.post(b"{" * self.rng.randint(1, 3000)), 400)
        self.expect(self.server.post({"text": "a", "image": data_uri(self.photo[:self.rng.randint(0, 9999)])},
                                     "/v1/predict?recipe=embedded"), 422, 200)

    def leave(self):
        c = self.server.connection()
        c.request("POST", "/v1/predict?recipe=tag", json.dumps({"posts": [self.post()] * 5}).encode(),
                  {"Content-Type": "application/json"})
        c.sock.close()

    def drip(self):
        with self.server.connect() as c:
            for byte in b"POST /v1/pre"[:self.rng.randint(1, 12)]:
                c.sendall(bytes([byte]))
                time.sleep(0.02)


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def test_soak():
    with open(PHOTO, "rb") as f:
        photo = f.read()
    with Server("--recipe", "tag,embedded", "--header-timeout", "5") as s:
        begin = time.monotonic()
        clients = [Client(s, i, photo, begin + SECONDS) for i in range(16)]
        for c in clients:
            c.start()
        seen = []
        while time.monotonic() < begin + SECONDS:
            time.sleep(SECONDS / 100)
            seen.append(resident_mb(s.process.pid))
        for c in clients:
            c.join()
        wrong = [w for c in clients for w in c.wrong] + [c.failure for c in clients if c.failure]
        assert not wrong, wrong[:5]
        # when both recipes are warm, and at the end: the most of ten readings, as a batch comes and goes
        early, late = max(seen[30:40]), max(seen[-10:])
        m = s.metrics()
        print(f"{sum(c.n for c in clients)} actions, {m['gmner_posts_total']:.0f} posts, resident {early:.0f} MB after "
              f"{0.4 * SECONDS:.0f} s, {late:.0f} MB at the end", flush=True)
        assert late < early * 1.05 + 5, [round(x) for x in seen]
        assert m['gmner_queue_posts{recipe="tag"}'] == m['gmner_body_bytes'] == 0


if __name__ == "__main__":
    gm.main(globals())
