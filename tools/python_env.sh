#!/bin/sh
# Makes the Python environment in which the wheel of python/ is built and tested, in .deps/python. gmner itself
# needs no Python.
#
#   tools/python_env.sh LIST...      LIST: wheel, tests (python/requirements-LIST.txt)
#
# Exit 0: .deps/python/bin/python is ready (a second call returns at once). 77: it can't be had here, with the
# reason on stderr, so that a test may skip.
#
# GM_PYTHON chooses the interpreter; packages come by pip from where it is set up to look, PyPI.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$root/.deps/python

skip() {
    echo "skipped: no environment for the Python package: $1" >&2
    exit 77
}

# One caller at a time: ctest may start several tests that want it.
mkdir -p "$root/.deps" || skip "can't write $root/.deps"
exec 9>"$dir.lock" || skip "can't write $dir.lock"
flock -w 900 9 || skip "another call has held $dir.lock for 900 s"

python=${GM_PYTHON:-python3}
"$dir/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv "$dir" >/dev/null 2>&1 ||
    skip "$python can't make a virtual environment (Debian: python3-venv)"
for list; do
    wanted=$(cat "$root/python/requirements-$list.txt") || skip "no list $list"
    [ "$(cat "$dir/stamp-$list" 2>/dev/null)" = "$wanted" ] && continue
    echo "python environment: installing what python/requirements-$list.txt lists in $dir" >&2
    rm -f "$dir/stamp-$list"
    timeout 900 "$dir/bin/python" -m pip --disable-pip-version-check install -q --no-deps \
        -r "$root/python/requirements-$list.txt" >"$dir/pip.log" 2>&1 ||
        skip "pip: $(grep -h '^ERROR' "$dir/pip.log" | head -1)"
    printf '%s\n' "$wanted" >"$dir/stamp-$list"
done
