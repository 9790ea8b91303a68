"""Backup and restore of an installation: one tar, made while the service runs, proved on restore.

    archive.py    the file: members, their digests, the manifest at its end
    rows.py       rows of tables as JSON lines that every database reads alike
    make.py       back_up
    restore.py    restore: into an empty installation, whole or not at all

In it are all tables, all blobs, the key agent's chain and policy. Not in it are the token, its
PIN, private keys of TLS and the credentials of S3: they are kept apart, as their makers advise.
Secrets of webhooks are in it, so the file belongs in safe hands (it is made with mode 0600).
"""

from dossier.backup.archive import Progress
from dossier.backup.make import BackupSummary, Installation, back_up
from dossier.backup.restore import note_restore, restore

__all__ = ["BackupSummary", "Installation", "Progress", "back_up", "note_restore", "restore"]
