"""Servers of language models for whole-program tests: the scripted one (tests/llm_server, in C) as a
process, and a little one of the test's own whose answers are a Python function."""
import http.server
import json
import os
import subprocess
import sys
import threading


class Scripted:
    """The scripted server; ends with the test."""

    def __init__(self, log, *args):
        self._p = subprocess.Popen([os.environ["GM_SCRIPTED_SERVER"], "--log", log, *map(str, args)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{int(self._p.stdout.readline().split()[-1])}/v1"
        self._log = log

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._p.stdin.close()
        self._p.wait(10)
        self._p.stdout.close()

    def answers(self):
        with open(self._log, encoding="utf-8") as f:
            return f.read().splitlines()


def completion(text, **more):
    """A chat completion's JSON, as bytes."""
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}).encode()


class Reply:
    """A whole HTTP reply: body is bytes, or JSON to be."""

    def __init__(self, status, body, headers=()):
        self.status, self.headers = status, headers
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


class Own:
    """`answer(text of the last message, request) -> text, (text, members of the choice) or Reply`, each call on
    a thread of its own; the request has "authorization" and "path" beside what was sent; `context` (ssl.SSLContext) makes it an https server."""

    def __init__(self, answer, context=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                parts = request["messages"][-1]["content"]
                text = parts if isinstance(parts, str) else "".join(p.get("text", "") for p in parts)
                request["authorization"] = self.headers.get("Authorization")
                request["api_key"] = self.headers.get("api-key")
                request["path"] = self.path
                said = answer(text, request)
                if not isinstance(said, Reply):
                    said, more = said if isinstance(said, tuple) else (said, {})
                    said = Reply(200, completion(said, **more))
                self.send_response(said.status)
                for name, value in said.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            n_connections = 0

            def get_request(self):
                sock, address = super().get_request()
                self.n_connections += 1
                if context:
                    sock.settimeout(10)
                    try:
                        sock = context.wrap_socket(sock, server_side=True)
                    except OSError:  # the client doesn't want this certificate
                        sock.close()
                        raise
                return sock, address

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


LOCAL = """import http.server, json, sys
with open(sys.argv[sys.argv.index("-m") + 1], encoding="utf-8") as f:
    said = {"choices": [{"message": {"role": "assistant", "content": f.read()}, "finish_reason": "stop"}]}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(said).encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


def local(d):
    """A command for --llama-server, whose models say what their file holds."""
    return f"{sys.executable} {d.write('local_server.py', LOCAL)}"
