#!/bin/sh
# The live comparison with transformers: makes the reference environment where it can be had, lets
# transformers run the encoder in MODEL_DIR over fixed token ids, and hands both to COMPARE, which
# runs the native encoder on the same ids and says with its exit status whether they agree:
#
#   encoder_live.sh MODEL_DIR WORK_DIR COMPARE...   runs: COMPARE... MODEL_DIR EXPECTED.safetensors
#
# MODEL_DIR "random:FAMILY" is a random model of that family's shape, made in WORK_DIR for the
# comparison and removed afterwards.
#
# Exit: COMPARE's; 77 (skipped, the reason on stderr) without PyTorch or the model.
. "$(dirname "$0")/live.sh"
model=$1
work=$2
shift 2
case $model in
random:*) ;;
*) needs "$model/model.safetensors" ;;
esac
reference
mkdir -p "$work"
case $model in
random:*)
    trap 'rm -rf "$work/model"' EXIT
    "$python" "$here/encoder_reference.py" random "${model#random:}" "$work/model"
    model=$work/model ;;
esac
"$python" "$here/encoder_reference.py" ids "$model" "$work/ids.json"
"$python" "$here/encoder_reference.py" run "$model" "$work/ids.json" "$work/expected.safetensors"
"$@" "$model" "$work/expected.safetensors"
