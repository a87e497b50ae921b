# Sourced by the scripts that break things: builds what they need and runs `harness trial`. The last line is
# `N passed, N failed`.
# shellcheck shell=bash

# trial CALLED ARGUMENTS...
trial() {
  local called=$1 harness=${CARGO_TARGET_DIR:-target}/debug/harness
  shift
  cargo build --quiet --locked --workspace >&2
  exec "$harness" trial "$@" --called "$called"
}
