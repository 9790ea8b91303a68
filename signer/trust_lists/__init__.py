"""Lists of trust as authorities publish them, read and proved before anything is believed.

reading      one entrance: `read_trust_list`
proof        the pin of the file, or the signature of a pinned certificate
content      what a list says, and our own JSON form of it
government   the list of the Government Cipher Committee's authorities (gca.ctl)
etsi         trusted lists (ETSI TS 119 612)
xml_signature  their XAdES signature; the only door to signxml and lxml

Values only: no network, no database, no clock. Kept and dated in `dossier.trust`.
"""
