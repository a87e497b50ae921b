# Sourced by scripts that run what Cargo built: $target is where that is. The papers say target/, so where Cargo is
# told to build elsewhere and there is no such folder, a link stands in.
# shellcheck shell=bash disable=SC2034

target=${CARGO_TARGET_DIR:-target}
if [ -n "${CARGO_TARGET_DIR-}" ] && [ ! -e target ] && [ ! -L target ]; then
  mkdir -p "$CARGO_TARGET_DIR"
  ln -s "$CARGO_TARGET_DIR" target
fi
