"""Signature fields, their widgets, and what earlier signatures forbid."""

from __future__ import annotations

import io

import pikepdf
import pytest

from signer.errors import PolicyRefused, ProfileError, UnsuitableDocument
from signer.sealing.fields import SignatureFields
from signer.sealing.locks import FieldLock
from signer.sealing.release import memory_file
from signer.sealing.seal import FieldPlan, SealRequest
from signer.sealing.session import sealing_run
from signer.sealing.stamp import PageGeometry
from tests.fakes import SoftwareKey
from tests.sealed import Box, blank, edited, pdfsig_verdicts, sealer, signatures

KEY = SoftwareKey()
BOX = Box((100.0, 100.0, 250.0, 170.0))


def seal(pdf: bytes, **request) -> bytes:
    return sealer().seal_bytes(pdf, SealRequest(**{"key": KEY, **request}))[0]


def reread(pdf: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(pdf), attempt_recovery=False)


def geometry(pdf: bytes, ask):
    """`ask(fields)` while the document is open."""
    with memory_file() as fd, sealing_run(pdf, fd, []) as run:
        return ask(run.fields)


def test_names_are_unique_and_counted_up():
    twice = seal(seal(blank()))
    with reread(twice) as pdf:
        assert [str(f.T) for f in pdf.Root.AcroForm.Fields] == ["Signature1", "Signature2"]
    assert len(signatures(twice)) == 2


@pytest.mark.parametrize("name", ["a.b", "Signature1"])
def test_refuses_names_that_cannot_be_given(name):
    with pytest.raises(PolicyRefused):
        seal(seal(blank()), field_name=name)


def test_refuses_the_name_of_another_kind_of_field():
    def add(pdf: pikepdf.Pdf) -> None:
        field = pikepdf.Dictionary(T=pikepdf.String("ngày"), FT=pikepdf.Name.Tx)
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[pdf.make_indirect(field)], SigFlags=1)

    with pytest.raises(PolicyRefused, match="no signature field"):
        seal(edited(blank(), add), field_name="ngày")


def test_a_visible_signature_has_its_appearance_and_its_place_is_known_afterwards():
    after = seal(blank(), stamp=BOX, field_name="Lãnh đạo", location="Hà Nội", contact="x")
    with reread(after) as pdf:
        widget = pdf.pages[0].Annots[0]
        assert [float(n) for n in widget.Rect] == list(BOX.rect)
        assert widget.AP.N.BBox[2] == 150
        assert widget.P.objgen == pdf.pages[0].obj.objgen
        assert str(widget.V.Location) == "Hà Nội"
    assert geometry(after, lambda f: dict(f.signature_rects)) == {"Lãnh đạo": (0, BOX.rect)}


def test_places_of_foreign_widgets_are_found_by_page_reference_and_by_page_list():
    def separate(pdf: pikepdf.Pdf) -> None:
        """Field and widget apart, the widget without /P, the signature a direct dictionary."""
        pdf.add_blank_page()
        widget = pdf.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, Rect=[40, 60, 10, 20], F=4
            )
        )
        field = pdf.make_indirect(
            pikepdf.Dictionary(
                FT=pikepdf.Name.Sig,
                T=pikepdf.String("cũ"),
                V=pikepdf.Dictionary(Type=pikepdf.Name.Sig, Reference=[]),
                Kids=[widget],
            )
        )
        lost = pdf.make_indirect(
            pikepdf.Dictionary(
                FT=pikepdf.Name.Sig, T=pikepdf.String("lạc"), Rect=[0, 0, 5, 5],
                V=pikepdf.Dictionary(Type=pikepdf.Name.Sig),
            )
        )  # fmt: skip
        pdf.pages[1].Annots = pikepdf.Array([pikepdf.Dictionary(Subtype=pikepdf.Name.Link), widget])
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[field, lost], SigFlags=3)

    document = edited(blank(), separate)
    assert geometry(document, lambda f: dict(f.signature_rects)) == {
        "cũ": (1, (10.0, 20.0, 40.0, 60.0))
    }
    referred = edited(blank(3), lambda pdf: _signed_on_page(pdf, 2))
    assert geometry(referred, lambda f: dict(f.signature_rects)) == {
        "cũ": (2, (0.0, 0.0, 9.0, 9.0))
    }


def _signed_on_page(pdf: pikepdf.Pdf, index: int) -> None:
    pdf.Root.AcroForm = pikepdf.Dictionary(
        Fields=[
            pdf.make_indirect(
                pikepdf.Dictionary(
                    FT=pikepdf.Name.Sig, T=pikepdf.String("cũ"), Rect=[0, 0, 9, 9],
                    V=pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Sig)),
                    P=pdf.pages[index].obj,
                )
            )
        ]
    )  # fmt: skip


def test_page_geometry_is_cropped_rotated_scaled_and_bounded():
    def shape(pdf: pikepdf.Pdf) -> None:
        first, second, third = pdf.pages
        first.CropBox, first.Rotate, first.UserUnit = [-5, 10, 400, 900], -90, 2
        second.CropBox = [2000, 2000, 2001, 2001]
        second.Rotate, second.UserUnit = pikepdf.Name.Odd, -1
        third.MediaBox = [0, 0, 100]

    document = edited(blank(3), shape)
    pages = geometry(document, lambda f: list(f.pages))
    assert pages == [
        PageGeometry((0.0, 10.0, 400.0, 842.0), 270, 2.0),
        PageGeometry((0.0, 0.0, 595.0, 842.0), 0, 1.0),
        PageGeometry((0.0, 0.0, 612.0, 792.0), 0, 1.0),
    ]
    assert geometry(document, lambda f: f.pages[-1]) == pages[2]
    assert geometry(document, lambda f: f.pages[:2]) == pages[:2]
    with pytest.raises(IndexError):
        geometry(document, lambda f: f.pages[3])


def test_refuses_a_stamp_on_a_page_that_is_not_there():
    with pytest.raises(UnsuitableDocument, match="no page 8"):
        seal(blank(), stamp=Box(BOX.rect, page_index=7))


def test_fields_made_ahead_are_filled_in_place(tmp_path):
    source, prepared = tmp_path / "in.pdf", tmp_path / "prepared.pdf"
    source.write_bytes(blank(2))
    plans = [FieldPlan("Officer"), FieldPlan("Leader", BOX), FieldPlan("Seal", Box(BOX.rect, 1))]
    sealer().prepare_fields(source, prepared, plans)
    with reread(prepared.read_bytes()) as pdf:
        assert [str(f.T) for f in pdf.Root.AcroForm.Fields] == ["Officer", "Leader", "Seal"]
        assert all("/V" not in field for field in pdf.Root.AcroForm.Fields)
        assert pdf.Root.AcroForm.Fields[1].AP.N.read_bytes() == b""
    after = seal(prepared.read_bytes(), field_name="Officer")
    after = seal(after, field_name="Leader", stamp=BOX)
    after = seal(after, field_name="Seal", stamp=Box(BOX.rect, 1))
    target = tmp_path / "out.pdf"
    target.write_bytes(after)
    assert pdfsig_verdicts(target) == ["Signature is Valid."] * 3
    with reread(after) as pdf:
        assert pdf.Root.AcroForm.Fields[1].AP.N.read_bytes()
    with pytest.raises(PolicyRefused, match="is signed"):
        seal(after, field_name="Seal", stamp=BOX)


def test_a_visible_field_wants_a_stamp_of_its_size(tmp_path):
    source, prepared = tmp_path / "in.pdf", tmp_path / "prepared.pdf"
    source.write_bytes(blank())
    sealer().prepare_fields(source, prepared, [FieldPlan("A", BOX)])
    with pytest.raises(PolicyRefused, match="size of the field"):
        seal(prepared.read_bytes(), field_name="A", stamp=Box((0.0, 0.0, 150.0, 99.0)))

    def bare(pdf: pikepdf.Pdf) -> None:
        del pdf.Root.AcroForm.Fields[0]["/AP"]

    with pytest.raises(PolicyRefused, match="field is visible"):
        seal(edited(prepared.read_bytes(), bare), field_name="A")
    assert signatures(seal(prepared.read_bytes(), field_name="A"))


def test_a_plan_that_finds_no_place_costs_no_signature():
    class Nowhere:
        def resolve(self, document):
            raise ProfileError("no room")

    key = SoftwareKey()
    with pytest.raises(ProfileError):
        seal(blank(), key=key, stamp=Nowhere())
    assert key.calls == 0


# what earlier signatures forbid


def certified(level: int, **lock) -> bytes:
    """A document whose one signature certifies at `level`; `lock` becomes a FieldMDP."""

    def edit(pdf: pikepdf.Pdf) -> None:
        references = [
            pikepdf.Dictionary(
                TransformMethod=pikepdf.Name.DocMDP,
                TransformParams=pikepdf.Dictionary({} if level is None else {"/P": level}),
            )
        ]
        if lock:
            params = pikepdf.Dictionary(**lock)
            references.append(
                pikepdf.Dictionary(TransformMethod=pikepdf.Name.FieldMDP, TransformParams=params)
            )
        references.append(pikepdf.Dictionary(TransformMethod=pikepdf.Name.Identity))
        signature = pdf.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.Sig, Reference=pikepdf.Array(references))
        )
        signed = pikepdf.Dictionary(FT=pikepdf.Name.Sig, T=pikepdf.String("A"), V=signature)
        empty = pikepdf.Dictionary(FT=pikepdf.Name.Sig, T=pikepdf.String("B"), Rect=[0, 0, 0, 0])
        pdf.Root.AcroForm = pikepdf.Dictionary(
            Fields=[pdf.make_indirect(signed), pdf.make_indirect(empty)]
        )

    return edited(blank(), edit)


@pytest.mark.parametrize("level", [1, 0, 9])
def test_nothing_is_signed_after_a_final_certification(level):
    key = SoftwareKey()
    with pytest.raises(PolicyRefused, match="no changes"):
        seal(certified(level), key=key, field_name="B")
    assert key.calls == 0


def test_after_certification_empty_fields_may_be_signed_and_none_added():
    assert len(signatures(seal(certified(2), field_name="B"))) == 1
    with pytest.raises(PolicyRefused, match="no signature field may be added"):
        seal(certified(3))
    with pytest.raises(PolicyRefused, match="first signature can certify"):
        seal(certified(2), field_name="B", certify=True)


@pytest.mark.parametrize(
    "lock",
    [
        {"Action": pikepdf.Name.All},
        {"Action": pikepdf.Name.Include, "Fields": ["B"]},
        {"Action": pikepdf.Name.Exclude, "Fields": ["C"]},
        {"Action": pikepdf.Name.Unheard},
    ],
    ids=["all", "include", "exclude", "unknown"],
)
def test_locked_fields_are_not_signed(lock):
    with pytest.raises(PolicyRefused, match="FieldMDP"):
        seal(certified(2, **lock), field_name="B")


def test_a_lock_covers_the_fields_below_it():
    assert FieldLock("/Include", frozenset({"a"})).covers("a.b")
    assert not FieldLock("/Include", frozenset({"a.b"})).covers("a")
    assert not FieldLock("/Exclude", frozenset({"a"})).covers("a.b")


def lockable(**entries) -> bytes:
    """Two empty fields; `entries` go into the first, "A"."""

    def edit(pdf: pikepdf.Pdf) -> None:
        fields = [
            pdf.make_indirect(
                pikepdf.Dictionary(
                    Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Sig,
                    T=pikepdf.String(name), Rect=[0, 0, 0, 0], F=132, P=pdf.pages[0].obj,
                    **(entries if name == "A" else {}),
                )
            )
            for name in "AB"
        ]  # fmt: skip
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=fields)
        pdf.pages[0].Annots = fields

    return edited(blank(), edit)


def test_a_fields_own_lock_goes_into_its_signature_and_holds(tmp_path):
    lock = pikepdf.Dictionary(Action=pikepdf.Name.Include, Fields=["B"], P=2)
    after = seal(lockable(Lock=lock), field_name="A")
    with reread(after) as pdf:
        (reference,) = pdf.Root.AcroForm.Fields[0].V.Reference
        assert reference.TransformMethod == "/FieldMDP"
        assert reference.TransformParams.Action == "/Include"
        assert [str(n) for n in reference.TransformParams.Fields] == ["B"]
        assert reference.TransformParams.P == 2
        assert reference.Data.objgen == pdf.Root.objgen
    with pytest.raises(PolicyRefused, match="FieldMDP"):
        seal(after, field_name="B")
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(lockable(Lock=lock))
    target.write_bytes(after)
    assert pdfsig_verdicts(target) == ["Signature is Valid."]


def test_a_lock_over_all_names_no_fields():
    after = seal(lockable(Lock=pikepdf.Dictionary(Action=pikepdf.Name.All)), field_name="A")
    with reread(after) as pdf:
        assert "/Fields" not in pdf.Root.AcroForm.Fields[0].V.Reference[0].TransformParams


def test_mandatory_seed_values_are_refused_optional_ones_are_not():
    with pytest.raises(PolicyRefused, match="seed values"):
        seal(lockable(SV=pikepdf.Dictionary(Ff=2)), field_name="A")
    assert signatures(seal(lockable(SV=pikepdf.Dictionary(Ff=0)), field_name="A"))


def test_certifying_names_the_signature_in_the_catalog_and_keeps_other_permissions():
    def allow(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Perms = pikepdf.Dictionary(Other=pikepdf.Name.X)

    for document in (blank(), edited(blank(), allow)):
        with reread(seal(document, certify=True)) as pdf:
            signature = pdf.Root.Perms.DocMDP
            assert signature.objgen == pdf.Root.AcroForm.Fields[0].V.objgen
            assert signature.Reference[0].TransformParams.P == 2
            assert len(pdf.Root.Perms) == (1 if document == blank() else 2)
    with pytest.raises(PolicyRefused):
        seal(seal(blank()), certify=True)


# hostile forms


def nested_form(depth: int):
    def edit(pdf: pikepdf.Pdf) -> None:
        field = pikepdf.Dictionary(FT=pikepdf.Name.Sig, T=pikepdf.String("z"))
        for _ in range(depth):
            field = pikepdf.Dictionary(T=pikepdf.String("y"), Kids=[pdf.make_indirect(field)])
        unnamed = pdf.make_indirect(pikepdf.Dictionary(FT=pikepdf.Name.Tx))
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[pdf.make_indirect(field), 17, unnamed])

    return edit


def circular_form(pdf: pikepdf.Pdf) -> None:
    field = pdf.make_indirect(pikepdf.Dictionary(T=pikepdf.String("y")))
    field.Kids = pikepdf.Array([field])
    pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[field])


def test_fields_in_a_hierarchy_have_qualified_names():
    document = edited(blank(), nested_form(2))
    assert len(signatures(seal(document, field_name="y.y.z"))) == 1


@pytest.mark.parametrize("edit", [nested_form(40), circular_form])
def test_refuses_forms_without_end(edit):
    with pytest.raises(UnsuitableDocument, match="nested too deep"):
        seal(edited(blank(), edit))


def test_refuses_forms_with_too_many_fields(monkeypatch):
    monkeypatch.setattr("signer.sealing.fields._MAX_FIELDS", 1)
    with pytest.raises(UnsuitableDocument, match="more than 1 fields"):
        seal(lockable())


def test_a_page_whose_number_is_not_in_the_tree_has_no_place():
    def stray(pdf: pikepdf.Pdf) -> None:
        _signed_on_page(pdf, 0)
        copy = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Page))
        pdf.Root.AcroForm.Fields[0].P = copy

    assert geometry(edited(blank(), stray), lambda f: dict(f.signature_rects)) == {}


def test_a_certification_that_names_no_level_means_form_filling():
    assert len(signatures(seal(certified(None), field_name="B"))) == 1


def test_invisible_signatures_have_no_place():
    assert geometry(seal(blank()), lambda f: dict(f.signature_rects)) == {}


def test_a_seal_finds_the_signature_that_is_planned_before_it(tmp_path):
    class Beside:
        """Next to the leader's signature, wherever that is."""

        def resolve(self, document):
            page, (x0, y0, x1, y1) = document.signature_rects["Leader"]
            return Box((x0 - 50, y0, x1 - 50, y1), page)

    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank(3))
    requests = [
        SealRequest(KEY, field_name="Leader", stamp=Box(BOX.rect, 2)),
        SealRequest(KEY, field_name="Seal", stamp=Beside()),
    ]
    leader, agency = sealer().seal_many(source, target, requests)
    assert (leader.page_index, agency.page_index) == (2, 2)
    assert agency.rect[0] == leader.rect[0] - 50
    assert geometry(target.read_bytes(), lambda f: dict(f.signature_rects)) == {
        "Leader": (2, leader.rect),
        "Seal": (2, agency.rect),
    }


def test_a_field_whose_only_widget_is_direct_stands_for_itself():
    def direct(pdf: pikepdf.Pdf) -> None:
        kid = pikepdf.Dictionary(Subtype=pikepdf.Name.Widget, Rect=[0, 0, 9, 9])
        field = pikepdf.Dictionary(FT=pikepdf.Name.Sig, T=pikepdf.String("A"), Kids=[kid])
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[pdf.make_indirect(field)])

    assert signatures(seal(edited(blank(), direct), field_name="A"))


def test_fields_satisfy_the_stamp_seam():
    assert geometry(blank(), lambda f: isinstance(f, SignatureFields) and len(f.pages)) == 1
