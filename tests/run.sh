#!/bin/bash
# Installs what is missing, builds every preset and runs every test. Exit status 0 only if all of it passed.
#
#     tests/run.sh            everything that needs no root of its own
#     tests/run.sh --full     container, package and service too, in Debian systems bootstrapped for it; as root
#     tests/run.sh --quick    unit tests of the dev preset and the integration tests with the release binary
#
# Needs root (or sudo) only if packages are missing. Leaves no process behind.

set -u
cd "$(dirname "$0")/.." || exit 1

quick='' full=''
case "${1:-}" in
'') ;;
--quick) quick=yes ;;
--full) full=yes ;;
*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

. deploy/packages.sh
python=/usr/bin/python3 # Debian's, which has the packages; another one may come first in PATH
export PYTHONDONTWRITEBYTECODE=1
failed=()
not_run=()
child='' behind=''

# Each step is a process group of its own, so that a signal to us can be passed on to all of it. (Emulators and services
# are not in it: whoever started those stops them.)
on_signal() {
    trap - INT TERM
    for group in $child $behind; do
        { kill -TERM -- "-$group" && wait "$group"; } 2>/dev/null
    done
    echo "stopped by a signal" >&2
    exit 130
}
trap on_signal INT TERM

run() {
    local status
    set -m
    "$@" &
    child=$!
    set +m
    wait "$child"
    status=$?
    child=''
    return $status
}

# step NAME COMMAND...: runs it, remembers by name if it failed.
step() {
    local name=$1 begin=$SECONDS status
    shift
    echo "== $name"
    run "$@"
    status=$?
    echo "-- $name: $([ $status = 0 ] && echo passed || echo "FAILED (status $status)") in $((SECONDS - begin)) s"
    [ $status = 0 ] || failed+=("$name")
    return $status
}

# begin NAME COMMAND...: a step that goes on beside those that follow, and is silent until `finish` says how it went.
# Most tests wait more than they work.
begin() {
    behind_name=$1 behind_begin=$SECONDS behind_log=$(mktemp)
    shift
    set -m
    "$@" >"$behind_log" 2>&1 &
    behind=$!
    set +m
}

finish() {
    local status
    wait "$behind"
    status=$?
    behind=''
    [ $status = 0 ] || failed+=("$behind_name")
    echo "-- $behind_name: $([ $status = 0 ] && echo passed || echo "FAILED (status $status)") in $((SECONDS - behind_begin)) s," \
        "beside the above; its words:"
    cat "$behind_log"
    rm -f "$behind_log"
    return $status
}

skip() {
    echo "== $1: not run, $2"
    not_run+=("$1")
}

# build PRESET [TARGET...]
build() {
    local targets=("${@:2}")
    { [ -f "build/$1/build.ninja" ] || cmake --preset "$1" >/dev/null; } &&
        cmake --build --preset "$1" -j 2 --target "${targets[@]:-all}" -- --quiet
}

# ThreadSanitizer cannot live with an address space randomised as widely as recent kernels do.
in_address_space_for() {
    if [ "$1" = tsan ] && setarch --addr-no-randomize true 2>/dev/null; then
        shift
        setarch --addr-no-randomize "$@"
    else
        shift
        "$@"
    fi
}

# Some unit tests want the emulators.
unit_tests() {
    in_address_space_for "$1" tests/emulators -- ctest --preset "$1" -j 2 --no-tests=error
}

integration() {
    "$python" -m pytest -p no:cacheprovider "$@"
}

# What is most likely to show a race or a leak, on that preset's program.
main_job_and_drain() {
    WINNER_VIEW_BINARY="$PWD/build/$1/winner-view" in_address_space_for "$1" "$python" -m pytest -p no:cacheprovider -q \
        tests/integration/test_main_job.py tests/integration/test_drain.py
}

# The files of integration tests that are about answers; all others are about the stream and the tables.
answers() {
    local name
    for name in api boards connections contract drain freshness fuzz live manners operations outage page; do
        echo "$1tests/integration/test_$name.py"
    done
}

step "packages" packages_install build quickstart unit protocol emulators integration operators-page browser bench || exit 1
step "emulators fetched" tests/emulators --fetch || exit 1

step "the protocol's model" tests/protocol/check

presets=(dev asan tsan)
[ -z "$quick" ] || presets=(dev)
for preset in "${presets[@]}"; do
    if step "build $preset" build "$preset"; then
        step "unit tests, $preset" unit_tests "$preset"
    else
        skip "unit tests, $preset" "it was not built"
    fi
done
if [ -n "$quick" ]; then
    skip "main job and drain, asan and tsan" "--quick"
elif [ -x build/asan/winner-view ] && [ -x build/tsan/winner-view ]; then
    begin "main job and drain, tsan" main_job_and_drain tsan
    step "main job and drain, asan" main_job_and_drain asan
    finish
else
    failed+=("main job and drain, asan and tsan: not built")
fi

if step "build release" build release winner-view parse_only open_loop; then
    if [ -n "$quick" ]; then
        skip "benchmarks" "--quick"
    else
        step "benchmark: write units" "$python" tests/bench/write_units.py
        step "benchmark: http" "$python" tests/bench/http_ratio.py
        step "benchmark: live" "$python" tests/bench/live_latency.py
        step "benchmark: file to SQLite" "$python" tests/bench/file_to_sqlite.py
    fi
else
    skip "benchmarks" "release was not built"
fi

if [ -n "$quick" ]; then
    skip "kill points and torture" "--quick"
elif step "build kill" build kill winner-view && [ -x build/release/winner-view ]; then
    step "torture" "$python" tests/torture
else
    skip "torture" "release or kill was not built"
fi

if [ -n "$full" ]; then
    step "packages for roots" packages_install root &&
        step "container, package and service" env WINNER_VIEW_ROOTS=1 "$python" -m pytest -p no:cacheprovider -ra tests/root
    step "what takes minutes to be stuck" env WINNER_VIEW_LONG=1 "$python" -m pytest -p no:cacheprovider -ra tests/integration/test_stuck.py
else
    skip "container, package and service; what takes minutes to be stuck" "only with --full"
fi

# The verdict on everything so far comes before the last step, so that pytest's own summary is the last line of all.
[ ${#not_run[@]} = 0 ] || printf 'not run: %s\n' "${not_run[@]}"
[ ${#failed[@]} = 0 ] || printf 'FAILED: %s\n' "${failed[@]}"
if [ -x build/release/winner-view ]; then
    # shellcheck disable=SC2046 # names without spaces
    begin "integration tests, release: answers" integration -ra $(answers '')
    # shellcheck disable=SC2046
    step "model and integration tests, release: stream and tables" integration -ra tests $(answers --ignore=)
    finish
else
    echo "not run: the release preset was not built"
    failed+=("integration tests")
fi
[ ${#failed[@]} = 0 ]
