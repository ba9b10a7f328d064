#!/usr/bin/env bash
# Our sample beside the fastest exact peer in one run: a proportional 10 % of 1,000 strata, Parquet to Parquet.
# usage: stratify_bench.sh NEARLINE_LAB PYTHON PEERS.py IN.parquet [cases of PEERS.py, default: polars duck_ids]
set -euo pipefail
program=$1 python=$2 peers=$3 input=$4
shift 4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/tenth.toml" <<'R'
id = "row_id"
seed = 7
strata = ["country", "device", "tenure", "label"]
[[rules]]
name = "a tenth"
size = { rate = 0.1 }
R
cat > "$folder/full.toml" <<'R'
id = "row_id"
seed = 7
strata = ["country", "device", "tenure", "label"]
[[rules]]
name = "size"
size = { exactly = 500_000 }
[[rules]]
name = "devices even"
target = { keys = ["device"], uniform = true }
[[rules]]
name = "tenures"
target = { keys = ["tenure"], shares = { new = 0.1, month = 0.2, year = 0.3, old = 0.4 } }
[[rules]]
name = "caps"
each = { at_most = 20_000, rate = 0.9 }
[[rules]]
name = "members"
entity = { column = "member", at_most = 5 }
R
for rules in tenth full; do
  "$program" stratify --rules "$folder/$rules.toml" "$input" -o "$folder/out.parquet" --json > "$folder/out.json" || true
  "$python" - "$folder/out.json" "$rules" <<'P'
import json, sys
r = json.load(open(sys.argv[1]))
print(f"nearline-lab {sys.argv[2]}: wall {r['wall_s']:.2f} s cpu {r['cpu_s']:.2f} s peak {r['peak_mib'] / 1024:.2f} GiB -> {r['rows_out']} rows, {r['outcome']}, largest deviation {r['largest_deviation']:.3f}")
P
done
for case in "${@:-polars}"; do
  "$python" "$peers" "$case" "$input" "$folder/peer.parquet"
done
