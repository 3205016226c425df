#!/bin/sh
# Runs files of the public nginx-tests suite (https://github.com/nginx/nginx-tests) against bin/nginx.
#
#   NGINX_TESTS=/path/to/nginx-tests scripts/nginx-tests.sh            the files of test/nginx-tests/passing.txt: all must pass
#   NGINX_TESTS=/path/to/nginx-tests scripts/nginx-tests.sh --all      every file; says which ones pass but aren't listed yet
#   NGINX_TESTS=/path/to/nginx-tests scripts/nginx-tests.sh FILE.t …   these
#
# JOBS (2) files run at the same time. A file that skips itself doesn't count as passed. The suite is a checkout of your own;
# nothing of it belongs into this repository. It needs perl with its core modules.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
list="$here/test/nginx-tests/passing.txt"
suite=${NGINX_TESTS:-}
if [ ! -f "$suite/lib/Test/Nginx.pm" ]; then
  echo "nginx-tests.sh: set NGINX_TESTS to a checkout of nginx-tests" >&2
  exit 2
fi
if [ ! -f "$here/dist/src/cli/nginx.js" ]; then
  echo "nginx-tests.sh: run npm run build first" >&2
  exit 2
fi
suite=$(cd "$suite" && pwd)
mode=files
case ${1:-} in
  "") files=$(grep -v '^#' "$list") ;;
  --all) mode=all files=$(cd "$suite" && ls ./*.t | sed 's|^\./||') ;;
  *) files=$* ;;
esac

results=$(mktemp -d) || exit 2
trap 'rm -rf "$results"' EXIT

TEST_NGINX_BINARY="$here/bin/nginx"
# Some files are off unless this is set: they start programs of their own or listen on all addresses.
TEST_NGINX_UNSAFE=1
export TEST_NGINX_BINARY TEST_NGINX_UNSAFE results
# The suite's folders are closed to others: workers that become "nobody" could not serve from them.
if [ "$(id -u)" = 0 ]; then
  TEST_NGINX_GLOBALS="user root; ${TEST_NGINX_GLOBALS:-}"
  export TEST_NGINX_GLOBALS
fi

cd "$suite" || exit 2
# shellcheck disable=SC2016
printf '%s\n' $files | xargs -P "${JOBS:-2}" -I {} sh -c '
  # A file with a user of its own would have it twice.
  if grep -q "^ *user " "$1"; then TEST_NGINX_GLOBALS=""; fi
  timeout 300 perl -Ilib "$1" > "$results/$1.tap" 2> "$results/$1.err"
  status=$?
  if grep -q "^1\.\.0" "$results/$1.tap"; then verdict="skip"
  elif [ $status = 0 ] && ! grep "^not ok" "$results/$1.tap" | grep -qv "# TODO"; then verdict="pass"
  else verdict="FAIL"
  fi
  echo "$verdict" > "$results/$1.verdict"
  case $verdict in
    pass) echo "pass $1" ;;
    skip) echo "skip $1:$(sed -n "s/^1\.\.0 *# *[Ss][Kk][Ii][Pp][^ ]*//p" "$results/$1.tap")" ;;
    FAIL) echo "FAIL $1"; grep "^not ok" "$results/$1.tap" | grep -v "# TODO" | sed "s/^/       /"; tail -n 3 "$results/$1.err" | sed "s/^/       /" ;;
  esac' run {}

count() { cat "$results"/*.verdict 2> /dev/null | grep -c "^$1"; }
echo "$(count pass) passed, $(count FAIL) failed, $(count skip) skipped"
if [ $mode = all ]; then
  for file in $files; do
    if [ "$(cat "$results/$file.verdict")" = pass ] && ! grep -qx "$file" "$list"; then echo "not listed yet: $file"; fi
  done
  for file in $(grep -v '^#' "$list"); do
    [ "$(cat "$results/$file.verdict" 2> /dev/null)" = pass ] || { echo "listed, but doesn't pass: $file"; touch "$results/worse"; }
  done
  [ ! -e "$results/worse" ]
else
  [ "$(count FAIL)" = 0 ] && [ "$(count skip)" = 0 ]
fi
