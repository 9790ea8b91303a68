#!/usr/bin/env bash
# The main job on the bundled dossier: digitize, sign, verify. Test keys only.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${SOHOA_DEMO_DIR:-var/demo}
sohoa=.venv/bin/sohoa
out=$data/out
mkdir -p "$out"

"$sohoa" init --data "$data"

# the applicant's papers: digitized and marked by the officer
"$sohoa" digitize samples/dossier/thanh-phan -o "$out/thanh-phan.pdf" --data "$data" \
    --title "Thành phần hồ sơ (mẫu)" --sidecar "$out/thanh-phan.txt" --fields "$out/thanh-phan.json" \
    --mode compact --seal P7 --level B-LTA

# the decision: officer's mark, leader's signature, agency seal
"$sohoa" digitize samples/dossier/quyet-dinh -o "$out/quyet-dinh.pdf" --data "$data" \
    --title "Quyết định (mẫu)" --sidecar "$out/quyet-dinh.txt" --fields "$out/quyet-dinh.json" \
    --seal P7 --seal P1 --seal P2 --level B-LTA

for record in thanh-phan quyet-dinh; do
    "$sohoa" verify "$out/$record.pdf" --data "$data"
done
printf '\nKết quả / results: %s\n' "$out" >&2
ls -l "$out" >&2
