"""Numbers of a book (sổ đăng ký văn bản đi): gapless, one row a book and year.

A number is allocated in the transaction that records what it is for: when that is undone, so is
the number. The row of the book is locked until then, so a book's numbers are given one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TypeVar

import sqlalchemy as sa

from dossier.storage.database import insert_if_new
from dossier.storage.tables import number_books
from signer.clock import VIETNAM

T = TypeVar("T")
_RACES = 5

_MINE = sa.and_(
    number_books.c.agency_id == sa.bindparam("agency"),
    number_books.c.book == sa.bindparam("name"),
    number_books.c.year == sa.bindparam("of_year"),
)
_NEXT = (
    sa.update(number_books)
    .where(_MINE)
    .values(last_number=number_books.c.last_number + 1)
    .returning(number_books.c.last_number)
)
_TAKE_BACK = (
    sa.update(number_books)
    .where(_MINE, number_books.c.last_number == sa.bindparam("number"))
    .values(last_number=number_books.c.last_number - 1)
)
_LAST = sa.select(number_books.c.last_number).where(_MINE).with_for_update()
_OPEN = insert_if_new(number_books)


def next_number(connection: sa.Connection, agency_id: str, book: str, year: int) -> int:
    """Allocate the next number of a book in the caller's transaction; the first is 1.

    Holds the book's row until the transaction ends. Raises nothing of its own.
    """
    values = {"agency": agency_id, "name": book, "of_year": year}
    number = connection.execute(_NEXT, values).scalar()
    if number is None:  # the first of its year; two that meet here agree on one row
        first = {"agency_id": agency_id, "book": book, "year": year, "last_number": 0}
        connection.execute(_OPEN[connection.dialect.name], first)
        number = connection.execute(_NEXT, values).scalar_one()
    return int(number)


def take_back(connection: sa.Connection, agency_id: str, book: str, year: int, number: int) -> bool:
    """Free `number` if it is the last one given; False when a later one was given already."""
    values = {"agency": agency_id, "name": book, "of_year": year, "number": number}
    return connection.execute(_TAKE_BACK, values).rowcount == 1


def give_back(
    connection: sa.Connection, agency_id: str, book: str, year: int, number: int, *, from_book: bool
) -> bool | None:
    """Give back the number of a document that will not be; what that means for the book.

    True: free, the book gives it next. False: it stays unused, for later numbers were given; the
    caller says so in the audit log. None: the document had named it itself (`from_book` False)
    before the book came to it, which will give it in its turn. Holds the book's row until the
    transaction ends, so that nobody passes the number over just now.
    """
    if not from_book:
        first = {"agency_id": agency_id, "book": book, "year": year, "last_number": 0}
        connection.execute(_OPEN[connection.dialect.name], first)
        values = {"agency": agency_id, "name": book, "of_year": year}
        if connection.execute(_LAST, values).scalar_one() < number:
            return None
    return take_back(connection, agency_id, book, year, number)


def despite_races(work: Callable[[], T]) -> T:
    """Run a transaction that takes numbers, again if another one was first with one of them.

    A record may name a number that the book has not given yet. Until it is committed nobody sees
    it; then the unique index refuses whoever took the same one from the book, and the next run
    passes it over. Raises what `work` raises, `sqlalchemy.exc.IntegrityError` after five races.
    """
    for _ in range(_RACES - 1):
        with suppress(sa.exc.IntegrityError):
            return work()
    return work()


def book_year(decided_on: date | None) -> int:
    """The year whose book a decision belongs to: its date's, else the present in Vietnam."""
    return (decided_on or datetime.now(UTC).astimezone(VIETNAM).date()).year
