"""Training that is killed at any moment and goes on: the same bytes as the run that was never killed.
What may not change between the two, and what a folder holds afterwards."""
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

import gm
import tiny_model
from posts_data import NAMES, conll

SETTINGS = ("lr: 2.0e-3\nword_dropout: 0.1\naverage: 0.9\naccumulate: 2\nbatch_posts: 8\nepochs: 6\npatience: 5\n"
            "schedule: cosine\n")
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-resume-")


def command(d, out, *args, precision="f32"):
    encoder = os.path.join(_dir.name, "encoder")
    if not os.path.isdir(encoder):
        tiny_model.write(encoder)
    for name, n in (("train.txt", 800), ("dev.txt", 60)):
        if not os.path.exists(d / name):
            d.write(name, conll(fine=True, n=n))
    return ["train", "--train", d / "train.txt", "--dev", d / "dev.txt", "-o", d / out, "--encoder", encoder,
            "--config", d.write("settings.yaml", SETTINGS), "--precision", precision, "--threads", "1",
            "--checkpoint-minutes", "0.0002", *args]


def contents(path):
    """What a run is to leave: names, and the bytes of all but speeds."""
    out = {}
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), "rb") as f:
            out[name] = f.read()
    lines = [json.loads(line) for line in out["metrics.jsonl"].splitlines()]
    for line in lines:
        del line["tokens_per_s"]
    out["metrics.jsonl"] = lines
    return out


def wait_for_checkpoints(p, path, n):
    """Returns when the file has been written n times, or the program has ended."""
    seen = None
    while p.poll() is None and n > 0:
        try:
            now = os.stat(path).st_ino
        except FileNotFoundError:
            now = seen
        n -= now != seen
        seen = now
        time.sleep(0.0005)


def kill_and_resume(d, out, rng, args, kills):
    """Kills so many runs at random moments, counted in checkpoints so that fast machines and slow ones
    are both caught in the middle, then lets one finish. Returns how many were in training."""
    in_training = 0
    for i in range(kills):
        with subprocess.Popen([gm.PROGRAM, *args, *(["--resume"] if i else [])], stderr=subprocess.DEVNULL) as p:
            wait_for_checkpoints(p, os.path.join(d / out, "checkpoint.safetensors"), rng.randint(1, 3))
            time.sleep(rng.uniform(0, 0.02))
            in_training += p.poll() is None
            p.send_signal(signal.SIGKILL)
    gm.expect_ok(gm.run("train", "--resume", "-o", d / out, "--threads", "1"))  # all else is in config.yaml
    return in_training


def test_killed_at_any_moment():
    rng = random.Random(5)
    with gm.Folder() as d:
        for precision in ("f32", "bf16") if gm.cpu_has("avx512_bf16") else ("f32",):
            gm.expect_ok(gm.run(*command(d, f"whole-{precision}", precision=precision)))
            want = contents(d / f"whole-{precision}")
            assert set(want) == {"config.json", "config.yaml", "gmner.json", "metrics.jsonl", "model.safetensors",
                                 "tokenizer.json"}, want.keys()
            for round_ in range(2):
                out = f"{precision}{round_}"
                n = kill_and_resume(d, out, rng, command(d, out, precision=precision), kills=5)
                assert n > 0, "no run was killed"
                got = contents(d / out)
                for name in want:
                    assert got.get(name) == want[name], f"{name} differs ({precision}, {round_}, {n} killed)"
                assert set(got) == set(want), set(got) ^ set(want)


def test_entailment_killed():
    box = "<annotation><object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>" \
          "</bndbox></object></annotation>"
    with gm.Folder() as d:
        for i in range(800):
            d.write(f"xml/{i}.xml", box.format(NAMES[i % 3]))
        def args(out):
            return [*command(d, out), "--task", "entail", "--xml", d / "xml"]
        gm.expect_ok(gm.run(*args("whole")))
        want = contents(d / "whole")
        assert json.loads(want["gmner.json"])["task"] == "entail"
        assert kill_and_resume(d, "killed", random.Random(6), args("killed"), kills=3) > 0
        assert contents(d / "killed") == want


def test_stopped_and_resumed():
    with gm.Folder() as d:
        gm.expect_ok(gm.run(*command(d, "whole")))
        with subprocess.Popen([gm.PROGRAM, *command(d, "stopped")], stderr=subprocess.PIPE, text=True) as p:
            while p.poll() is None and not os.path.exists(os.path.join(d / "stopped", "checkpoint.safetensors")):
                time.sleep(0.002)
            p.send_signal(signal.SIGINT)
            err = p.stderr.read()
        assert p.returncode == -signal.SIGINT and "--resume goes on" in err, err
        gm.expect_ok(gm.run(*command(d, "stopped", "--resume")))
        assert contents(d / "stopped") == contents(d / "whole")


def test_finished_and_never_begun():
    with gm.Folder() as d:
        r = gm.expect_ok(gm.run(*command(d, "model", "--resume")))
        assert "no checkpoint: the run is begun" in r.err, r.err
        before = contents(d / "model")
        r = gm.expect_ok(gm.run(*command(d, "model", "--resume")))
        assert "come to its end already" in r.err and contents(d / "model") == before, r.err
        r = gm.run("train", "--resume", "-o", d / "nothing")
        gm.expect(r, 2, "there is no run to resume; begin one without --resume")
        assert not os.path.exists(d / "nothing")


def test_a_finished_run_is_not_another_one():
    """Settings and data that changed are named, and the model stays as it is, scores and all."""
    with gm.Folder() as d:
        gm.expect_ok(gm.run(*command(d, "model")))
        before = contents(d / "model")
        def refused(*args, word):
            gm.expect(gm.run("train", "--resume", "-o", d / "model", *args), 1, "metrics.jsonl", word, "--overwrite")
            assert contents(d / "model") == before
        refused("--epochs", "9", word='"epochs" was 6')
        refused("--dev", d.write("other.txt", conll(fine=True, n=40)), word='"dev" was')
        d.write("train.txt", conll(fine=True, n=799))
        refused(word='"train" was')


def test_another_teacher_is_another_run():
    with gm.Folder() as d:
        gm.expect_ok(gm.run(*command(d, "teacher")))
        gm.expect_ok(gm.run(*command(d, "model"), "--teacher", d / "teacher", "--epochs", "1"))
        gm.expect_ok(gm.run("train", "--resume", "-o", d / "model"))
        gm.expect_ok(gm.run(*command(d, "teacher"), "--overwrite", "--seed", "7"))
        gm.expect(gm.run("train", "--resume", "-o", d / "model"), 1, '"teacher" was')


def test_a_model_is_not_lost():
    """Neither option: refused. --overwrite: the old model is whole until the new one is done."""
    with gm.Folder() as d:
        gm.expect_ok(gm.run(*command(d, "model")))
        d.write("model/notes.md", "mine")
        old = {name: open(os.path.join(d / "model", name), "rb").read() for name in os.listdir(d / "model")}
        def same():
            return all(open(os.path.join(d / "model", name), "rb").read() == data for name, data in old.items())
        gm.expect(gm.run(*command(d, "model")), 1, "there is a model already", "--resume", "--overwrite")
        gm.expect(gm.run(*command(d, "model", "--resume", "--overwrite")), 2, "give one of them")
        assert same()
        args = command(d, "model", "--overwrite", "--seed", "7")
        aside = os.path.join(d / "model", "unfinished")
        with subprocess.Popen([gm.PROGRAM, *args], stderr=subprocess.DEVNULL) as p:
            while p.poll() is None and not os.path.exists(os.path.join(aside, "gmner.json")):
                time.sleep(0.0005)
            p.send_signal(signal.SIGKILL)
        assert os.path.isdir(aside) and same()
        gm.expect(gm.run(*command(d, "model")), 1, "there is a run that is not finished already")
        r = gm.expect_ok(gm.run("train", "--resume", "-o", d / "model", "--threads", "1"))
        assert f"moved {aside} to {d / 'model'}, in place of the old model" in r.err, r.err
        gm.expect_ok(gm.run(*command(d, "whole", "--seed", "7")))
        assert not os.path.exists(aside)
        os.unlink(d / "model/notes.md")
        assert contents(d / "model") == contents(d / "whole")


def test_killed_while_files_are_moved():
    """Whatever was moved already: --resume completes it, and what is half moved is no model."""
    with gm.Folder() as d:
        gm.expect_ok(gm.run(*command(d, "whole", "--seed", "7")))
        want = contents(d / "whole")
        order = ["model.safetensors", "tokenizer.json", "config.json", "gmner.json", "metrics.jsonl", "config.yaml"]
        for n in range(len(order)):
            out = f"cut{n}"
            shutil.copytree(d / "whole", d / out)
            shutil.copytree(d / "whole", os.path.join(d / out, "unfinished"))
            os.unlink(os.path.join(d / out, "gmner.json"))
            if n == 0:
                d.write(f"{out}/adapter_config.json", "of the old model")
            for name in order[:n]:
                os.replace(os.path.join(d / out, "unfinished", name), os.path.join(d / out, name))
            gm.expect_ok(gm.run("train", "--resume", "-o", d / out, "--threads", "1"))
            assert contents(d / out) == want, n


def test_a_model_of_no_run():
    with gm.Folder() as d:
        args = command(d, "unused")
        path = shutil.copytree(os.path.join(_dir.name, "encoder"), d / "encoder")
        args[args.index("-o") + 1] = path
        gm.expect(gm.run(*args), 1, "there is a model already")
        gm.expect(gm.run(*args, "--resume"), 1, "not of a run that could go on", "--overwrite")


def cut_short(d):
    """A run that was stopped; returns its folder."""
    with subprocess.Popen([gm.PROGRAM, *command(d, "cut")], stderr=subprocess.DEVNULL) as p:
        while p.poll() is None and not os.path.exists(os.path.join(d / "cut", "checkpoint.safetensors")):
            time.sleep(0.002)
        p.send_signal(signal.SIGKILL)
    assert os.path.exists(os.path.join(d / "cut", "checkpoint.safetensors"))
    return d / "cut"


def test_another_run_is_not_resumed():
    with gm.Folder() as d:
        path = cut_short(d)
        gm.expect(gm.run("train", "--resume", "-o", path, "--seed", "9"), 1, "\"seed\" was 1", "is 9 now")
        d.write("train.txt", conll(fine=True, n=799))
        gm.expect(gm.run("train", "--resume", "-o", path), 1, "checkpoint.safetensors: \"train\" was")
        os.unlink(d / "train.txt")
        gm.expect(gm.run("train", "--resume", "-o", path), 1, "train.txt", "No such file")


def test_damaged_checkpoints():
    with gm.Folder() as d:
        path = cut_short(d)
        file = os.path.join(path, "checkpoint.safetensors")
        with open(file, "rb") as f:
            whole = f.read()
        header, data = tiny_model.read_raw(file)
        state = json.loads(header["__metadata__"]["state"])

        def with_state(text):
            changed = {**header, "__metadata__": {"state": text}}
            tiny_model.write_raw(file, json.dumps(changed).encode(), data)

        def refused(*parts):
            gm.expect(gm.run("train", "--resume", "-o", path), 1, "checkpoint.safetensors", *parts)

        for n in (0, 7, 100, len(whole) // 2, len(whole) - 1):
            with open(file, "wb") as f:
                f.write(whole[:n])
            refused()
        for key in ("epoch", "at", "step", "loss", "best", "best_epoch", "metrics"):
            with_state(json.dumps({**state, key: None}))
            refused(f"\"{key}\" is missing or damaged")
        for key, value in (("at", 10**6), ("epoch", 7), ("epoch", 0)):
            with_state(json.dumps({**state, key: value}))
            refused("damaged")
        with_state("{")
        refused("\"state\" is missing or damaged")
        renamed = whole.replace(b"weight.classifier.bias", b"weight.classifier.bios")
        with open(file, "wb") as f:
            f.write(renamed)
        refused("no tensor weight.classifier.bias")


def test_begun_again():
    """With --overwrite an unfinished run is begun again, and what dead processes left is swept."""
    with gm.Folder() as d:
        gm.expect_ok(gm.run(*command(d, "whole")))
        path = cut_short(d)
        dead = subprocess.Popen(["true"])
        dead.wait()
        stale = os.path.join(path, f"model.safetensors.{dead.pid}-3.tmp")
        kept = [os.path.join(path, n) for n in (f"x.{os.getpid()}-3.tmp", "notes.tmp", "y.7-.tmpx")]
        for name in [stale, *kept]:
            with open(name, "w", encoding="utf-8") as f:
                f.write("x")
        gm.expect(gm.run(*command(d, "cut")), 1, "a run that is not finished", "--resume")
        gm.expect_ok(gm.run(*command(d, "cut", "--overwrite")))
        assert not os.path.exists(stale) and all(os.path.exists(n) for n in kept)
        for name in kept:
            os.unlink(name)
        assert contents(path) == contents(d / "whole")


def test_the_config_trains_the_same_again():
    with gm.Folder() as d:
        gm.expect_ok(gm.run(*command(d, "first")))
        gm.expect_ok(gm.run("train", "--config", os.path.join(d / "first", "config.yaml"), "-o", d / "second",
                            "--threads", "1"))
        assert contents(d / "first") == contents(d / "second")


gm.main(globals())
