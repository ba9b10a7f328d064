#!/usr/bin/env bash
# The demo's day: events and answers captured, archived, a training table extracted, a stratified sample of it, a model.
#
#   crates/lab/facts/day.sh NEARLINE NEARLINE_LAB PYTHON FOLDER [seconds=120 rate=400]
#
# PYTHON needs polars, deltalake and scikit-learn.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
nearline=$1 lab=$2 python=$3 folder=$4
seconds=${5:-120} rate=${6:-400}
mkdir -p "$folder"
cd "$folder"
export NEARLINE__EMBEDDED__DIRECTORY=demo-data NEARLINE__FACTS__CAPTURE=true
"$nearline" demo --data demo-data --seconds "$seconds" --rate "$rate" --port 0
started=$SECONDS
"$lab" archive --to events --facts facts
"$lab" extract --labels facts/decisions --facts facts/members --order as-served -o train.parquet \
    --columns titles,seen,listed,liked,disliked,titles_1d,titles_7d,watched_7d_s,last_title,recent_titles,country,device
"$lab" stratify --rules "$here/day.toml" train.parquet -o sample.parquet
"$python" "$here/train.py" train.parquet events
echo "from the end of the demo to the model: $((SECONDS - started)) s"

# Whether every answer was made of what the events tell: facts of all of them, in a folder of their own, beside what was offered.
"$lab" backfill --archive events --to whole
cp -r facts/decisions whole/
"$lab" audit --archive events --facts whole --sample 1
