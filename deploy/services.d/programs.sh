# shellcheck shell=bash
# The programs as they ship, in a folder of their own: the agent has a profile of its own.

# The build of the server and the simulated fleet. The packages are named, so that neither the dependencies of the tests nor
# their features are built.
server_build=(--release --locked -p yomitori-server -p yomitori-simulation --bin yomitori-server --bin yomitori-fleet
  --manifest-path "$root/Cargo.toml")

# build_server: the server and the simulated fleet, in release/.
build_server() {
  cargo build "${server_build[@]}" </dev/null >&2
}

# build_agent: the agent, in terminal/. Its last step has one thread, so that it is built beside the server: the two profiles have
# different folders, and don't wait for each other.
build_agent() {
  cargo build --profile terminal --locked -p yomitori-agent --manifest-path "$root/Cargo.toml" </dev/null >&2
}

# ship: collects the programs that were built, and says by YOMITORI_PROGRAMS where they lie.
ship() {
  local built=${CARGO_TARGET_DIR:-$root/target}
  mkdir -p "$built/shipped"
  cp -f "$built"/release/yomitori-{server,fleet} "$built"/terminal/yomitori-agent "$built/shipped/"
  export YOMITORI_PROGRAMS=$built/shipped
}

# build_shipped: builds all programs, as they are installed, and collects them.
build_shipped() {
  build_agent &
  local agent=$!
  build_server
  wait "$agent"
  ship
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
