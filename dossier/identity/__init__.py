"""Who may ask: agencies as tenants, their users and clients, roles, keys and credentials.

    identity = Identity(database, audit)
    caller, limits = identity.authenticate_key("sohoa_…")     # CredentialRefused
    identity.agencies.add(caller, "MAU.01", "Xã Mẫu", AgencyPolicy(keys=frozenset({"leader"})))
    identity.principals.add(caller, "MAU.01", kind="client", name="…", roles={Role.LEADER}, …)
    issued = identity.api_keys.issue(caller, principal.id)    # issued.text is shown once

The rules (security.md 23):

* An agency sees and changes only what is its own; the rest is `NotFound`. Agencies themselves
  are administered by the house (agency `HOUSE`), whose administrators also reach into each.
* The effective rights of a request are what agency, principal and API key all allow.
* An administrator holds no other role and no key; an auditor holds no other role and no key.
* Every change is in the audit log, in the transaction that makes it, with its actor.
"""

from dossier.identity.directory import Identity
from dossier.identity.values import (
    HOUSE,
    Agency,
    AgencyPolicy,
    APIKey,
    AuditWriter,
    IssuedKey,
    Limits,
    Principal,
    local_administrator,
)

__all__ = [
    "HOUSE",
    "APIKey",
    "Agency",
    "AgencyPolicy",
    "AuditWriter",
    "Identity",
    "IssuedKey",
    "Limits",
    "Principal",
    "local_administrator",
]
