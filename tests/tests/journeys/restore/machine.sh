# The machine on which a test runs the commands of deploy/docs: services of its own in the place of systemd's, and one
# user in the place of several. The commands are the first argument; WORLD, PROGRAM and CONFIG come from the test.
set -Eeuo pipefail
# shellcheck source=deploy/services
source "$ROOT/deploy/services"

PATH=$(postgres_programs):$PATH
export PGHOST=127.0.0.1 PGUSER=postgres PGPORT PGPASSWORD
PGPORT=$(<"$WORLD/postgres/port") PGPASSWORD=$(<"$WORLD/postgres/password")

sudo() {
  [[ $1 == -u ]] || fail "sudo without a user: $*"
  shift 2
  "$@"
}
chown() { :; }
systemctl() {
  case $* in
    'stop kafka') kafka_stop "$WORLD/kafka" ;;
    'start kafka') kafka_start "$WORLD/kafka" ;;
    # The test itself does this, before and after the commands.
    'stop yomitori-server' | 'start yomitori-server') ;;
    *) fail "systemctl $* is not prepared" ;;
  esac
}
yomitori-server() { "$PROGRAM" --config "$CONFIG" "$@"; }

# The disk and everything on it is gone; the ports stay, as the address of a new machine does. The cluster loses what
# Yomitori has in it and is not made again, which would take ten seconds on a slow disk.
lose_the_machine() {
  kafka_remove "$WORLD/kafka"
  dropdb yomitori
  dropuser analyst
  dropuser yomitori
  rm -rf "$WORLD/authority" "${CONFIG:?}" "$WORLD/kafka/server.properties"
}

cd "$WORLD/backup"
eval "$1"
