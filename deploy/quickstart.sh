#!/bin/bash
# From a fresh Debian 12 to a running winner-view in one command: installs what is missing, builds, starts DynamoDB
# Local, kinesis-local and winner-view on the loopback address, and puts a little shop traffic on the stream.
#
#     deploy/quickstart.sh [--kinesis] [--port PORT]    stays in the foreground; Ctrl-C stops everything it started
#     deploy/quickstart.sh --check                      on a free port: starts, asks for scores, stops; exits 0 or 1
#
# --kinesis is the default. Everything is kept in memory and gone at the end; real AWS accounts are never touched.

set -u
cd "$(dirname "$0")/.." || exit 1

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0"
}

port=8080
check=''
while [ $# -gt 0 ]; do
    case $1 in
    --kinesis) ;;
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
folder=''
emulators_pid='' service_pid='' game_pid=''

say() {
    echo "quickstart: $*" >&2
}

# Ends one of ours, by pid, and waits for it.
end() {
    [ -n "$1" ] || return 0
    kill -TERM "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

stop_all() {
    local status=$?
    trap '' INT TERM
    trap - EXIT
    end "$game_pid"
    end "$service_pid"
    end "$emulators_pid"
    [ -z "$folder" ] || rm -rf "$folder"
    exit $status
}
trap stop_all EXIT
trap 'say "stopping"; exit 0' INT TERM

fail() {
    say "$1"
    [ -z "${2:-}" ] || tail -n 20 "$2" >&2
    exit 1
}

is_alive() {
    kill -0 "$1" 2>/dev/null
}

# await SECONDS PID COMMAND...: until the command succeeds; gives up when the time or the process has ended.
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
        cmake --build --preset release -j 2 >"$folder/build.log" 2>&1
}

# Background jobs get a session of their own (setsid): Ctrl-C is for this script, which then stops them in order.
start_emulators() {
    setsid "$python" tests/emulators.py --streams "$stream:3" >"$folder/environment" 2>"$folder/emulators.log" &
    emulators_pid=$!
    await 120 "$emulators_pid" grep -q METADATA "$folder/environment" ||
        fail "the emulators do not start" "$folder/emulators.log"
    # shellcheck disable=SC1091
    . "$folder/environment"
}

start_service() {
    "$binary" create-tables --store "dynamodb:$stage" >"$folder/tables.log" 2>&1 ||
        fail "create-tables failed" "$folder/tables.log"
    setsid "$binary" --listen "127.0.0.1:$port" --source "kinesis:$stream" --store "dynamodb:$stage" \
        --drain-seconds 0 2>"$folder/winner-view.log" &
    service_pid=$!
    is_ready() { ask /readyz >/dev/null; }
    await 30 "$service_pid" is_ready || fail "winner-view does not start" "$folder/winner-view.log"
}

has_scores() {
    ask /scores/merchant | grep -q '"score"' && ask /scores/photographer | grep -q '"score"'
}

packages_install build emulators game || exit 1
command -v curl >/dev/null || packages_apt_install curl || fail "curl cannot be installed"
folder=$(mktemp -d) || exit 1
[ -z "$check" ] || port=$("$python" -c 'import sys; sys.path.insert(0, "tests"); import emulators; print(emulators.free_port())')

say "building"
build || fail "the build failed" "$folder/build.log"
say "starting DynamoDB Local and kinesis-local"
start_emulators
say "starting winner-view"
start_service
setsid "$python" deploy/game.py "$stream" 2>"$folder/game.log" &
game_pid=$!
await 60 "$game_pid" has_scores || fail "no scores came through the stream" "$folder/winner-view.log"

if [ -n "$check" ]; then
    ask /scores/merchant
    echo
    say "scores came through the stream"
    exit 0
fi

cat <<END

winner-view is running. Try:

    curl http://127.0.0.1:$port/scores/merchant
    curl http://127.0.0.1:$port/scores/photographer?limit=3
    curl http://127.0.0.1:$port/contributions?limit=5
    curl http://127.0.0.1:$port/healthz
    curl http://127.0.0.1:$port/metrics

or open http://127.0.0.1:$port/ in a browser. Logs are in $folder. Ctrl-C stops everything.
END
while is_alive "$service_pid" && is_alive "$game_pid" && is_alive "$emulators_pid"; do
    sleep 1 &
    wait $!
done
fail "something ended by itself" "$folder/winner-view.log"
