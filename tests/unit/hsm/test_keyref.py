"""`KeyRef`: pkcs11: URIs of RFC 7512, without PINs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm.errors import HSMError, KeyRefInvalid
from hsm.keys import KeyRef

TEXT = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)


def test_parse_an_example_in_the_manner_of_rfc_7512():
    ref = KeyRef.parse(
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil;"
        "model=1.0;serial=;object=my-certificate;type=private;id=%69%95%3E"
        "?pin-source=file:/etc/token_pin&module-name=snakeoil&module-path=/usr/lib/x.so"
    )
    assert ref == KeyRef(
        token="The Software PKCS#11 Softtoken",
        manufacturer="Snake Oil",
        serial="",
        model="1.0",
        object="my-certificate",
        id=b"i\x95>",
        type="private",
        module_path="/usr/lib/x.so",
        module_name="snakeoil",
        pin_source="file:/etc/token_pin",
    )


def test_write_vietnamese_and_reserved_characters():
    ref = KeyRef(token="Sở Nội vụ", object="a;b?c/d%", id=b"\0\xff", type="private")
    assert str(ref) == (
        "pkcs11:token=S%E1%BB%9F%20N%E1%BB%99i%20v%E1%BB%A5;object=a%3Bb%3Fc%2Fd%25;"
        "id=%00%FF;type=private"
    )


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        KeyRef,
        token=TEXT,
        manufacturer=TEXT,
        serial=TEXT,
        model=TEXT,
        object=TEXT,
        id=st.none() | st.binary(max_size=20),
        type=st.sampled_from([None, "private", "public", "cert", "secret-key", "data"]),
        module_path=TEXT,
        module_name=TEXT,
        pin_source=TEXT,
    )
)
def test_what_is_written_is_read_back(ref):
    written = str(ref)
    assert written.isascii()
    assert KeyRef.parse(written) == ref


def test_the_empty_reference_names_everything():
    assert KeyRef.parse("PKCS11:") == KeyRef()
    assert str(KeyRef()) == "pkcs11:"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("officer", "begins with 'pkcs11:'"),
        ("file:token=a", "begins with 'pkcs11:'"),
        ("pkcs11:token=a?pin-value=1234", "process lists"),
        ("pkcs11:pin-value=1234", "not supported"),
        ("pkcs11:slot-id=1", "not supported"),
        ("pkcs11:token=a?x-vendor=1", "not supported"),
        ("pkcs11:token=a;token=b", "given twice"),
        ("pkcs11:?module-path=a&module-path=b", "given twice"),
        ("pkcs11:token", "has no value"),
        ("pkcs11:=a", "has no value"),
        ("pkcs11:object=%FF", "not UTF-8"),
        ("pkcs11:type=secret", "is unknown"),
    ],
)
def test_refused(uri, said):
    with pytest.raises(KeyRefInvalid, match=said) as refusal:
        KeyRef.parse(uri)
    assert isinstance(refusal.value, HSMError)
    assert "1234" not in str(refusal.value)
