# Publishes events read from standard input (one JSON object a line) in batches, with nothing but nats-py. Each batch is a
# request; its answer says of each event what became of it:
#     python3 publish_batches.py nats://127.0.0.1:4222 < events.ndjson
import asyncio, json, sys
import nats
from nats.errors import NoRespondersError, TimeoutError

EVENTS, BYTES, ATTEMPTS = 500, 500_000, 10


def batches(lines):
    batch, size = [], 0
    for line in filter(None, map(str.strip, lines)):
        if batch and (len(batch) == EVENTS or size + len(line) > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line) + 1
    if batch:
        yield batch


async def publish(connection, batch):
    """What became of each event. Tries again, with the same ids, what may be stored or not."""
    for attempt in range(ATTEMPTS):
        await asyncio.sleep(min(0.05 * 2 ** attempt, 2) if attempt else 0)
        try:
            answer = await connection.request("nearline.publish", "\n".join(batch).encode(), timeout=10)
        except (NoRespondersError, TimeoutError) as error:
            said = {"title": "no answer", "detail": str(error)}
            continue
        said = json.loads(answer.data)
        code = (answer.headers or {}).get("Nats-Service-Error-Code", "")
        if not code:
            return said["results"]
        if code not in ("429", "503"):
            break
    sys.exit(f"{said['title']}: {said['detail']}")


async def main():
    connection = await nats.connect(sys.argv[1] if len(sys.argv) > 1 else "nats://127.0.0.1:4222")
    for batch in batches(sys.stdin):
        for line, result in zip(batch, await publish(connection, batch)):
            print(json.loads(line).get("id"), result["status"], result.get("position") or result.get("detail"))
    await connection.close()


asyncio.run(main())
