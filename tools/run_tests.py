#!/usr/bin/env python3
"""Runs ctest and lists at the end which tests were skipped, each with its reason.

    tools/run_tests.py BUILD_DIR [ARGUMENTS OF CTEST...]

A test program says "skipped: REASON" on a line of its own (skip_because and skip_all of tests/unit/unit.h,
a shell script's echo), or "skipped NAME: REASON" for one test of several (tests/e2e/gm.py). A test that says so
and passes was skipped in part (say_skipped of unit.h). The exit status is ctest's: what is skipped fails nothing.

The tests have a home and a folder for temporary files of their own, so that nobody's cache is read or written. A
file that they made, removed or gave another mode among the sources, or left in that folder, makes the status 1.
Standard library only.
"""
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

# What libraries of the reference tests leave in $TMPDIR and can't be told not to: ONNX Runtime's session number.
FOREIGN = {".ses"}

# ctest keeps this much of what a test that passed wrote; reasons come late in it.
OUTPUT_MAX_BYTES = 1 << 20


def skips_of(output, whole):
    """[(name of the test or "", reason)] of one ctest case; `whole`: ctest calls the case skipped."""
    found, running, reason = [], "", None
    for line in output.splitlines():
        if line.startswith("[ RUN      ] "):
            running, reason = line[13:], None
        elif line.startswith("[  SKIPPED ] ") and line[13:] == running:
            found.append((running, reason or "no reason given"))
            running = ""  # cmocka names it once more at its end
        elif line.startswith("["):
            if running and reason:
                found.append((running, "in part: " + reason))
            running = ""
        elif m := re.fullmatch(r"skipped(?: (\w+))?: (.+)", line):
            if running:
                reason = m[2]
            else:
                found.append((m[1] or "", m[2]))
    return found or ([("", "no reason given")] if whole else [])


def skips(junit):
    """[(ctest case, test or "", reason)] of ctest's JUnit file, which also calls skipped what could not run."""
    found = []
    for case in xml.etree.ElementTree.parse(junit).iter("testcase"):
        skipped = case.find("skipped")
        whole = skipped is not None and skipped.get("message", "").startswith("SKIP_")
        name = case.get("name")
        found += [(name, "" if name.endswith("/" + test) else test, reason)
                  for test, reason in skips_of(case.findtext("system-out") or "", whole)]
    return found


def sources(root):
    """{path: mode} of all that is not built or fetched."""
    found = {}
    for folder, dirs, files in os.walk(root):
        if folder == root:
            dirs[:] = [d for d in dirs if d not in ("build", ".deps", ".git")]
        for name in ["", *files]:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = os.lstat(path).st_mode
    return found


def changes(before, after):
    """A line for each source that is new, gone or of another mode."""
    return [f"{path}: {'made' if path not in before else 'removed' if path not in after else 'mode changed'}"
            for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]


def own_places(d):
    """The environment of the tests, whose home and temporary folder are in d."""
    env = {k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "GMNER_CACHE")}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    for name, variable in (("home", "HOME"), ("tmp", "TMPDIR")):
        env[variable] = os.path.join(d, name)
        os.mkdir(env[variable])
    env["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(d, "home", "torchinductor")  # else in TMPDIR
    return env


def main(build, *args):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    before = sources(root)
    with tempfile.TemporaryDirectory(prefix="gm-ctest-") as d:
        junit = os.path.join(d, "junit.xml")
        code = subprocess.run(["ctest", "--test-dir", build, "--output-on-failure", "--output-junit", junit,
                               "--test-output-size-passed", str(OUTPUT_MAX_BYTES), *args], check=False,
                              env=own_places(d)).returncode
        found = skips(junit) if os.path.exists(junit) else []
        left = sorted(set(os.listdir(os.path.join(d, "tmp"))) - FOREIGN)
    if found:
        print("\nSkipped, with the reason:")
    for case, name, reason in found:
        print(f"  {case}{' ' if name else ''}{name}: {reason}")
    changed = changes(before, sources(root)) + [f"$TMPDIR/{name}: left behind" for name in left]
    if changed:
        print("\nTests must leave the sources and the temporary folder as they were:", *changed, sep="\n  ")
    return code or (1 if changed else 0)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.stdout.flush()
    sys.exit(main(*sys.argv[1:]))
