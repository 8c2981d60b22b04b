#!/usr/bin/env python3
"""Asks `monitor audit` and DuckDB the same of one file of native events, one after the other, compares the answers and says how long
each took.

    python3 scripts/compare-duckdb.py ./monitor FILE.ndjson      (pip install duckdb)

The file is uncompressed and in order of time, as this writes it:

    ./monitor simulate --fast --count 5000000 --rate 20 --pace 1 --recipients 200000 --start 2026-03-01T00:00:00Z > FILE.ndjson

The question: bounces, complaints and unsubscribes of each tenant, and what they are rates of, on the default windows at the end of the
data. DuckDB is asked twice: with every line counted, and with repeats counted once as audit does. audit answers for all its subjects
and judges every second besides.
"""

import json
import os
import subprocess
import sys
import time

import duckdb

COLUMNS = """{type: 'VARCHAR', time: 'TIMESTAMP', id: 'VARCHAR', recipient: 'VARCHAR', tenant: 'VARCHAR',
  bounce: 'STRUCT(class VARCHAR, async BOOLEAN)'}"""

# A window ends with the bucket that the newest event lies in.
QUESTION = """
WITH events AS (SELECT {distinct} type, time, coalesce(tenant, 'default') AS tenant, bounce.async AS async,
  type = 'bounce' AND coalesce(bounce.class, 'undetermined') <> 'admin' AS bounced
  FROM read_json(?, format = 'newline_delimited', columns = {columns})),
newest AS (SELECT max(time) AS last FROM events),
spans(name, begins) AS (
  SELECT '1h', date_trunc('minute', last) - INTERVAL 59 MINUTE FROM newest UNION ALL
  SELECT '24h', date_trunc('hour', last) - INTERVAL 23 HOUR FROM newest UNION ALL
  SELECT '7d', date_trunc('hour', last) - INTERVAL 167 HOUR FROM newest UNION ALL
  SELECT '30d', date_trunc('day', last) - INTERVAL 29 DAY FROM newest)
SELECT tenant, name,
  count(*) FILTER (bounced), count(*) FILTER (type = 'delivery' OR bounced AND NOT coalesce(async, false)),
  count(*) FILTER (type = 'complaint'), count(*) FILTER (type = 'unsubscribe'), count(*) FILTER (type = 'delivery')
FROM events JOIN spans ON time >= begins GROUP BY ALL"""


def ask_monitor(monitor, file):
    begun = time.monotonic()
    done = subprocess.run([monitor, "audit", "-o", "json", file], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    took = time.monotonic() - begun
    if done.returncode not in (0, 3):
        sys.exit(f"monitor audit: exit status {done.returncode}")
    report = json.loads(done.stdout)
    found = {}
    for row in report["rates"]:
        if list(row["subject"]) == ["tenant"] and row["rate"] in ("bounce", "complaint", "unsubscribe"):
            found[row["subject"]["tenant"], row["window"], row["rate"]] = (row["numerator"], row["denominator"])
    return took, found, report["events"]["read"]


def ask_duckdb(file, distinct):
    begun = time.monotonic()
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    rows = db.execute(QUESTION.format(distinct=distinct, columns=COLUMNS), [file]).fetchall()
    took = time.monotonic() - begun
    found = {}
    for tenant, window, bounced, attempted, complained, unsubscribed, delivered in rows:
        found[tenant, window, "bounce"] = (bounced, attempted)
        found[tenant, window, "complaint"] = (complained, delivered)
        found[tenant, window, "unsubscribe"] = (unsubscribed, delivered)
    return took, found


def main():
    monitor, file = sys.argv[1:]
    with open(file, "rb") as f:  # both find it in memory
        while f.read(1 << 24):
            pass
    ours, answer, events = ask_monitor(monitor, file)
    print(f"{events:,} events, {os.path.getsize(file) / 1e6:,.0f} MB, {os.cpu_count()} processors, DuckDB {duckdb.__version__}")
    print(f"monitor audit, everything on:    {ours:6.1f} s  {events / ours:11,.0f} events/s")
    for name, distinct in (("repeats counted", ""), ("repeats left out", "DISTINCT ON (type, recipient, id)")):
        theirs, found = ask_duckdb(file, distinct)
        some = {key: value for key, value in answer.items() if value != (0, 0)}
        same = sum(found.get(key) == value for key, value in some.items())
        print(f"DuckDB, {name + ':':24} {theirs:6.1f} s  {events / theirs:11,.0f} events/s  {same} of {len(some)} rates agree")


if __name__ == "__main__":
    main()
