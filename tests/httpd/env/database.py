# SPDX-License-Identifier: Apache-2.0
"""database - the server's database from outside: look, and make old."""
import contextlib
import fcntl
import os
import sqlite3
import struct


def look(server, sql, *values):
    """The rows of a query."""
    path = "file:%s?mode=ro" % server.path("data", "bailian.db")
    with contextlib.closing(sqlite3.connect(path, uri=True)) as base:
        return base.execute(sql, values).fetchall()


@contextlib.contextmanager
def locked(path):
    """Byte 0 of the lock file, as every writer holds it (D06)."""
    fd = os.open(path + ".lock", os.O_RDWR)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLKW,
                    struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
        yield
    finally:
        os.close(fd)


def change(server, sql, *values):
    path = server.path("data", "bailian.db")
    with locked(path), \
            contextlib.closing(sqlite3.connect(path, timeout=60)) as base:
        base.execute("PRAGMA wal_autocheckpoint=0")
        base.execute("PRAGMA foreign_keys=ON")
        with base:
            base.execute(sql, values)


def age(server, owner, days):
    """All that this owner has becomes so many days older."""
    us = days * 86400 * 1000000
    change(server, "UPDATE stream SET started_at = started_at - ?1,"
           " ended_at = ended_at - ?1 WHERE id IN (SELECT m.id FROM message m"
           " JOIN conversation c ON c.id = m.conversation_id"
           " WHERE c.owner = ?2)", us, owner)
    change(server, "UPDATE conversation SET updated_at = updated_at - ?1"
           " WHERE owner = ?2", us, owner)
