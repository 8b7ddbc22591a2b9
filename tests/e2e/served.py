"""A running `gmner serve`, and requests to it with real sockets. Python's standard library only."""
import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

import gm


PATIENT = ("--timeout", "600", "--post-timeout", "0", "--drain", "600")  # for a program with sanitizers


def long_text(words):
    """A post that takes the tagger a second or two."""
    return " ".join(["Grace Hopper visits Paris in May"] * (words // (60 if gm.is_sanitized() else 6)))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]


class Server:
    """`with Server("--recipe", "tag") as s: s.post({"text": "…"})`. Stops it by SIGTERM at the end."""

    def __init__(self, *words, address="127.0.0.1", env=None):
        self.words, self.address, self.env = words, address, env

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [gm.PROGRAM, "serve", "--listen", f"{self.address}:0", *map(str, self.words)], stderr=self.log,
            stdout=subprocess.PIPE, env={**os.environ, **(self.env or {})})
        self.url = self._wait_for_url()
        self.port = int(self.url.rstrip("/").rsplit(":", 1)[1])
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(gm.TIMEOUT_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        text = self.stderr()
        self.log.close()
        if kind is None:
            assert self.process.returncode == 0, f"status {self.process.returncode}: {text[-3000:]}"
            for bad in ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer"):
                assert bad not in text, text[-4000:]

    def stderr(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def _wait_for_url(self):
        end = time.monotonic() + gm.TIMEOUT_S
        while time.monotonic() < end:
            for line in self.stderr().splitlines():
                if "listening on " in line:
                    return line.split("listening on ")[1].strip()
            if self.process.poll() is not None:
                raise AssertionError(f"it does not start: {self.stderr()}")
            time.sleep(0.02)
        raise AssertionError(f"it does not listen: {self.stderr()}")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=gm.TIMEOUT_S)

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=gm.TIMEOUT_S)

    def ask(self, method, path, body=None, headers=None, connection=None):
        c = connection or self.connection()
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        answer = Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
        if not connection:
            c.close()
        return answer

    def get(self, path, headers=None):
        return self.ask("GET", path, None, headers)

    def post(self, value, path="/v1/predict", headers=None, connection=None):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", path, body, {"Content-Type": "application/json", **(headers or {})}, connection)

    def post_form(self, fields, path="/v1/predict", headers=None):
        body, kind = form(fields)
        return self.ask("POST", path, body, {"Content-Type": kind, **(headers or {})})

    def wait_for(self, name, value):
        """Until a number is that; a request is counted when its answer is sent, and so after the client has it."""
        gm.until(f"{name} is {value}", lambda: self.metrics().get(name) == value)

    def n_posts(self, recipe):
        """How many wait or are worked on."""
        m = self.metrics()
        return m[f'gmner_queue_posts{{recipe="{recipe}"}}'] + m[f'gmner_pipeline_posts{{recipe="{recipe}"}}']

    def metrics(self):
        """{"name{labels}": value}"""
        lines = self.get("/metrics").body.decode().splitlines()
        return {name: float(value) for name, value in (l.rsplit(" ", 1) for l in lines if l[0] != "#")}


def form(fields, boundary="gm-boundary"):
    """(body, content type) of [(name, text or bytes)]; bytes are a file."""
    out = b""
    for name, value in fields:
        file = '; filename="any.bin"' if isinstance(value, bytes) else ""
        data = value if isinstance(value, bytes) else value.encode()
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + data + b"\r\n"
    return out + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def data_uri(picture, kind="image/jpeg"):
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


def problem(answer, status, name, *parts):
    """It is an RFC 9457 document of that status and type, whose detail has all of the parts."""
    assert answer.status == status, (answer.status, answer.body[:500])
    assert answer.headers["content-type"] == "application/problem+json", answer.headers
    p = answer.json
    assert p["status"] == status and p["type"] == f"urn:gmner:problem:{name}" and p["title"], p
    for part in parts:
        assert part in p["detail"], (part, p["detail"])
    return p
