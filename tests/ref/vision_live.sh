#!/bin/sh
# Vision models beside transformers, on small random ones:
#
#   vision_live.sh BENCH_VISION GMNER WORK_DIR [KIND...]
#
# Exit: 0 equal, 1 not, 77 (skipped, the reason on stderr) without PyTorch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/tools/reference_env.sh" --bench || exit $?
exec "$root/.deps/venv/bin/python" -W ignore "$here/vision_reference.py" "$@"
