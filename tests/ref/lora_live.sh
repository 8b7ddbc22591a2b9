#!/bin/sh
# Adapters beside peft: random adapters of tiny models of every family and of mpnet's shape (states, gradients,
# merged weights), and one that gmner trains, read and merged by peft.
#
#   lora_live.sh GMNER COMPARE WORK_DIR      runs: COMPARE BASE_DIR ADAPTER_DIR EXPECTED.safetensors
#
# Exit: 0; 1 where they differ; 77 (skipped, the reason on stderr) without PyTorch and peft.
. "$(dirname "$0")/live.sh"
gmner=$1
compare=$2
work=$3
reference --peft
mkdir -p "$work"
for family in bert xlm-roberta distilbert electra mpnet deberta-v2 modernbert mpnet-base; do
    echo "== $family"
    rm -rf "${work:?}/$family"
    "$python" "$here/lora_reference.py" make $family "$work/$family"
    "$compare" "$work/$family/base" "$work/$family/adapter" "$work/$family/expected.safetensors"
    [ $family != mpnet-base ] || rm -rf "${work:?}/$family"
done
base=$root/.deps/models/minilm
needs "$base/model.safetensors"
echo "== gmner's own"
printf 'Ada\tB-PER\nLovelace\tI-PER\nin\tO\nLondon\tB-LOC\n\n' >"$work/train.conll"
printf 'encoder: minilm\nlora_rank: 4\nlora_alpha: 8\nlora_f32: true\nlr: 1.0e-2\nepochs: 3\n' >"$work/lora.yaml"
"$gmner" train --config "$work/lora.yaml" --train "$work/train.conll" -o "$work/own" --overwrite
"$python" "$here/lora_reference.py" read "$base" "$work/own" "$work/own.safetensors"
"$compare" "$base" "$work/own" "$work/own.safetensors"
