#!/usr/bin/env bash
# Makes the machine and .venv ready. Idempotent; what is there is not installed again.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

missing=()
while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done < <(sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' tools/apt-packages.txt)
if [ ${#missing[@]} -gt 0 ]; then
    say "Cài gói hệ thống / installing system packages: ${missing[*]}"
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "Cần quyền root / root is needed: apt-get install ${missing[*]}" >&2
            exit 1
        }
        as_root=(sudo)
    fi
    export DEBIAN_FRONTEND=noninteractive
    # a JDK on a slim base fails without this folder
    "${as_root[@]}" mkdir -p /usr/share/man/man1
    "${as_root[@]}" apt-get -qq update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Cần Python 3.11 trở lên / Python 3.11 or newer is needed (have: $("$python" -V))" >&2
    exit 1
}
stamp=.venv/.installed
want=$(cat requirements-dev.lock pyproject.toml | sha256sum | cut -d' ' -f1)
if [ "$(cat $stamp 2>/dev/null)" != "$want" ]; then
    say "Tạo môi trường .venv / making the environment"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    # the lock file is whole: left to resolve, pip stumbles over extras as soon as a newer release
    # of a locked package exists
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    .venv/bin/python -m pip check --disable-pip-version-check >/dev/null
    echo "$want" >$stamp
fi
