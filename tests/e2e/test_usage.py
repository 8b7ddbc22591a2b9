"""Help, usage errors, and what holds for every command."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time

import gm
import llm_server


def commands():
    lines = gm.expect_ok(gm.run("--help")).out.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    return [line.split()[0] for line in lines]


def test_nothing():
    r = gm.run()
    assert r.code == 2 and r.out == "" and "Usage: gmner COMMAND" in r.err


def test_overview_and_version():
    r = gm.expect_ok(gm.run("--help"))
    assert "Usage: gmner COMMAND" in r.out and r.err == ""
    assert gm.expect_ok(gm.run("help")).out == r.out
    assert gm.expect_ok(gm.run("--version")).out.startswith("gmner ")
    assert set(commands()) >= {"predict", "models", "help"}


def test_help_of_every_command():
    for command in commands():
        r = gm.expect_ok(gm.run(command, "--help"))
        assert r.out.startswith(f"gmner {command} - "), r.out
        assert f"Usage: gmner {command} " in r.out and "--threads N" in r.out and "Examples:" in r.out
        assert gm.expect_ok(gm.run("help", command)).out == r.out
        assert max(map(len, r.out.splitlines())) <= 110, command


def test_defaults_are_told_once():
    """In the column of defaults alone, and not by the sign that stands for "not given"."""
    rows = [line.split(" | ") for line in gm.run("help", "--markdown").out.splitlines() if line.startswith("| `-")]
    assert len(rows) > 50
    for row in rows:
        assert "(default" not in row[-2] and not row[-1].startswith(" -"), row
    for command in commands():
        text = " ".join(gm.run(command, "--help").out.split("Options:")[-1].split())
        assert "(default" not in text.replace("(default: ", ""), command


def test_every_command_refuses_unknown_options():
    for command in commands():
        gm.expect(gm.run(command, "--thraeds", "2"), 2, "--thraeds", "did you mean --threads?")
        gm.expect(gm.run(command, "--threads", "two"), 2, "--threads", "whole number")
        gm.expect(gm.run(command, "--threads", "-1"), 2, "out of range")
        gm.expect(gm.run(command, "--threads"), 2, "needs a value")
        gm.expect(gm.run(command, "--threads", "1", "--threads=1"), 2, "given twice")
        gm.expect(gm.run(command, "--log-format", "xml"), 2, "text|json")


def test_unknown_command():
    gm.expect(gm.run("pradict"), 2, "pradict", "did you mean predict")
    gm.expect(gm.run("zzzzzz"), 2, "zzzzzz", "gmner help")
    gm.expect(gm.run("help", "modles"), 2, "did you mean models")


def test_json_log():
    r = gm.run("models", "chek", "--log-format", "json")
    line = json.loads(r.err)
    assert r.code == 2 and line["level"] == "error" and "chek" in line["msg"], r.err


def test_docs_are_current():
    with open(os.path.join(gm.HOME, "docs", "cli.md"), encoding="utf-8") as f:
        committed = f.read()
    now = gm.expect_ok(gm.run("help", "--markdown")).out
    assert committed == now, "docs/cli.md lags: gmner help --markdown > docs/cli.md"


def test_variables_are_documented():
    """Each variable that the sources read is told of."""
    told = gm.expect_ok(gm.run("help", "environment")).out
    read = set()
    for folder, _, files in os.walk(os.path.join(gm.HOME, "src")):
        for name in files:
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                read |= set(re.findall(r'(?:getenv|gm_user_path)\((?:a, )?"(\w+)"', f.read()))
    assert "GMNER_HOME" in read and all(name in told for name in read), [x for x in read if x not in told]
    assert max(map(len, told.splitlines())) <= 110


def literals():
    """The text of each string in the sources, those that the compiler joins as one."""
    for folder, _, files in os.walk(os.path.join(gm.HOME, "src")):
        for name in files:
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                code = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
            for joined in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:\\\n)?\s*"(?:[^"\\\n]|\\.)*")*', code):
                yield name, re.sub(r'"\s*(?:\\\n)?\s*"', "", joined)


def test_remedies_exist():
    """Commands and options that messages name are there."""
    told = gm.run("help", "--markdown").out
    options = set(re.findall(r"--[a-z][a-z-]+", told)) | {"--version"}
    foreign = {"local_server.c": {"--host", "--port"}, "html_figure.c": {"--box"}}  # llama-server's; CSS
    known, n = commands() + ["COMMAND"], 0
    for name, text in literals():
        for word in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
            n += 1
            assert word in options | foreign.get(name, set()), (name, word, text)
        for word in re.findall(r"(?:`|with: |run: )gmner (\w+)", text):
            n += 1
            assert word in known, (name, word, text)
    assert n > 150, n


def test_full_disk():
    with open("/dev/full", "wb") as full:
        for args in (["--help"], ["--version"], ["help", "--markdown"], ["models", "list"]):
            gm.expect(gm.run(*args, stdout=full), 1, "standard output: cannot write", "No space left")


def test_reader_gone():
    """`gmner ... | head -0` ends by SIGPIPE like any filter, without a message."""
    import signal
    read, write = os.pipe()
    os.close(read)
    p = subprocess.run([gm.PROGRAM, "help"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert p.returncode == -signal.SIGPIPE and p.stderr == b"", (p.returncode, p.stderr)


def test_predict_usage():
    gm.expect(gm.run("predict", "--image", "x.jpg"), 2, "--image goes with --text")
    gm.expect(gm.run("predict", "f", "--text", "x"), 2, "not both")
    gm.expect(gm.run("predict", "f", "g"), 2, "\"g\" is one word too many")
    gm.expect(gm.run("predict", "--text", "x", "--captions", "f"), 2, "--captions")
    gm.expect(gm.run("predict", "--text", "x", "--recipe", "emdebbed"), 2, "no recipe \"emdebbed\"",
              "embedded", "tag")
    gm.expect(gm.run("predict", "--text", "x", "--tagger", "/no/such"), 2, "/no/such",
              "no such model folder")
    gm.expect(gm.run("predict", "--text", "x", "--from", "xml"), 2, "auto|jsonl|json|conll")


def on_terminal(columns, *args):
    """What a run draws on standard error, a terminal whose width changes to `columns[1]` behind the second bar."""
    ours, theirs = pty.openpty()
    wide = lambda n: fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, n, 0, 0))
    wide(columns[0])
    start = time.monotonic()
    with subprocess.Popen([gm.PROGRAM, *map(str, args)], stdout=subprocess.DEVNULL, stderr=theirs,
                          env={**os.environ, "TERM": "xterm", "GMNER_CACHE": "/dev/null/none"}) as p:
        os.close(theirs)
        drawn, parts = b"", []
        while True:
            try:
                drawn += os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            if len(parts) == 0 and drawn.count(b"\r\x1b[K") >= 2:
                parts.append(drawn)
                drawn = b""
                wide(columns[1])
    os.close(ours)
    return p.returncode, [re.split(r"\r\x1b\[K|\r\n", x.decode()) for x in (*parts, drawn)], time.monotonic() - start


def test_progress_fits_its_terminal():
    """Lines that don't wrap, four a second at most, also after the window has another width."""
    def answer(_, __):
        time.sleep(0.08)
        return '{"phrases": [{"entity": 1, "phrase": "a woman"}]}'
    post = {"entities": [{"start": 0, "end": 4, "type": "PER"}]}
    with gm.Folder() as d, llm_server.Own(answer) as s:
        posts = d.write("p.jsonl", "".join(json.dumps({"text": f"Anna {i}", **post}) + "\n" for i in range(20)))
        recipe = d.write("r.yaml", "name: ex\nstages:\n  - stage: expand\n    backend: llm\n")
        for i, columns in enumerate(((80, 40), (200, 20))):
            code, drawn, took = on_terminal(columns, "predict", posts, "-r", recipe, "-o", d / f"o{i}.jsonl", "--endpoint",
                                            s.url, "--model", f"m{i}", "--in-flight", 1)
            bars = [[x for x in lines if "/20" in x or "..." in x or "##" in x] for lines in drawn]
            assert code == 0 and len(bars) == 2 and bars[0] and bars[1], (code, drawn)
            assert sum(map(len, bars)) <= 4 * took + 2, (took, bars)
            assert max(map(len, bars[0])) < columns[0] and max(map(len, bars[1][1:]), default=0) < columns[1], bars
            assert "[" in bars[0][0], bars[0][0]


def test_predict_on_a_terminal():
    """No post given and nobody piping one in: an error, not a program that waits."""
    master, slave = pty.openpty()
    p = subprocess.run([gm.PROGRAM, "predict"], stdin=slave, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(master)
    os.close(slave)
    assert p.returncode == 2 and b"no posts: give --text TEXT or a FILE" in p.stderr, p.stderr


NEEDED = {  # every option without which a command is refused
    "train": [("train", ["--train", "f"], ["-o", "d"]), ("output", ["-o", "d"], ["--train", "f"]),
              ("xml", ["--xml", "d"], ["--task", "entail", "--train", "f", "-o", "d"])],
    "eval": [("gold", ["--gold", "f"], ["--pred", "f"]), ("pred", ["--pred", "f"], ["--gold", "f"])],
    "similar": [("pool", ["--pool", "f"], ["f"])],
    "synth": [("seeds", ["--seeds", "f"], ["-o", "o.jsonl"]), ("output", ["-o", "o.jsonl"], ["--seeds", "f"])],
    "tune": [("stage", ["--stage", "refine"], ["--gold", "f", "--pred", "f"]),
             ("gold", ["--gold", "f"], ["--stage", "refine", "--pred", "f"]),
             ("pred", ["--pred", "f"], ["--stage", "refine", "--gold", "f"])],
    "models": [("output", ["-o", "d"], ["quantise", "m"]), ("name", ["--name", "n"], ["add", "f"]),
               ("dev", ["--dev", "f"], ["calibrate", "m"])],
    "data": [("pred", ["--pred", "f"], ["select", "-n", "1"]), ("n", ["-n", "1"], ["select", "--pred", "f"]),
             ("out-dir", ["--out-dir", "d"], ["split", "f"])],
}


def test_needed_options_are_told():
    """What --help calls needed is what a command is refused without, and nothing else."""
    for command in commands():
        with gm.Folder() as d:
            for name, given, others in NEEDED.get(command, []):
                r = gm.expect(gm.run(command, *others, cwd=d.path), 2)
                assert f"--{name}" in r.err or given[0] in r.err, (command, name, r.err)
                r = gm.run(command, *others, *given, cwd=d.path)  # and now something else is wrong
                assert r.code and not re.search("missing|needed|needs|takes", r.err.split("/")[0]), (command, name, r.err)
            assert d.names() == [], d.names()
        rows = re.findall(r"^\| `(?:-\w, )?--([\w-]+)[^`]*`.*\| needed[^|]*\|$", section(command), re.M)
        assert sorted(rows) == sorted(name for name, _, _ in NEEDED.get(command, [])), (command, rows)


def section(command):
    """What docs/cli.md says of a command."""
    return re.split(r"^## ", gm.run("help", "--markdown").out.split(f"\n## gmner {command}\n")[1], flags=re.M)[0]


def test_options_of_other_actions_are_refused():
    """An action that does not read an option says whose it is; nothing is done."""
    with gm.Folder() as d:
        post = d.write("p.txt", "IMGID:1\nAnna\tB-PER\n")
        for words, told in (("models add p.txt --name zzz -o nowhere", "--output is for average, ensemble and quantise; add does not"),
                            ("models add p.txt --name zzz --rank 3", "--rank is for average"),
                            ("models add p.txt --name zzz --dev nofile", "--dev is for calibrate, average, ensemble and quantise"),
                            ("models calibrate m --dev p.txt -o x", "--output is for"),
                            ("models check --name x", "--name is for add"),
                            ("runs show x --html y", "--html is for merge"),
                            ("data check p.txt --to jsonl", "--to is for convert, split and select"),
                            ("data stats p.txt --parts a=1", "--parts is for split"),
                            ("data convert p.txt p.jsonl --seed 0", "--seed is for split; convert does not")):
            gm.expect(gm.run(*words.split(), cwd=d.path, env={"GMNER_MODELS": d / "models"}), 2, told)
        assert d.names() == [os.path.basename(post)], d.names()
    gm.expect(gm.run("serve", "--dry-run"), 2, "unknown option --dry-run")


def test_models():
    r = gm.expect_ok(gm.run("models", "list"))
    for part in ("nanodet", "Apache-2.0", "MB"):
        assert part in r.out, r.out
    gm.expect(gm.run("models"), 2, "usage: gmner models list|get|check")
    gm.expect(gm.run("models", "chek"), 2, "none of list, get, check")
    gm.expect(gm.run("models", "check", "nanodte"), 2, "no model \"nanodte\"; did you mean nanodet")


def test_models_check_finds_damage():
    with gm.Folder() as d:
        d.write("nanodet/nanodet.onnx", "not a model")
        env = {"GMNER_MODELS": d.path}
        r = gm.run("models", "check", "nanodet", env=env)
        assert r.code == 1 and len(r.errors) == 2, r.err
        assert d / "nanodet/nanodet.onnx" in r.errors[0] and "11 bytes" in r.errors[0], r.err
        assert "gmner models get nanodet" in r.errors[0], r.err


def test_models_get():
    """`get` runs the fetching script for what is missing, and checks what it brought."""
    import hashlib
    manifest = {"name": "toy", "task": "test", "summary": "a toy", "licence": "MIT",
                "origin": {"registry": "r", "package": "p", "version": "1"},
                "files": [{"path": "w.bin", "bytes": 5,
                           "sha256": hashlib.sha256(b"hello").hexdigest()}]}
    with gm.Folder() as d:
        env = {"GMNER_HOME": d.path, "GMNER_MODELS": d / "cache"}
        os.mkdir(d / "cache")
        d.write("models/toy.json", json.dumps(manifest))
        gm.expect(gm.run("models", "get", "toy", env=env, program=home_program(d)), 1,
                  "tools/get_models.sh is not beside the program")
        script = d.write("tools/get_models.sh", "#!/bin/sh\necho fetching $1\n"
                         "mkdir -p $GMNER_MODELS/$1 && printf hello > $GMNER_MODELS/$1/w.bin\n")
        os.chmod(script, 0o755)
        r = gm.expect_ok(gm.run("models", "get", "toy", env=env, program=d / "build/gmner"))
        assert r.err == "fetching toy\n" and r.out.startswith("toy: 1 file"), (r.out, r.err)
        r = gm.expect_ok(gm.run("models", "get", env=env, program=d / "build/gmner"))
        assert r.err == "" and r.out.startswith("toy: 1 file"), (r.out, r.err)
        d.write("cache/toy/w.bin", "hullo")
        d.write("tools/get_models.sh", "#!/bin/sh\nexit 5\n")
        gm.expect(gm.run("models", "get", "toy", env=env, program=d / "build/gmner"), 1,
                  "get_models.sh failed (status 5)")


def home_program(d):
    """A copy of the program in d/build: the folder above the executable counts as its home."""
    import shutil
    return shutil.copy(gm.PROGRAM, os.path.dirname(d.write("build/.keep", "")))


gm.main(globals())
