#!/bin/bash
# From a fresh Debian 12 to a live board in one command: installs what is missing, builds, starts winner-view on
# a file of events and an SQLite database, with the sample of the workshop game, and keeps the game moving.
#
#     deploy/quickstart.sh      stays in the foreground; Ctrl-C stops all it started; run again, it continues
#         --port PORT           of the loopback address, instead of 8080
#         --no-game             the sample only, nothing moves: append events of your own
#         --kinesis             on DynamoDB Local and kinesis-local, all in memory and gone at the end
#         --check               on a free port, keeps nothing: starts, waits until scores move, stops; exits 0 or 1
#
# The journal and the database lie in build/quickstart; remove the folder to begin again. No AWS account is
# touched.

set -u
cd "$(dirname "$0")/.." || exit 1

usage() {
    sed -n '2,12s/^# \{0,1\}//p' "$0"
}

port=8080
mode=embedded check='' rate=5
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
emulators_pid='' service_pid='' game_pid=''

say() {
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
    end "$game_pid"
    end "$service_pid"
    end "$emulators_pid"
    [ -z "$logs" ] || rm -rf "$logs"
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
    say "starting DynamoDB Local and kinesis-local"
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
    say "starting winner-view"
    setsid "$binary" --listen "127.0.0.1:$port" --source "$source" --store "$store" --drain-seconds 0 \
        2>"$logs/winner-view.log" &
    service_pid=$!
    await 30 "$service_pid" is_ready || fail "winner-view does not start" "$logs/winner-view.log"
}

# On a stream the game also puts the sample, so it always runs; without a game it ends by itself.
start_game() {
    [ "$mode $rate" != "embedded 0" ] || return 0
    setsid "$python" deploy/sample_shop.py "$source" --rate "$rate" 2>"$logs/game.log" &
    game_pid=$!
}

has_scores() {
    ask /scores/merchant | grep -q '"score"' && ask /scores/photographer | grep -q '"score"'
}

# Scores alone, without the time that they are of.
scores() {
    ask '/scores?role=creator&limit=100'
}

have_moved() {
    [ "$(scores)" != "$first" ]
}

say_what_to_try() {
    local url=http://127.0.0.1:$port
    cat <<END

winner-view is running:

    $url/                  the board, in a browser
    $url/scores/merchant   the same as JSON
    $url/healthz           how fresh it is, and what is wrong

Try:

    curl '$url/scores/photographer?limit=3'
    curl '$url/contributions?limit=5'
    curl $url/openapi.yaml
END
    [ "$mode" = kinesis ] || cat <<END
    tail -n 3 $state/events.jsonl
    tail -n 1 $state/events.jsonl >>$state/events.jsonl     # the same purchase once more
END
    printf '\nThe log is %s. Ctrl-C stops everything.\n' "$logs/winner-view.log"
}

goes_on() {
    is_alive "$service_pid" && { [ -z "$emulators_pid" ] || is_alive "$emulators_pid"; } &&
        { [ "$rate" = 0 ] || is_alive "$game_pid"; }
}

if [ "$mode" = kinesis ]; then
    packages_install build quickstart emulators game-on-kinesis || exit 1
else
    packages_install build quickstart || exit 1
fi
logs=$(mktemp -d) || exit 1
[ -z "$check" ] || port=$(free_port)

say "building (the first time takes a minute)"
build >"$logs/build.log" 2>&1 || fail "the build failed" "$logs/build.log"
"prepare_$mode"
start_service
start_game
await 60 "$service_pid" has_scores || fail "no scores arrived" "$logs/winner-view.log"

if [ -n "$check" ]; then
    ask /scores/merchant
    echo
    first=$(scores)
    [ "$rate" = 0 ] || await 60 "$service_pid" have_moved || fail "the game does not move the scores" "$logs/winner-view.log"
    say "scores arrived$([ "$rate" = 0 ] || echo ", and move")"
    exit 0
fi

say_what_to_try
while goes_on; do
    sleep 1 &
    wait $!
done
fail "a process ended by itself" "$logs/winner-view.log"
