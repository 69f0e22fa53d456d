#!/bin/sh
# uv 0.13.9, pip 26.3: `--python-version 3.11` is 3.11.0 to `uv pip compile`, and for the conditions of
# requirements it is nothing at all to `pip download`, which takes those of the Python that runs it,
# also where the option names a patch release. So the two have different files for one command line.
# Public packages alone: redis 5.2.1, which needs async-timeout where python_full_version < "3.11.3".
# Runs on a Python 3.11.3 or newer.
set -eu
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11, 3))' || { echo "needs Python 3.11.3"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip --quiet --disable-pip-version-check install uv==0.13.9 pip==26.3
env/bin/uv --version
env/bin/python -m pip --version | cut -d' ' -f1,2
echo 'redis==5.2.1' > requirements.in

uv() { env/bin/uv pip compile --quiet --no-config --no-header --no-annotate --python-version "$1" requirements.in; }
pip() {
    rm -rf wheels
    env/bin/python -m pip download --quiet --disable-pip-version-check --only-binary=:all: \
        --python-version "$1" --dest wheels --requirement requirements.in
    ls wheels
}
needs() { if "$1" "$2" | grep -q '^async[-_]timeout'; then echo yes; else echo no; fi; }

found="uv 3.11: $(needs uv 3.11), uv 3.11.2: $(needs uv 3.11.2), uv 3.11.7: $(needs uv 3.11.7)"
found="$found; pip 3.11: $(needs pip 3.11), pip 3.11.2: $(needs pip 3.11.2), pip 3.11.7: $(needs pip 3.11.7)"
echo "async-timeout is taken by $found"
[ "$found" = "uv 3.11: yes, uv 3.11.2: yes, uv 3.11.7: no; pip 3.11: no, pip 3.11.2: no, pip 3.11.7: no" ] || {
    echo "changed"
    exit 1
}
echo "uv takes 3.11 for 3.11.0; pip judges conditions for the Python that it runs on"
