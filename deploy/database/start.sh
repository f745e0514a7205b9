#!/usr/bin/env bash
# Starts PostgreSQL by its image's own entry point and, as soon as it answers, gives the
# services' roles their rights and passwords. It does so at every start: a volume of an
# older version gets the roles, and the passwords that are set now are those that count.
#
# ROLE_PASSWORD_<role> is the password of that role. DEFAULT_PASSWORDS=refuse ends the
# start if any is short, as those that everybody knows are.
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

# What is said here is neither shown to who watches the server nor logged: it has
# passwords in it.
unseen="-c track_activities=off -c log_statement=none -c log_min_error_statement=panic"
query() {
    PGOPTIONS=$unseen psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
        --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" "$@"
}

# psql reads the password from the environment: a command line can be seen by others.
set_password() {
    query --file=- <<<"\\getenv password $2
ALTER ROLE $1 PASSWORD :'password';"
}

apply_roles() {
    local name
    query --single-transaction --file="/etc/shop/roles/$POSTGRES_DB.sql" || return
    # Beside ours there is nothing for anybody in this server.
    query --command="REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC" || return
    for name in $(compgen -v ROLE_PASSWORD_); do
        set_password "${name#ROLE_PASSWORD_}" "$name" || return
    done
    # The superuser's, which the image sets for a new volume only. Not back to the default.
    [[ $POSTGRES_PASSWORD == password ]] || set_password "\"$POSTGRES_USER\"" POSTGRES_PASSWORD
}

[[ ${DEFAULT_PASSWORDS:-accept} != refuse ]] || refuse_default_passwords

docker-entrypoint.sh "$@" &
server=$!
# A fast shutdown, whichever signal asks for the end.
trap 'kill -s INT "$server"' INT TERM

# By TCP: while a new volume is set up, the server answers on its socket only.
until pg_isready --quiet --host=127.0.0.1 --username="$POSTGRES_USER" && apply_roles; do
    kill -s 0 "$server" 2>/dev/null || break
    sleep 0.5
done

# For the health check.
touch /tmp/roles-are-set

# A signal ends the waiting, not the server at once.
while kill -s 0 "$server" 2>/dev/null; do
    wait "$server" && code=0 || code=$?
done
exit "${code:-1}"
