# shellcheck shell=bash
# What the scripts share: speaking, failing, waiting, looking for a free port. Sourced, never run.

if [ -t 2 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

# One line on progress, on standard error: standard output is for results.
say() { printf '%s\n' "${bold}==>${plain} $*" >&2; }

warn() { printf '%s\n' "warning: $*" >&2; }

# Says what went wrong and what to do about it, and ends the script.
fail() {
    printf '%s\n' "${0##*/}: $*" >&2
    exit 1
}

# The end of a log, marked as such.
show_log() {
    [ -s "$1" ] || return 0
    printf '%s\n' "--- the last lines of $1" >&2
    tail -n "${2:-20}" "$1" >&2
    printf '%s\n' "---" >&2
}

have() { command -v "$1" >/dev/null 2>&1; }

# wait_until SECONDS COMMAND…: whether the command succeeds within the time, tried every tenth of a second.
wait_until() {
    local tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

port_is_free() { [ -z "$(ss -Hltn "sport = :$1")" ]; }

# free_port FIRST: the first port from there on that nobody listens on.
free_port() {
    local port
    for ((port = $1; port < $1 + 200; port++)); do
        if port_is_free "$port"; then
            printf '%s\n' "$port"
            return
        fi
    done
    fail "no free port between $1 and $(($1 + 199))"
}

# owned_pid PIDFILE NEEDLE: the process of that file, if it lives and its command line or environment holds NEEDLE. A
# process id is used again after a crash or a restart of the machine; the needle keeps us from ending a stranger.
owned_pid() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] || return 1
    cat "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null | tr '\0' '\n' | grep -F -- "$2" >/dev/null || return 1
    printf '%s\n' "$pid"
}

process_is_gone() {
    local state
    # The third word after the name in brackets; a zombie has nothing left to end.
    state=$(sed -n 's/.*) \(.\) .*/\1/p' "/proc/$1/stat" 2>/dev/null) || return 0
    [ -z "$state" ] || [ "$state" = Z ]
}

# end_process PID SECONDS: asks it to end, and makes it after that time.
end_process() {
    kill -TERM "$1" 2>/dev/null || return 0
    wait_until "$2" process_is_gone "$1" && return 0
    kill -KILL "$1" 2>/dev/null || true
    wait_until 5 process_is_gone "$1"
}
