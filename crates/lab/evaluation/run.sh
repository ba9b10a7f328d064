#!/usr/bin/env bash
# Evaluates nearline and its peers on the same events, prints one Markdown table and writes JSON.
#
#   crates/lab/evaluation/run.sh --movielens DIR [--mind DIR] [OPTIONS]
#
#   --movielens DIR   the unpacked MovieLens 100K (u.data, u.item, u.genre)
#   --mind DIR        an unpacked MIND (behaviors.tsv, news.tsv)
#   --table FILE      a table of user, item and time (CSV, also .gz); may be given again. Its peers are those of tables.py
#   --neural          GRU4Rec and SASRec on every table as well (neural.py): PyTorch, some gigabytes, and half an hour a table
#   --serenade        serenade, of crates.io, on every table as well: a build of a quarter of an hour, which needs libclang
#   --programs DIR    where `nearline` (imports) and `nearline-lab` (evaluates) are [built in release mode if not given]
#   --to DIR          where events, reports and charts go [target/evaluation]
#   --nearline-only   keep the peers' JSON of an earlier run: they do not change when nearline does
#   --label TEXT      written after "nearline" in the tables, such as "with the new ranking"
#   --update          put the tables into docs/evaluation.md
#
# The data sets may not be passed on: bring your own download. The peers come from PyPI into .tools/evaluation,
# run on one thread, and take about ten minutes; nearline takes seconds.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../../.." && pwd)"

tables_of_plays=() movielens="" mind="" programs="" to="$root/target/evaluation" peers=yes update=no label=""
neural=no serenade=no
fail() { printf 'run.sh: %s\n' "$*" >&2; exit 2; }
say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
while [ $# -gt 0 ]; do
    case "$1" in
        --nearline-only) peers=no; shift ;;
        --update) update=yes; shift ;;
        --neural) neural=yes; shift ;;
        --serenade) serenade=yes; shift ;;
        --help) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
        --table)
            [ $# -ge 2 ] || fail "$1 needs a value"
            [ -f "$2" ] || fail "there is no table $2"
            tables_of_plays+=("$2")
            shift 2
            ;;
        --movielens | --mind | --programs | --to | --label)
            [ $# -ge 2 ] || fail "$1 needs a value"
            declare "${1#--}=$2"
            shift 2
            ;;
        *) fail "$1 is not known; --help tells what is" ;;
    esac
done
[ -n "$movielens" ] || fail "--movielens DIR is needed: the unpacked https://grouplens.org/datasets/movielens/100k/"
[ -f "$movielens/u.data" ] || fail "$movielens has no u.data"
[ -z "$mind" ] || [ -f "$mind/behaviors.tsv" ] || fail "$mind has no behaviors.tsv"
mkdir -p "$to"

if [ -z "$programs" ]; then
    say "building nearline and nearline-lab"
    (cd "$root" && cargo build --release --locked -p nearline -p nearline-lab)
    programs="${CARGO_TARGET_DIR:-$root/target}/release"
fi
nearline="$programs/nearline" lab="$programs/nearline-lab"
for program in "$nearline" "$lab"; do [ -x "$program" ] || fail "there is no program $program"; done

# A place for each file of requirements, so that the ordinary peers bring no PyTorch.
environment() {
    local to="$root/.tools/$1" from="$here/$2"
    cmp -s "$from" "$to/.installed" && return
    say "installing the peers of $2 from PyPI into .tools/$1"
    python3 -m venv --clear "$to" || fail "python3 -m venv failed; on Debian: apt-get install python3-venv"
    "$to/bin/python" -m pip install --quiet --disable-pip-version-check -r "$from"
    cp "$from" "$to/.installed"
}
environment evaluation requirements.txt
python="$root/.tools/evaluation/bin/python"
if [ "$neural" = yes ]; then environment evaluation-neural requirements-neural.txt; fi
if [ "$serenade" = yes ]; then
    say "building serenade"
    (cd "$here/serenade" && CARGO_TARGET_DIR="$root/.tools/serenade" cargo build --release --locked)
fi
export PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

say "MovieLens: nearline"
"$nearline" import movielens "$movielens" --to "$to/movielens.ndjson" >&2
"$lab" evaluate prequential "$to/movielens.ndjson" --catalogue "$to/movielens.ndjson.titles" --ratings-as-plays \
    --html "$to/movielens.html" --queries "$to/queries-movielens.ndjson" --json >"$to/nearline-movielens.json"
if [ "$peers" = yes ] || [ ! -f "$to/peers-movielens.json" ]; then
    say "MovieLens: the peers"
    "$python" "$here/peers.py" movielens --events "$to/movielens.ndjson" --to "$to/peers-movielens.json"
fi
tables=(--nearline-movielens "$to/nearline-movielens.json" --queries-movielens "$to/queries-movielens.ndjson"
    --peers-movielens "$to/peers-movielens.json")

if [ -n "$mind" ]; then
    say "MIND: nearline"
    "$nearline" import mind "$mind" --to "$to/mind.ndjson" >&2
    "$lab" evaluate impressions "$to/mind.ndjson" --catalogue "$to/mind.ndjson.titles" --train-fraction 0.5 --json \
        >"$to/nearline-mind.json"
    if [ "$peers" = yes ] || [ ! -f "$to/peers-mind.json" ]; then
        say "MIND: the peers"
        "$python" "$here/peers.py" mind --events "$to/mind.ndjson" --train-fraction 0.5 --to "$to/peers-mind.json"
    fi
    tables+=(--nearline-mind "$to/nearline-mind.json" --peers-mind "$to/peers-mind.json")
fi

for table in ${tables_of_plays[@]+"${tables_of_plays[@]}"}; do
    name="$(basename "$(dirname "$table")")-$(basename "$table" | cut -d. -f1)"
    say "$name: nearline"
    "$python" "$here/tables.py" order "$table" --to "$to/$name.csv"
    "$lab" evaluate prequential "$to/$name.csv" --json >"$to/nearline-$name.json"
    if [ "$peers" = yes ] || [ ! -f "$to/peers-$name.json" ]; then
        say "$name: the peers"
        "$python" "$here/tables.py" peers "$to/$name.csv" --to "$to/peers-$name.json"
    fi
    compared=("$to/peers-$name.json")
    if [ "$neural" = yes ]; then
        if [ "$peers" = yes ] || [ ! -f "$to/neural-$name.json" ]; then
            say "$name: GRU4Rec and SASRec"
            "$root/.tools/evaluation-neural/bin/python" "$here/neural.py" "$to/$name.csv" --to "$to/neural-$name.json"
        fi
        compared+=("$to/neural-$name.json")
    fi
    if [ "$serenade" = yes ]; then
        if [ "$peers" = yes ] || [ ! -f "$to/serenade-$name.json" ]; then
            say "$name: serenade"
            RAYON_NUM_THREADS=1 "$root/.tools/serenade/release/nearline-serenade" "$to/$name.csv" \
                "$to/serenade-$name.json" >/dev/null
        fi
        compared+=("$to/serenade-$name.json")
    fi
    say "$name"
    "$python" "$here/tables.py" compare "${compared[@]}" "$to/nearline-$name.json"
done

if [ "$update" = yes ]; then tables+=(--into "$root/docs/evaluation.md"); fi
say "reports, charts and JSON are in $to"
"$python" "$here/peers.py" tables "${tables[@]}" --label "$label"
