"""Puts the parts together: from settings to the objects that do the work.

Knows which implementation stands behind a Protocol; so do `api.pinned` (whom to trust) and
`api.foundation`, for processes that are to stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from api.errors import SettingsError
from api.pinned import refuse_embedded_in_production, timestamper_of, trust_store
from api.settings import Role, Settings, load_settings
from api.tokens import open_authority_token, open_token
from api.trusting import snapshot_of
from dossier.signing.sealing import Services
from hsm.keys import SigningKey
from hsm.token import Token
from signer.policy import PreSigningCheck
from signer.revocation import RevocationClient
from signer.sealing.appearance.pictures import StampImages
from signer.sealing.appearance.plan import specimen_images
from signer.sealing.appearance.profiles import ProfileSet, default_profiles, load_profiles
from signer.sealing.augment import Augmenter
from signer.sealing.seal import Sealer
from signer.services import Timestamper
from signer.timestamp import TSAClient
from signer.verification.verify import Verifier

__all__ = ["Desk", "load_settings", "open_desk", "open_token", "trust_store"]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a one-shot command works with: the services, and the keys by role."""

    settings: Settings
    token: Token
    services: Services
    timestamper: Timestamper | None
    images: dict[Role, StampImages]

    def key(self, role: Role) -> SigningKey:
        """The key that `role` signs with. Raises `hsm.errors.HSMError`."""
        return self.token.signing_key(self.settings.key_label(role))


@contextmanager
def open_desk(settings: Settings, *, timestamped: bool = True) -> Iterator[Desk]:
    """Open token, trust services and verifier for a one-shot command.

    With the embedded default its services run for as long as the context lasts.
    `timestamped` says that a TSA is needed. Raises what opening raises.
    """
    refuse_embedded_in_production(settings)
    snapshot = snapshot_of(settings)
    store = snapshot.store
    anchors = [anchor.certificate for anchor in store.anchors]
    token = open_token(settings)
    with ExitStack() as stack:
        if settings.embedded is not None:
            from api.embedded import embedded_services  # late: the service's processes need none

            authority = open_authority_token(settings)
            stack.enter_context(embedded_services(settings.embedded, authority))
        timestamper = timestamper_of(settings, anchors)
        if timestamper is None and timestamped:
            raise SettingsError(
                "this level needs a timestamp and trust.tsa_url is not set: set it, or use "
                "--level B-B"
            )
        revocation = revocation_of(settings, anchors, store.intermediates)
        known = (*store.intermediates, *anchors)
        services = trust_services(
            settings, anchors, known, timestamper, revocation, snapshot.verifier()
        )
        yield Desk(settings, token, services, timestamper, images_of(settings))


def revocation_of(
    settings: Settings,
    anchors: Collection[x509.Certificate],
    intermediates: Collection[x509.Certificate],
) -> RevocationClient:
    return RevocationClient(
        anchors,
        intermediates=intermediates,
        cache_folder=settings.data_dir / "revocation-cache",
    )


def trust_services(
    settings: Settings,
    anchors: Collection[x509.Certificate],
    known: Collection[x509.Certificate],
    timestamper: Timestamper | None,
    revocation: RevocationClient,
    verifier: Verifier,
) -> Services:
    """What seals and checks; `known` complete chains. All three may follow a list of trust."""
    precheck = PreSigningCheck(
        anchors, revocation, near_expiry=timedelta(days=settings.trust.near_expiry_days)
    )
    return Services(
        sealer=Sealer(
            timestamper,
            revocation,
            precheck=precheck,
            require_tsa=_answering(timestamper),
            known_certificates=known,
        ),
        augmenter=Augmenter(timestamper, revocation, known_certificates=known),
        verifier=verifier,
        profiles=profiles_of(settings),
    )


def _answering(timestamper: Timestamper | None) -> Callable[[], None]:
    """What to ask before a key is used for a level with a timestamp."""
    if isinstance(timestamper, TSAClient):
        return timestamper.require_answering
    return lambda: None


def profiles_of(settings: Settings) -> ProfileSet:
    path = settings.record.profiles
    return load_profiles(path) if path is not None else default_profiles()


def images_of(settings: Settings) -> dict[Role, StampImages]:
    """Appearance images by role: those of the settings, else (in tests only) the specimens."""
    specimen = specimen_images() if settings.mode == "test" else StampImages()
    images: dict[Role, StampImages] = {}
    roles: tuple[Role, ...] = ("officer", "leader", "seal")
    for role in roles:
        path = settings.record.images.get(role)
        images[role] = specimen if path is None else _read_image(path, role)
    return images


def _read_image(path: Path, role: Role) -> StampImages:
    try:
        png = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"record.images.{role}: cannot read {path}: {error.strerror}"
        ) from error
    return StampImages(seal=png) if role == "seal" else StampImages(signature=png)
