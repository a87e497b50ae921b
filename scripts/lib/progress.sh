# Sourced by scripts that make people wait: says what is being done, for how long, and ends it on Ctrl-C.
# shellcheck shell=bash

current= # the process group that is running
ticker=  # the one that shows the seconds

end_ticker() {
  [ -n "$ticker" ] || return 0
  kill -TERM -- "-$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  ticker=
}

# Ends what runs, in its whole group, and waits for it.
end_current() {
  end_ticker
  [ -n "$current" ] || return 0
  kill -TERM -- "-$current" 2>/dev/null || true
  wait "$current" 2>/dev/null || true
  current=
}

# run_group COMMAND...: runs it in a group of its own, so that end_current reaches all of it.
run_group() {
  local code=0
  set -m
  "$@" </dev/null &
  current=$!
  set +m
  wait "$current" || code=$?
  current=
  return "$code"
}

# with_progress WHAT LOG COMMAND...: runs it with its output in LOG; meanwhile shows the seconds and LOG's last line,
# in place on a terminal, every 15 seconds elsewhere. When it fails, shows the end of LOG.
with_progress() {
  local what=$1 log=$2 code=0 started=$SECONDS
  shift 2
  mkdir -p "$(dirname "$log")"
  : >"$log"
  # In a group of its own too: its sleep must not outlive it and keep a pipe open.
  set -m
  show_progress "$what" "$log" "$started" </dev/null &
  ticker=$!
  set +m
  run_group "$@" >"$log" 2>&1 || code=$?
  end_ticker
  [ ! -t 1 ] || printf '\r\033[K'
  if [ "$code" = 0 ]; then
    printf '%s: done after %s s\n' "$what" $((SECONDS - started))
  else
    tail -n "${PROGRESS_TAIL:-60}" "$log" >&2
    printf '%s: FAILED after %s s; all it said is in %s\n' "$what" $((SECONDS - started)) "${log#"$PWD/"}" >&2
  fi
  return "$code"
}

show_progress() {
  local what=$1 log=$2 started=$3 tick=15 last width
  [ ! -t 1 ] || tick=1
  while sleep "$tick"; do
    last=$(tail -c 400 "$log" | tr '\r' '\n' | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | awk 'NF' | tail -n 1)
    if [ -t 1 ]; then
      width=$(($(tput cols 2>/dev/null || printf 80) - 1))
      printf '\r\033[K%s' "$(printf '%s: %s s  %s' "$what" $((SECONDS - started)) "$last" | cut -c "1-$width")"
    else
      printf '%s: %s s  %s\n' "$what" $((SECONDS - started)) "${last:0:100}"
    fi
  done
}
