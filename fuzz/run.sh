#!/bin/sh
# run.sh SECONDS - run every fuzz target that long on its seeds; build/fuzz must have been built.
# New inputs and crashes stay in build/fuzz/corpus and build/fuzz/crashes. $FUZZ_TARGETS, when set,
# names the targets.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
failed=0
for program in build/fuzz/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=${program##*/fuzz_}
    case " ${FUZZ_TARGETS-$name} " in *" $name "*) ;; *) continue ;; esac
    mkdir -p "build/fuzz/corpus/$name" build/fuzz/crashes
    echo "fuzz: $name, $seconds s"
    "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
        -max_len=8192 -print_final_stats=1 -artifact_prefix="build/fuzz/crashes/$name-" \
        "build/fuzz/corpus/$name" "fuzz/seeds/$name" >"build/fuzz/$name.log" 2>&1 || {
        failed=1
        echo "fuzz: $name FAILED (build/fuzz/$name.log)"
        tail -n 15 "build/fuzz/$name.log"
        continue
    }
    grep -E 'number_of_executed_units|peak_rss_mb' "build/fuzz/$name.log"
done
exit $failed
