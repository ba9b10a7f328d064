#!/usr/bin/env bash
# The point-in-time join and the look-up beside DuckDB and Polars, in one run, on the same files.
#
#   crates/lab/facts/run.sh NEARLINE_LAB PYTHON FOLDER [facts=20000000 labels=1000000 members=1000000]
#
# PYTHON needs numpy, pyarrow, duckdb and polars. FOLDER is filled with about 3 GB and can be removed afterwards.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
program=$1 python=$2 folder=$3
shift 3
[ -e "$folder/labels.parquet" ] || "$python" "$here/generate.py" "$folder" "$@"
run() {
    local name=$1
    shift
    "$program" "$@" --json > "$folder/report.json"
    "$python" - "$name" "$folder/report.json" <<'P'
import json, sys
r = json.load(open(sys.argv[2]))
print(f"nearline {sys.argv[1]}: wall {r['wall_s']:.2f} s, CPU {r['cpu_s']:.2f} s, peak {r['peak_mib']:.0f} MiB, plan {r.get('plan', '-')}")
P
}
for order in as-served event-time; do
    run "$order" extract --labels "$folder/labels.parquet" --facts "$folder/facts" --order "$order" -o "$folder/nearline.parquet"
    "$python" "$here/peers.py" check "$folder/nearline.parquet"
done
for case in duckdb-as-served duckdb-event-time polars-as-served; do
    "$python" "$here/peers.py" "$case" "$folder"
done

# What peers look up in best: one file in the order of the members.
sorted="$folder/by-member.parquet"
[ -e "$sorted" ] || "$python" -c "
import duckdb
duckdb.sql(\"copy (select * from '$folder/facts/*.parquet' order by member, position) to '$sorted' (format parquet, compression zstd)\")"
[ -e "$folder/compact" ] || run compact compact --facts "$folder/facts" -o "$folder/compact"
all="$folder/all-members.parquet"
cp "$folder/members.parquet" "$all"
for count in 10000 1000; do
    echo "look-up of $count members"
    "$python" -c "
import pyarrow.parquet as pq
pq.write_table(pq.read_table('$all').slice(0, $count), '$folder/members.parquet')"
    for temperature in cold warm; do
        if [ "$temperature" = cold ]; then
            # Out of the page cache, where the system lets one.
            "$python" -c "
import glob, os
for path in glob.glob('$folder/compact/*'):
    fd = os.open(path, os.O_RDONLY); os.fsync(fd); os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)"
        fi
        run "$temperature" extract --members "$folder/members.parquet" --facts "$folder/compact" \
            --columns plays_30d,affinity_drama,country -o "$folder/found.parquet"
    done
    "$python" "$here/peers.py" check "$folder/found.parquet"
    for table in "$folder/facts/*.parquet" "$sorted"; do
        "$python" "$here/peers.py" duckdb-lookup "$folder" "$table"
        "$python" "$here/peers.py" polars-lookup "$folder" "$table"
    done
done
mv "$all" "$folder/members.parquet"
