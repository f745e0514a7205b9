#!/usr/bin/env bash
# Starts PostgreSQL through its image's entry point and, as soon as it responds, sets the
# rights and passwords of the services' roles. It does so at every start: a volume of an
# older version gets the roles, and changed passwords take effect.
#
# ROLE_PASSWORD_<role> is the password of that role. With DEFAULT_PASSWORDS=refuse it does
# not start with a short password, such as the defaults.
set -euo pipefail

passwords() { compgen -v ROLE_PASSWORD_; echo POSTGRES_PASSWORD; }

refuse_default_passwords() {
    local name value
    for name in $(passwords); do
        value=${!name}
        if [[ ${#value} -lt 16 ]]; then
            echo "$name is shorter than 16 characters: set another, see .env.example" >&2
            exit 1
        fi
    done
}

# These statements contain passwords: they appear neither in pg_stat_activity nor in logs.
unseen="-c track_activities=off -c log_statement=none -c log_min_error_statement=panic"
query() {
    PGOPTIONS=$unseen psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
        --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" "$@"
}

# psql reads the password from the environment: other users can see command lines.
set_password() {
    query --file=- <<<"\\getenv password $2
ALTER ROLE $1 PASSWORD :'password';"
}

apply_roles() {
    local name
    query --single-transaction --file="/etc/shop/roles/$POSTGRES_DB.sql" || return
    # The services use no other database of this server.
    query --command="REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC" || return
    for name in $(compgen -v ROLE_PASSWORD_); do
        set_password "${name#ROLE_PASSWORD_}" "$name" || return
    done
    # The image sets the superuser's password for a new volume only. Never reset it to the
    # default.
    [[ $POSTGRES_PASSWORD == password ]] || set_password "\"$POSTGRES_USER\"" POSTGRES_PASSWORD
}

[[ ${DEFAULT_PASSWORDS:-accept} != refuse ]] || refuse_default_passwords

docker-entrypoint.sh "$@" &
server=$!
# A fast shutdown, whichever signal arrives.
trap 'kill -s INT "$server"' INT TERM

# Over TCP: while a new volume is initialised, the server listens on its socket only.
until pg_isready --quiet --host=127.0.0.1 --username="$POSTGRES_USER" && apply_roles; do
    kill -s 0 "$server" 2>/dev/null || break
    sleep 0.5
done

# For the health check.
touch /tmp/roles-are-set

# A signal interrupts `wait` before the server has stopped.
while kill -s 0 "$server" 2>/dev/null; do
    wait "$server" && code=0 || code=$?
done
exit "${code:-1}"
