#!/usr/bin/env bash
# Runs every fuzz target at once, each for so many seconds, and says which are clean.
#
#   run.sh [SECONDS] [RESULTS]     600 seconds and the folder `results` beside this script by default
#
# Exit status 0: all of them were clean. RESULTS has a log for each, what was found, and summary.txt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-600}
results=${2:-$here/results}
mkdir -p "$results/corpus" "$results/artifacts" "$results/logs"

declare -A running=()
for program in "$here"/bin/*; do
    target=$(basename "$program")
    mkdir -p "$results/corpus/$target"
    "$program" "-max_total_time=$seconds" @ARGUMENTS@ \
        "-artifact_prefix=$results/artifacts/$target-" \
        "$results/corpus/$target" "$here/seeds/$target" \
        >"$results/logs/$target.log" 2>&1 </dev/null &
    running[$target]=$!
done

# A statistic that libFuzzer printed, or a question mark.
stat_of() {
    local value
    value=$(sed -n "s/^stat::$1: *//p" "$2" | tail -n 1)
    printf '%s' "${value:-?}"
}

failed=0
: >"$results/summary.txt"
for program in "$here"/bin/*; do
    target=$(basename "$program")
    log=$results/logs/$target.log
    verdict=clean
    wait "${running[$target]}" || verdict="FAILED ($?)"
    inputs=$(stat_of number_of_executed_units "$log")
    if [[ $verdict == clean && ! $inputs =~ ^[1-9][0-9]*$ ]]; then
        verdict='FAILED (tried nothing)'
    fi
    [[ $verdict == clean ]] || failed=1
    printf '%-14s %-12s %12s inputs in %s s, %s MiB at most\n' "$target" "$verdict" "$inputs" "$seconds" \
        "$(stat_of peak_rss_mb "$log")" | tee -a "$results/summary.txt"
    if [[ $verdict != clean ]]; then
        tail -n 30 "$log"
    fi
done
exit "$failed"
