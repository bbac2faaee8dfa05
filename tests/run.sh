#!/bin/bash
# Installs missing packages, builds, and tests. Exit status 0 only if every step passed.
#
#     tests/run.sh          what every change must pass: at most 10 minutes on two cores, from a bare clone
#     tests/run.sh --all    everything except the tests in Debian roots: at most 45 minutes
#
# Both print which tests they leave out. Needs root (or sudo) only if packages are missing. Leaves no process behind.

set -u
cd "$(dirname "$0")/.." || exit 1

case "${1:-}" in
'') all='' ;;
--all) all=yes ;;
*) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

. deploy/packages.sh
python=/usr/bin/python3 # Debian's, which has the packages; another one may come first in PATH
export PYTHONDONTWRITEBYTECODE=1
# Most integration tests wait more than they work.
workers=$(($(nproc) * 3))
failed=()
child=''

# Each step has its own process group, so that a signal to this script can be sent to the whole step. (Emulators and
# services are outside: they end with the process that started them.)
on_signal() {
    trap - INT TERM
    [ -z "$child" ] || { kill -TERM -- "-$child" && wait "$child"; } 2>/dev/null
    echo "stopped by a signal" >&2
    exit 130
}
trap on_signal INT TERM

# step NAME COMMAND...: runs the command; if it fails, adds NAME to `failed`.
step() {
    local name=$1 begin=$SECONDS status
    shift
    echo "== $name"
    set -m
    "$@" &
    child=$!
    set +m
    wait "$child"
    status=$?
    child=''
    echo "-- $name: $([ $status = 0 ] && echo passed || echo "FAILED (status $status)") in $((SECONDS - begin)) s"
    [ $status = 0 ] || failed+=("$name")
    return $status
}

# build PRESET [TARGET...]
build() {
    local targets=("${@:2}")
    { [ -f "build/$1/build.ninja" ] || cmake --preset "$1" >/dev/null; } &&
        cmake --build --preset "$1" -j "$(nproc)" --target "${targets[@]:-all}" -- --quiet
}

# ThreadSanitizer fails if the address space is randomised as widely as in recent kernels.
in_address_space_for() {
    if [ "$1" = tsan ] && setarch --addr-no-randomize true 2>/dev/null; then
        shift
        setarch --addr-no-randomize "$@"
    else
        shift
        "$@"
    fi
}

# Some unit tests need the emulators.
unit_tests() {
    in_address_space_for "$1" tests/emulators -- ctest --preset "$1" -j "$workers" --no-tests=error
}

python_tests() {
    "$python" -m pytest -p no:cacheprovider "$@"
}

side_by_side() {
    python_tests -n "$workers" --dist loadgroup "$@"
}

# The tests that are most likely to show a race or a leak, with the program of that preset.
main_job_and_drain() {
    export WINNER_VIEW_BINARY="$PWD/build/$1/winner-view"
    in_address_space_for "$1" "$python" -m pytest -p no:cacheprovider -n "$workers" --dist loadgroup \
        tests/integration/test_main_job.py tests/integration/test_drain.py
}

list_what_is_left_out() {
    if [ -z "$all" ]; then
        echo "left out, and run by tests/run.sh --all:"
        echo "  the protocol's model in spin; the sanitizers; fuzzing; kill points and torture; benchmarks;"
        echo "  $(grep -rhoE 'mark\.(all|alone)\b' tests --include='test_*.py' | wc -l) tests or files of tests marked 'all' or 'alone', in" \
            "$(grep -rlE 'mark\.(all|alone)\b' tests --include='test_*.py' | sed 's/.*test_//;s/\.py//' | sort | xargs)"
    fi
    echo "left out, with commands of their own in HACKING.md:"
    echo "  container, package and service in Debian roots; hangs of several minutes; the long ordeals, soak, torture and fuzzing, and tests/mutate.py"
}

lists=(build quickstart unit emulators integration)
[ -z "$all" ] || lists+=(fuzz protocol operators-page browser proxies bench)
step "packages" packages_install "${lists[@]}" || exit 1
step "emulators fetched" tests/emulators --fetch || exit 1

[ -z "$all" ] || step "the protocol's model" tests/protocol/check

presets=(dev)
[ -z "$all" ] || presets+=(asan tsan)
for preset in "${presets[@]}"; do
    step "build $preset" build "$preset" && step "unit tests, $preset" unit_tests "$preset"
done

step "build release" build release winner-view clock_shim ${all:+parse_only open_loop http_floor}
if [ -n "$all" ]; then
    for preset in asan tsan; do
        step "main job and drain, $preset" main_job_and_drain "$preset"
    done
    step "benchmarks" "$python" tests/bench/all.py --short
    step "benchmark: live" "$python" tests/bench/live_latency.py
    step "benchmark: guesses" "$python" tests/bench/guess_timing.py --requests 10000
    step "fuzz" tests/fuzz/run
    step "build kill" build kill winner-view && step "torture" "$python" tests/torture
    step "tests that measure time" python_tests -m alone tests
fi

# The failed steps are listed before the last step, so that the summary of pytest is the last line.
list_what_is_left_out
[ ${#failed[@]} = 0 ] || printf 'FAILED: %s\n' "${failed[@]}"
echo "== model and integration tests, release"
selected='not alone'
[ -n "$all" ] || selected='not all'
set -m
side_by_side -ra -m "$selected" tests &
child=$!
set +m
wait "$child" && [ ${#failed[@]} = 0 ]
