# shellcheck shell=bash
# The programs as they ship, in a folder of their own: building the tests puts programs with the tests' features into
# release/, and the agent has a profile of its own.

# build_server: the server and the simulated fleet, in release/. The packages are named, so that neither the dependencies of
# the tests nor their features are built.
build_server() {
  cargo build --release --locked -p yomitori-server -p yomitori-simulation --bin yomitori-server --bin yomitori-fleet \
    --manifest-path "$root/Cargo.toml" </dev/null >&2
}

# build_shipped: builds all programs and says by YOMITORI_PROGRAMS where they lie.
build_shipped() {
  local built=${CARGO_TARGET_DIR:-$root/target}
  build_server
  cargo build --profile terminal --locked -p yomitori-agent --manifest-path "$root/Cargo.toml" </dev/null >&2
  mkdir -p "$built/shipped"
  cp -f "$built"/release/yomitori-{server,fleet} "$built"/terminal/yomitori-agent "$built/shipped/"
  export YOMITORI_PROGRAMS=$built/shipped
}

# shipped_agent_is_small: the promise that can be held without measuring.
shipped_agent_is_small() {
  local bytes
  bytes=$(stat --format=%s "$YOMITORI_PROGRAMS/yomitori-agent")
  if ((bytes > 8 * 1024 * 1024)); then
    printf 'The agent has %s bytes; 8 MiB are promised. What grew?\n' "$bytes" >&2
    return 1
  fi
}
