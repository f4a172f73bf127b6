# What a person sees: steps with the time passed, failures with what to do next.
# Sourced, never run. Everything goes to standard error, so that standard output carries answers only.

started_at=${started_at:-$EPOCHSECONDS}

# step TEXT: something begins that may take a while.
step() { printf '[%4d s] %s\n' $((EPOCHSECONDS - started_at)) "$*" >&2; }

# note TEXT: belongs to the step before.
note() { printf '         %s\n' "$*" >&2; }

# fail TEXT...: one line each, then the end with 1.
fail() {
  printf '\n' >&2
  printf 'error: %s\n' "$1" >&2
  shift
  (($# == 0)) || printf '       %s\n' "$@" >&2
  exit 1
}

# usage_error TEXT: the person wrote something that can't be right; 2 as with the programs.
usage_error() {
  printf 'error: %s\n       See %s --help.\n' "$1" "$0" >&2
  exit 2
}

# show_tail FILE: the end of the log that explains a failure.
show_tail() {
  [[ -s $1 ]] || return 0
  printf '\n--- the end of %s\n' "$1" >&2
  tail -n 25 "$1" >&2
  printf -- '---\n' >&2
}
