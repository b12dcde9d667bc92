# shellcheck shell=sh
# Throw-away Postgres servers for development, to be sourced. On a Unix socket in a folder of their own that nobody
# else may enter (which is why they ask for no password), without fsync: never for data that anybody wants to keep.

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Where the programs of the newest Postgres are.
postgres_bin() {
    if [ -n "${POSTGRES_BIN:-}" ]; then
        echo "$POSTGRES_BIN"
    elif path=$(command -v initdb); then
        dirname "$(readlink -f "$path")"
    else
        newest=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
        [ -n "$newest" ] || fail "no PostgreSQL found: install it (Debian: apt-get install postgresql) or set POSTGRES_BIN"
        echo "$newest"
    fi
}

# Postgres refuses to run as root: then it runs as somebody else.
postgres_user() {
    [ "$(id -u)" -eq 0 ] || { id -un; return; }
    for name in postgres nobody; do
        id -u "$name" >/dev/null 2>&1 && { echo "$name"; return; }
    done
    fail "run as root, which Postgres refuses, and there is neither a user postgres nor nobody"
}

as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec setpriv --reuid="$(postgres_user)" --regid="$(id -g "$(postgres_user)")" --clear-groups "$@")
    else
        "$@"
    fi
}

postgres_url() {
    echo "postgres://quaymaster@localhost/quaymaster?host=$1"
}

# postgres_start DIR: DIR must be absolute and short (a socket path has at most 107 bytes).
postgres_start() {
    bin=$(postgres_bin)
    mkdir -p "$1" && chmod 700 "$1"
    [ "$(id -u)" -ne 0 ] || chown "$(postgres_user)" "$1"
    if [ ! -e "$1/data/PG_VERSION" ]; then
        as_postgres "$bin/initdb" --pgdata="$1/data" --username=quaymaster --auth=trust --encoding=UTF8 --no-locale \
            --no-sync >"$1.log" 2>&1 || { cat "$1.log" >&2; fail "initdb failed"; }
    fi
    as_postgres "$bin/pg_ctl" start --silent --wait --pgdata="$1/data" --log="$1/data/server.log" \
        --options="-k $1 -c listen_addresses= -c fsync=off -c shared_buffers=32MB" >"$1.log" 2>&1 ||
        { cat "$1.log" "$1/data/server.log" >&2; fail "postgres did not start"; }
    rm -f "$1.log"
}

postgres_is_running() {
    [ -e "$1/data/PG_VERSION" ] && as_postgres "$(postgres_bin)/pg_ctl" status --pgdata="$1/data" >/dev/null 2>&1
}

postgres_stop() {
    as_postgres "$(postgres_bin)/pg_ctl" stop --silent --mode=immediate --pgdata="$1/data" >/dev/null
}

# postgres_schema DIR: the database `quaymaster`, made anew from the migrations.
postgres_schema() {
    psql="env PGOPTIONS=--client-min-messages=warning $(postgres_bin)/psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --host=$1 --username=quaymaster"
    $psql --dbname=postgres --command='drop database if exists quaymaster with (force)' \
        --command='create database quaymaster' || fail "the database could not be made anew"
    for file in migrations/*.sql; do
        $psql --dbname=quaymaster --single-transaction --file="$file" || fail "$file failed"
    done
}
