"""The search index finds the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from dossier.errors import AccessRefused, InvalidOrder
from dossier.model import Role
from dossier.search.index import SearchIndex
from dossier.search.query import TermQuery, agency_term, page_terms
from dossier.search.values import Piece, SearchDocument
from dossier.storage.database import Database
from dossier.storage.tables import SEARCH_TERMS, metadata, search_pages
from tests.search_pages import AGENCY, NEIGHBOUR, Library, box_of, page_of, reader


@pytest.fixture
def library(database: Database) -> Library:
    return Library(database)


def test_found_with_and_without_marks(library: Library) -> None:
    library.put("a", "QUYẾT ĐỊNH Về việc cấp giấy phép tại đường Mẫu Sơn")
    for text in ("quyết định", "quyet dinh", "QUYẾT ĐỊNH", "Quyet định", "quyê\u0301t đi\u0323nh"):
        assert library.names(text) == ["a"], text
    for text in ("d", "quyet tam", "giáp phép"):
        assert library.names(text) == [], text


def test_d_finds_the_letter_with_the_bar(library: Library) -> None:
    library.put("bar", "khu Đ lô 7")
    library.put("plain", "khu D lô 7")
    assert library.names("d") == ["plain", "bar"]
    assert library.names("đ") == ["bar", "plain"]
    assert library.names("duong") == library.names("đường") == []


def test_marks_as_typed_come_first_then_neighbours_then_the_newest(library: Library) -> None:
    library.put("exact", "Nay quyết định như sau")
    library.put("apart", "định mức đã được quyết toán")  # exact, but not side by side
    library.put("plain", "Nay quyet dinh nhu sau")
    library.put("apart-plain", "dinh muc da duoc quyet toan")
    library.put("newest", "Nay quyết định lần hai")
    assert library.names("quyết định") == ["newest", "exact", "apart", "plain", "apart-plain"]
    assert library.names("quyet dinh") == ["plain", "apart-plain", "newest", "exact", "apart"]
    ranks = [(hit.exact, hit.adjacent) for hit in library.search("quyết định").hits]
    assert ranks == [(True, True), (True, True), (True, False), (False, True), (False, False)]


def test_number_and_symbol_as_typed(library: Library) -> None:
    library.put("it", "Số: 123/QĐ-UBND ngày 05 tháng 3")
    library.put("split", "Số: 123 /QĐ- UBND ngày 05 tháng 3")  # as a reader may tear it apart
    library.put("other", "Số 123/QĐ-BTC và 45/QĐ UBNDT")
    for typed in ("123/QĐ-UBND", "123/qd-ubnd", "123/QD-UBND", '"123 QĐ UBND"', "QĐ-UBND"):
        assert set(library.names(typed)) == {"it", "split"}, typed
    assert set(library.names("ngày 123/QĐ-UBND")) == {"it", "split"}


def test_a_group_of_three_is_looked_up_on_the_page_itself(library: Library) -> None:
    """Both pairs stand here, but not in one row; the index alone could not tell."""
    library.put("pairs", "Số 123/QĐ-BTC và Quyết định 45/QĐ-UBND")
    assert library.names("123/QĐ-UBND") == []
    library.put("whole", "Số 123/QĐ-UBND")
    assert library.names("123/QĐ-UBND") == ["whole"]
    assert library.names("123 QĐ UBND") == ["whole", "pairs"]  # without quotation marks: anywhere


def test_pages_that_are_no_hits_do_not_hide_those_behind(library: Library) -> None:
    library.put("whole", "Số 123/QĐ-UBND")
    library.put("many", *["Số 123/QĐ-BTC và 45/QĐ-UBND"] * 450)
    found = library.search("123/QĐ-UBND", limit=5)
    assert found.hits == ()  # it does not read on for ever: it says how to go on
    assert found.next is not None
    rest = library.search("123/QĐ-UBND", limit=5, after=found.next)
    assert [hit.document.id for hit in rest.hits] == ["whole"]
    assert rest.next is None


def test_a_hit_says_where(library: Library) -> None:
    filler = " ".join(f"từ{n}" for n in range(20))
    library.put("a", "trang một", f"{filler} Nay quyết định cấp phép. Quyết toán {filler}")
    (hit,) = library.search("quyet dinh").hits
    assert (hit.document.id, hit.page, hit.width_px, hit.height_px) == ("a", 2, 1654, 2339)
    assert hit.document.title == "Văn bản a"
    assert [(w.text, w.box, w.exact) for w in hit.words] == [
        ("quyết", box_of(21), False),  # the later “Quyết” is not followed by “định”
        ("định", box_of(22), False),
    ]
    before, match, after = hit.snippet
    assert match == Piece("quyết định", match=True)
    assert before.text.endswith("từ19 Nay")
    assert after.text.startswith("cấp phép. Quyết toán từ0")


def test_tone_marks_in_either_place(library: Library) -> None:
    library.put("new", "xã Hoà Bình")
    library.put("old", "xã Hòa Bình")
    assert all(hit.exact for hit in library.search("hoà bình").hits)
    assert library.names("hòa bình") == ["old", "new"]


def test_nobody_finds_another_agencys(library: Library) -> None:
    library.put("ours", "quyết định mật")
    library.put("theirs", "quyết định mật", agency=NEIGHBOUR)
    assert library.names("quyết định") == ["ours"]
    assert library.names("quyết định", NEIGHBOUR) == ["theirs"]
    assert library.names("quyết định", "H22.1") == library.names("quyết định", "h22.12") == []
    assert library.names("4832322e3132") == []  # the agency's term is no word that can be typed
    assert not library.remove("theirs")
    assert library.names("quyết định", NEIGHBOUR) == ["theirs"]


def test_a_wrong_index_shows_no_neighbours_page(library: Library) -> None:
    """The rows that are shown are asked for by agency once more."""
    library.put("theirs", "quyết định mật", agency=NEIGHBOUR)
    with library.database.begin() as connection:
        page_id = connection.execute(sa.select(search_pages.c.id)).scalar_one()
        entry = (page_id + 1, page_terms(AGENCY, ["quyết", "định"]))
        library.index._terms.add(connection, [entry])
        connection.execute(sa.update(search_pages).values(id=page_id + 1))
    assert library.names("quyết định") == []


def test_only_who_works_with_papers_searches(library: Library) -> None:
    library.put("a", "quyết định")
    for role in (Role.SCANNER, Role.OFFICER, Role.LEADER, Role.CLERK, Role.AUDITOR):
        assert library.index.search(reader(AGENCY, role), "quyết").hits
    with pytest.raises(AccessRefused):
        library.index.search(reader(AGENCY, Role.ADMIN), "quyết")


def test_what_asks_for_nothing_or_too_much(library: Library) -> None:
    for text in ("", "  ", '"', "-/-", "a" * 201, " ".join("abcdefghijklmnopq")):
        with pytest.raises(InvalidOrder) as refused:
            library.search(text)
        assert refused.value.field == "q", text


def test_what_a_database_could_take_for_an_operator(library: Library) -> None:
    texts = ["it's", "a AND b", "NOT", "100% (x) * ~y =z @4832", "a\\b", "c:b & !c | d"]
    for number, text in enumerate(texts):
        library.put(f"d{number}", text)
    for number, text in enumerate(texts):
        assert f"d{number}" in library.names(text), text
        assert len(library.names(text)) < len(texts), text
    assert library.names('not "so') == []


def test_cursors_that_are_none(library: Library) -> None:
    for cursor in ("4.1", "0", "0.", "x.1", ".1", "0.-1", "0." + "9" * 19):
        with pytest.raises(InvalidOrder) as refused:
            library.search("quyết", after=cursor)
        assert refused.value.field == "after", cursor


def test_pages_of_a_list_hold_everything_once(library: Library) -> None:
    for n in range(7):
        library.put(f"d{n}", "quyết định một", "quyet dinh hai")
    whole = library.search("quyết định", limit=200)
    assert whole.next is None
    assert [(h.document.id, h.page) for h in whole.hits] == [
        (f"d{n}", page) for page in (1, 2) for n in reversed(range(7))
    ]
    seen, cursor = [], None
    while True:
        found = library.search("quyết định", after=cursor, limit=3)
        seen += found.hits
        cursor = found.next
        if cursor is None:
            break
        assert len(found.hits) == 3
    assert seen == list(whole.hits)


def test_many_pages_are_walked_to_the_last(library: Library) -> None:
    """More than are looked at before PostgreSQL's index is asked."""
    library.put("rare", "một con voi trắng")
    library.put("long", *[f"quyết định số {n}" for n in range(1, 601)])
    assert library.names("con voi trang") == ["rare"]
    assert library.names("so 1") == ["long"]
    assert library.names("600") == ["long:600"]
    assert len(library.search("quyet", limit=200).hits) == 200


def test_indexed_again_and_removed(library: Library) -> None:
    library.put("a", "trang cũ đọc nhầm", "trang hai")
    library.put("a", "trang mới đọc đúng")
    assert library.names("nham") == library.names("hai") == []
    assert library.names("trang") == ["a"]
    assert library.remove("a")
    assert library.names("trang") == []
    assert not library.remove("a")
    with library.database.read() as connection:
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(search_pages)).scalar() == 0
        )
        everything = TermQuery((agency_term(AGENCY),))
        assert library.index._terms.find(connection, everything, None, 9) == []


def test_undone_with_its_transaction(library: Library) -> None:
    document = SearchDocument("a", AGENCY, "t", "c", "k")

    def work() -> None:
        with library.database.begin() as connection:
            library.index.put(connection, document, [page_of("quyết định")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert library.names("quyết") == []


def test_blank_pages_are_no_hits(library: Library) -> None:
    library.put("a", "", "trang hai")
    library.put("blank", "")
    assert library.names("trang") == ["a:2"]


def test_made_again_from_the_pages(library: Library) -> None:
    library.put("a", "quyết định", "phụ lục")
    library.put("b", "công văn", agency=NEIGHBOUR)
    with library.database.begin() as connection:
        library.index._terms.create(connection, [])
    assert library.names("quyet") == []
    assert library.index.rebuild() == 3
    assert library.names("quyet") == ["a"]
    assert library.names("cong van", NEIGHBOUR) == ["b"]


def test_a_restored_database_makes_its_index_at_the_first_start(library: Library) -> None:
    """Backups hold the pages, not what is made of them."""
    library.put("a", "quyết định")
    with library.database.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {SEARCH_TERMS}"))
    assert SEARCH_TERMS not in metadata.tables
    other = SearchIndex(library.database)
    other.prepare()
    other.prepare()
    assert [hit.document.id for hit in other.search(reader(), "quyet").hits] == ["a"]
    with library.database.begin() as connection:
        metadata.drop_all(connection)
    with library.database.read() as connection:
        assert not other._terms.exists(connection)  # it goes with its pages


def test_processes_that_start_together(
    database_url: str, open_database: Callable[[str], Database]
) -> None:
    gate = threading.Barrier(6)
    failures: list[BaseException] = []

    def start() -> None:
        index = SearchIndex(open_database(database_url))
        gate.wait()
        try:
            index.prepare()
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_made_again_while_others_write_and_search(library: Library) -> None:
    """Nobody waits in a circle, nobody meets a database without its index, nothing is lost."""
    library.put("stays", "quyết định")
    stop = threading.Event()
    failures: list[BaseException] = []

    def again(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            while not stop.is_set() and not failures:
                try:
                    work()
                except BaseException as error:  # noqa: BLE001 - told to the test
                    failures.append(error)

        return threading.Thread(target=run)

    def write(name: str) -> None:
        library.put(name, "quyết định", "trang hai")
        library.put(name, "công văn")
        assert library.remove(name)

    def search() -> None:
        assert "stays" in library.names("quyet dinh")

    threads = [again(lambda: write("a")), again(lambda: write("b")), again(search)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        library.index.rebuild()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert library.names("quyet") == ["stays"]
    assert library.index.rebuild() == 1
