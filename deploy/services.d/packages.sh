# Debian packages and the Rust toolchain: installs what is missing, says what and why, touches nothing else.
# Sourced, never run. A thing counts as there when it can be found, whoever put it there.

missing=()

# need PACKAGE WHAT_FOR CHECK...: notes the package where the check fails.
need() {
  local package=$1 what_for=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  missing+=("$package")
  note "missing: $package ($what_for)"
}

has() { command -v "$1" >/dev/null; }
has_file() { [[ -e $1 ]]; }
has_java() { java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])'; }
has_japanese_font() { fc-list :lang=ja 2>/dev/null | grep -q .; }

# What rustc must be at least; the same as `rust-version` in Cargo.toml.
rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }
has_rust() { has cargo && has rustc && at_least "$(rustc --version 2>/dev/null | cut -d' ' -f2)" "$rust_wanted"; }

# An old Rust that stands in front of Debian's new one is passed by.
prefer_new_rust() {
  if ! has_rust && (PATH=/usr/bin:$PATH && has_rust); then export PATH=/usr/bin:$PATH; fi
}

# ensure_packages [tests|bench|windows]: everything that the quick start needs, or also what the tests, the peers of the
# benches or a build for Windows need.
ensure_packages() {
  local scope=${1:-}
  # Where rustup puts its programs; a shell that has not read its profile doesn't have it.
  export PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin

  need gcc 'compiles the C parts of TLS and the Kafka client' has gcc
  need g++ 'compiles the Kafka client' has c++
  need libc6-dev 'for gcc' test -e /usr/include/stdio.h
  need make 'builds the Kafka client' has make
  need pkg-config 'finds libpcsclite' has pkg-config
  need zlib1g-dev 'compression for the Kafka client' test -e /usr/include/zlib.h
  need libpcsclite-dev 'card readers' pkg-config --exists libpcsclite
  need ca-certificates 'trusts the registries' test -e /etc/ssl/certs/ca-certificates.crt
  need curl 'asks whether the server is up' has curl
  if [[ -z ${YOMITORI_KAFKA:-} ]]; then
    need default-jre-headless 'runs Kafka' has_java
    need maven 'fetches Kafka' has mvn
  fi
  if [[ -z ${YOMITORI_POSTGRES:-} ]]; then
    need postgresql 'the database' postgres_programs
  fi
  prefer_new_rust
  # Debian 12 keeps a current Rust beside its old one, for building browsers.
  need cargo-web "Rust $rust_wanted or newer, builds Yomitori" has_rust
  if [[ $scope == tests ]]; then
    need rustfmt-web 'checks the format' cargo fmt --version
    need rust-web-clippy 'checks the code' cargo clippy --version
    need procps 'kills programs in the crash tests' type -P kill
    need pcscd 'card readers' test -x /usr/sbin/pcscd
    need vsmartcard-vpcd 'a virtual card reader' test -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so
    need iproute2 'counts what goes over the line, and makes hosts' has ss
    need socat 'carries the packets of a bad line' has socat
    need systemd 'judges the units' has systemd-analyze
    need binutils 'makes the Debian package' has strip
    need wixl 'makes the Windows package' has wixl
    need msitools 'looks into the Windows package' has msibuild
    need strace 'watches what the agent touches' has strace
    need chromium 'looks at the pages' has chromium
    need chromium-driver 'steers the browser' has chromedriver
    need fonts-noto-cjk 'Japanese letters in the browser' has_japanese_font
  fi
  if [[ $scope == bench ]]; then
    need rsyslog 'is measured beside the agent' test -x /usr/sbin/rsyslogd
    need rsyslog-openssl 'is measured beside the agent' has_file /usr/lib/*/rsyslog/lmnsd_ossl.so
    need rsyslog-relp 'is measured beside the uplink' has_file /usr/lib/*/rsyslog/omrelp.so
    need rsyslog-kafka 'is measured beside server and projector' has_file /usr/lib/*/rsyslog/omkafka.so
    need rsyslog-pgsql 'is measured beside the projector' has_file /usr/lib/*/rsyslog/ompgsql.so
  fi
  if [[ $scope == windows ]]; then
    need gcc-mingw-w64-x86-64-win32 'compiles for Windows' has x86_64-w64-mingw32-gcc
    need g++-mingw-w64-x86-64-win32 'links for Windows' has x86_64-w64-mingw32-g++
    need mingw-w64-x86-64-dev 'the headers of Windows' test -e /usr/x86_64-w64-mingw32/include/windows.h
    need nasm 'assembles for Windows' has nasm
    need wixl 'makes the Windows package' has wixl
    need msitools 'completes the Windows package' has msibuild
  fi
  ((${#missing[@]} == 0)) || install_missing
  prefer_new_rust
  has_rust || fail "Rust $rust_wanted or newer is needed, and $(rustc --version 2>/dev/null || echo none) is there." \
    'Get it from https://rustup.rs, or on Debian 12: apt-get install cargo-web'
}

install_missing() {
  local log=$root/target/packages.log as_root=()
  mkdir -p "$root/target"
  has apt-get || fail "These are missing, and there is no apt-get to install them: ${missing[*]}"
  if ((EUID != 0)); then
    has sudo || fail 'Installing needs root. Run as root:' "  apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo DEBIAN_FRONTEND=noninteractive)
  fi
  export DEBIAN_FRONTEND=noninteractive
  step "installing ${#missing[@]} Debian packages (log: ${log#"$root/"})"
  "${as_root[@]}" apt-get update </dev/null >"$log" 2>&1 || note 'apt-get update had trouble; trying all the same'
  # Debian would create and start a database cluster of its own, which nobody here asked for. The setting is taken back
  # afterwards, because the next administrator may want one.
  local no_cluster=/etc/postgresql-common/createcluster.d/yomitori.conf
  if [[ " ${missing[*]} " == *' postgresql '* ]]; then
    "${as_root[@]}" mkdir -p "${no_cluster%/*}"
    "${as_root[@]}" sh -c "echo 'create_main_cluster = false' >$no_cluster"
  fi
  # Nothing that is installed may be removed for this, such as an old rustc that cargo-web can't stand beside.
  local done=0
  "${as_root[@]}" apt-get install -y --no-install-recommends --no-remove "${missing[@]}" </dev/null >>"$log" 2>&1 || done=$?
  "${as_root[@]}" rm -f "$no_cluster"
  if ((done != 0)); then
    show_tail "$log"
    fail 'The packages could not be installed.' \
      'If the Debian mirror could not be reached, look at the network or the proxy (Acquire::http::Proxy).' \
      'By hand:' "  apt-get install --no-install-recommends ${missing[*]}"
  fi
  missing=()
  hash -r
}
