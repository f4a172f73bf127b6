# Background processes and ports.
# Sourced, never run. A process is known by its pid file and a mark in its command line, because a pid alone may have
# gone to another program since.

# free_port: a port on which nobody listens. Below 32768, where the kernel doesn't take source ports of connections
# from: there a client that retries against a stopped server could hold the server's port, or even reach itself.
free_port() {
  local port
  for _ in {1..200}; do
    port=$((RANDOM % 11000 + 20000))
    port_is_free "$port" && printf '%s' "$port" && return
  done
  fail 'found no free port between 20000 and 31000'
}

# port_is_free PORT: read from the kernel's table, because a connection would be noticed by whoever listens.
port_is_free() {
  local listening
  printf -v listening ':%04X [0-9A-F]*:0000 0A ' "$1"
  ! grep -q "$listening" /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# keep_port FILE: a service keeps its port over restarts, unless somebody else has taken it. One that was just killed may
# hold it for a moment longer than it is seen to run.
keep_port() {
  if [[ ! -s $1 ]] || ! wait_for 10 "port $(<"$1")" port_is_free "$(<"$1")"; then free_port >"$1"; fi
}

# process_of PID_FILE MARK: prints the pid if that process lives.
process_of() {
  local pid line
  pid=$(cat "$1" 2>/dev/null) || return 1
  [[ -n $pid ]] || return 1
  # While a process becomes another program, its command line is empty for a moment; that of a dead one stays so.
  for _ in {1..10}; do
    line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
    [[ -z $line ]] || break
    sleep 0.01
  done 2>/dev/null
  [[ $line == *"$2"* ]] || return 1
  printf '%s' "$pid"
}

# launch PID_FILE LOG COMMAND...: starts it in a session of its own, so that a Ctrl-C in the terminal reaches only the
# script, which then ends things in their order. Descriptors that the script holds (its lock) are not passed on.
launch() {
  local pid_file=$1 log=$2
  shift 2
  rm -f "$pid_file"
  setsid bash -c 'printf "%s\n" "$$" >"$0.new" && mv "$0.new" "$0" && exec "$@"' "$pid_file" "$@" \
    </dev/null >>"$log" 2>&1 9>&- &
  wait_for 20 "$pid_file" test -s "$pid_file"
}

# wait_for SECONDS WHAT COMMAND...: asks until the command agrees. Fails (does not end the script) after the time.
wait_for() {
  local until=$((EPOCHSECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if ((EPOCHSECONDS >= until)); then
      note "waited in vain for $what"
      return 1
    fi
    sleep 0.05
  done
}

has_ended() { ! process_of "$1" "$2" >/dev/null; }

# end PID_FILE MARK SIGNAL SECONDS: asks it to end, and kills it after the time. Silent where nothing runs.
end() {
  local pid
  if pid=$(process_of "$1" "$2"); then
    kill "-$3" "$pid" 2>/dev/null || true
    wait_for "$4" "the end of process $pid ($2)" has_ended "$1" "$2" || kill -KILL "$pid" 2>/dev/null || true
    wait_for 5 "the end of the killed process $pid" has_ended "$1" "$2" || true
  fi
  rm -f "$1"
}

# enter_able_by USER FOLDER: whether that user may look into the folder.
enter_able_by() { setpriv --reuid="$1" --regid="$1" --init-groups test -x "$2" 2>/dev/null; }
