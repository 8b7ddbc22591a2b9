#!/bin/sh
# gmner similar beside transformers, Pillow and NumPy with whole matrices, on made-up posts:
#
#   similar_live.sh GMNER MINILM_DIR WORK_DIR
#
# Exit: 0 equal, 1 not, 77 (skipped, the reason on stderr) without PyTorch or the model.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[ -f "$2/model.safetensors" ] || { echo "skipped: no $2/model.safetensors" >&2; exit 77; }
"$root/tools/reference_env.sh" || exit $?
exec "$root/.deps/venv/bin/python" "$here/similar_reference.py" "$@"
