#!/usr/bin/env bash
# Builds the image and tries it, with buildah and podman and no daemon and no image registry.
#
#   tools/image.sh build     Dockerfile → sohoa:ci
#   tools/image.sh check     start it hardened on loopback, ask it, sign with it, stop it
#
# Needs: buildah podman runc mmdebstrap (Debian packages) and root.
set -euo pipefail
cd "$(dirname "$0")/.."
store=${SOHOA_IMAGE_STORE:-/var/tmp/sohoa-images}
tag=sohoa:ci
driver=vfs
grep -qw overlay /proc/filesystems && driver=overlay
where=(--root "$store/root" --runroot "$store/run" --storage-driver "$driver")
mkdir -p "$store"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

base() { # debian:bookworm-slim from the host's own package sources
    podman "${where[@]}" image exists localhost/debian:bookworm-slim && return
    mmdebstrap --quiet --variant=minbase --include=ca-certificates \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/*' bookworm "$scratch/base.tar"
    podman "${where[@]}" import "$scratch/base.tar" localhost/debian:bookworm-slim >/dev/null
}

ask() { # ask PATH [FILE]: GET, or POST of FILE; the body on standard output
    python3 - "http://127.0.0.1:18080$1" "${2:-}" <<'PYTHON'
import pathlib, sys, urllib.request
data = pathlib.Path(sys.argv[2]).read_bytes() if sys.argv[2] else None
with urllib.request.urlopen(urllib.request.Request(sys.argv[1], data), timeout=20) as answer:
    print(answer.read().decode())
PYTHON
}

sign_over_http() { # sign_over_http KEY IN OUT: an agency, a client, one decision at B-LTA
    python3 - "$@" <<'PYTHON'
import json, pathlib, sys, urllib.request
key, source, target = sys.argv[1:]
def ask(path, body=None, key=key, kind="application/json", **headers):
    sent = {"Authorization": f"Bearer {key}", "Content-Type": kind, **headers}
    request = urllib.request.Request(f"http://127.0.0.1:18080{path}", body, sent)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()
def post(path, value):
    return json.loads(ask(path, json.dumps(value).encode()))
post("/v1/agencies", {"id": "H22.12", "name": "UBND xã Mẫu", "policy": {"keys": ["test-leader"]}})
client = post("/v1/clients", {"agency_id": "H22.12", "name": "thử", "roles": ["leader"],
                              "keys": ["test-leader"]})
mine = post(f"/v1/clients/{client['id']}/keys", {})["text"]
record = json.loads(ask("/v1/signatures?key=test-leader&level=B-LTA",
                        pathlib.Path(source).read_bytes(), mine, "application/pdf",
                        **{"Idempotency-Key": "image-check", "Prefer": "wait=60"}))
assert record["state"] == "published", record
pathlib.Path(target).write_bytes(ask(record["links"]["result"], None, mine))
PYTHON
}

build() {
    base
    # certificates of the build machine reach the build as mounts, never as a layer
    bundle=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
    printf '[global]\ncert = /run/build-ca.crt\n' >"$scratch/pip.conf"
    printf 'Acquire::https::CaInfo "/run/build-ca.crt";\n' >"$scratch/apt.conf"
    arguments=()
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        [ -n "${!name:-}" ] && arguments+=(--build-arg "$name")
    done
    buildah "${where[@]}" bud --isolation chroot --format docker --pull=never --layers \
        --timestamp 0 "${arguments[@]}" \
        -v "$bundle:/run/build-ca.crt:ro" -v "$scratch/pip.conf:/etc/pip.conf:ro" \
        -v "$scratch/apt.conf:/etc/apt/apt.conf.d/99build:ro" -t "$tag" . >"$store/build.log" 2>&1 || {
        tail -40 "$store/build.log" >&2
        return 1
    }
    buildah "${where[@]}" images --format '{{.Name}}:{{.Tag}} {{.Size}}' | grep sohoa
}

check() {
    name=sohoa-check-$$
    run=(podman "${where[@]}" --cgroup-manager cgroupfs --runtime runc)
    install -d -m 0777 "$scratch/data"
    "${run[@]}" run -d --rm --name "$name" --network host --no-healthcheck --read-only \
        --tmpfs /tmp:rw,size=512m --cap-drop=ALL --security-opt no-new-privileges \
        --ulimit nofile=1024:4096 --ulimit nproc=4096:4096 \
        -v "$scratch/data:/data:rw" "$tag" serve --port 18080 >/dev/null
    trap '"${run[@]}" stop -t 5 "$name" >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
    for _ in $(seq 60); do
        ask /readyz >/dev/null 2>&1 && break
        sleep 1
    done
    ask /readyz
    cp samples/dossier/thanh-phan/02-can-cuoc.jpg "$scratch/data/scan.jpg"
    chmod 0644 "$scratch/data/scan.jpg"
    "${run[@]}" exec "$name" sohoa digitize /data/scan.jpg -o /data/record.pdf --seal P7
    ask /v1/verifications "$scratch/data/record.pdf" | grep -q '"indication":"TOTAL-PASSED"'
    key=$("${run[@]}" logs "$name" 2>&1 | grep -oE 'sohoa_[a-z0-9]+_[a-z0-9]+' | head -1)
    sign_over_http "$key" "$scratch/data/record.pdf" "$scratch/signed.pdf"
    ask /v1/verifications "$scratch/signed.pdf" | grep -q '"indication":"TOTAL-PASSED"'
    echo "image: read-only, no capabilities; digitized, sealed and verified; signed over HTTP" >&2
}

case ${1:-} in
build) build ;;
check) check ;;
*)
    echo "usage: tools/image.sh build|check" >&2
    exit 2
    ;;
esac
