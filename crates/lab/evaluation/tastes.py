"""The home page of members whose long taste is not that of their last plays, with names.

    nearline import movielens ml-100k        # into the service, or with --to and `nearline publish`
    nearline serve
    tastes.py [--url http://127.0.0.1:7700]

One member plays 12 horror films and then 18 others of the most popular that are none, so that 40 % are horror; one plays three
documentaries and then four others. Prints each row of their pages: its titles, and how many are of the genre. Plays are put
into the time where the data ends. Each run takes members of its own.
"""

import argparse
import json
import time
import urllib.request

AT = "1998-04-24T{hour:02}:{minute:02}:00Z"
HORROR = [185, 200, 219, 234, 201, 288, 437, 448, 436, 567, 563, 184]
DOCUMENTARIES = [48, 32, 1022]
OTHERS = [50, 100, 181, 258, 286, 294, 1, 121, 174, 127, 56, 98, 172, 237, 204, 313, 117, 222]


class Service:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7700")
    service, run = Service(parser.parse_args().url), f"{time.time_ns() % 10**9}"
    tastes = [("horror", "Horror", HORROR + OTHERS), ("documentaries", "Documentary", DOCUMENTARIES + OTHERS[-4:])]
    for taste, genre, plays in tastes:
        member, position = f"{taste}-{run}", 0
        for step, number in enumerate(plays):
            event = {"id": f"{member}-{step}", "type": "play", "member": member, "title": f"t{number}"}
            result = service.ask("/v1/events", event | {"at": AT.format(hour=2, minute=step)})
            position = result["position"] if "position" in result else result["results"][0]["position"]
        print(f"**{taste}**")
        for row in service.ask(f"/v1/members/{member}/home?limit=10&after={position}")["rows"]:
            of_genre = sum(genre in title.get("genres", []) for title in row["titles"])
            name = " ".join(filter(None, [row["row"], row.get("genre"), row.get("because", {}).get("name")]))
            names = "; ".join(title.get("name", title["title"]) for title in row["titles"][:6])
            print(f"- {name}: {of_genre} of {len(row['titles'])} are {genre}: {names}; …")


if __name__ == "__main__":
    main()
