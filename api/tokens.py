"""Opens the tokens that the settings name; little else, so that the key agent loads little else."""

from __future__ import annotations

from api.errors import ProductionRefused
from api.settings import Settings
from hsm import softhsm
from hsm.token import Token

TOKEN_FOLDER = "token"  # noqa: S105 - a folder of the embedded default, not a secret


def open_token(settings: Settings) -> Token:
    """Open the token with the keys that sign documents.

    Raises `hsm.errors.HSMError`; `ProductionRefused` for a software token in production (S11).
    """
    use_token_folder(settings)
    named = settings.required_token()
    token = Token.open(named.module, named.label, settings.read_pin)
    if settings.mode == "production" and not token.is_hardware:
        raise ProductionRefused(
            f"the token {named.label!r} is a software token; production needs an HSM or a "
            'hardware token (or say mode = "test" in the settings)'
        )
    return token


def open_authority_token(settings: Settings) -> Token:
    """Open the token of the embedded test authority; in old installations the documents' own.

    Raises `hsm.errors.HSMError`; `ProductionRefused` in production, always.
    """
    if settings.mode == "production" or settings.embedded is None:
        raise ProductionRefused(
            "Cơ quan chứng thực thử nghiệm chỉ chạy ở chế độ test. / The embedded test authority "
            "is TEST ONLY; production needs a real CA and TSA (remove [embedded])."
        )
    use_token_folder(settings)
    named = settings.required_token()
    return Token.open(
        named.module, settings.embedded.token or named.label, settings.read_authority_pin
    )


def use_token_folder(settings: Settings) -> None:
    """Point this process at the embedded tokens. Does nothing for any other token."""
    if settings.embedded is not None:
        softhsm.use_folder(settings.data_dir / TOKEN_FOLDER)
