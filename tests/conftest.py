"""Fixtures by topic; each file says what it provides."""

pytest_plugins = [
    "tests.fixtures_installation",
    "tests.fixtures_token",
    "tests.fixtures_modules",
    "tests.fixtures_fault_module",
    "tests.fixtures_pki",
    "tests.fixtures_http",
    "tests.fixtures_record",
    "tests.fixtures_preflight",
    "tests.fixtures_signed",
    "tests.fixtures_databases",
    "tests.fixtures_identity",
    "tests.fixtures_signing",
    "tests.fixtures_clerical",
    "tests.fixtures_s3",
    "tests.fixtures_digitizing",
    "tests.fixtures_web",
    "tests.fixtures_console",
    "tests.fixtures_backup",
    "tests.fixtures_forgery",
    "tests.fixtures_browser",
]
