"""The watched folders of the settings, put together for the house worker's chores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.errors import SettingsError
from dossier.errors import InvalidOrder
from dossier.identity import Identity
from dossier.inboxes.inbox import Inbox, InboxOrder
from dossier.inboxes.rows import InboxRows
from dossier.stacks.order import StackOrder
from dossier.stacks.stacks import Stacks

if TYPE_CHECKING:
    from api.house import Foundation
    from api.settings import InboxSettings


def inboxes_of(house: Foundation) -> dict[str, Inbox]:
    """The watched folders by name. Raises `SettingsError` for one that cannot be."""
    identity = Identity(house.database, house.audit)
    rows = InboxRows(house.database, house.holdings)
    stacks = Stacks(house.database, house.holdings, house.audit, house.jobs)
    return {
        name: Inbox(order_of(name, one), rows, house.blobs, house.holdings, stacks, identity)
        for name, one in house.settings.inboxes.items()
    }


def order_of(name: str, settings: InboxSettings) -> InboxOrder:
    """What the settings say of one folder. Raises `SettingsError`, naming the entry."""
    try:
        order = StackOrder(
            station=settings.station,
            officer=settings.officer,
            profile=settings.profile,
            mode=settings.mode,
            patch_separators=settings.patch_separators,
            blank_sheets_separate=settings.blank_sheets_separate,
            scanner=settings.scanner,
        )
    except InvalidOrder as error:
        raise SettingsError(f"inboxes.{name}.{error.field}: {error}") from error
    return InboxOrder(
        name,
        settings.path,
        settings.principal,
        settings.agency,
        order,
        settings.sides == "duplex",
        settings.settle_s,
        settings.patience_s,
    )
