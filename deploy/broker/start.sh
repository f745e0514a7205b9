#!/usr/bin/env bash
# Starts RabbitMQ by its image's own entry point, with the users of definitions.json and
# the passwords of the environment. They are loaded at a start when any has changed.
#
# DEFAULT_PASSWORDS=refuse ends the start if any password is short, as those that
# everybody knows are.
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
        echo "ADMIN_USER is guest, whom everybody knows: set another, see .env.example" >&2
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
    # Quoted, so that no & in it means what was replaced.
    text=${text//"\$$name"/"$value"}
done
umask 077
printf '%s\n' "$text" >"$definitions"
unset "${variables[@]}"

exec docker-entrypoint.sh "$@"
