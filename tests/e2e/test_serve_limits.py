"""gmner serve and those who ask for too much, too slowly, or where they may not: every limit with its status, and a
server that is as well afterwards as before."""
import http.client
import json
import os
import socket
import ssl
import subprocess
import time

import gm
from served import PATIENT, Server, data_uri, long_text, problem

PHOTO = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
TAG = ("--recipe", "tag")


def raw(server, data, half_close=False, wanted=b"", times=1):
    """What comes back for these bytes until the server closes, or has sent `wanted` so many times; with neither to be
    waited for, until it is silent for a second."""
    with server.connect() as c:
        c.sendall(data)
        if half_close:
            c.shutdown(socket.SHUT_WR)
        c.settimeout(gm.TIMEOUT_S if half_close or wanted else 1)
        out = b""
        try:
            while (not wanted or out.count(wanted) < times) and (piece := c.recv(65536)):
                out += piece
        except (TimeoutError, ConnectionError):
            pass
        return out


def request(path="/v1/predict", body=b'{"text": "Paris in May"}', more=b""):
    return (b"POST " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + more +
            b"Content-Length: %d\r\n\r\n" % len(body) + body)


def send(connection, value):
    """Ask without waiting for the answer."""
    connection.request("POST", "/v1/predict", json.dumps(value).encode(), {"Content-Type": "application/json"})


def is_well(server):
    assert server.get("/healthz").status == 200
    assert server.post({"text": "Paris in May"}).json["entities"][0]["text"] == "Paris"


def test_sizes():
    with Server(*TAG, "--max-body", "0.1", "--max-posts", "3", "--max-header", "2000", "--max-words", "5") as s:
        problem(s.post({"text": "a" * 200000}), 413, "too-large", "100000 bytes")
        c = s.connection()
        c.request("POST", "/v1/predict", iter([b"a" * 50000] * 4), {"Content-Type": "application/json"})
        r = c.getresponse()
        assert r.status == 413 and b"too-large" in r.read(), r.status
        waits = raw(s, b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                       b"Content-Length: 900000\r\n\r\n", wanted=b"\r\n\r\n")
        assert waits.startswith(b"HTTP/1.1 413"), waits
        problem(s.post({"posts": [{"text": "a"}] * 4}), 413, "too-many-posts", "4", "3")
        problem(s.get("/healthz", {"X": "a" * 3000}), 431, "headers-too-large", "2000")
        problem(s.get("/healthz?" + "a" * 3000), 431, "headers-too-large", "2000")
        assert s.get("/healthz?" + "a" * 1500).status == 200
        assert raw(s, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000).split()[1:2] in ([b"431"], [b"413"], [])
        problem(s.post({"text": "a b c d e f g"}), 422, "post", "5 words")
        is_well(s)


def test_memory_for_bodies():
    """Bodies that were only announced count, too, until their connections end."""
    with Server(*TAG, "--max-body", "1", "--max-memory", "1.5") as s:
        with s.connect() as c:
            c.sendall(request(body=b"").replace(b"Content-Length: 0", b"Content-Length: 900000"))
            gm.until("the body counts", lambda: s.metrics()["gmner_body_bytes"] >= 900000)
            busy = s.post({"text": "a" * 700000})
            problem(busy, 503, "busy")
            assert int(busy.headers["retry-after"]) > 0
        gm.until("nothing counts", lambda: not s.metrics()["gmner_body_bytes"])
        is_well(s)


def peak_kb(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmHWM")).split()[1])


def test_memory_of_forms():
    """A form takes memory for its bytes: not for each post that names a part of it, nor for each word of its headers."""
    mb = 1000
    with Server(*TAG) as s:
        assert s.post({"text": "the model is loaded"}).status == 200
        before = peak_kb(s)
        posts = json.dumps({"posts": [{"text": "Ann", "image": "part:p"}] * 60})
        assert s.post_form([("posts", posts), ("p", b"\xff\xd8" + b"x" * 4_000_000)]).status == 200
        head = "--B\r\nContent-Disposition: form-data" + ";a=" * 2600 + ";name=p%d\r\n\r\nx\r\n"
        many = ("".join(head % i for i in range(20)) + "--B--\r\n").encode()
        problem(s.ask("POST", "/v1/predict", many, {"Content-Type": "multipart/form-data; boundary=B"}), 400, "bad-request", "no name")
        more = (peak_kb(s) - before) / mb
        print(f"{more:.0f} MB more")
        assert more < 80 or gm.is_sanitized(), f"{more} MB"
        is_well(s)


NEXT = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_framing():
    """What a proxy may take for other requests than we do is refused wherever it goes, and nothing behind it is read."""
    chunks = b"2\r\n{}\r\n0\r\n\r\n"
    faults = [(b"Content-Length: 15\r\nTransfer-Encoding: chunked", chunks), (b"Content-Length: 2\r\nContent-Length: 90", b"{}"),
              (b"Content-Length: 2\r\nContent-Length: 2", b"{}"), (b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", chunks),
              (b"Transfer-Encoding: gzip, chunked", chunks), (b"Transfer-Encoding: xchunked", chunks), (b"Host: example.org", b""),
              (b"Host: localhost", b""), (b"Content-Length : 2", b"{}"), (b"Transfer-Encoding : chunked", chunks),
              (b"Content-Length: 2\r\n 0", b"{}"), (b"Content-Length:\r\n 2", b"{}"), (b"Content-Length: 2, 2", b"{}"),
              (b"Content-Length: +2", b"{}")]
    with gm.Folder() as d:
        token = d.write("token", "token-of-the-test")
        os.chmod(token, 0o600)
        with Server(*TAG, "--token-file", token) as s:
            for line in (b"GET /healthz", b"POST /v1/nothing", b"POST /v1/card", b"POST /v1/predict", b"POST /healthz", b"GET /v1/page"):
                for head, body in faults:
                    out = raw(s, line + b" HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n" + body + NEXT, half_close=True)
                    assert out.startswith(b"HTTP/1.1 400") and b"ready" not in out and b"HTTP/1.1 2" not in out, (line, head, out)
            old = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
            assert raw(s, old + NEXT, half_close=True).count(b"HTTP/1.1 ") == 1
            good = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunks
            assert raw(s, good + NEXT, half_close=True).count(b"HTTP/1.1 200") == 2
            assert s.get("/healthz").status == 200


def test_two_lengths():
    """A body that is announced as short and comes in chunks would not be counted: it is refused, and the connection ends."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (b'{"text": ', b'"Paris in May"}', b""))
    with Server(*TAG) as s:
        for path in ("/v1/predict", "/v1/card"):
            head = request(path, b"", b"Transfer-Encoding: chunked\r\n")
            out = raw(s, head + chunks + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", half_close=True)
            assert out.startswith(b"HTTP/1.1 400") and out.count(b"HTTP/1.1 ") == 1 and b"bad-request" in out, out
        plain = head.replace(b"Content-Length: 0\r\n", b"").replace(b"/v1/card", b"/v1/predict")
        assert raw(s, plain + chunks, wanted=b"}").startswith(b"HTTP/1.1 200")
        is_well(s)


def test_pixels():
    with open(PHOTO, "rb") as f:
        photo = f.read()
    with Server("--recipe", "embedded", "--max-pixels", "1000") as s:
        p = problem(s.post({"text": "Grace Hopper", "image": data_uri(photo)}), 422, "post", "1000", "pixels")
        assert p["post"]["entities"][0]["type"] == "PER"


def when_full(server):
    """The answer to one more post while the tagger is at a long one and four wait; None: the long one was done before."""
    long, waits = server.connection(), server.connection()
    before = server.metrics()["gmner_posts_total"]
    is_done = lambda m: m["gmner_posts_total"] > before
    send(long, {"text": long_text(19000)})
    gm.until("it is worked on", lambda: is_done(m := server.metrics()) or m['gmner_pipeline_posts{recipe="tag"}'])
    send(waits, {"posts": [{"text": "Paris"}] * 4})
    gm.until("four wait", lambda: is_done(m := server.metrics()) or m['gmner_queue_posts{recipe="tag"}'] == 4)
    answer = server.post({"text": "Paris"})
    assert long.getresponse().status == waits.getresponse().status == 200
    return answer if answer.status != 200 else None


def test_queue():
    """While the tagger is at a long post, others wait, and the queue is full."""
    with Server(*TAG, *PATIENT, "--max-queue", "4", "--max-posts", "4") as s:
        is_well(s)
        full = next(filter(None, (when_full(s) for _ in range(10))), None)
        assert full, "the long post is done too soon for this test"
        problem(full, 429, "queue-full", "4 posts")
        assert int(full.headers["retry-after"]) > 0
        is_well(s)


def test_time():
    with Server(*TAG, "--timeout", "0.01") as s:
        problem(s.post({"text": long_text(3000)}), 504, "timeout")
    with Server(*TAG, "--timeout", "0.01") as s:
        late = s.post({"posts": [{"text": long_text(3000)}] * 3}, "/v1/predict?stream=true")
        assert late.status == 200 and late.lines[-1]["type"] == "urn:gmner:problem:timeout", late.body


def test_slow_clients():
    with Server(*TAG, "--header-timeout", "1", "--body-timeout", "1") as s:
        for drip in (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100,
                     request(body=b'{"text": "' + b"a" * 100)):
            with s.connect() as c:
                drips = iter(drip + b"a" * 1000)

                def is_cut_off():
                    byte = next(drips)
                    try:
                        c.sendall(bytes([byte]))
                    except ConnectionError:
                        return True
                    time.sleep(0 if drip.startswith(b"POST") and byte != ord("a") else 0.05)
                    return False
                gm.until("a client that drips is cut off", is_cut_off)
        is_well(s)
    with Server(*TAG, "--body-timeout", "5") as s:
        with s.connect() as c:  # who does not take the answer
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.sendall(request(body=b'{"text": "Paris", "mine": "' + b"x" * 10_000_000 + b'"}'))
            gm.until("a client that takes no answer is cut off", lambda: s.metrics()["gmner_connections"] == 1)
        is_well(s)


def test_half_closed():
    with Server(*TAG) as s:
        whole = raw(s, request(), half_close=True)
        assert whole.startswith(b"HTTP/1.1 200") and b'"Paris"' in whole, whole
        lines = raw(s, request("/v1/predict?stream=true"), half_close=True)
        assert lines.startswith(b"HTTP/1.1 200") and b'"Paris"' in lines, lines
        for cut in (1, 20, 60, len(request()) - 5):
            raw(s, request()[:cut], half_close=True)
        for cut in (30, len(request()) - 5, len(request())):  # and closed whole, with what would come
            with s.connect() as c:
                c.sendall(request()[:cut])
        two = raw(s, request() + request(), wanted=b'"Paris"', times=2)
        assert two.count(b"HTTP/1.1 200") == 2, two
        is_well(s)


def test_no_http():
    with Server(*TAG) as s:
        for data in (b"\0" * 100, b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
                     b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
                     b"GET " + b"/a" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     request(more=b"Content-Length: 5\r\n"), request(more=b"Transfer-Encoding: chunked\r\n"),
                     request(more=b"Transfer-Encoding: no-such\r\n"),
                     b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                     b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                     b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                     b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            out = raw(s, data)
            assert b"HTTP/1.1 200" not in out and b"HTTP/1.0 200" not in out, (data[:80], out[:200])
        is_well(s)


def test_many_connections():
    with Server(*TAG) as s:
        idle = [s.connect() for _ in range(1000)]
        is_well(s)
        gm.until("all are there", lambda: s.metrics()["gmner_connections"] >= 1000)
        for c in idle:
            c.close()
        gm.until("all are gone", lambda: s.metrics()["gmner_connections"] <= 10)
    with Server(*TAG, "--max-connections", "8", "--header-timeout", "1") as s:
        idle = [s.connect() for _ in range(20)]
        for c in idle:  # those that came too late are closed, and the idle ones, too
            try:
                while c.recv(1000):
                    pass
            except ConnectionError:
                pass
            c.close()
        gm.until("it answers again", lambda: answers(s))
        is_well(s)


def answers(server):
    try:
        return server.get("/healthz").status == 200
    except (ConnectionError, http.client.HTTPException):
        return False


def test_who_may_ask():
    with gm.Folder() as d, Server(*TAG, "--host", "posts.example") as s:
        for host in ("localhost", f"127.0.0.1:{s.port}", "[::1]:80", "posts.example", "POSTS.example:99"):
            assert s.get("/healthz", {"Host": host}).status == 200, host
        for host in ("evil.example", "localhost.evil.example", "posts.example.evil.example", "", "127.0.0.1.evil.example"):
            problem(s.get("/healthz", {"Host": host}), 403, "forbidden-host")
        here = {"Host": f"localhost:{s.port}"}
        assert s.post({"text": "a"}, headers={**here, "Origin": f"http://localhost:{s.port}"}).status == 200
        for origin in ("http://evil.example", "null", f"http://localhost:{s.port + 1}", "http://127.0.0.1"):
            problem(s.post({"text": "a"}, headers={**here, "Origin": origin}), 403, "forbidden-origin")
    with gm.Folder() as d:
        token = d.write("token", "s3cret-of-the-test\n")
        os.chmod(token, 0o644)
        gm.expect(gm.run("serve", "--token-file", token), 2, "token", "chmod")
        os.chmod(token, 0o600)
        with Server(*TAG, "--token-file", token, address="0.0.0.0") as s:
            assert "clear text" in s.stderr()
            for wrong in ({}, {"Authorization": "s3cret-of-the-test"}, {"Authorization": "Bearer s3cret-of-the-tes"},
                          {"Authorization": "Bearer "}, {"Authorization": "Basic s3cret-of-the-test"}):
                refused = s.post({"text": "a"}, headers=wrong)
                problem(refused, 401, "unauthorized")
                assert refused.headers["www-authenticate"] == "Bearer"
            assert s.post({"text": "a"}, headers={"Authorization": "Bearer s3cret-of-the-test"}).status == 200
            problem(s.get("/metrics"), 401, "unauthorized")
            assert s.get("/healthz").status == s.get("/").status == 200
            assert "s3cret" not in s.stderr()


def test_tls():
    with gm.Folder() as d:
        cert, key = d / "cert.pem", d / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key,
                        "-out", cert], check=True, capture_output=True)
        gm.expect(gm.run("serve", "--listen", "127.0.0.1:0", "--tls-cert", key, "--tls-key", key), 2, "PEM")
        with Server(*TAG, "--tls-cert", cert, "--tls-key", key) as s:
            assert s.url.startswith("https://")
            context = ssl.create_default_context(cafile=cert)
            c = http.client.HTTPSConnection("localhost", s.port, context=context, timeout=gm.TIMEOUT_S)
            for _ in range(3):
                c.request("POST", "/v1/predict", b'{"text": "Paris in May"}', {"Content-Type": "application/json"})
                assert b'"Paris"' in c.getresponse().read()
            c.close()
            raw(s, request())  # no TLS: closed
            c = http.client.HTTPSConnection("localhost", s.port, context=context, timeout=gm.TIMEOUT_S)
            c.request("GET", "/healthz")
            assert c.getresponse().status == 200
            c.close()


if __name__ == "__main__":
    gm.main(globals())
