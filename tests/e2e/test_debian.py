"""The Debian package in a fresh Debian 12, and the steps of the Dockerfile where there may be no Docker.

Both need root, for a folder that stands for a machine (debootstrap, chroot), and the package registries. What
a machine has of its own, proxies and certificates, goes along into that folder.
"""
import atexit
import glob
import os
import re
import shlex
import shutil
import subprocess
import tempfile

import gm

BUILD = os.environ["GM_BUILD"]
_base = []


def sh(*words, **more):
    p = subprocess.run(words, capture_output=True, text=True, check=False, **more)
    assert p.returncode == 0, (words, p.stdout[-2000:], p.stderr[-2000:])
    return p.stdout


def mirror():
    """Where this machine's apt has Debian from."""
    for line in sh("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)").splitlines():
        uri, release = line.rsplit(" ", 1)
        if release == "bookworm":
            return uri
    raise gm.Skip("apt has no Debian 12 here")


def fresh():
    """A new machine with nothing but Debian 12's smallest set."""
    if os.getuid() != 0 or not shutil.which("debootstrap"):
        raise gm.Skip("a fresh Debian needs root and debootstrap")
    if not _base:
        work = tempfile.mkdtemp(prefix="gm-debian-")
        atexit.register(shutil.rmtree, work, ignore_errors=True)
        sh("debootstrap", "--variant=minbase", "bookworm", os.path.join(work, "base"), mirror())
        _base.append(work)
    root = tempfile.mkdtemp(dir=_base[0])
    sh("cp", "-a", os.path.join(_base[0], "base") + "/.", root)
    for path in ["/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/root/.config/pip/pip.conf", "/root/.npmrc",
                 "/root/.pip/pip.conf", *glob.glob("/etc/apt/apt.conf.d/*roxy*"),
                 *glob.glob("/usr/local/share/ca-certificates/*"), "/etc/ssl/certs/ca-certificates.crt"]:
        if os.path.exists(path) and not os.path.exists(root + path):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            shutil.copy(path, root + path)
    return root


def inside(root, command, cwd="/", user=None, env=None):
    """A shell command in that machine, with /proc and /dev as a container has them."""
    given = {k: v for k, v in os.environ.items() if re.search("proxy|pip|npm|ssl|cert", k, re.I)}
    for name in ("proc", "dev"):
        sh("mount", "--rbind", "/" + name, os.path.join(root, name))
    try:
        words = ["chroot", *(["--userspec", user] if user else []), root, "/bin/sh", "-ec", f"cd {cwd}\n{command}"]
        return sh(*words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **given, **(env or {})})
    finally:
        for name in ("proc", "dev"):
            sh("umount", "-R", "-l", os.path.join(root, name))


def found(root, user, **env):
    """The entity of a real post in that machine."""
    photo = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
    shutil.copy(photo, os.path.join(root, "srv", "p.jpg"))
    out = inside(root, "gmner predict --text 'Grace Hopper at the Navy Yard' --image /srv/p.jpg", user=user,
                 env={"HOME": "/nonexistent", **env})
    assert '"Grace Hopper"' in out and '"mask"' in out, out


def test_package():
    sh("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", BUILD)
    package, = glob.glob(os.path.join(BUILD, "gmner_*.deb"))
    root = fresh()
    shutil.copy(package, os.path.join(root, "srv"))
    inside(root, "apt-get update -q; apt-get install -qy --no-install-recommends /srv/*.deb")
    found(root, "nobody")
    inside(root, "test -s /usr/share/doc/gmner/docs/training.md")
    assert inside(root, "gmner models check").count("right") >= 8
    inside(root, "apt-get purge -qy gmner")
    left = inside(root, "find / -xdev -name '*gmner*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/var/*'")
    assert not left, left


def steps():
    """[(instruction, words)] of the Dockerfile."""
    with open(os.path.join(gm.HOME, "Dockerfile"), encoding="utf-8") as f:
        lines = [line.rstrip("\n") for line in f if line.strip() and not line.startswith("#")]
    return [line.split(" ", 1) for line in lines]


def test_dockerfile():
    if not os.environ.get("GM_EVERY"):
        raise gm.Skip("it builds all anew in a fresh Debian: e2e/docker, of make test-endurance, does")
    stages, root, cwd, user, env, entry = {}, None, "/", None, {}, None
    for step, words in steps():
        if step == "FROM":
            image, name = re.fullmatch(r"(\S+)(?: AS (\S+))?", words).groups()
            assert image == "debian:12", image
            root, cwd, env = fresh(), "/", {}
            stages[name] = root
        elif step == "RUN":
            inside(root, words, cwd, user, env)
        elif step == "WORKDIR":
            cwd = words
            os.makedirs(root + cwd, exist_ok=True)
        elif step == "ENV":
            env.update([words.split("=", 1)])
        elif step == "USER":
            user = words
        elif step == "ENTRYPOINT":
            entry = words
        elif words.startswith("--from="):
            stage, source, target = re.fullmatch(r"--from=(\S+) (\S+) (\S+)", words).groups()
            for path in glob.glob(stages[stage] + source):
                shutil.copy(path, root + target)
        else:
            assert (step, words) == ("COPY", ". ."), (step, words)
            files = sh("git", "-C", gm.HOME, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
            for name in filter(None, files.split("\0")):
                os.makedirs(os.path.dirname(os.path.join(root + cwd, name)), exist_ok=True)
                shutil.copy(os.path.join(gm.HOME, name), os.path.join(root + cwd, name))
    assert shlex.split(entry.strip("[]")) == ["gmner"], entry
    found(root, user, **env)


if __name__ == "__main__":
    gm.main(globals())
