# shellcheck shell=bash
# A trial installation in one folder: a private host with a sample app, and Quaymaster on its embedded database. The
# demo shows one, the bench measures one. Sourced after common.sh, never run.
#
# A script calls begin_trial, which sees to it that everything ends with the script however that ends, then start_host,
# start_quaymaster, sign_in and register_app. What they find out is in base, password, app, and the names of host.env.
# shellcheck disable=SC2034,SC2154 # `here` comes from the script, `app` is for it

# set_trial DEFAULT-NAME: where it works. As root not in root's home: the embedded database runs as the user postgres,
# who cannot enter that.
set_trial() {
    if [ "$(id -u)" = 0 ]; then
        trial=${DEMO_DIR:-/var/lib/$1}
        privileged() { "$@"; }
    else
        trial=${DEMO_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/$1}
        privileged() { sudo "$@"; }
        have sudo || fail "a private Docker Engine needs root: run this as root, or install sudo"
    fi
    case $trial in
        *[!A-Za-z0-9/._-]*) fail "DEMO_DIR may hold letters, digits, and / . _ - only" ;;
        /*) ;;
        *) fail "DEMO_DIR must be a whole path" ;;
    esac
    log=$trial/quaymaster.log
}

# begin_trial: nobody else works in the folder, nothing of a former run is left, and all that follows will be ended.
begin_trial() {
    take_lock
    # In a session of its own, so that it outlives a script that is killed, and clears up. It holds the lock meanwhile.
    # shellcheck disable=SC2016 # it is the guard that expands them
    DEMO_DIR=$trial setsid bash -c 'here=$1; . "$1/lib/common.sh"; . "$1/lib/trial.sh"; set_trial ""; clear_up_after "$2"' \
        "guard of ${0##*/}" "$here" $$ >/dev/null 2>&1 </dev/null &
    guard=$!
    trap end_trial EXIT
    trap 'exit 0' INT TERM HUP
    end_everything
    echo $$ >"$trial/script.pid"
}

take_lock() {
    local other
    mkdir -p "$trial"
    exec 9>"$trial/lock"
    if ! flock -n 9; then
        if other=$(owned_pid "$trial/script.pid" "${0##*/}"); then
            fail "it runs already in $trial (process $other); end that one, or set DEMO_DIR and PORT for a second one"
        fi
        say "the former run in $trial is still ending"
        flock -w 60 9 || fail "the former run in $trial did not end within 60 s"
    fi
    echo $$ >"$trial/script.pid"
}

clear_up_after() {
    trap '' INT HUP
    tail --pid="$1" -f /dev/null 9>&-
    # Nobody is there any more to give sudo a password.
    [ "$(id -u)" = 0 ] || privileged() { sudo -n "$@"; }
    end_everything
}

end_trial() {
    local status=$?
    trap '' INT TERM HUP
    trap - EXIT
    say "ending everything"
    end_everything
    kill "$guard" 2>/dev/null || true
    exit "$status"
}

# Ends what ran in the folder, also what a killed run left. May run more than once.
end_everything() {
    local pid postmaster
    # The connection that the bench keeps open.
    [ ! -S "$trial/master" ] || ssh -F none -S "$trial/master" -O exit bench 2>/dev/null || true
    if pid=$(owned_pid "$trial/quaymaster.pid" "DATA_DIR=$trial/data"); then
        end_process "$pid" 30 || warn "quaymaster (process $pid) does not end"
    fi
    # The embedded database ends with Quaymaster, a little later if that was killed.
    while read -r postmaster; do
        pid=$(head -n 1 "$postmaster" 2>/dev/null) || continue
        wait_until 15 process_is_gone "$pid" || warn "the embedded database (process $pid) does not end"
    done < <(find "$trial/data" -maxdepth 3 -name postmaster.pid 2>/dev/null)
    if [ -d "$trial/host" ]; then
        privileged "$here/demo-host" stop "$trial/host" || warn "the private host did not end cleanly"
    fi
    rm -f "$trial"/{quaymaster,script}.pid "$trial/auth.headers"
}

# The folder that cargo builds into, whichever way it was told.
target_dir() { cargo metadata --locked --format-version 1 --no-deps | jq -r .target_directory; }

start_host() {
    say "starting a private host: sshd, Docker Engine and a sample app"
    local settings
    settings=$(privileged "$here/demo-host" start "$trial/host" 9>&-) || fail "the private host did not start"
    eval "$settings"
}

new_password() { head -c 600 /dev/urandom | LC_ALL=C tr -dc 'a-km-z2-9' | cut -c 1-20; }

# start_quaymaster BINARY [NAME=value…]: on a fresh database, ready for requests.
start_quaymaster() {
    local binary=$1 port
    shift
    port=$(free_port "${PORT:-8080}")
    [ "$port" = "${PORT:-8080}" ] || say "port ${PORT:-8080} is taken; using $port"
    base=http://127.0.0.1:$port
    password=$(new_password)
    say "starting quaymaster"
    rm -rf "$trial/data"
    mkdir -p "$trial/data"
    # An empty environment and no .env nearby: the settings of the person at the keyboard are not the trial's.
    (cd "$trial" && exec setsid env -i PATH="$PATH" HOME="$trial" LANG=C.UTF-8 \
        ${POSTGRES_BIN:+POSTGRES_BIN="$POSTGRES_BIN"} DATA_DIR="$trial/data" HOST=127.0.0.1 PORT="$port" \
        LOG_LEVEL="${LOG_LEVEL:-info}" ADMIN_USERNAME=admin ADMIN_PASSWORD="$password" "$@" \
        "$binary" serve) >"$log" 2>&1 </dev/null 9>&- &
    quaymaster=$!
    echo "$quaymaster" >"$trial/quaymaster.pid"
    wait_until 60 ready_or_gone || fail_with_log "quaymaster was not ready within 60 s"
    curl -sf --max-time 5 "$base/health/ready" >/dev/null || fail_with_log "quaymaster ended at its start"
}

ready_or_gone() { process_is_gone "$quaymaster" || curl -sf --max-time 2 "$base/health/ready"; }

fail_with_log() {
    show_log "$log" 30
    fail "$*"
}

# api METHOD PATH [JSON]: the answer's body; a refusal ends the script with what the answer says.
api() {
    local answer status
    # The token travels in a file: a command line can be read by everybody on the machine.
    answer=$(curl -sS --max-time 150 -X "$1" -H @"$trial/auth.headers" -w '\n%{http_code}' \
        ${3:+-H 'Content-Type: application/json' --data-binary @-} "$base/api$2" <<<"${3:-}") ||
        fail_with_log "$1 /api$2 got no answer"
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    case $status in
        2*) printf '%s\n' "$answer" ;;
        *) fail_with_log "$1 /api$2 was answered $status: $answer" ;;
    esac
}

sign_in() {
    local body token
    (umask 077 && : >"$trial/auth.headers")
    body=$(jq -n --arg password "$password" '{username: "admin", password: $password}')
    token=$(api POST /auth/login "$body" | jq -er .token)
    printf 'Authorization: Bearer %s\n' "$token" >"$trial/auth.headers"
}

# The host and its app, through REST, as any client would.
register_app() {
    local server project body
    say "registering the host and its app"
    body=$(jq -n --arg address "$SSH_ADDRESS" --argjson port "$SSH_PORT" --arg user "$SSH_USER" --rawfile key "$SSH_KEY" \
        '{name: "Demo host", address: $address, sshPort: $port, sshUser: $user,
          credential: {kind: "privateKey", privateKey: $key}}')
    server=$(api POST /servers "$body" | jq -er .id)
    # Known from the file of the host itself, not from what answers on its port.
    api POST "/servers/$server/host-key" "$(jq -n --arg fingerprint "$HOST_KEY_FINGERPRINT" '{$fingerprint}')" >/dev/null
    api POST "/servers/$server/test" >"$trial/server-test.json"
    project=$(api POST /projects '{"name": "Demo", "description": "Made by a script that tries Quaymaster"}' | jq -er .id)
    body=$(jq -n --arg project "$project" --arg server "$server" --arg path "$APP_DIR" --arg url "$APP_URL" \
        '{name: "Hello", projectId: $project, serverId: $server, cdPath: $path, appUrl: $url, autoStopTimeout: 0}')
    app=$(api POST /apps "$body" | jq -er .id)
}
