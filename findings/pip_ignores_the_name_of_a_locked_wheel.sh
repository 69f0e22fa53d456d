#!/bin/sh
# pip 26.3, `pip install -r pylock.toml`: of a locked wheel pip reads the address and not the `name`.
# Where the address does not end in the file's name (a store of blobs, an API of downloads), which
# is what PEP 751 has `packages.wheels.name` for, pip says "not a file" and installs nothing. uv
# 0.13.9 installs from the same lock, and packaging 26.4, by which pip selects, has the right name.
# Public packages alone: idna 3.10, from a folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip --quiet --disable-pip-version-check install pip==26.3 uv==0.13.9 packaging==26.4
env/bin/python -m pip --version
env/bin/uv --version

env/bin/python -m pip --quiet download --no-deps --only-binary=:all: --dest . idna==3.10
wheel=idna-3.10-py3-none-any.whl
sha256=$(sha256sum $wheel | cut -d' ' -f1)
mv $wheel blob-$sha256

# lock FILE: a lock of that one file, which has the wheel's name beside its path.
lock() {
    cat > pylock.toml <<END
lock-version = "1.0"
created-by = "by hand"

[[packages]]
name = "idna"
version = "3.10"
wheels = [{ name = "$wheel", path = "$1", hashes = { sha256 = "$sha256" } }]
END
}
with_pip() { env/bin/python -m pip --quiet install --no-index --target "$1" -r pylock.toml; }
with_uv() { env/bin/uv pip install --quiet --no-config --python env/bin/python --target "$1" -r pylock.toml; }

lock blob-$sha256
env/bin/python - <<'END'
import tomllib
from packaging.pylock import Pylock
((package, chosen),) = Pylock.from_dict(tomllib.load(open("pylock.toml", "rb"))).select()
assert chosen.filename == "idna-3.10-py3-none-any.whl"
print("packaging selects", chosen.filename)
END
with_uv by-uv && test -f by-uv/idna/__init__.py && echo "uv installs it"
if with_pip by-pip 2> said.txt; then
    echo "changed: pip reads the name"
    exit 1
fi
cat said.txt
grep -q "Could not install locked package 'idna' from 'pylock.toml': not a file" said.txt

mv blob-$sha256 $wheel
lock $wheel
with_pip again 2> /dev/null && test -f again/idna/__init__.py
echo "pip installs the same wheel where its path ends in its name"
