"""DER: what is written is read back, what is not DER is refused."""

from __future__ import annotations

import datetime as dt

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from signer import der

MOMENTS = st.integers(-600_000_000_000, 29_000_000_000_000).map(
    lambda ms: dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)
)


@given(st.integers(-(2**200), 2**200))
def test_integers(value):
    encoded = der.integer(value)
    assert encoded == core.Integer(value).dump()
    assert der.parse(encoded).as_integer() == value


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**70), max_size=6))
def test_object_identifiers(first, second, rest):
    dotted = ".".join(map(str, (first, second, *rest)))
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()


@given(MOMENTS)
def test_times(moment):
    assert der.parse(der.generalized_time(moment)).as_time() == moment.replace(microsecond=0)
    thousandths = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert der.parse(der.generalized_time(moment, fraction=True)).as_time() == thousandths


def test_x509_time_changes_form_in_2050():
    assert der.x509_time(dt.datetime(2049, 12, 31, 23, tzinfo=dt.UTC)) == b"\x17\x0d491231230000Z"
    assert der.x509_time(dt.datetime(2050, 1, 1, tzinfo=dt.UTC)) == b"\x18\x0f20500101000000Z"


def test_times_are_written_in_zulu():
    vietnam = dt.timezone(dt.timedelta(hours=7))
    assert b"20300101170000Z" in der.generalized_time(dt.datetime(2030, 1, 2, tzinfo=vietnam))


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_sequences_give_their_parts_back(parts):
    encoded = der.sequence(*map(der.octet_string, parts))
    assert [child.content for child in der.parse(encoded).children()] == parts


def test_set_of_is_sorted():
    assert der.set_of([b"\x02\x01\x02", b"\x02\x01\x01"]) == b"\x31\x06\x02\x01\x01\x02\x01\x02"


@pytest.mark.parametrize("length", [0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])
def test_lengths(length):
    encoded = der.octet_string(bytes(length))
    assert encoded == core.OctetString(bytes(length)).dump()
    assert der.parse(encoded).content == bytes(length)


def test_small_values():
    assert der.boolean(True) == b"\x01\x01\xff"
    assert der.boolean(False) == b"\x01\x01\x00"
    assert der.null() == b"\x05\x00"
    assert der.bit_string(b"\x80", 7) == b"\x03\x02\x07\x80"
    assert der.implicit(2, b"") == b"\x82\x00"
    assert der.explicit(1, b"\x05\x00") == b"\xa1\x02\x05\x00"
    assert der.utf8_string("ữ").endswith("ữ".encode())


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",  # indefinite
        b"\x30\x01",  # cut off
        b"\x04\x81\x05hello",  # not minimal
        b"\x04\x82\x00\x81" + bytes(0x81),  # leading zero
        b"\x04\x85\x00\x00\x00\x00\x01a",  # five length octets
        b"\x04\x82\x01",  # length cut off
        b"\x1f\x20\x00",  # high tag number
        b"\x05\x00\x00",  # trailing byte
    ],
)
def test_what_is_not_der(encoded):
    with pytest.raises(der.MalformedDER):
        der.parse(encoded)


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff\x80"])
def test_integers_are_minimal(content):
    with pytest.raises(der.MalformedDER, match="INTEGER"):
        der.parse(der.tlv(der.INTEGER, content)).as_integer()


@pytest.mark.parametrize(
    "text",
    [
        b"20300101000000",
        b"203001010000Z",
        b"20301301000000Z",
        b"20300101000000.Z",
        b"20300101000000.10Z",
        b"20300101000000.xZ",
        b"2030010100000xZ",
        b"20300101000000+0700",
        b"",
    ],
)
def test_times_have_one_form(text):
    with pytest.raises(der.MalformedDER, match="GeneralizedTime"):
        der.parse(der.tlv(der.GENERALIZED_TIME, text)).as_time()


def test_microseconds_are_read():
    moment = der.parse(der.tlv(der.GENERALIZED_TIME, b"20300101000000.1234567Z")).as_time()
    assert moment.microsecond == 123456


def test_an_explicit_tag_holds_one_value():
    with pytest.raises(der.MalformedDER, match="more than one"):
        der.parse(der.explicit(0, der.null(), der.null())).unwrap()


def test_another_tag_is_refused():
    with pytest.raises(der.MalformedDER, match="0x30"):
        der.parse(der.null()).expect(der.SEQUENCE)


def test_fields_are_counted():
    three = der.parse(der.sequence(der.null(), der.null(), der.null()))
    assert len(three.fields(3)) == 3
    with pytest.raises(der.MalformedDER, match="3 fields instead of 4"):
        three.fields(4)
    with pytest.raises(der.MalformedDER, match="more than two"):
        three.pair()
    with pytest.raises(der.MalformedDER, match="tag"):
        three.fields(1, der.SET)


@given(st.binary(max_size=200))
def test_random_bytes_never_escape_the_reader(data):
    try:
        for child in der.parse(data).children():
            assert child.raw in data
    except der.MalformedDER:
        pass
