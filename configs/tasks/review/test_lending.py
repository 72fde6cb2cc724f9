import sqlite3
import unittest
from datetime import date, timedelta

from lending.fees import late_fee_cents
from lending.store import find_books, lend, open_store

DUE = date(2026, 10, 12)


class FeeTest(unittest.TestCase):
    def fee(self, days):
        return late_fee_cents(DUE, DUE + timedelta(days=days))

    def test_in_time(self):
        self.assertEqual(self.fee(-1), 0)
        self.assertEqual(self.fee(0), 0)

    def test_the_first_days_are_free(self):
        self.assertEqual(self.fee(2), 0)

    def test_never_more_than_ten_euros(self):
        self.assertEqual(self.fee(400), 1000)


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.db = open_store()
        self.addCleanup(self.db.close)
        self.db.execute("INSERT INTO book VALUES (1, 'The Sea', 'Banville')")
        self.db.execute("INSERT INTO book VALUES (2, 'Sea Room', 'Nicolson')")
        self.db.execute("INSERT INTO member VALUES (7, 'Ada', '4711-22')")

    def test_books_are_found_by_title(self):
        found = [title for _, title, _ in find_books(self.db, "sea")]
        self.assertEqual(found, ["Sea Room", "The Sea"])

    def test_books_are_found_by_author(self):
        self.assertEqual(len(find_books(self.db, "Banville", "author")), 1)

    def test_a_book_is_lent_once(self):
        self.assertEqual(lend(self.db, 1, 7, DUE), date(2026, 11, 9))
        with self.assertRaises(sqlite3.IntegrityError):
            lend(self.db, 1, 7, DUE)


if __name__ == "__main__":
    unittest.main()
