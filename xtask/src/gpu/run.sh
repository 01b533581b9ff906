#!/usr/bin/env bash
# Runs on a GPU host what `cargo xtask gpu archive` packed beside this script, and writes what it found:
#
#     ./run.sh OUT [STAGE…]
#
# Without stages, all of them. A stage that fails, or that takes too long, doesn't keep the others from
# running. No device setting is read that identifies the card, and none is changed. `cargo xtask gpu
# collect OUT` makes the results into a page, where the source is.
#
# Exit status: 0 if no stage failed (stages that are skipped say why), 1 if one did, 2 for wrong arguments.
set -u

# What all stages together may take, in seconds. A stage gets its own limit or what is left of this.
readonly BUDGET=${VRAM_RUN_SECONDS:-530}
readonly STAGES=(environment doctor conformance features cust evidence faults bench sanitizer ncu host-hashing simulated)
declare -rA LIMITS=(
    [environment]=20 [doctor]=30 [conformance]=90 [features]=60 [cust]=20 [evidence]=60 [faults]=60 [bench]=240 [sanitizer]=130
    [ncu]=90 [host-hashing]=60
    [simulated]=200
)
readonly FAULTS=10000
readonly SANITIZERS=(memcheck racecheck initcheck synccheck)
# The kernels of a verification, and a figure of `vram bench` that runs them.
readonly PROFILED_KERNELS='^vram_sha256_'
readonly PROFILED_FIGURE=verify-large
readonly METRICS=(
    gpu__time_duration.sum
    launch__grid_size
    launch__block_size
    launch__registers_per_thread
    sm__inst_executed_pipe_alu.avg.pct_of_peak_sustained_active
    sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active
    sm__inst_executed_pipe_fmaheavy.avg.pct_of_peak_sustained_active
    sm__inst_executed_pipe_fmalite.avg.pct_of_peak_sustained_active
    sm__inst_executed_pipe_lsu.avg.pct_of_peak_sustained_active
    sm__inst_executed_pipe_uniform.avg.pct_of_peak_sustained_active
    smsp__issue_active.avg.pct_of_peak_sustained_active
    sm__inst_executed.avg.per_cycle_active
    smsp__inst_executed.sum
    sm__warps_active.avg.pct_of_peak_sustained_active
    dram__bytes_read.sum
    dram__bytes_write.sum
    dram__throughput.avg.pct_of_peak_sustained_elapsed
)
readonly SKIPPED=77

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2
readonly here
if (($# < 1)) || [[ $1 == -* ]]; then
    printf 'usage: %s OUT [STAGE…]\nstages: %s\n' "$0" "${STAGES[*]}" >&2
    exit 2
fi
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd) || exit 2
readonly out
shift
scratch=$(mktemp -d) || exit 2
readonly scratch
trap 'rm -rf "$scratch"' EXIT
# CUDA's tools are often installed without being on the path.
export PATH=$PATH:/usr/local/cuda/bin
export LC_ALL=C

# A string as JSON, or null if it is empty.
json() {
    local text=$1
    if [[ -z $text ]]; then
        printf null
        return
    fi
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\t'/ }
    text=${text//$'\r'/}
    text=${text//$'\n'/ }
    printf '"%s"' "$text"
}

# A number as JSON, or null if it is none.
number() {
    if [[ $1 =~ ^[0-9]+(\.[0-9]+)?$ ]]; then printf '%s' "$1"; else printf null; fi
}

# Says why the stage is skipped; the caller returns what this does.
skip() {
    why=$1
    return "$SKIPPED"
}

# Runs a program for at most so many seconds, and no longer than the stage may.
limited() {
    local seconds=$1 left=$((stage_ends - SECONDS))
    shift
    ((seconds > left)) && seconds=$left
    ((seconds < 1)) && return 124
    timeout --kill-after=5 "$seconds" "$@"
}

gpu_present() {
    local name
    name=$(timeout 15 nvidia-smi -i 0 --query-gpu=name --format=csv,noheader 2>/dev/null) && [[ -n $name ]]
}

# One named property of the first GPU; nothing where the driver doesn't know it. Asked one by one, since one
# unknown name spoils a whole query.
gpu_property() {
    local value
    value=$(timeout 5 nvidia-smi -i 0 "--query-gpu=$1" --format=csv,noheader 2>/dev/null) || return 0
    [[ $value == *'[N/A]'* || $value == *'Not Supported'* ]] || printf '%s' "$value"
}

version_line() {
    command -v "$1" >/dev/null || return 0
    timeout 15 "$@" --version 2>/dev/null | grep -iE 'version|release|^python|^ldd' | tail -n 1
}

python_package() {
    timeout 30 python3 -c 'import sys, importlib.metadata as m; print(m.version(sys.argv[1]))' "$1" 2>/dev/null
}

# Begins and ends a section of a text file; what `collect` splits it by.
section() { printf '\n##### %s\n' "$1"; }
section_end() { printf '##### exit status %s after %s s\n' "$1" "$2"; }

# Runs a program into a section of a file.
sectioned() {
    local file=$1 title=$2 seconds=$3 began=$SECONDS status
    shift 3
    section "$title" >>"$file"
    limited "$seconds" "$@" >>"$file" 2>&1 </dev/null
    status=$?
    section_end "$status" "$((SECONDS - began))" >>"$file"
    return "$status"
}

stage_environment() {
    local property separator='' gpus memory
    {
        printf '{\n  "schema": "vram-gpu-environment/1",\n'
        printf '  "date": %s,\n' "$(json "$(date -u +%FT%TZ)")"
        printf '  "kernel": %s,\n' "$(json "$(uname -srm)")"
        printf '  "system": %s,\n' "$(json "$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release)")"
        printf '  "glibc": %s,\n' "$(json "$(version_line ldd)")"
        printf '  "cpu": %s,\n' "$(json "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)")"
        printf '  "cores": %s,\n' "$(number "$(nproc)")"
        if grep -qw sha_ni /proc/cpuinfo; then
            printf '  "sha_instructions": true,\n'
        else
            printf '  "sha_instructions": false,\n'
        fi
        # The kernel's MemTotal, in bytes. Where memory grows as it is used, this is what it was at the start.
        memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
        printf '  "memory": %s,\n' "$((${memory:-0} * 1024))"
        printf '  "lscpu": {'
        for property in Architecture 'Socket(s)' 'Core(s) per socket' 'Thread(s) per core' 'NUMA node(s)' \
            'L2 cache' 'L3 cache' 'Hypervisor vendor'; do
            printf '%s\n    %s: %s' "$separator" "$(json "$property")" \
                "$(json "$(lscpu 2>/dev/null | sed -n "s/^ *$property: *//p" | head -n 1)")"
            separator=,
        done
        printf '\n  },\n'
        gpus=$(timeout 15 nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | wc -l)
        printf '  "gpus": %s,\n' "$(number "$gpus")"
        printf '  "gpu": '
        if gpu_present; then
            separator='{'
            for property in name driver_version vbios_version compute_cap memory.total memory.used \
                ecc.mode.current mig.mode.current persistence_mode compute_mode power.limit \
                clocks.max.sm clocks.max.memory clocks.sm temperature.gpu \
                pcie.link.gen.max pcie.link.width.max; do
                printf '%s\n    %s: %s' "$separator" "$(json "$property")" "$(json "$(gpu_property "$property")")"
                separator=,
            done
            printf '\n  },\n'
        else
            printf 'null,\n'
        fi
        printf '  "tools": {\n'
        printf '    "nvcc": %s,\n' "$(json "$(version_line nvcc)")"
        printf '    "ncu": %s,\n' "$(json "$(version_line ncu)")"
        printf '    "compute-sanitizer": %s,\n' "$(json "$(version_line compute-sanitizer)")"
        printf '    "python": %s,\n' "$(json "$(version_line python3)")"
        printf '    "torch": %s\n  },\n' "$(json "$(python_package torch)")"
        printf '  "archive": '
        cat "$here/commit.json" 2>/dev/null || printf 'null\n'
        printf '}\n'
    } >"$out/environment.json"
    gpu_present || why='no GPU: nvidia-smi finds none'
}

# What the policy says of this host and its GPU: for programs in doctor.json, for people in doctor.txt, with
# the time that it took. A refusal is a result, and no failure of the stage.
stage_doctor() {
    local began took status
    : >"$out/doctor.txt"
    rm -f "$out/doctor.json"
    "$here/vram" doctor --help >/dev/null 2>&1 || skip 'this vram has no doctor command' || return
    limited "$limit" "$here/vram" doctor --json >"$scratch/doctor.json" 2>"$scratch/doctor.err" </dev/null
    # Half a document is none.
    [[ -s $scratch/doctor.json ]] && mv "$scratch/doctor.json" "$out/doctor.json"
    began=${EPOCHREALTIME/./}
    sectioned "$out/doctor.txt" 'vram doctor' "$limit" "$here/vram" doctor
    status=$?
    took=$((${EPOCHREALTIME/./} - began))
    printf '##### took %s.%03d s\n' "$((took / 1000000))" "$((took / 1000 % 1000))" >>"$out/doctor.txt"
    case $status in
        4) why='the policy refuses' && return 0 ;;
        0) return 0 ;;
        *) gpu_present || skip 'no GPU; what the host is said to be is in doctor.txt' || return ;;
    esac
    return "$status"
}

# The suite that runs over both drivers, here over the real one.
stage_conformance() {
    : >"$out/tests.txt"
    gpu_present || skip 'no GPU' || return
    [[ -x $here/tests/drivers ]] || skip 'not packed' || return
    VRAM_TEST_DRIVER=gpu sectioned "$out/tests.txt" 'suite drivers on the GPU' "$limit" \
        "$here/tests/drivers" --test-threads=4 --show-output
}

# The scenarios of the feature files, each a test.
stage_features() {
    gpu_present || skip 'no GPU' || return
    [[ -x $here/tests/features ]] || skip 'not packed' || return
    VRAM_TEST_DRIVER=gpu sectioned "$out/tests.txt" 'suite features on the GPU' "$limit" \
        "$here/tests/features" --color=never
}

# compute-sanitizer over the tests of the kernels. Nothing is suppressed.
stage_sanitizer() {
    local tool worst=0 status left=${#SANITIZERS[@]}
    : >"$out/sanitizer.txt"
    gpu_present || skip 'no GPU' || return
    [[ -x $here/tests/drivers ]] || skip 'not packed' || return
    command -v compute-sanitizer >/dev/null || skip 'compute-sanitizer is not installed' || return
    for tool in "${SANITIZERS[@]}"; do
        # Each has its share of the time, and what those before it left over.
        VRAM_TEST_DRIVER=gpu sectioned "$out/sanitizer.txt" "sanitizer $tool" $(((stage_ends - SECONDS) / left)) \
            compute-sanitizer --tool "$tool" --error-exitcode 1 "$here/tests/drivers" kernels:: --test-threads=1
        status=$?
        left=$((left - 1))
        ((status > worst)) && worst=$status
    done
    return "$worst"
}

# A kernel of the `cust` crate over sealed weights.
stage_cust() {
    local example worst=0 found=0 status
    gpu_present || skip 'no GPU' || return
    for example in "$here"/examples/*cust*; do
        [[ -x $example ]] || continue
        found=1
        sectioned "$out/tests.txt" "example ${example##*/} on the GPU" "$limit" "$example"
        status=$?
        ((status > worst)) && worst=$status
    done
    ((found)) || skip 'no such example is packed' || return
    return "$worst"
}

# A program that is to end with this status, into the stage's file.
expecting() {
    local wanted=$1 title=$2
    shift 2
    sectioned "$out/evidence.txt" "$title, which is to end with $wanted" "$limit" "$@"
    [[ $? == "$wanted" ]] || why="${why:+$why, }$title did not end with $wanted"
}

# Evidence of noise in the GPU, made for a challenge and put on an audit trail, and what it is worth: believed with
# the file that it is of, and not with another challenge, another file, or a byte changed. The envelope itself names the
# card, and is not kept.
stage_evidence() {
    local vram=$here/vram at=$scratch/evidence challenge other
    : >"$out/evidence.txt"
    gpu_present || skip 'no GPU' || return
    "$vram" attest --help >/dev/null 2>&1 || skip 'this vram has no attest command' || return
    mkdir -m 700 "$at" || return
    # Large beside the device's cache, or its rate would prove nothing.
    head -c $((1 << 30)) /dev/urandom >"$at/noise.bin"
    head -c $((1 << 30)) /dev/urandom >"$at/other.bin"
    challenge=$("$vram" challenge) && other=$("$vram" challenge) || return
    expecting 0 'vram keygen' "$vram" keygen "$at/key" --public "$at/key.pub"
    expecting 0 'vram attest' "$vram" attest --gpu --id noise "$at/noise.bin" --challenge "$challenge" \
        --signing-key "$at/key" --audit "$at/trail" -o "$at/evidence"
    expecting 0 'vram verify-evidence' "$vram" verify-evidence "$at/evidence" --key "$at/key.pub" \
        --challenge "$challenge" --shard "noise=$at/noise.bin" --accept-warnings
    expecting 3 'vram verify-evidence with another challenge' "$vram" verify-evidence "$at/evidence" \
        --key "$at/key.pub" --challenge "$other" --shard "noise=$at/noise.bin" --accept-warnings
    expecting 3 'vram verify-evidence with another file' "$vram" verify-evidence "$at/evidence" \
        --key "$at/key.pub" --challenge "$challenge" --shard "noise=$at/other.bin" --accept-warnings
    # The first letter of the payload is not where the padding of base64 could hide a change.
    sed 's/"payload":"e/"payload":"f/' "$at/evidence" >"$at/changed"
    expecting 3 'vram verify-evidence of changed evidence' "$vram" verify-evidence "$at/changed" --key "$at/key.pub" \
        --challenge "$challenge" --shard "noise=$at/noise.bin" --accept-warnings
    expecting 0 'vram audit verify' "$vram" audit verify "$at/trail" --key "$at/key.pub"
    expecting 0 'vram audit show' "$vram" audit show "$at/trail" --key "$at/key.pub" --all
    [[ -z $why ]]
}

# Ten thousand faults in the GPU's memory: every one is to be found, and its block named. The report goes to
# faults.json, also when it tells of a miss.
stage_faults() {
    local commit dirty=()
    : >"$out/faults.txt"
    rm -f "$out/faults.json"
    gpu_present || skip 'no GPU' || return
    [[ -x $here/faults ]] || skip 'not packed' || return
    commit=$(sed -n 's/^  "commit": "\([0-9a-f]*\)",$/\1/p' "$here/commit.json" 2>/dev/null)
    grep -q '^  "dirty": true' "$here/commit.json" 2>/dev/null && dirty=(--dirty)
    [[ -n $commit ]] && dirty=(--commit "$commit" "${dirty[@]}") || dirty=()
    sectioned "$out/faults.txt" 'fault campaign on the GPU' "$limit" \
        "$here/faults" --driver gpu --flips "$FAULTS" "${dirty[@]}" --json "$out/faults.json"
}

# Every figure beside its ceiling: of noise, so what the policy finds of the host is for the doctor's stage to
# say, and stops nothing here. The document goes to bench.json, what is said meanwhile to bench.txt.
stage_bench() {
    local status
    : >"$out/bench.txt"
    rm -f "$out/bench.json"
    gpu_present || skip 'no GPU' || return
    "$here/vram" bench --help >/dev/null 2>&1 || skip 'this vram has no bench command' || return
    limited "$limit" "$here/vram" bench --profile development --json >"$scratch/bench.json" 2>>"$out/bench.txt" </dev/null
    status=$?
    # Half a document is none.
    [[ -s $scratch/bench.json ]] && mv "$scratch/bench.json" "$out/bench.json"
    return "$status"
}

stage_host_hashing() {
    local worst=0 status bench seconds arguments
    : >"$out/host-hashing.txt"
    [[ -x $here/benches/hashing ]] || skip 'not packed' || return
    for bench in hashing comparison; do
        [[ -x $here/benches/$bench ]] || continue
        # The second is short, and should have its turn on a slow host too.
        seconds=$limit arguments=(--bench)
        [[ $bench == hashing ]] && seconds=$((limit * 3 / 4))
        # What it measures is judged by `cargo xtask timing --measured`.
        [[ $bench == comparison ]] && arguments=(--folder "$out/comparison" --measurements 100000)
        CRITERION_HOME=$scratch/criterion sectioned "$out/host-hashing.txt" "bench $bench" "$seconds" \
            "$here/benches/$bench" "${arguments[@]}"
        status=$?
        ((status > worst)) && worst=$status
    done
    return "$worst"
}

# The profiler's counters of the measuring kernel: which pipe is busy, and how often an instruction issues.
stage_ncu() {
    local wanted=() metric status=0 ncu size
    : >"$out/ncu.csv"
    gpu_present || skip 'no GPU' || return
    ncu=$(command -v ncu || compgen -G '/opt/nvidia/nsight-compute/*/ncu' | sort -V | tail -n 1)
    [[ -n $ncu ]] || skip 'ncu is not installed' || return
    "$here/vram" bench --help >/dev/null 2>&1 || skip 'this vram has no bench command' || return
    # An unknown counter spoils the whole run: ask which this chip has.
    limited 30 "$ncu" --query-metrics >"$scratch/metrics" 2>/dev/null
    for metric in "${METRICS[@]}"; do
        if [[ $metric == launch__* ]] || ! grep -q '^sm__' "$scratch/metrics" ||
            grep -q "^${metric%%.*} " "$scratch/metrics"; then
            wanted+=("$metric")
        fi
    done
    # The first launches are the self-test's, of a few blocks each: `collect` takes the longest launch. If
    # the full size takes too long under the profiler, a smaller one says nearly the same.
    for size in '' --quick; do
        limited $((limit * 2 / 3)) "$ncu" --csv --print-units base --log-file "$out/ncu.csv" \
            --clock-control none --kernel-name "regex:$PROFILED_KERNELS" --launch-count 16 \
            --metrics "$(IFS=,; printf '%s' "${wanted[*]}")" \
            "$here/vram" bench --profile development --only "$PROFILED_FIGURE" --json $size >"$scratch/profiled" 2>&1 </dev/null
        status=$?
        ((status == 124 || status == 137)) || break
        why="${why:+$why, }the ${size:-full} size timed out"
    done
    if ! grep -q '^"[0-9]' "$out/ncu.csv"; then
        why=${why:-$(grep -hE '==ERROR==|error' "$out/ncu.csv" "$scratch/profiled" | head -n 1)}
        ((status == 0)) && status=1
    fi
    return "$status"
}

# Suites on the simulated driver: what this processor and kernel make of them.
stage_simulated() {
    local suite worst=0 status suites=()
    for suite in "$here"/tests/simulated/*; do
        [[ -x $suite ]] && suites+=("$suite")
    done
    local left=${#suites[@]}
    ((left)) || skip 'not packed' || return
    for suite in "${suites[@]}"; do
        sectioned "$out/tests.txt" "suite ${suite##*/} simulated" $(((stage_ends - SECONDS) / left)) \
            "$suite" --show-output
        status=$?
        left=$((left - 1))
        ((status > worst)) && worst=$status
    done
    return "$worst"
}

# Written after every stage, so that a run that is cut short tells how far it came.
write_stages() {
    local separator='' record
    {
        printf '{\n  "schema": "vram-gpu-stages/1",\n  "seconds": %s,\n  "stages": [' "$SECONDS"
        for record in "${records[@]}"; do
            printf '%s\n    %s' "$separator" "$record"
            separator=,
        done
        printf '\n  ]\n}\n'
    } >"$out/stages.json"
}

run_stage() {
    case $1 in
        environment) stage_environment ;;
        doctor) stage_doctor ;;
        conformance) stage_conformance ;;
        features) stage_features ;;
        sanitizer) stage_sanitizer ;;
        cust) stage_cust ;;
        evidence) stage_evidence ;;
        faults) stage_faults ;;
        bench) stage_bench ;;
        host-hashing) stage_host_hashing ;;
        ncu) stage_ncu ;;
        simulated) stage_simulated ;;
    esac
}

chosen=("$@")
((${#chosen[@]})) || chosen=("${STAGES[@]}")
for stage in "${chosen[@]}"; do
    if [[ -z ${LIMITS[$stage]:-} ]]; then
        printf 'no such stage: %s; there are: %s\n' "$stage" "${STAGES[*]}" >&2
        exit 2
    fi
done

records=()
summary=''
failed=0
for stage in "${chosen[@]}"; do
    why=''
    began=$SECONDS
    limit=${LIMITS[$stage]}
    ((limit > BUDGET - SECONDS)) && limit=$((BUDGET - SECONDS))
    stage_ends=$((SECONDS + limit))
    printf '##### %s\n' "$stage"
    if ((limit < 1)); then
        why='no time was left'
        status=124
    else
        run_stage "$stage"
        status=$?
    fi
    case $status in
        0) outcome=passed ;;
        "$SKIPPED") outcome=skipped ;;
        124 | 137) outcome='timed out' ;;
        *) outcome=failed ;;
    esac
    [[ $outcome == passed || $outcome == skipped ]] || failed=1
    records+=("{\"name\": $(json "$stage"), \"outcome\": $(json "$outcome"), \"status\": $status, \"seconds\": $((SECONDS - began)), \"why\": $(json "$why")}")
    summary+=$(printf '%-14s %-10s %4s s  status %-4s %s' "$stage" "$outcome" "$((SECONDS - began))" "$status" "$why")$'\n'
    write_stages
done

printf '\n%s' "$summary"
printf 'results: %s\n' "$out"
exit "$failed"
