"""The installed tree: it finds its data wherever it lies and whoever runs it, and is the same program.

GM_BUILD is the build folder that `cmake --install` takes it from.
"""
import json
import os
import pty
import pwd
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import gm

BUILD = os.environ["GM_BUILD"]
PHOTO = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
WORDS = ("predict", "--text", "Grace Hopper at the Navy Yard", "--image", PHOTO)
_made = []


def installed():
    """The prefix, made once: a folder with a space in its name, that everybody may read."""
    if not _made:
        _made.append(tempfile.TemporaryDirectory(prefix="gm install "))
        os.chmod(_made[0].name, 0o755)
        subprocess.run(["cmake", "--install", BUILD, "--prefix", os.path.join(_made[0].name, "usr")],
                       check=True, stdout=subprocess.DEVNULL)
    return os.path.join(_made[0].name, "usr")


def run_bare(program, *words, user=None, cwd="/", **env):
    """In an environment with nothing in it but `env`."""
    p = subprocess.run([program, *words], env=env, cwd=cwd, user=user, capture_output=True, text=True, timeout=300,
                       check=False)
    assert p.returncode == 0, (p.returncode, p.stderr[-2000:])
    return p.stdout


def test_empty_environment():
    expected = gm.expect_ok(gm.run(*WORDS)).out
    assert '"mask"' in expected
    assert run_bare(os.path.join(installed(), "bin", "gmner"), *WORDS) == expected


def test_moved_linked_and_of_others():
    """A moved tree, a link to the program, and a user who may write nowhere in it."""
    expected = gm.expect_ok(gm.run(*WORDS)).out
    with tempfile.TemporaryDirectory(prefix="gm moved ", dir="/tmp") as d:  # where everybody may look
        os.chmod(d, 0o755)
        moved = os.path.join(d, "opt")
        shutil.move(installed(), moved)
        try:
            program = os.path.join(moved, "bin", "gmner")
            link = os.path.join(d, "gmner")
            os.symlink(program, link)
            assert run_bare(program, *WORDS) == expected
            assert run_bare(link, *WORDS) == expected
            if os.getuid() == 0:
                photo = shutil.copy(PHOTO, os.path.join(d, "photo.jpg"))
                os.chmod(photo, 0o644)
                out = run_bare(program, *WORDS[:-1], photo, user=pwd.getpwnam("nobody").pw_uid)
                assert out == expected.replace(PHOTO, photo)
        finally:
            shutil.move(moved, installed())


def test_nothing_of_the_build():
    """No library is looked for, and no path named, in the place where it was built."""
    prefix = installed()
    for folder, _dirs, files in os.walk(prefix):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                data = f.read()
            if data[:4] == b"\x7fELF":
                dynamic = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
                paths = re.findall(r"R(?:UN)?PATH\).*\[(.*)\]", dynamic)
                assert all(p.startswith("$ORIGIN") for one in paths for p in one.split(":")), (path, paths)
            elif len(data) < 1 << 20:
                assert gm.HOME.encode() not in data, path


def test_embedding_by_pkg_config():
    """The README's example against the installed tree alone, shared and static."""
    pc = {**os.environ, "PKG_CONFIG_PATH": os.path.join(installed(), "lib", "pkgconfig")}

    def flags(*more):
        out = subprocess.run(["pkg-config", "--cflags", "--libs", *more, "gmner"], env=pc, capture_output=True,
                             text=True, check=True).stdout
        return shlex.split(out)

    post = json.loads(gm.expect_ok(gm.run(*WORDS)).out)
    with gm.Folder() as d:
        subprocess.run(["cc", os.path.join(gm.HOME, "examples", "embed.c"), "-o", d / "embed", *flags()], check=True)
        out = run_bare(d / "embed", *WORDS[2::2], LD_LIBRARY_PATH=os.path.join(installed(), "lib"))
        assert [line.split("\t")[0] for line in out.splitlines()] == [e["text"] for e in post["entities"]], out
        assert "with a mask" in out
        static = [w.replace("-lgmner", "-l:libgmner.a") for w in flags("--static")]
        subprocess.run(["cc", os.path.join(gm.HOME, "examples", "embed.c"), "-o", d / "embed", *static], check=True)
        assert "libgmner" not in subprocess.run(["ldd", d / "embed"], capture_output=True, text=True, check=True).stdout
        share = os.path.join(installed(), "share", "gmner")
        assert run_bare(d / "embed", *WORDS[2::2], GMNER_HOME=share,
                        GMNER_OPENVINO=os.path.join(installed(), "lib/gmner/libopenvino_c.so")) == out


def test_embedding_by_cmake():
    with gm.Folder() as d:
        shutil.copy(os.path.join(gm.HOME, "examples", "embed.c"), d.path)
        d.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.20)\nproject(host C)\n"
                                  "find_package(gmner 0.1 REQUIRED)\nadd_executable(host embed.c)\n"
                                  "target_link_libraries(host gmner::gmner)\n")
        for words in (["-S", d.path, "-B", d / "build", f"-DCMAKE_PREFIX_PATH={installed()}"], ["--build", d / "build"]):
            subprocess.run(["cmake", *words], check=True, stdout=subprocess.DEVNULL)
        assert "with a mask" in run_bare(d / "build/host", *WORDS[2::2])


def test_models_go_to_the_users_folder():
    program = os.path.join(installed(), "bin", "gmner")
    with gm.Folder() as d:
        model = d.write("model/config.json", "{}")
        run_bare(program, "models", "add", os.path.dirname(model), "--name", "mine", HOME=d.path)
        assert os.path.exists(d / ".local/share/gmner/models/mine/config.json")
        assert "mine" in run_bare(program, "models", "list", HOME=d.path)
        run_bare(program, "models", "add", os.path.dirname(model), "--name", "mine", XDG_DATA_HOME=d / "data")
        assert os.path.exists(d / "data/gmner/models/mine.json")
    out = run_bare(program, "models", "check")
    assert "minilm" in out and "ner-default" in out, out


def test_training_recipes():
    """Found by their names, as recipes are."""
    program = os.path.join(installed(), "bin", "gmner")
    with gm.Folder() as d:
        p = subprocess.run([program, "train", "--config", "ner-large", "--train", "none.txt", "--encoder", "none", "-o", "m"],
                           cwd=d.path, env={}, capture_output=True, text=True, check=False)
        assert p.returncode == 1 and "none" in p.stderr and "recipe" not in p.stderr, p.stderr  # read, and gone on with
        p = subprocess.run([program, "train", "--config", "x", "--train", "none.txt", "-o", "m"], cwd=d.path, env={},
                           capture_output=True, text=True, check=False)
        assert p.returncode == 2 and "ner-default" in p.stderr and "ner-large" in p.stderr, p.stderr


def test_documentation():
    """The pages that the help names are there, and no link of an installed page leads to nothing."""
    folder = os.path.join(installed(), "share", "doc", "gmner")
    told = gm.run("help", "--markdown").out
    named = set(re.findall(r"docs/[a-z]+\.md", told)) - {"docs/cli.md"}
    assert len(named) > 5, named
    for page in named:
        assert os.path.exists(os.path.join(folder, page)), page
    n = 0
    for where, _dirs, files in os.walk(folder):
        for name in (name for name in files if name.endswith(".md")):
            with open(os.path.join(where, name), encoding="utf-8") as f:
                links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", f.read(), flags=re.S))
            for link in links:
                n += 1
                assert os.path.exists(os.path.join(where, link)), (name, link)
    assert n > 100, n


def test_manual_pages():
    if not shutil.which("mandoc"):
        raise gm.Skip("no mandoc to read manual pages with")
    folder = os.path.join(installed(), "share", "man", "man1")
    pages = sorted(os.listdir(folder))
    assert {"gmner.1", "gmner-predict.1", "gmner-help.1"} <= set(pages), pages
    for page in pages:
        path = os.path.join(folder, page)
        lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", path], capture_output=True, text=True, check=False)
        found = [line for line in lint.stdout.splitlines() if "missing date" not in line]
        assert not found, found
    text = subprocess.run(["mandoc", "-Tascii", os.path.join(folder, "gmner-predict.1")], capture_output=True,
                          text=True, check=True).stdout
    text = re.sub(".\b", "", text)
    assert "--max-words" in text and "gmner predict" in text, text[:1000]


def shell(name, script):
    if not shutil.which(name):
        raise gm.Skip(f"no {name}")
    path = os.path.join(installed(), "bin") + ":" + os.environ["PATH"]
    p = subprocess.run([name, "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": path},
                       cwd="/", check=False)
    assert p.returncode == 0 and not p.stderr, p.stderr
    return p.stdout


def test_bash_completion():
    script = os.path.join(installed(), "share/bash-completion/completions/gmner")
    out = shell("bash", f"""source '{script}'
        t() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gmner; echo "${{COMPREPLY[@]}}"; }}
        t gmner pre; t gmner eval --rule ""; t gmner predict --stri; t gmner data c; t gmner predict x""")
    assert out.splitlines() == ["predict", "riveg set optimal ccks refineg", "--strict", "convert check", ""], out


def test_fish_completion():
    script = os.path.join(installed(), "share/fish/vendor_completions.d/gmner.fish")
    out = shell("fish", f"source '{script}'; complete -C 'gmner pre'; complete -C 'gmner runs me'; "
                        "complete -C 'gmner eval --rule ri'")
    assert {"predict", "merge", "riveg"} <= {line.split("\t")[0] for line in out.splitlines()}, out


def test_zsh_completion():
    """Typed into a shell behind a pseudo-terminal, as its completion works nowhere else."""
    if not shutil.which("zsh"):
        raise gm.Skip("no zsh")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "PS1": ""})
    seen = ""

    def until(sign, typed, seconds=60):
        nonlocal seen
        os.write(terminal, typed.encode())
        end = time.monotonic() + seconds
        while not re.search(sign, seen) and time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                seen += os.read(terminal, 65536).decode("utf-8", "replace")
        assert re.search(sign, seen), seen[-2000:]
        seen = ""

    try:
        folder = os.path.join(installed(), "share/zsh/site-functions")
        until("rea" + "dy", f"fpath=('{folder}' $fpath); autoload -Uz compinit; compinit -D -u; echo rea''dy\n")
        until("optimal", "echo gmner; gmner eval --rule opt\t")
        until("merge", "\x15gmner runs me\t")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def test_same_program():
    """What the other whole-program tests say of the build holds of the installed tree, too."""
    environ = {**os.environ, "GMNER": os.path.join(installed(), "bin", "gmner"), "GM_INSTALLED": "1",
               "LD_LIBRARY_PATH": os.path.join(installed(), "lib", "gmner")}  # for those that copy the program alone
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in ("usage", "outputs", "view", "tagging", "default"):
        p = subprocess.run([sys.executable, "-B", os.path.join(folder, f"test_{name}.py")], env=environ,
                           capture_output=True, text=True, check=False)
        assert p.returncode == 0, (name, p.stdout[-3000:], p.stderr[-1000:])


if __name__ == "__main__":
    gm.main(globals())
