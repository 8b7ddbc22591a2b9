#!/bin/sh
# Runs the package's tests: run.sh PACKAGE [pytest's words]; PACKAGE is the folder that has gmner/ in it, or
# "installed". GMNER and GMNER_HOME as for the other whole-program tests. With GM_SANITIZED set only what needs no
# large library runs, as Python itself is not built for AddressSanitizer.
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
package=$1
shift
"$root/tools/python_env.sh" tests || exit $?
[ "$package" = installed ] || export PYTHONPATH="$package"
export PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1
if [ -n "${GM_SANITIZED-}" ]; then
    # Python's own allocator hides overruns; what Python never frees is none of our leaks.
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)"
    export LD_PRELOAD PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0
    set -- "$here/test_errors.py" -k "not leaks" "$@"
fi
exec "${GM_PYTHON_RUN:-$root/.deps/python/bin/python}" -m pytest -c "$here/pytest.ini" --rootdir "$here" "${@:-$here}"
