"""gmner serve: answers as gmner predict gives them, in each form that they can be asked for and given in; the
page, the API's own document, and the numbers."""
import json
import os
import urllib.parse

import gm
from served import Server, data_uri, problem


def without_image(posts):
    return [{k: v for k, v in p.items() if k != "image"} for p in posts]


def predicted(posts, *words):
    """What gmner predict says of the same posts."""
    lines = "".join(json.dumps(p) + "\n" for p in posts)
    return without_image(gm.expect_ok(gm.run("predict", *words, stdin=lines)).posts)


PHOTO = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
WORDS = ("Grace Hopper at the Navy Yard", "RT @nasa : the Hubble telescope is up", "nothing to see here",
         "Paris in May, with Édith Piaf \U0001f1eb\U0001f1f7", "#Obama meets Merkel in Berlin")
TEXTS = [{"id": f"t{i}", "text": t, "mine": i} for i, t in enumerate(WORDS * 4)]


def test_as_predict():
    with Server("--recipe", "tag") as s:
        wanted = predicted(TEXTS, "--recipe", "tag")
        one = s.post(TEXTS[0])
        assert one.status == 200 and one.headers["content-type"] == "application/json"
        assert one.json == wanted[0], (one.json, wanted[0])
        many = s.post({"posts": TEXTS})
        assert many.json == {"posts": wanted}
        lines = s.post({"posts": TEXTS}, "/v1/predict?stream=true")
        assert lines.headers["content-type"] == "application/jsonl" and lines.lines == wanted
        lines = s.post({"posts": TEXTS}, headers={"Accept": "text/html, application/jsonl;q=0.5"})
        assert lines.lines == wanted
        words = s.post({"tokens": ["Paris", "in", "May"]}).json
        assert words == predicted([{"tokens": ["Paris", "in", "May"]}], "--recipe", "tag")[0]


def test_forms():
    with Server("--recipe", "tag") as s:
        wanted = predicted(TEXTS, "--recipe", "tag")
        given = s.post_form([("text", TEXTS[0]["text"]), ("id", "t0")])
        assert given.json == {k: v for k, v in wanted[0].items() if k != "mine"}
        assert s.post_form([("posts", json.dumps({"posts": TEXTS}))]).json == {"posts": wanted}
        problem(s.post_form([("text", "a"), ("text", "b")]), 400, "bad-request", "twice")
        problem(s.post_form([("txt", "a")]), 400, "bad-request", "txt", "caption")
        cut = s.ask("POST", "/v1/predict", b"--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nParis",
                    {"Content-Type": "multipart/form-data; boundary=x"})
        problem(cut, 400, "bad-request", "middle of part 1")


def test_pictures():
    """A picture sent as data or as a file is the one that predict reads from a path."""
    with gm.Folder() as d, Server("--recipe", "embedded") as s:
        with open(PHOTO, "rb") as f:
            data = f.read()
        post = {"id": "g", "text": "Grace Hopper at the Navy Yard"}
        wanted = predicted([{**post, "image": PHOTO}])[0]
        assert wanted["entities"][0]["regions"], "the picture shows nobody"
        asked = [s.post({**post, "image": data_uri(data)}),
                 s.post_form([("id", "g"), ("text", post["text"]), ("image", data)]),
                 s.post_form([("posts", json.dumps({**post, "image": "part:photo"})), ("photo", data)])]
        for answer in asked:
            assert answer.json == wanted, answer.body[:600]
        times = s.post({**post, "image": data_uri(data)}, "/v1/predict?timings=true").json["timings"]
        assert [t["stage"] for t in times] == ["tag", "look", "read", "expand", "entail", "ground", "segment"], times
        secret = d.write("secret.jpg", data)
        for image in (secret, "file://" + secret, "http://127.0.0.1:1/x.jpg", "../x.jpg", "part:no", "", [secret], {"path": secret}):
            problem(s.post({**post, "image": image}), 422, "post", "\"image\"")
        for name in ("image_path", "img_path", "image_file", "img", "image_url", "images"):  # as records have it, too
            for image in (secret, [secret], {"path": secret}):
                problem(s.post({**post, name: image}), 422, "post", "not opened")
        problem(s.post_form([("posts", json.dumps({**post, "image": "part:photo", "image_path": secret})), ("photo", data)]),
                422, "post", "not opened")
        bad = problem(s.post({**post, "image": "data:;base64,aGVsbG8="}), 422, "post", "look", "picture")
        assert bad["post"]["entities"], "what the text told is lost"
        assert "image" not in bad["post"]
        listed = s.post({"posts": [{**post, "image": "data:;base64,aGVsbG8="}, post]})
        assert listed.status == 200 and listed.json["posts"][0]["error"]["stage"] == "look"


def test_page_and_documents():
    with Server("--recipe", "tag,embedded") as s:
        page = s.get("/")
        assert page.status == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff" and page.headers["referrer-policy"] == "no-referrer"
        assert "<script>" not in page.body.decode() and "http" not in page.body.decode().split("<body>")[1]
        again = s.get("/", {"If-None-Match": page.headers["etag"]})
        assert again.status == 304 and not again.body
        assert s.ask("HEAD", "/").body == b""
        api = s.get("/openapi.json").json
        recipes = s.get("/v1/recipes").json
        assert [r["name"] for r in recipes["recipes"]] == ["tag", "embedded"]
        assert recipes["recipes"][0]["default"] and not recipes["recipes"][1]["default"]
        assert recipes["recipes"][0]["stages"] == [{"stage": "tag", "backend": "native"}]
        assert s.get("/healthz").json == {"status": "alive"} and s.get("/readyz").json == {"status": "ready"}
        with open(os.path.join(gm.HOME, "src/serve/openapi.json"), encoding="utf-8") as f:
            assert api == json.load(f)


def test_numbers():
    with Server("--recipe", "tag") as s:
        s.post({"posts": TEXTS})
        s.get("/nothing")
        s.wait_for('gmner_requests_total{route="/v1/predict",status="200"}', 1)
        s.wait_for('gmner_requests_total{route="other",status="404"}', 1)
        m = s.metrics()
        assert m["gmner_posts_total"] == len(TEXTS) and m["gmner_posts_failed_total"] == 0
        assert m['gmner_stage_posts_total{stage="tag"}'] == len(TEXTS)
        assert m['gmner_stage_seconds_count{stage="tag"}'] >= 1
        assert m['gmner_queue_posts{recipe="tag"}'] == 0 and m["gmner_connections"] >= 1


def test_wrong_requests():
    with Server("--recipe", "tag") as s:
        problem(s.get("/nothing"), 404, "not-found", "/openapi.json")
        wrong = s.get("/v1/predict")
        problem(wrong, 405, "method-not-allowed")
        assert wrong.headers["allow"] == "POST"
        assert s.ask("PUT", "/healthz").headers["allow"] == "GET, HEAD"
        problem(s.post(b"{"), 400, "bad-request", "no JSON")
        problem(s.post([]), 422, "post", "an object")
        problem(s.post({}), 422, "post", "text")
        problem(s.post({"text": 1}), 422, "post", "\"text\"")
        problem(s.post({"posts": []}), 400, "bad-request", "\"posts\"")
        problem(s.post({"posts": [{"text": "a"}, {"text": 3}]}), 422, "post", "posts[1]", "\"text\"")
        problem(s.post({"posts": [{"text": "a"}], "recipe": "tag"}), 400, "bad-request", "beside")
        problem(s.post({"text": "a"}, headers={"Content-Type": "text/plain"}), 415, "media-type")
        problem(s.post({"text": "a"}, "/v1/predict?recipe=embedded"), 404, "not-found", "/v1/recipes")
        problem(s.post({"text": "a"}, "/v1/predict?stream=yes"), 400, "bad-request", "stream")
        problem(s.post({"text": "a"}, "/v1/predict?recipes=tag"), 400, "bad-request", "recipes")
        problem(s.post({"text": "a"}, "/v1/predict?stream=%zz"), 400, "bad-request", "%")
        assert gm.HOME not in s.post({"text": "a", "image": "/etc/passwd"}).body.decode()


def test_words_of_a_request_come_back_whole():
    """An answer is UTF-8 where a request's words are ill-formed, or are cut in the middle of a character."""
    names = ["\N{DEVANAGARI LETTER KA}" * n + "a" * (n % 7) for n in (19, 20, 53, 330, 341)]
    names = ["x" + urllib.parse.quote(n) for n in names] + ["%FF", "a%E0%A4", "%C3=%C3"]
    form = ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n1\r\n--b--')
    with Server("--recipe", "tag") as s:
        for name in names:
            for path in ("/v1/predict", "/v1/card"):
                problem(s.post({"text": "a"}, f"{path}?{name}=1"), 400, "bad-request")
                problem(s.post({"text": "a"}, f"{path}?{name}=1&{name}=2"), 400, "bad-request")
            word = urllib.parse.unquote_to_bytes(name)
            problem(s.post(form[1] % word, headers={"Content-Type": form[0]}), 400, "bad-request", "form")
            json.loads(s.post({"text": "a"}, f"/v1/predict?recipe={name}").body)
            json.loads(s.get("/" + name).body)


def test_a_record_sent_again():
    """An answer is a post, too; what the server told of itself then isn't told twice."""
    with Server("--recipe", "tag") as s:
        first = s.post({"text": "Paris in May", "mine": [1]}, "/v1/predict?timings=true")
        assert first.body.count(b'"timings"') == 1
        again = s.post(first.body, "/v1/predict?timings=true")
        assert again.status == 200 and again.body.count(b'"timings"') == 1 and again.json["mine"] == [1], again.body
        assert "timings" not in s.post(first.body).json


def test_json_of_other_programs():
    """A byte order mark, half a surrogate pair, bytes that are no UTF-8, numbers that no value can hold, NaN."""
    with Server("--recipe", "tag") as s:
        for body in (b'\xef\xbb\xbf{"text": "Paris in May"}', b'{"text": "Paris in May", "n": ' + b"9" * 700 + b"}",
                     b'{"text": "Paris in May", "n": [NaN, 1e999, "\\ud83d", "\xff"]}'):
            answer = s.post(body)
            assert answer.status == 200 and answer.json["entities"][0]["text"] == "Paris", answer.body


def test_starting():
    gm.expect(gm.run("serve", "--recipe", "no-such"), 2, "no-such")
    gm.expect(gm.run("serve", "--listen", "0.0.0.0:0"), 2, "--token-file")
    gm.expect(gm.run("serve", "--listen", "example.org:80"), 2, "a number")
    gm.expect(gm.run("serve", "--listen", "127.0.0.1:70000"), 2, "127.0.0.1:8765")
    gm.expect(gm.run("serve", "--tls-cert", "x.pem"), 2, "--tls-key")
    gm.expect(gm.run("serve", "--recipe", "tag,tag"), 2, "two recipes")
    gm.expect(gm.run("serve", "--max-posts", "9", "--max-queue", "8"), 2, "--max-queue")
    with Server("--recipe", "tag") as s:
        gm.expect(gm.run("serve", "--listen", f"127.0.0.1:{s.port}"), 1, "cannot listen", str(s.port))


if __name__ == "__main__":
    gm.main(globals())
