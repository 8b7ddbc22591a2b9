#!/bin/bash
# A Slurm array over one file of posts: 100 tasks of 8 cores each take every 100th post.
#   sbatch --export=ALL,POSTS=posts.jsonl,OUT=/shared/out examples/slurm/predict.sh
# Submit it again to go on after failures: what is done is not done again. When all are through:
#   gmner runs merge /shared/out/part*.run -o all.jsonl
#SBATCH --job-name=gmner
#SBATCH --array=1-100
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --requeue
set -eu
part=$SLURM_ARRAY_TASK_ID of=$SLURM_ARRAY_TASK_COUNT
exec gmner predict "$POSTS" --recipe "${RECIPE:-embedded}" --shard "$part/$of" \
    --threads "$SLURM_CPUS_PER_TASK" --run "$OUT/part$part.run" -o "$OUT/part$part.jsonl"
