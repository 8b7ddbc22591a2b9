#!/bin/sh
# run.sh SECONDS - run every fuzz target that long on its seeds; build/libfuzzer must have been built.
# New inputs and crashes stay in build/libfuzzer/corpus and build/libfuzzer/crashes. $FUZZ_TARGETS, when set,
# names the targets.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
failed=0
for program in build/libfuzzer/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=${program##*/fuzz_}
    case " ${FUZZ_TARGETS-$name} " in *" $name "*) ;; *) continue ;; esac
    mkdir -p "build/libfuzzer/corpus/$name" build/libfuzzer/crashes
    echo "fuzz: $name, $seconds s"
    "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
        -max_len=8192 -print_final_stats=1 -artifact_prefix="build/libfuzzer/crashes/$name-" \
        "build/libfuzzer/corpus/$name" "fuzz/seeds/$name" >"build/libfuzzer/$name.log" 2>&1 || {
        failed=1
        echo "fuzz: $name FAILED (build/libfuzzer/$name.log)"
        tail -n 15 "build/libfuzzer/$name.log"
        continue
    }
    grep -E 'number_of_executed_units|peak_rss_mb' "build/libfuzzer/$name.log"
done
exit $failed
