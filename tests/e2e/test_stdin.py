"""A program that writes a post, reads its answer and only then writes the next (a coprocess); input
that pauses within a line; input that comes fast; a stop while the input says nothing. Runs a recipe
without the tagger."""
import json
import os
import select
import signal
import subprocess
import time

import gm

RECIPE = "name: x\nstages:\n  - stage: expand\n"
WAIT_S = gm.TIMEOUT_S


class Coprocess:
    """The program with pipes to and from it that stay open."""

    def __init__(self, *args):
        self._dir = gm.Folder()
        recipe = self._dir.__enter__().write("r.yaml", RECIPE)
        self.p = subprocess.Popen([gm.PROGRAM, "predict", "-", "--recipe", recipe, *args],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait()
        for pipe in (self.p.stdin, self.p.stdout, self.p.stderr):
            pipe.close()
        self._dir.__exit__()

    def write(self, text):
        self.p.stdin.write(text.encode())
        self.p.stdin.flush()

    def read(self, timeout_s=WAIT_S):
        """The next record; None when none comes in time."""
        end = time.monotonic() + timeout_s
        while b"\n" not in self.rest:
            if not select.select([self.p.stdout], [], [], max(0, end - time.monotonic()))[0]:
                return None
            more = os.read(self.p.stdout.fileno(), 1 << 16)
            assert more, f"the program ended: {self.p.stderr.read()[-2000:]}"
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)


def test_each_answer_comes_before_the_next_post():
    with Coprocess() as c:
        for i in range(3):
            c.write('{"id": "%d", "text": "Rome"}\n' % i)
            assert (c.read() or {}).get("id") == str(i)
        c.p.stdin.close()
        assert c.p.wait(WAIT_S) == 0


def test_conll_posts_too():
    with Coprocess("--from", "conll") as c:
        for i in range(3):
            c.write("IMGID:%d\nRome\tO\n\n" % i)
            assert (c.read() or {}).get("id") == str(i)


def test_lines_of_text_too():
    with Coprocess("--from", "text") as c:
        for line in ("(", "BZ", "Rome"):
            c.write(line + "\n")
            assert (c.read() or {}).get("text") == line


def test_a_line_in_pieces():
    with Coprocess() as c:
        c.write('{"id": "a", "text": "Rome"}\n{"id": "b", ')
        assert (c.read() or {}).get("id") == "a"
        assert c.read(0.2) is None
        c.write('"text": "Oslo"}\n')
        assert (c.read() or {}).get("id") == "b"


def test_fast_input_comes_out_whole_and_in_order():
    with Coprocess() as c:
        for i in range(0, 3000, 300):
            c.write("".join('{"id": "%d", "text": "t"}\n' % k for k in range(i, i + 300)))
            time.sleep(0.01 if i % 600 else 0)
        c.p.stdin.close()
        assert [c.read()["id"] for _ in range(3000)] == [str(i) for i in range(3000)]


def test_a_stop_while_the_input_says_nothing():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Coprocess() as c:
            c.write('{"id": "a", "text": "Rome"}\n')
            assert (c.read() or {}).get("id") == "a"
            c.p.send_signal(number)
            assert c.p.wait(WAIT_S) == -number


gm.main(globals())
