# One Apache Kafka broker (KRaft) under a folder.
# Sourced, never run. Layout of DIR: pid, port, controller-port, server.properties, log, data/.

kafka_source=$root/deploy/kafka

# The jars are shared by everything under target/ and fetched again when the pom changes.
kafka_jars() { printf '%s/target/kafka-libs/%s' "$root" "$(sha256sum <"$kafka_source/pom.xml" | cut -c1-12)"; }

# connect_fetch: the same for Kafka Connect, which tests/bench measures beside the projector; prints where the jars lie.
# Fails, and does not end the script, where Maven can't bring them.
connect_fetch() {
  local pom=$kafka_source/connect/pom.xml jars log=$root/target/connect-libs/maven.log
  jars=$root/target/connect-libs/$(sha256sum <"$pom" | cut -c1-12)
  if [[ ! -d $jars ]]; then
    note "fetching Kafka Connect from Maven Central (65 MB, once)"
    mkdir -p "${jars%/*}"
    rm -rf "$jars.part"
    mvn -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$jars.part" </dev/null >"$log" 2>&1 || return 1
    mv "$jars.part" "$jars"
  fi
  printf '%s' "$jars"
}

# kafka_fetch: asks Maven for the jars, once.
kafka_fetch() {
  local jars log=$root/target/kafka-libs/maven.log
  jars=$(kafka_jars)
  [[ ! -d $jars ]] || return 0
  note "fetching Apache Kafka from Maven Central (45 MB, once)"
  mkdir -p "${jars%/*}"
  rm -rf "$jars.part"
  if ! mvn -B -f "$kafka_source/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars.part" </dev/null >"$log" 2>&1; then
    show_tail "$log"
    fail 'Maven could not fetch Apache Kafka.' \
      'Behind a proxy or a mirror, say so in ~/.m2/settings.xml.' \
      'To use a Kafka that you have: YOMITORI_KAFKA=HOST:PORT.'
  fi
  mv "$jars.part" "$jars"
}

# kafka_start DIR: returns when the broker answers.
kafka_start() {
  local dir=$1 jars
  if process_of "$dir/pid" "$dir/server.properties" >/dev/null; then return; fi
  kafka_fetch
  jars=$(kafka_jars)
  mkdir -p "$dir"
  keep_port "$dir/port"
  keep_port "$dir/controller-port"
  sed -e "s|@PORT@|$(<"$dir/port")|" -e "s|@CONTROLLER_PORT@|$(<"$dir/controller-port")|" -e "s|@DATA@|$dir/data|" \
    "$kafka_source/server.properties" >"$dir/server.properties"
  local java=(java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Dlog4j2.configurationFile="$kafka_source/log4j2.properties" -cp "$jars/*")
  if [[ ! -f $dir/data/meta.properties ]]; then
    # A cluster id is 16 bytes in URL-safe base64; the first letter is set, because it may not be a dash.
    local id
    id=Y$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)
    "${java[@]}" kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" >"$dir/log" 2>&1 || {
      show_tail "$dir/log"
      fail 'Kafka could not lay out its data folder.'
    }
  fi
  : >"$dir/log"
  launch "$dir/pid" "$dir/log" "${java[@]}" kafka.Kafka "$dir/server.properties"
  if ! wait_for 60 'Kafka' kafka_answers_or_ended "$dir" \
    || ! process_of "$dir/pid" "$dir/server.properties" >/dev/null; then
    show_tail "$dir/log"
    fail 'Kafka did not start.'
  fi
}

# The line comes once the broker takes requests.
kafka_answers_or_ended() { grep -q 'Kafka Server started' "$1/log" || has_ended "$1/pid" "$1/server.properties"; }

# kafka_stop DIR
kafka_stop() { end "$1/pid" "$1/server.properties" TERM 30; }

# kafka_remove DIR: its data too.
kafka_remove() {
  kafka_stop "$1"
  rm -rf "$1/data"
}

# kafka_address DIR
kafka_address() { printf '127.0.0.1:%s' "$(<"$1/port")"; }
