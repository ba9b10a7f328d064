"""How soon titles that are new are seen by those who should see them.

    nearline import movielens ml-100k        # into the service, or with --to and `nearline publish`
    nearline serve
    newcomers.py [--url http://127.0.0.1:7700] [--members 400]

A title of one genre is put into the catalogue of a service that learned MovieLens 100K. Members who played ten titles of that
genre, and as many who played ten of another, ask for a row of 20. Counted is whom the title is offered to, and where it
stands among 400 titles, asked for in pages of 50, for eight members of the genre. Then five members of the genre play it, and the eight ask
again. Prints a Markdown table. Plays are put into the time where the data ends. Each run takes members and titles of its own.
"""

import argparse
import json
import random
import time
import urllib.request

AT = "1998-04-24T{hour:02}:{minute:02}:{second:02}Z"
GENRES = ("Horror", "Romance")


class Service:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def play(self, member, step, title, hour):
        event = {"id": f"{member}-{step}", "type": "play", "member": member, "title": title}
        result = self.ask("/v1/events", event | {"at": AT.format(hour=hour, minute=step, second=0)})
        return result["position"] if "position" in result else result["results"][0]["position"]

    def row(self, member, limit):
        """So many titles, in pages."""
        titles, path = [], f"/v1/members/{member}/recommendations?limit={min(limit, 50)}"
        answer = self.ask(path)
        while True:
            titles += answer["titles"]
            if len(titles) >= limit or "next" not in answer:
                return titles[:limit]
            answer = self.ask(f"{path}&cursor={answer['next']}")


def titles_of(service, genre):
    """Titles of a genre that are known well enough to tell a taste."""
    found = []
    for number in range(1, 1683):
        title = service.ask(f"/v1/titles/t{number}")
        if genre in title.get("genres", []):
            found.append((service.ask(f"/v1/titles/t{number}/insights").get("plays_ever", 0), title["id"]))
    return [title for _, title in sorted(found, reverse=True)[:40]]


def place(row, title):
    return next((at + 1 for at, offered in enumerate(row) if offered["title"] == title), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7700")
    parser.add_argument("--members", type=int, default=400)
    arguments = parser.parse_args()
    service, run, dice = Service(arguments.url), f"{time.time_ns() % 10**9}", random.Random(7)
    members = {}
    for genre in GENRES:
        liked = titles_of(service, genre)
        members[genre] = [f"new-{genre.lower()}-{run}-{at}" for at in range(arguments.members)]
        for member in members[genre]:
            for step, title in enumerate(dice.sample(liked, 10)):
                service.play(member, step, title, 1)
    new = f"new-{run}"
    service.ask(f"/v1/titles/{new}", {"id": new, "genres": [GENRES[0]], "year": 1998}, "PUT")
    time.sleep(30)  # until it is solved again
    print("| members who like | were offered it among 20 | explored | places that are explored |")
    print("| --- | ---: | ---: | ---: |")
    for genre in GENRES:
        rows = [service.row(member, 20) for member in members[genre]]
        offered = [offered for row in rows for offered in row if offered["title"] == new]
        explored = [offered for offered in offered if offered.get("placement", {}).get("explored")]
        all_explored = [o["placement"] for row in rows for o in row if o.get("placement", {}).get("explored")]
        share = len(all_explored) / sum(len(row) for row in rows)
        print(f"| {genre} | {len(offered)} of {len(rows)} | {len(explored)} | {100 * share:.1f} % |")
    eight = members[GENRES[0]][:8]
    before = [place(service.row(member, 400), new) for member in eight]
    for at, member in enumerate(members[GENRES[0]][8:13]):
        service.play(member, 20 + at, new, 2)
    time.sleep(30)
    after = [place(service.row(member, 400), new) for member in eight]
    other = [place(service.row(member, 400), new) for member in members[GENRES[1]][:8]]
    print(f"\nPlaces of eight who like {GENRES[0]}: {before}; after five plays by others of them: {after}")
    print(f"Places of eight who like {GENRES[1]}, then: {other}")


if __name__ == "__main__":
    main()
