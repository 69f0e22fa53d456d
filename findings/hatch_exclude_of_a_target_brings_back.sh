#!/bin/sh
# hatchling 1.27.0: an `exclude` of one target takes the place of the `exclude` for all targets, it
# is not added to it. So a pattern that is written for the wheel alone brings back into the wheel
# what the project leaves out of every build; the source archive still leaves it out. Nothing is
# said, the exit status is 0. The same holds for `include`, `packages` and `sources`.
# Public packages alone: hatchling.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
python="$folder/env/bin/python"
"$python" -m pip --quiet --disable-pip-version-check install hatchling==1.27.0
"$python" -c 'from importlib.metadata import version; print("hatchling", version("hatchling"))'

mkdir -p project/src/demo
cd project
touch src/demo/__init__.py src/demo/for_nobody.py src/demo/for_the_archive_alone.py
project() {
    cat > pyproject.toml <<'TOML'
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "demo"
version = "1.0"
[tool.hatch.build]
exclude = ["src/demo/for_nobody.py"]
TOML
    printf '%s\n' "$@" >> pyproject.toml
}
modules() {
    rm -rf out
    "$python" - <<'PYTHON'
import hatchling.build, tarfile, zipfile

wheel = hatchling.build.build_wheel("out")
archive = hatchling.build.build_sdist("out")
names = [*zipfile.ZipFile(f"out/{wheel}").namelist(), *tarfile.open(f"out/{archive}").getnames()]
print(*sorted(name for name in names if name.endswith(".py")), sep="\n")
PYTHON
}

project ""
modules > general.txt
project '[tool.hatch.build.targets.wheel]' 'exclude = ["src/demo/for_the_archive_alone.py"]'
modules > target.txt
echo "with the general list alone:"; cat general.txt
echo "with a list for the wheel as well:"; cat target.txt

if grep -q 'for_nobody' general.txt; then
    echo "changed: the general list does not count"
    exit 1
fi
if ! grep -q '^demo/for_nobody.py$' target.txt || grep -q '^demo-1.0/.*for_nobody' target.txt; then
    echo "changed: the two lists are added up"
    exit 1
fi
echo "the list of the wheel replaced the general one: for_nobody.py is in the wheel, and not in the archive"
