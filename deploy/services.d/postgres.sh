# One PostgreSQL cluster under a folder.
# Sourced, never run. Layout of DIR: pid, port, password, log, place (where the data is), data/.

# The newest installed one.
postgres_programs() {
  local programs
  programs=$(compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort -V | tail -n 1)
  [[ -n $programs ]] || return 1
  dirname "$programs"
}

# PostgreSQL refuses to run as root: there this stands before its commands, and it runs as the user that Debian made
# for it.
as_postgres=()
((EUID != 0)) || as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)

# postgres_place DIR: the data folder. Where the user `postgres` can't reach DIR (a project under /root), the data lies
# in that user's home instead.
postgres_place() {
  local dir=$1
  if [[ ! -s $dir/place ]]; then
    if ((EUID != 0)) || enter_able_by postgres "$dir"; then
      printf '%s/data' "$dir" >"$dir/place"
    else
      printf '/var/lib/postgresql/yomitori-%s' "$(cksum <<<"$dir" | cut -d' ' -f1)" >"$dir/place"
      note "the user postgres can't enter $dir; the data lies in $(<"$dir/place")"
    fi
  fi
  printf '%s' "$(<"$dir/place")"
}

# postgres_start DIR: returns when it answers.
postgres_start() {
  local dir=$1 place programs
  mkdir -p "$dir"
  place=$(postgres_place "$dir")
  if process_of "$dir/pid" "-D $place" >/dev/null; then return; fi
  programs=$(postgres_programs) || fail 'PostgreSQL is not installed (package postgresql).'
  keep_port "$dir/port"
  if [[ ! -f $place/PG_VERSION ]]; then postgres_create "$dir" "$place" "$programs"; fi
  : >"$dir/log"
  # No Unix socket: its path would have to be short, and everything connects over loopback anyway.
  # A cluster whose server was killed refuses to start until the last of the old processes has gone.
  wait_for 20 'PostgreSQL' postgres_try "$dir" "$place" "$programs" || {
    show_tail "$dir/log"
    fail 'PostgreSQL did not start.'
  }
}

postgres_create() {
  local dir=$1 place=$2 programs=$3
  rm -rf "$place" "$place.password"
  mkdir -p "$place"
  chmod 700 "$place"
  (umask 077 && head -c 18 /dev/urandom | base64 | tr '+/' 'ab' | tee "$dir/password" >"$place.password")
  ((EUID != 0)) || chown postgres: "$place" "$place.password"
  if ! "${as_postgres[@]}" "$programs/initdb" -D "$place" -U postgres --pwfile="$place.password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 </dev/null >"$dir/log" 2>&1; then
    show_tail "$dir/log"
    fail 'PostgreSQL could not lay out its data folder.'
  fi
  rm "$place.password"
}

postgres_try() {
  local dir=$1 place=$2 programs=$3
  launch "$dir/pid" "$dir/log" "${as_postgres[@]}" "$programs/postgres" -D "$place" -p "$(<"$dir/port")" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200
  wait_for 60 'PostgreSQL' postgres_answers_or_ended "$dir" "$place"
  process_of "$dir/pid" "-D $place" >/dev/null
}

# The last line of postmaster.pid says `ready` once it takes connections.
postgres_answers_or_ended() {
  { [[ $(sed -n 1p "$2/postmaster.pid" 2>/dev/null) == "$(cat "$1/pid")" ]] && grep -q '^ready' "$2/postmaster.pid"; } \
    || has_ended "$1/pid" "-D $2"
}

# postgres_stop DIR: SIGINT is PostgreSQL's fast shutdown: connections end, nothing committed is lost.
postgres_stop() {
  [[ -s $1/place ]] || return 0
  end "$1/pid" "-D $(<"$1/place")" INT 30
}

# postgres_remove DIR: the data too, wherever it lies.
postgres_remove() {
  postgres_stop "$1"
  [[ ! -s $1/place ]] || rm -rf "$(<"$1/place")"
}

# postgres_address DIR [DATABASE]: as a URL of the superuser.
postgres_address() {
  printf 'postgres://postgres:%s@127.0.0.1:%s/%s' "$(<"$1/password")" "$(<"$1/port")" "${2:-postgres}"
}
