# Sourced by scripts/test: runs suites one after the other, all of them, and adds up what they counted.
# shellcheck shell=bash

total_passed=0
total_failed=0
broken=()

# suite NAME COUNTER COMMAND...: COUNTER reads the command's output and exit code and says "passed failed".
# A suite that ends badly without having counted a failure, or that counted nothing at all, is a failure.
suite() {
  local name=$1 counter=$2 log code=0 passed failed
  shift 2
  log="$logs/${name//[^A-Za-z0-9]/-}.log"
  with_progress "$name" "$log" "$@" || code=$?
  read -r passed failed < <("$counter" "$log" "$code")
  [ "$code" = 0 ] || [ "${failed:-0}" -gt 0 ] || failed=1
  [ $((${passed:-0} + ${failed:-0})) -gt 0 ] || failed=1
  total_passed=$((total_passed + ${passed:-0}))
  total_failed=$((total_failed + ${failed:-0}))
  printf '    %s passed, %s failed\n' "${passed:-0}" "${failed:-0}"
  [ "${failed:-0}" = 0 ] || broken+=("$name")
}

# The command is one check.
once() { if [ "$2" = 0 ]; then echo 1 0; else echo 0 1; fi; }

plain() { sed 's/\x1b\[[0-9;]*[A-Za-z]//g' "$1"; }

# Adds up the numbers before each of the given words in lines that match a pattern.
# numbers PATTERN WORD... <text
numbers() {
  local pattern=$1
  shift
  grep -E "$pattern" | grep -oE "[0-9]+ ($(IFS='|' && echo "$*"))\b" | awk '{ sum += $1 } END { print sum + 0 }'
}

# "     Summary [  12.3s] 45 tests run: 43 passed (1 slow), 1 failed, 1 timed out, 0 skipped"
nextest_counts() {
  local line='^ *Summary \['
  echo "$(plain "$1" | numbers "$line" passed) $(plain "$1" | numbers "$line" failed 'timed out' 'exec failed')"
}

# "test result: ok. 12 passed; 0 failed; …", one for each binary
cargo_test_counts() {
  local line='^test result: '
  echo "$(plain "$1" | numbers "$line" passed) $(plain "$1" | numbers "$line" failed)"
}

# "Ran 12 test suites in 3.1s (…): 98 tests passed, 1 failed, 0 skipped (99 total tests)"
forge_counts() {
  local line='^Ran [0-9]+ test suites?'
  echo "$(plain "$1" | numbers "$line" 'tests passed') $(plain "$1" | numbers "$line" failed)"
}

# "Ran 47 tests in 0.1s", then "OK" or "FAILED (failures=1, errors=2)"
unittest_counts() {
  local ran failed
  ran=$(sed -n 's/^Ran \([0-9]*\) tests\? in .*/\1/p' "$1" | tail -n 1)
  failed=$(grep '^FAILED (' "$1" | grep -oE '(failures|errors|unexpected successes)=[0-9]+' |
    awk -F= '{ sum += $2 } END { print sum + 0 }')
  echo "$((${ran:-0} - ${failed:-0})) ${failed:-0}"
}

# "12 passed, 0 failed" as the last line
summary_counts() { tail -n 1 "$1" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p'; }
