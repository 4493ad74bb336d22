"""Sends events to the node at argv[1] with the bulk helper of the client in argv[2], and checks its answers."""
import json
import sys

address, client = sys.argv[1:3]
if client == "opensearch-py":
    from opensearchpy import OpenSearch as Client, helpers
    import opensearchpy as package
else:
    from elasticsearch import Elasticsearch as Client, helpers
    import elasticsearch as package

EVENTS = 2000
es = Client([address])
assert es.ping()
assert es.info()["tagline"]


def actions(first, last, op="index", ids=False):
    for i in range(first, last):
        action = {
            "_op_type": op,
            "_index": "python",
            "_source": {"@timestamp": "2026-07-01T10:00:00.%03dZ" % (i % 1000), "n": i, "user": {"name": "alice"}},
        }
        if ids:
            action["_id"] = "id-%d" % i
        yield action


done, errors = helpers.bulk(es, actions(0, EVENTS - 100), chunk_size=500)
assert (done, errors) == (EVENTS - 100, []), (done, errors)
results = list(helpers.streaming_bulk(es, actions(EVENTS - 100, EVENTS, "create", ids=True), chunk_size=30, refresh=True))
assert all(ok for ok, _ in results) and len(results) == 100
# The same ids once more: each is a conflict, and nothing is stored.
results = list(helpers.streaming_bulk(es, actions(EVENTS - 100, EVENTS, "create", ids=True), raise_on_error=False))
assert [item["create"]["status"] for ok, item in results if not ok] == [409] * 100, results[:1]
# One that is refused among others is told alone.
mixed = list(actions(0, 2)) + [{"_op_type": "index", "_index": "Python", "n": 1}]
try:
    helpers.bulk(es, [dict(mixed[2])])
    raise SystemExit("an index with capitals was taken")
except helpers.BulkIndexError as e:
    assert e.errors[0]["index"]["status"] == 400, e.errors
version = package.__version__
print(json.dumps({"version": version if isinstance(version, str) else ".".join(map(str, version[:3])), "events": EVENTS}))
