# Publishes events read from standard input (one JSON object a line) with nothing but nats-py:
#     python3 publish.py nats://127.0.0.1:4222 < events.ndjson
import asyncio, json, sys
import nats

async def main():
    connection = await nats.connect(sys.argv[1] if len(sys.argv) > 1 else "nats://127.0.0.1:4222")
    log = connection.jetstream()
    for line in filter(str.strip, sys.stdin):
        event = json.loads(line)
        ack = await log.publish(f"nearline.events.{event['member']}", line.strip().encode(),
                                headers={"Nats-Msg-Id": f"{event['member']}/{event['id']}"})
        print(event["id"], "duplicate" if ack.duplicate else "accepted", ack.seq)
    await connection.close()

asyncio.run(main())
