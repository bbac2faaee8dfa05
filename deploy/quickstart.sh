#!/bin/bash
# Starts winner-view with a sample shop on a fresh Debian 12: installs missing packages, builds, starts the program on a
# file of events and an SQLite database, and appends events of the shop all the time.
#
#     deploy/quickstart.sh      stays in the foreground; Ctrl-C stops every process; the next run continues
#         --port PORT           the port on the loopback address, instead of 8080
#         --no-game             no new events after the sample: append your own
#         --kinesis             uses DynamoDB Local and kinesis-local, in memory: nothing is kept
#         --check               starts on a free port, waits until scores change, stops; keeps nothing; exits 0 or 1
#
# The file of events and the database are in build/quickstart; remove that folder to begin again. No AWS account is
# used.

set -u
cd "$(dirname "$0")/.." || exit 1

usage() {
    sed -n '2,12s/^# \{0,1\}//p' "$0"
}

port=8080
mode=embedded check='' rate=3
while [ $# -gt 0 ]; do
    case $1 in
    --kinesis) mode=kinesis ;;
    --no-game) rate=0 ;;
    --check) check=yes ;;
    --port)
        port=${2:-}
        shift
        [[ $port =~ ^[1-9][0-9]{0,4}$ ]] && [ "$port" -le 65535 ] || {
            echo "quickstart.sh: --port is '$port', allowed is 1 to 65535" >&2
            exit 2
        }
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "quickstart.sh: unknown option '$1'" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
done

. deploy/packages.sh
python=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1
stage=quickstart
stream=quickstart
binary=build/release/winner-view
logs='' state=build/quickstart
emulators_pid='' service_pid='' shop_pid=''

report() {
    echo "quickstart: $*" >&2
}

# Ends a process of this script and waits for it.
end() {
    [ -n "$1" ] || return 0
    kill -TERM "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

stop_all() {
    local status=$?
    trap '' INT TERM
    trap - EXIT
    end "$shop_pid"
    end "$service_pid"
    end "$emulators_pid"
    [ -z "$logs" ] || rm -rf "$logs"
    exit $status
}
trap stop_all EXIT
trap 'report "stopping"; exit 0' INT TERM

fail() {
    report "$1"
    [ -z "${2:-}" ] || tail -n 20 "$2" >&2
    exit 1
}

is_alive() {
    kill -0 "$1" 2>/dev/null
}

# await SECONDS PID COMMAND...: waits until the command succeeds. Fails when the time or the process has ended.
await() {
    local end=$((SECONDS + $1)) pid=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] && is_alive "$pid" || return 1
        sleep 0.1
    done
}

ask() {
    curl --silent --fail --max-time 5 "http://127.0.0.1:$port$1"
}

build() {
    { [ -f build/release/build.ninja ] || cmake --preset release >/dev/null; } &&
        cmake --build --preset release -j 2 --target winner-view
}

free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Background jobs get a session of their own (setsid): Ctrl-C reaches only this script, which stops them in order.
start_emulators() {
    setsid tests/emulators --streams "$stream:3" >"$logs/environment" 2>"$logs/emulators.log" &
    emulators_pid=$!
    await 120 "$emulators_pid" grep -q METADATA "$logs/environment" ||
        fail "the emulators do not start" "$logs/emulators.log"
    # shellcheck disable=SC1091
    . "$logs/environment"
}

# prepare_MODE: makes what the service needs; sets `source` and `store`.
prepare_kinesis() {
    source=kinesis:$stream store=dynamodb:$stage
    report "starting DynamoDB Local and kinesis-local"
    start_emulators
    "$binary" create-tables --store "$store" >"$logs/tables.log" 2>&1 ||
        fail "create-tables failed" "$logs/tables.log"
}

prepare_embedded() {
    [ -z "$check" ] || state=$logs
    mkdir -p "$state" || exit 1
    source=file:$state/events.jsonl store=sqlite:$state/winner-view.db
    "$python" deploy/sample_shop.py "$source" --rate 0 || fail "cannot write the sample"
}

is_ready() {
    ask /readyz >/dev/null
}

start_service() {
    report "starting winner-view"
    setsid "$binary" --listen "127.0.0.1:$port" --source "$source" --store "$store" --drain-seconds 0 \
        --periods hour,day,week,month --best-sellers on 2>"$logs/winner-view.log" &
    service_pid=$!
    await 30 "$service_pid" is_ready || fail "winner-view does not start" "$logs/winner-view.log"
}

# On a stream the sample shop also puts the sample, so it always runs; with --no-game it then ends.
start_shop() {
    [ "$mode $rate" != "embedded 0" ] || return 0
    setsid "$python" deploy/sample_shop.py "$source" --rate "$rate" 2>"$logs/shop.log" &
    shop_pid=$!
}

has_scores() {
    ask /scores/merchant | grep -q '"score"' && ask /scores/photographer | grep -q '"score"'
}

# The scores without their time.
scores() {
    ask '/scores?role=creator&limit=100'
}

have_changed() {
    [ "$(scores)" != "$first" ]
}

print_hints() {
    local url=http://127.0.0.1:$port
    cat <<END

winner-view is running:

    $url/                  the boards, in a browser
    $url/?wall             for a wall
    $url/scores/merchant   the same as JSON
    $url/healthz           how fresh it is, and what is wrong

Try:

    curl '$url/scores/photographer?limit=3'
    curl '$url/scores/product?period=day'
    curl '$url/contributions?limit=5'
    curl $url/openapi.yaml
END
    [ "$mode" = kinesis ] || cat <<END
    tail -n 3 $state/events.jsonl
    tail -n 1 $state/events.jsonl >>$state/events.jsonl     # the same purchase once more
END
    printf '\nThe log is %s. Ctrl-C stops everything.\n' "$logs/winner-view.log"
}

still_runs() {
    is_alive "$service_pid" && { [ -z "$emulators_pid" ] || is_alive "$emulators_pid"; } &&
        { [ "$rate" = 0 ] || is_alive "$shop_pid"; }
}

if [ "$mode" = kinesis ]; then
    packages_install build quickstart emulators sample-shop-on-kinesis || exit 1
else
    packages_install build quickstart || exit 1
fi
logs=$(mktemp -d) || exit 1
[ -z "$check" ] || port=$(free_port)

report "building (the first time takes a minute)"
build >"$logs/build.log" 2>&1 || fail "the build failed" "$logs/build.log"
"prepare_$mode"
start_service
start_shop
await 60 "$service_pid" has_scores || fail "no scores arrived" "$logs/winner-view.log"

if [ -n "$check" ]; then
    ask /scores/merchant
    echo
    first=$(scores)
    [ "$rate" = 0 ] || await 60 "$service_pid" have_changed || fail "the sample shop does not change the scores" "$logs/winner-view.log"
    report "scores arrived$([ "$rate" = 0 ] || echo ", and change")"
    exit 0
fi

print_hints
while still_runs; do
    sleep 1 &
    wait $!
done
fail "a process ended by itself" "$logs/winner-view.log"
