#!/bin/sh
# Taggers of others (AutoModelForTokenClassification, random weights, every family) beside transformers:
#
#   taggers_live.sh GMNER BENCH_EMISSIONS WORK_DIR
#
# Exit: 0 equal, 1 not, 77 (skipped, the reason on stderr) without PyTorch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/tools/reference_env.sh" || exit $?
exec "$root/.deps/venv/bin/python" "$here/taggers_reference.py" "$@"
