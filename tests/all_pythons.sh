#!/bin/sh
# Run the tests on every Python from 3.10 that this machine has, each in an environment of its own.
set -eu
found=0
for version in 3.10 3.11 3.12 3.13 3.14; do
  python=$(command -v "python$version" || true)
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
    [ -n "$python" ] && "$python" -c '' 2>/dev/null && break
    if [ -x "$candidate" ]; then python=$candidate; fi
  done
  if [ -z "$python" ] || ! "$python" -c '' 2>/dev/null; then
    echo "python$version: not on this machine"
    continue
  fi
  found=$((found + 1))
  folder=.venv-$version
  [ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
  "$folder/bin/python" -m pip install --quiet --editable . --group test
  echo "python$version: $("$folder/bin/python" --version)"
  "$folder/bin/python" -m pytest -q "$@"
done
[ "$found" -gt 0 ]
