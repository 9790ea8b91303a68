"""Whom this installation trusts, as it was and as it is: versions of lists, kept evidence.

history     imports lists, refuses rollbacks, says what was in force when
snapshot    one answer to "whom, and by what evidence", small enough to hand to a child process
evidence    CRLs and OCSP responses fetched beforehand by a job; the verifier fetches nothing
live        the snapshot in force now; a process sees a new version without a restart
"""
