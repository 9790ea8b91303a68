"""Which roles and keys may go together, and who may administer whom."""

from __future__ import annotations

from collections.abc import Iterable

from dossier.errors import AccessRefused, InvalidOrder, NotFound
from dossier.identity.values import HOUSE, AgencyPolicy, Limits
from dossier.model import Caller, Role


def require_administrator(caller: Caller, agency_id: str) -> None:
    """Raise unless `caller` administers `agency_id`.

    `AccessRefused` without the role; `NotFound` for another agency's administrator, who is not
    to learn which agencies there are.
    """
    caller.require(Role.ADMIN)
    if caller.agency_id not in (agency_id, HOUSE):
        raise not_found(f"agency {agency_id}")


def require_house_administrator(caller: Caller) -> None:
    """Raise `AccessRefused` unless `caller` administers the house."""
    caller.require(Role.ADMIN)
    if caller.agency_id != HOUSE:
        raise AccessRefused(
            "Chỉ quản trị hệ thống được thêm hoặc sửa cơ quan. / Only an administrator of the "
            "house adds or changes agencies."
        )


def require_reader(caller: Caller, agency_id: str) -> None:
    """Raise unless `caller` may see the principals of `agency_id`: administrator or auditor."""
    caller.require(Role.ADMIN, Role.AUDITOR)
    if caller.agency_id not in (agency_id, HOUSE):
        raise not_found(f"agency {agency_id}")


def require_modest(caller: Caller, limits: Limits, present: Limits) -> None:
    """Raise `AccessRefused` when an agency's own administrator asks for more than `present`.

    What one agency may use is at the others' expense, so only the house gives more than usual.
    """
    if caller.agency_id == HOUSE:
        return
    for name in ("requests_per_s", "burst", "body_bytes", "open_jobs"):
        if getattr(limits, name) > getattr(present, name):
            raise AccessRefused(
                f"Chỉ quản trị hệ thống được nâng {name}. / Only an administrator of the house "
                f"raises {name} above what it is."
            )


def not_found(what: str) -> NotFound:
    """The error for what does not exist for the caller."""
    return NotFound(
        f"Không thấy {what}; hãy xem lại mã. / There is no {what}; check the identifier."
    )


def known_roles(names: Iterable[str]) -> frozenset[Role]:
    """The roles by name. Raises `InvalidOrder` for an unknown one."""
    try:
        return frozenset(Role(name) for name in names)
    except ValueError as error:
        raise InvalidOrder(
            f"Vai trò phải là một trong: {', '.join(Role)}. / A role is one of: {', '.join(Role)}.",
            field="roles",
        ) from error


def require_fitting(
    agency_id: str, roles: frozenset[Role], keys: frozenset[str], policy: AgencyPolicy
) -> None:
    """Raise `InvalidOrder` for roles and keys that nobody may hold together."""
    if not roles:
        raise InvalidOrder("Cần ít nhất một vai trò. / At least one role is needed.", field="roles")
    for alone, vietnamese, english in (
        (Role.ADMIN, "quản trị không ký gì", "an administrator signs nothing"),
        (Role.AUDITOR, "kiểm tra viên không thay đổi gì", "an auditor changes nothing"),
    ):
        if alone in roles and (len(roles) > 1 or keys):
            raise InvalidOrder(
                f"Vai trò {alone} không đi cùng vai trò khác hay khóa ký ({vietnamese}); hãy lập "
                f"tài khoản riêng. / The role {alone} goes with no other role and no signing key "
                f"({english}); make a separate user for it.",
                field="roles",
            )
    if agency_id == HOUSE and not roles <= {Role.ADMIN, Role.AUDITOR}:
        raise InvalidOrder(
            "Hệ thống (*) chỉ có quản trị và kiểm tra viên; hãy chọn một cơ quan. / The house (*) "
            "has administrators and auditors only; name an agency.",
            field="agency_id",
        )
    if foreign := keys - policy.keys:
        raise InvalidOrder(
            f"Khóa {', '.join(sorted(foreign))} không thuộc cơ quan này; quản trị hệ thống cấp bằng"
            " lệnh: sohoa agencies policy. / These keys are not this agency's; the house "
            "administrator grants them with: sohoa agencies policy.",
            field="keys",
        )
