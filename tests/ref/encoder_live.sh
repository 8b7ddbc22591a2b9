#!/bin/sh
# The live comparison with transformers: makes the reference environment where it can be had, lets
# transformers run the encoder in MODEL_DIR over fixed token ids, and hands both to COMPARE, which
# runs the native encoder on the same ids and says with its exit status whether they agree:
#
#   encoder_live.sh MODEL_DIR WORK_DIR COMPARE...   runs: COMPARE... MODEL_DIR EXPECTED.safetensors
#
# Exit: COMPARE's; 77 (skipped, the reason on stderr) without PyTorch or the model.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
model=$1
work=$2
shift 2
[ -f "$model/model.safetensors" ] || { echo "skipped: no $model/model.safetensors" >&2; exit 77; }
"$root/tools/reference_env.sh" || exit $?
mkdir -p "$work"
python=$root/.deps/venv/bin/python
"$python" "$here/encoder_reference.py" ids "$model" "$work/ids.json"
"$python" "$here/encoder_reference.py" run "$model" "$work/ids.json" "$work/expected.safetensors"
exec "$@" "$model" "$work/expected.safetensors"
