"""The pages' filters: what they offer by the page's markup, and what they show in a browser (skipped without
one)."""
import html
import http.server
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading

import gm

# What is wrong with each predicted post, and so its marks. In the order of the file.
POSTS = [
    ("right", "right"),
    ("missed", "wrong span"),
    ("type", "wrong type"),
    ("unseen", "wrong entailment"),
    ("box", "wrong box"),
    ("span and box", "wrong span box"),
    ("nothing", "right"),
]
LABELS = {"right": "all right", "wrong": "something wrong", "span": "wrong: span", "type": "wrong: type",
          "entailment": "wrong: entailment", "box": "wrong: box"}
TEXT = "Ann Lee and Bob Ray"

# In a page of its own beside the page: sets each filter and writes down which posts are then shown.
HARNESS = """<!DOCTYPE html><title>harness</title><iframe id=f src="page.html" width=900 height=900></iframe><pre id=o></pre>
<script>
document.getElementById("f").onload = () => {
  const page = document.getElementById("f").contentDocument, $ = (id) => page.getElementById(id), out = {};
  const shown = () => [...page.querySelectorAll(".post")].filter((p) => p.getClientRects().length)
    .map((p) => p.querySelector("h2").textContent);
  const note = (name) => { out[name] = [shown(), $("shown").textContent]; };
  const set = (id, value, event) => { $(id).value = value; $(id).dispatchEvent(new Event(event)); };
  for (const o of $("which").options) { set("which", o.value, "change"); note(o.value); }
  set("which", "mark wrong", "change"); set("words", "BOX", "input"); note("wrong with words");
  set("which", "", "change"); set("words", "", "input");
  for (const b of page.querySelectorAll("[data-type]")) { b.click(); note(b.dataset.type); b.click(); }
  note("again");
  document.getElementById("o").textContent = JSON.stringify(out);
};
</script>"""


def entity(name, kind, box):
    start = TEXT.index(name)
    e = {"text": name, "type": kind, "start": start, "end": start + len(name)}
    return e if box is None else {**e, "regions": [{"box": box}]}


def files(d):
    """Gold has Ann with a box and Bob without; a prediction is wrong as its post's name says."""
    right = [0, 0, 10, 10]
    gold, pred = [], []
    for name, _ in POSTS:
        both = [] if name == "nothing" else [entity("Ann Lee", "PER", right), entity("Bob Ray", "PER", None)]
        gold.append({"id": name, "text": TEXT, "image": "none.jpg", "entities": both})
        ann = entity("Ann Lee", "ORG" if name == "type" else "PER",
                     None if name == "unseen" else [50, 50, 60, 60] if "box" in name else right)
        pred.append({"id": name, "text": TEXT, "image": "none.jpg", "entities":
                     [] if name == "nothing" else [ann] + both[1:] * (name != "missed" and "span" not in name)})
    return ["--gold", d.write("gold.jsonl", "\n".join(map(json.dumps, gold))),
            "--pred", d.write("pred.jsonl", "\n".join(map(json.dumps, pred)))]


def page_of(d, task="gmner"):
    gm.expect_ok(gm.run("eval", "--task", task, *files(d), "--html", d / "page.html"))
    with open(d / "page.html", encoding="utf-8") as f:
        return f.read()


def test_marks():
    with gm.Folder() as d:
        text = page_of(d)
        assert re.findall(r'data-marks="([^"]*)"', text) == [marks for _, marks in POSTS]
        counts = {m: sum(m in marks.split() for _, marks in POSTS) for m in LABELS}
        options = dict(re.findall(r'<option value="mark (\w+)">([^<]*)</option>', text))
        assert options == {m: f"{label} ({counts[m]})" for m, label in LABELS.items()}, options
        # only the steps of the task
        options = re.findall(r'<option value="mark (\w+)">', page_of(d, "mner"))
        assert options == ["right", "wrong", "span", "type"], options


def test_filters_in_a_browser():
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not browser:
        raise gm.Skip("no browser; `tools/setup.sh tests` gets chromium")
    with gm.Folder() as d, tempfile.TemporaryDirectory(prefix="gm-e2e-browser-") as profile:
        page_of(d)
        d.write("harness.html", HARNESS)

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=d.path)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            p = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                                f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom",
                                f"http://127.0.0.1:{server.server_port}/harness.html"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False,
                               env={**os.environ, "HOME": profile})
        finally:
            server.shutdown()
    found = re.search(r"<pre id=\"o\">(.+?)</pre>", p.stdout.decode(), re.S)
    assert found, (p.stdout[-2000:], p.stderr[-2000:])
    out = json.loads(html.unescape(found.group(1)))
    every = [name for name, _ in POSTS]
    assert out[""] == out["again"] == [every, ""], out
    for mark in LABELS:
        want = [name for name, marks in POSTS if mark in marks.split()]
        assert out["mark " + mark] == [want, f"{len(want)} of {len(POSTS)} posts shown"], (mark, out)
    assert out["wrong with words"][0] == ["box", "span and box"], out
    assert out["ORG"][0] == ["type"] and out["text"][0] == [] and out["unfound"][0] == ["nothing"], out


if __name__ == "__main__":
    gm.main(globals())
