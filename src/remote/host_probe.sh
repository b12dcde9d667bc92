# What a host says of itself, as NAME=VALUE lines. For any POSIX shell; read by host.rs.
# With the argument "compose" it looks for that as well, which takes long where it is written in Python.

say() { printf '%s=%s\n' "$1" "$(printf '%s' "$2" | head -n 1)"; }

if read -r uptime _ </proc/uptime; then say uptime "$uptime"; fi

endpoint=${DOCKER_HOST:-}
if command -v docker >/dev/null 2>&1; then
    say binary yes
    # Docker's own client is asked only where its settings may say more than the default: starting it takes a while.
    if [ -z "$endpoint" ] &&
        { [ -n "${DOCKER_CONTEXT:-}" ] || grep -qs currentContext "${DOCKER_CONFIG:-$HOME/.docker}/config.json"; }; then
        endpoint=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)
    fi
fi
endpoint=${endpoint:-unix:///var/run/docker.sock}
say endpoint "$endpoint"

socket=${endpoint#unix://}
if [ "$socket" != "$endpoint" ]; then
    if [ ! -S "$socket" ]; then say socket absent
    elif [ -r "$socket" ] && [ -w "$socket" ]; then say socket open
    else say socket denied; fi
fi

case " $(id -nG 2>/dev/null) " in *" docker "*) say group yes ;; esac

version() { case $2 in [0-9]* | v[0-9]*) say "$1" "$2" ;; *) false ;; esac }

if [ "${1:-}" = compose ]; then
    version plugin "$(docker compose version --short 2>/dev/null)" ||
        version standalone "$(docker-compose version --short 2>/dev/null)"
fi
exit 0
