#!/usr/bin/env bash
# Starts RabbitMQ through its image's entry point, with the users of definitions.json and
# the passwords of the environment. RabbitMQ loads them at a start if any has changed.
#
# With DEFAULT_PASSWORDS=refuse it does not start with a short password, such as the
# defaults.
set -euo pipefail

template=/etc/shop/broker/definitions.json
definitions=/tmp/definitions.json
variables=(ADMIN_USER ADMIN_PASSWORD COMMAND_SERVICE_PASSWORD CONSUMER_SERVICE_PASSWORD)

refuse_default_passwords() {
    local name value
    for name in "${variables[@]:1}"; do
        value=${!name}
        if [[ ${#value} -lt 16 ]]; then
            echo "$name is shorter than 16 characters: set another, see .env.example" >&2
            exit 1
        fi
    done
    if [[ $ADMIN_USER == guest ]]; then
        echo "ADMIN_USER is guest, a well-known user: set another, see .env.example" >&2
        exit 1
    fi
}

as_json() {
    local text=$1
    text=${text//\\/\\\\}
    printf %s "${text//\"/\\\"}"
}

[[ ${DEFAULT_PASSWORDS:-accept} != refuse ]] || refuse_default_passwords

text=$(<"$template")
for name in "${variables[@]}"; do
    value=$(as_json "${!name}")
    # Quoted, because an unquoted & stands for the matched text.
    text=${text//"\$$name"/"$value"}
done
umask 077
printf '%s\n' "$text" >"$definitions"
unset "${variables[@]}"

exec docker-entrypoint.sh "$@"
