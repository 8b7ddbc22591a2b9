"""https endpoints: a certificate that can't be trusted ends the run with one clear line, after no more
tries than requests in flight, and nothing of the posts or the key has left. Certificates are made here."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

import gm
import llm_server

KEY = "sk-secret-of-this-test"
TEXT = "Anna visits Rome"
POST = '{"id": "1", "text": "%s", "entities": [{"start": 0, "end": 4, "type": "PER"}]}\n' % TEXT
ANSWER = '{"phrases": [{"entity": 1, "phrase": "a woman"}]}'
CA_CONFIG = """[ca]
default_ca = d
[d]
database = {0}/index.txt
new_certs_dir = {0}
serial = {0}/serial
default_md = sha256
policy = p
[p]
commonName = supplied
"""
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-tls-")


def at(name):
    return os.path.join(_dir.name, name)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def write(name, text):
    with open(at(name), "w", encoding="utf-8") as f:
        f.write(text)
    return at(name)


def authority():
    """A certificate authority of our own, made once."""
    if not shutil.which("openssl"):
        raise gm.Skip("no openssl program to make certificates with")
    if not os.path.exists(at("ca.pem")):
        write("ca.cnf", CA_CONFIG.format(_dir.name))
        write("index.txt", "")
        write("serial", "01\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", at("ca.key"), "-out", at("ca.pem"),
                "-subj", "/CN=authority", "-days", "2")
    return at("ca.pem")


def context(name, subject_alt="IP:127.0.0.1", start="20200101000000Z", end="20500101000000Z"):
    """A server's certificate by our authority."""
    authority()
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", at(name + ".key"), "-out", at(name + ".csr"), "-subj",
            "/CN=" + name)
    openssl("ca", "-batch", "-notext", "-config", at("ca.cnf"), "-cert", at("ca.pem"), "-keyfile", at("ca.key"), "-in",
            at(name + ".csr"), "-out", at(name + ".pem"), "-startdate", start, "-enddate", end, "-extfile",
            write(name + ".ext", "subjectAltName = " + subject_alt))
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(at(name + ".pem"), at(name + ".key"))
    return c


def predict(d, url, trusted=None):
    d.write("posts.jsonl", POST * 8)
    d.write("r.yaml", "name: ex\nstages:\n  - stage: expand\n    backend: llm\n")
    return gm.run("predict", d / "posts.jsonl", "-r", d / "r.yaml", "-o", d / "out.jsonl", "--endpoint", url,
                  "--in-flight", "4", env={"OPENAI_API_KEY": KEY, "GMNER_CACHE": d / "cache.sqlite",
                                           "SSL_CERT_FILE": trusted or ""})


def refused(context_, *parts, trusted=None):
    asked = []
    with gm.Folder() as d, llm_server.Own(lambda text, _: asked.append(text) or ANSWER, context_) as server:
        r = gm.expect(predict(d, server.url, trusted), 1, server.url, "certificate", "SSL_CERT_FILE", *parts)
        assert not asked and not os.path.exists(d / "out.jsonl")
        assert 1 <= server.server.n_connections <= 4  # one a request in flight, and none again
        assert KEY not in r.err


def test_trusted():
    """The same certificates work where they are right, so that it is the fault that the others fail for."""
    keys = set()
    with gm.Folder() as d, llm_server.Own(lambda _, q: keys.add(q["authorization"]) or ANSWER,
                                          context("good")) as server:
        gm.expect_ok(predict(d, server.url, authority()))
        with open(d / "out.jsonl", encoding="utf-8") as f:
            assert f.read().count('"a woman"') == 8
    assert keys == {"Bearer " + KEY}


def test_self_signed():
    refused(context("unknown"))  # its authority is not the system's


def test_expired():
    refused(context("old", end="20200201000000Z"), "expired", trusted=authority())


def test_wrong_host():
    refused(context("other", subject_alt="DNS:elsewhere.test"), "127.0.0.1", trusted=authority())


def test_no_encryption_there():
    """A server that doesn't speak TLS gets no word of the request."""
    got, listener = [], socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            got.append(sock.recv(65536))
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            sock.close()

    threading.Thread(target=serve, daemon=True).start()
    with gm.Folder() as d:
        r = predict(d, f"https://127.0.0.1:{listener.getsockname()[1]}/v1")
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        gm.expect(r, 1, "https://127.0.0.1:", "SSL")
    assert 1 <= len(got) <= 4
    assert all(KEY.encode() not in g and TEXT.encode() not in g for g in got)


gm.main(globals())
