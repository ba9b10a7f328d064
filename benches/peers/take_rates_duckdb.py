"""The take-rate job as one batch over finished files, by DuckDB.

usage: take_rates_duckdb.py EVENTS_DIR CELLS.csv WORK_DIR

Not durable, and not streaming: what an answer costs at least that a query engine gives once all is there.
"""

import sys

import duckdb

events, cells, _work = sys.argv[1:]
connection = duckdb.connect()
connection.execute("set threads = 2")
connection.execute(
    f"""create table events as
        select distinct on (id) id, type, member, title, request, country, epoch_ms("at"::timestamp) as at_ms
        from read_json('{events}/*.json', format = 'newline_delimited', columns = {{
            id: 'VARCHAR', type: 'VARCHAR', member: 'VARCHAR', title: 'VARCHAR', 'at': 'VARCHAR', request: 'VARCHAR',
            country: 'VARCHAR'}})"""
)
connection.execute(
    f"""copy (
        select title, epoch_ms, country, sum(impressions)::bigint as impressions, sum(plays)::bigint as plays from (
            select title, at_ms // 1800000 * 1800000 as epoch_ms, country, 1 as impressions, 0 as plays
            from events where type = 'impression'
            union all
            select i.title, i.at_ms // 1800000 * 1800000, i.country, 0, 1
            from events i join events p using (member, request, title)
            where i.type = 'impression' and p.type = 'play' and p.at_ms - i.at_ms between 0 and 3600000)
        group by all) to '{cells}' (header)"""
)
