"""Books, members and loans in one SQLite file."""

import sqlite3
from datetime import date, timedelta

SCHEMA = """
CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, author TEXT);
CREATE TABLE member (id INTEGER PRIMARY KEY, name TEXT, card TEXT);
CREATE TABLE loan (book INTEGER UNIQUE, member INTEGER, due TEXT);
"""
LOAN = timedelta(days=28)
FIELDS = ("title", "author")


def open_store(path: str = ":memory:") -> sqlite3.Connection:
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    return db


def find_books(db: sqlite3.Connection, words: str, field: str = "title") -> list[tuple]:
    """Return the books whose field holds these words, by title. Anybody may search."""
    if field not in FIELDS:
        raise ValueError(f"no such field: {field}")
    return db.execute(
        f"SELECT id, title, author FROM book WHERE {field} LIKE '%{words}%' ORDER BY title"
    ).fetchall()


def lend(db: sqlite3.Connection, book: int, member: int, today: date) -> date:
    """Lend a book and return when it is due. Raises IntegrityError if somebody has it."""
    due = today + LOAN
    with db:
        db.execute("INSERT INTO loan VALUES (?, ?, ?)", (book, member, due.isoformat()))
    return due
