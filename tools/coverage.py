#!/usr/bin/env python3
"""How many lines of src/ the tests have run, of a build with -DGM_COVERAGE=ON (make coverage).

    tools/coverage.py BUILD_DIR [--files N]    a table of folders, the N files (default 10) with the most lines that
                                               never ran, and "lines of src/: X %"

A line counts once, whichever files include it and whichever programs ran it; a line that no object holds code for
counts nothing. Reads gcc's counters through `gcov --json-format`. Standard library only.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def counters(build):
    """The note files (.gcno) of the objects of src/; those that never ran have no counters beside them."""
    for folder, _, files in os.walk(os.path.join(build, "src")):
        yield from (os.path.join(folder, f) for f in files if f.endswith(".gcno"))


def read(note):
    """[(path in the sources, line, whether it ran)] of one object."""
    p = subprocess.run(["gcov", "--json-format", "--stdout", note], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if "mismatch" in p.stderr or "cannot open notes" in p.stderr:
        print(f"coverage: counters that can't be read, taken as none: {p.stderr.splitlines()[0]}", file=sys.stderr)
    found = []
    for text in p.stdout.splitlines():
        report = json.loads(text)
        for f in report["files"]:
            path = os.path.relpath(os.path.join(report["current_working_directory"], f["file"]), ROOT)
            if path.startswith("src" + os.sep):
                found += [(path, line["line_number"], line["count"] > 0) for line in f["lines"]]
    return found


def lines(build):
    """{path: {line: whether it ran}}"""
    out = collections.defaultdict(dict)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(read, sorted(counters(build))):
            for path, line, ran in found:
                out[path][line] = out[path].get(line, False) or ran
    return out


def percent(ran, all_):
    return f"{100 * ran / all_:5.1f} %" if all_ else "    - "


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    args.add_argument("build")
    args.add_argument("--files", type=int, default=10)
    args = args.parse_args()
    files = {path: (sum(found.values()), len(found)) for path, found in lines(args.build).items()}
    if not files:
        sys.exit(f"coverage: no counters in {args.build}/src; configure it with -DGM_COVERAGE=ON")
    folders = collections.defaultdict(lambda: [0, 0])
    for path, (ran, n) in files.items():
        for name in (path.split(os.sep)[1], ""):
            folders[name][0] += ran
            folders[name][1] += n
    for name in sorted(filter(None, folders)):
        print(f"{name:12} {percent(*folders[name])} of {folders[name][1]} lines")
    print("\nMost lines that never ran:")
    for path, (ran, n) in sorted(files.items(), key=lambda f: f[1][0] - f[1][1])[:args.files]:
        print(f"{n - ran:5} of {n:4}  {path}")
    print(f"\nlines of src/: {percent(*folders['']).strip()} of {folders[''][1]}")


if __name__ == "__main__":
    main()
