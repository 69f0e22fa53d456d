#!/bin/sh
# mold 1.10.1 (Debian 12): `-z pack-relative-relocs` packs relocations (DT_RELR) as GNU ld does, and
# leaves out what GNU ld adds for it: that the version GLIBC_ABI_DT_RELR of libc.so.6 is needed. The
# link succeeds without a word, and glibc, 2.36 here, refuses to load the result. The option is known
# as the cure for libraries that `--pack-dyn-relocs=relr` made, which is refused for the same reason.
# Public packages of Debian 12 alone: mold 1.10.1, gcc with GNU ld 2.40, python3.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
apt-get download --quiet mold=1.10.1+dfsg-1 >/dev/null 2>&1
dpkg-deb -x mold_*.deb debian
mkdir bin
ln -s ../debian/usr/bin/mold bin/ld.mold
bin/ld.mold --version
ld --version | head -1
ldd --version | head -1

cat > a.c <<'C'
#include <stdio.h>
static const char *const names[] = {"one", "two", "three"};
void say(int index) { puts(names[index]); }
C
build() { gcc -B"$folder/bin" -shared -fPIC "-fuse-ld=$1" -Wl,-z,pack-relative-relocs -o "$1.so" a.c; }
load() { python3 -c "import ctypes, sys; ctypes.CDLL(sys.argv[1])" "./$1.so"; }

build bfd
build mold 2> words
for linker in bfd mold; do
    readelf -dW "$linker.so" | grep -q '(RELR)' || { echo "changed: $linker does not pack"; exit 1; }
    echo "$linker needs the mark: $(readelf -VW "$linker.so" | grep -c GLIBC_ABI_DT_RELR || true)"
done
load bfd
if [ -s words ] || readelf -VW mold.so | grep -q GLIBC_ABI_DT_RELR || load mold 2> refusal; then
    echo "changed: mold says something, writes the mark, or glibc loads the library without it"
    exit 1
fi
tail -1 refusal
grep -q 'DT_RELR without GLIBC_ABI_DT_RELR dependency' refusal
echo "mold packs without the mark, silently, and glibc does not load the library"
