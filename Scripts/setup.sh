#!/usr/bin/env bash
# What a build needs besides the sources: a Swift toolchain and the C libraries that Package.swift names.
# Installs Debian packages that are missing; says nothing where nothing is missing.
#
#   setup.sh           what `make run` needs
#   setup.sh --tests   besides, where KAFKA_HOME is set: that it is a Kafka, and that there is a Java for it;
#                      and what the Python gateway needs, where Debian has it: without it its test is skipped
set -euo pipefail
cd "$(dirname "$0")/.."

swift_wanted=6.2

fail() {
  printf 'belfry setup: %s\n' "$@" >&2
  exit 1
}

check_swift() {
  local version
  command -v swift >/dev/null ||
    fail "there is no swift in PATH: install Swift $swift_wanted or later, https://www.swift.org/install/linux/"
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
  [ -n "$version" ] || fail "'swift --version' does not tell a version: $(swift --version 2>&1 | head -n 1)"
  [ "$(printf '%s\n' "$swift_wanted" "$version" | sort -V | head -n 1)" = "$swift_wanted" ] ||
    fail "Swift $version is too old: $swift_wanted or later is needed, https://www.swift.org/install/linux/"
}

# One line a library, "package pkg-config-name", as Package.swift has them: they are named there only.
libraries() {
  tr -s '[:space:]' ' ' <Package.swift |
    grep -o '[lL]ibrary( \?"[A-Za-z]*", package: "[^"]*", pkgConfig: "[^"]*"' |
    sed 's/.*package: "\([^"]*\)", pkgConfig: "\([^"]*\)"/\1 \2/'
}

# The question that the build will ask is pkg-config's, so a library from elsewhere than Debian is fine too.
missing_packages() {
  command -v pkg-config >/dev/null || echo pkg-config
  libraries | while read -r package name; do
    pkg-config --exists "$name" 2>/dev/null || echo "$package"
  done
}

install_packages() {
  local as_root=()
  command -v apt-get >/dev/null ||
    fail "these libraries are missing, and there is no apt-get to install them with:" \
      "  $* (Debian's names)" "Install them with this system's package manager, then try again."
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      fail "these Debian packages are missing, and installing them takes root:" "  apt-get install $*"
    as_root=(sudo)
  fi
  echo "belfry setup: installing $*" >&2
  # A package source of the machine's that does not answer need not be the one that is wanted.
  "${as_root[@]}" apt-get update -q >&2 || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 ||
    fail "apt-get could not install these packages; its own words are above:" "  $*"
}

check_kafka() {
  [ -n "${KAFKA_HOME:-}" ] || return 0
  [ -x "$KAFKA_HOME/bin/kafka-server-start.sh" ] ||
    fail "KAFKA_HOME is $KAFKA_HOME, and there is no bin/kafka-server-start.sh that can be run"
  [ -x "${JAVA_HOME:-}/bin/java" ] || command -v java >/dev/null ||
    fail "KAFKA_HOME is set, and Kafka needs Java 17 or later: apt-get install openjdk-17-jre-headless" \
      "(or unset KAFKA_HOME: the tests on a real Kafka are then skipped)"
}

# Nothing depends on this but one test: where it cannot be had, nobody is stopped.
offer_python_client() {
  local python package=python3-confluent-kafka
  [ -n "${KAFKA_HOME:-}" ] || return 0
  for python in /usr/bin/python3 python3; do
    "$python" -c 'import confluent_kafka' 2>/dev/null && return 0
  done
  apt-cache show "$package" >/dev/null 2>&1 || return 0
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || return 0
  (install_packages "$package") || true
}

check_swift
[ -n "$(libraries)" ] || fail "Package.swift names no libraries in the form that this script reads"
mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
  install_packages "${missing[@]}"
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -eq 0 ] || fail "installed, and pkg-config still does not find: ${missing[*]}"
fi
if [ "${1:-}" = --tests ]; then
  check_kafka
  offer_python_client
fi
