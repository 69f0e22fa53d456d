#!/bin/sh
# SQLite 3.51 (apsw 3.51.2.0, which brings its own), journal_mode=WAL: where the database file cannot
# grow any more, the checkpoint of the last close fails halfway, and close reports success. The -wal
# file is left behind, and only both files together are the database. Most expect that after the last
# clean close it is one file, and rename or copy that: it is malformed, and nothing said so.
# `PRAGMA wal_checkpoint(TRUNCATE)` before the close reports it.
# The file's size is limited with ulimit here; a full disk does the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip --quiet --disable-pip-version-check install --only-binary=:all: apsw==3.51.2.0
cat > see.py <<'END'
import os, resource, shutil, signal
import apsw

print("SQLite", apsw.sqlite_lib_version())
db = apsw.Connection("a.db")
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE rows (x)")
for _ in range(100):
    db.execute("INSERT INTO rows VALUES (zeroblob(4000))")
db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = os.stat("a.db").st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
for _ in range(20):
    db.execute("INSERT INTO rows VALUES (zeroblob(4000))")
try:
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    told = "nothing"
except apsw.Error as error:
    told = type(error).__name__
print("a checkpoint that is asked for says:", told)
db.close()
print("close says: nothing;", "left:", sorted(os.listdir(".")))
assert told != "nothing"
assert os.stat("a.db-wal").st_size > 0

shutil.copy("a.db", "moved.db")
count = "SELECT count(*) FROM rows"
together = apsw.Connection("a.db").execute(count).fetchone()[0]
try:
    alone = apsw.Connection("moved.db").execute(count).fetchone()[0]
except apsw.CorruptError as error:
    alone = str(error)
print("rows with the -wal file:", together, "- of the database file alone:", alone)
assert together == 120
assert alone == "database disk image is malformed"
END
env/bin/python see.py
