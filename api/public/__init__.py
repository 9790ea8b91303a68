"""The citizen's page, /verify: what an issued result is worth, in Vietnamese or English.

    routes       the addresses; forms work without JavaScript, nobody logs in
    verdict      a report (JSON) as values for the page: one sentence, then plain words
    results      answers, kept in memory for minutes under a token that nobody can guess
    stage        templates (Jinja2, escaped) and static files
    words        the catalogues, locale/vi.toml and locale/en.toml
    refusals     what the door refuses, as a page

Nothing that is uploaded is stored. A PDF is parsed in the processes of
`dossier.verifying.checkers` alone; this package sees JSON and pictures.

There is no CSRF token on the forms, and none is needed: they carry no authority of the visitor's
(no cookie, no login, no client certificate is looked at), so a foreign page that makes a visitor
send one gains nothing that it could not do itself. What belongs to one answer (a receipt, its end)
is asked for by the answer's own token, which no foreign page knows.
"""
