"""What new members are offered after their first, second and third play, with names.

    nearline import movielens ml-100k        # into the service, or with --to and `nearline publish`
    nearline serve
    pages.py [--url http://127.0.0.1:7700] [--names]

Ten members of distinct tastes play three titles of MovieLens 100K each; after each play their row is asked for, as of
that play. Prints a Markdown table of how many of the ten titles are of a genre of what was played, how many were there
before the play, and how many give a title played as their first reason; with --names the titles, too. Plays are put
into the time where the data ends, so that they are not all that is new. Each run takes members of its own.
"""

import argparse
import json
import time
import urllib.request

AT = "1998-04-24T{hour:02}:{minute:02}:00Z"
TASTES = {
    "horror": [185, 200, 219],
    "science fiction": [50, 172, 181],
    "children's": [1, 71, 588],
    "film noir": [484, 488, 654],
    "westerns": [177, 203, 435],
    "romance": [739, 216, 155],
    "documentaries": [48, 32, 1022],
    "war": [318, 188, 180],
    "musicals": [143, 132, 419],
    "Star Trek": [222, 228, 227],
}


class Service:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def title(self, number):
        return self.ask(f"/v1/titles/t{number}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7700")
    parser.add_argument("--names", action="store_true")
    arguments = parser.parse_args()
    service, run = Service(arguments.url), f"{time.time_ns() % 10**9}"
    print("| taste | play | of its genres | there before | because of a play |")
    print("| --- | --- | ---: | ---: | ---: |")
    lists, totals = [], {}
    for at, (taste, plays) in enumerate(TASTES.items()):
        member, genres, before = f"page-{at}-{run}", set(), set()
        for step, number in enumerate(plays):
            title = service.title(number)
            name = title.get("name", str(number))
            genres |= set(title.get("genres", []))
            event = {"id": f"{member}-{step}", "type": "play", "member": member, "title": f"t{number}"}
            event["at"] = AT.format(hour=at, minute=step)
            result = service.ask("/v1/events", event)
            position = result["position"] if "position" in result else result["results"][0]["position"]
            path = f"/v1/members/{member}/recommendations?limit=10&explain=true&after={position}"
            titles = service.ask(path)["titles"]
            kinds = [set(offered.get("genres", [])) for offered in titles]
            ids = {offered["title"] for offered in titles}
            firsts = [offered["reasons"][0]["kind"] for offered in titles if offered.get("reasons")]
            of_genre = sum(bool(kind & genres) for kind in kinds)
            because, stayed = firsts.count("because_you_watched"), len(ids & before)
            print(f"| {taste} | {step + 1}: {name} | {of_genre} | {stayed if step else '–'} | {because} |")
            total = totals.setdefault(step, [0, 0, 0])
            totals[step] = [a + b for a, b in zip(total, (of_genre, stayed, because))]
            lists.append(f"- **{taste}, {step + 1}: {name}**: " + "; ".join(t.get("name", t["title"]) for t in titles))
            before = ids
    for step, total in totals.items():
        shares = [f"{value / len(TASTES):.1f}" for value in total]
        print(f"| **mean** | {step + 1} | {shares[0]} | {shares[1] if step else '–'} | {shares[2]} |")
    if arguments.names:
        print("\n" + "\n".join(lists))


if __name__ == "__main__":
    main()
