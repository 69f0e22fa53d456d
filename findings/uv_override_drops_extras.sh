#!/bin/sh
# uv 0.13.9, `uv pip compile`: a file of `--overrides` takes the extras of the requirement that it
# replaces away, and what they need is not in the answer; the same line as a constraint keeps them.
# Nothing is said, the exit status is 0, and the file reads like a pin.
# Public packages alone: httpx 0.28.1 and its extra `http2`, which needs h2.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip --quiet --disable-pip-version-check install uv==0.13.9
uv=env/bin/uv
"$uv" --version

echo 'httpx[http2]' > requirements.in
echo 'httpx==0.28.1' > pin.txt

compile() { "$uv" pip compile --quiet --no-config --no-header --no-annotate --python-version 3.11 "$@" requirements.in; }
compile --constraints pin.txt > constrained.txt
compile --overrides pin.txt > overridden.txt
echo "as a constraint:"; cat constrained.txt
echo "as an override:"; cat overridden.txt

grep -q '^httpx\[http2\]==0.28.1$\|^httpx==0.28.1$' constrained.txt && grep -q '^h2==' constrained.txt
grep -q '^httpx==0.28.1$' overridden.txt
if grep -q '^h2==' overridden.txt; then
    echo "changed: the override keeps the extra"
    exit 1
fi
echo "an override drops the extra, and h2 with it; a constraint keeps both"
