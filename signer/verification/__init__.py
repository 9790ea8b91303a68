"""Judging signatures: from the bytes of a PDF to a `VerificationReport` (ETSI EN 319 102-1).

verify.py       the numbered steps, each beside the threats that it answers; begin here
report.py       what a verification says, and its JSON; etsi_report.py: the same as XML
checks.py       checks and the verdict that follows; attacks.py: what a finding is a sign of
summary.py      from what was found to the values of the report
file/           step 1      bytes, objects, revisions
signature/      steps 2-4   CMS, certificates, timestamps
validity/       steps 5-7   path, revocation, the time that is proved
changes/        step 8      what each save did, and who allows it
shown/          step 9      the second engine
parts/          leader, number, date, seal: which signature is which
words/          what people read, Vietnamese and English
"""
