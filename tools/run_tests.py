#!/usr/bin/env python3
"""Runs ctest and lists at the end which tests were skipped, each with its reason.

    tools/run_tests.py BUILD_DIR [ARGUMENTS OF CTEST...]

A test program says "skipped: REASON" on a line of its own (skip_because and skip_all of tests/unit/unit.h,
a shell script's echo), or "skipped NAME: REASON" for one test of several (tests/e2e/gm.py). A test that says so
and passes was skipped in part (say_skipped of unit.h). The exit status is ctest's: what is skipped fails nothing. Standard library only.
"""
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

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


def main(build, *args):
    with tempfile.TemporaryDirectory(prefix="gm-ctest-") as d:
        junit = os.path.join(d, "junit.xml")
        code = subprocess.run(["ctest", "--test-dir", build, "--output-on-failure", "--output-junit", junit,
                               "--test-output-size-passed", str(OUTPUT_MAX_BYTES), *args], check=False).returncode
        found = skips(junit) if os.path.exists(junit) else []
    if found:
        print("\nSkipped, with the reason:")
    for case, name, reason in found:
        print(f"  {case}{' ' if name else ''}{name}: {reason}")
    return code


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.stdout.flush()
    sys.exit(main(*sys.argv[1:]))
