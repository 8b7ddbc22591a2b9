#!/bin/sh
# Runs the package's tests: run.sh PACKAGE [pytest's words]; PACKAGE is the folder that has gmner/ in it. GMNER and
# GMNER_HOME as for the other whole-program tests; GM_LISTS is what else tools/python_env.sh shall install. With
# GM_SANITIZED set the package is built for AddressSanitizer, and Python is not.
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
package=$1
shift
# shellcheck disable=SC2086 # GM_LISTS is a list
"$root/tools/python_env.sh" tests ${GM_LISTS-} || exit $?
export PYTHONPATH="$package:$here" PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1
if [ -n "${GM_SANITIZED-}" ]; then
    # Python's own allocator hides overruns; what Python never frees is none of our leaks.
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)"
    export LD_PRELOAD PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0
fi
[ $# -gt 0 ] || set -- "$here"/test_*.py
# pytest and Ray leave files where temporary ones go. The path is short, as Ray's sockets lie below it.
TMPDIR=$(mktemp -d /tmp/gm-python-XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
"$root/.deps/python/bin/python" -m pytest -c "$here/pytest.ini" --rootdir "$here" "$@"
