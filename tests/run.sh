#!/bin/bash
# Installs what is missing, builds every preset and runs every test. Exit status 0 only if all of it passed.
#
#     tests/run.sh            everything
#     tests/run.sh --quick    unit tests of the dev preset and the integration tests with the release binary
#
# Needs root (or sudo) only if packages are missing. Leaves no process behind.

set -u
cd "$(dirname "$0")/.." || exit 1

quick=''
case "${1:-}" in
'') ;;
--quick) quick=yes ;;
*) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

. deploy/packages.sh
python=/usr/bin/python3 # Debian's, which has the packages; another one may come first in PATH
export PYTHONDONTWRITEBYTECODE=1
failed=()
not_run=()
child=''

# Each step is a process group of its own, so that a signal to us can be passed on to all of it. (Emulators and services
# are not in it: whoever started those stops them.)
on_signal() {
    trap - INT TERM
    [ -z "$child" ] || { kill -TERM -- "-$child" && wait "$child"; } 2>/dev/null
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

skip() {
    echo "== $1: not run, $2"
    not_run+=("$1")
}

# build PRESET [TARGET]
build() {
    { [ -f "build/$1/build.ninja" ] || cmake --preset "$1" >/dev/null; } &&
        cmake --build --preset "$1" -j 2 --target "${2:-all}" -- --quiet
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
    in_address_space_for "$1" "$python" tests/emulators.py -- ctest --preset "$1" --no-tests=error
}

integration() {
    "$python" -m pytest -p no:cacheprovider "$@"
}

main_job_with() {
    export WINNER_VIEW_BINARY="$PWD/build/$1/winner-view"
    in_address_space_for "$1" "$python" -m pytest -p no:cacheprovider -q tests/integration/test_main_job.py
}

step "packages" packages_install build quickstart unit protocol emulators integration bench || exit 1
step "emulators fetched" "$python" tests/emulators.py --fetch || exit 1

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
for preset in asan tsan; do
    if [ -n "$quick" ]; then
        skip "main job, $preset" "--quick"
    elif [ -x "build/$preset/winner-view" ]; then
        step "main job, $preset" main_job_with "$preset"
    else
        skip "main job, $preset" "it was not built"
    fi
done

if step "build release" build release winner-view && step "build parse_only" build release parse_only; then
    if [ -n "$quick" ]; then
        skip "benchmarks" "--quick"
    else
        step "benchmark: write units" "$python" tests/bench/write_units.py
        step "benchmark: http" "$python" tests/bench/http_ratio.py
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

# The verdict on everything so far comes before the last step, so that pytest's own summary is the last line of all.
[ ${#not_run[@]} = 0 ] || printf 'not run: %s\n' "${not_run[@]}"
[ ${#failed[@]} = 0 ] || printf 'FAILED: %s\n' "${failed[@]}"
echo "== model and integration tests, release"
if [ -x build/release/winner-view ]; then
    run integration -ra tests || failed+=("integration tests")
else
    echo "not run: the release preset was not built"
    failed+=("integration tests")
fi
[ ${#failed[@]} = 0 ]
