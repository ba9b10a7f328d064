#!/usr/bin/env python3
"""Walks the console as somebody new would, in a real browser: the sixty seconds.

    tests/console/walk.py URL [--key KEY] [--pid PID] [--screenshots FOLDER] [--axe FILE]

URL is what `nearline demo` prints as its console, KEY one of the scope admin, where keys are asked for, PID its process, which
is stopped for some seconds. Play something and see the rows change; break a partition, and see answers come from the store and be live again; have it proved that nothing was lost. Every page is looked at: its structure by
roles and names, nothing on the browser's console, nothing that axe calls serious. Prints the times as JSON.

Needs playwright (PyPI) and Debian's chromium; no browser is downloaded. `.ci/console` runs it.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import time

from playwright.sync_api import expect, sync_playwright

PAGES = ("Now", "Partitions", "Remediations", "Dead letters", "Member", "Titles", "Experiments", "Nodes", "Audit", "Chaos")


class Walk:
    """One browser, what it complained of, and how long each step took."""

    def __init__(self, page, url, axe, screenshots):
        self.page, self.url, self.axe, self.screenshots = page, url, axe, screenshots
        self.trouble, self.times, self.started = [], {}, time.monotonic()
        page.on("console", lambda message: message.type in ("error", "warning") and self.trouble.append(message.text))
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("requestfailed", self.failed)

    def failed(self, request):
        """A stream that is left by going elsewhere is no failure."""
        if request.failure != "net::ERR_ABORTED":
            self.trouble.append(f"{request.url}: {request.failure}")

    def step(self, name, since):
        """Notes a time in milliseconds."""
        self.times[name] = round((time.monotonic() - since) * 1000)

    def go(self, name):
        """Goes to a page by its name in the navigation."""
        self.page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text(name)

    def look(self, name):
        """Holds a page against axe, and takes a picture."""
        if self.screenshots:
            self.page.screenshot(path=self.screenshots / (name.lower().replace(" ", "-") + ".png"))
        if not self.axe:
            return
        # Given to the page by the browser's debugger: the page's own policy stays as strict as it is.
        self.page.evaluate(self.axe)
        found = self.page.evaluate("async () => (await axe.run()).violations")
        for one in found:
            if one["impact"] in ("serious", "critical"):
                at = "; ".join(node["html"][:120] for node in one["nodes"][:3])
                self.trouble.append(f"axe, {name}: {one['id']}: {one['help']}: {at}")

    def unlock(self, key):
        """Shows a key, once a wrong one was refused. What the browser says of refusals is what is tried here."""
        self.page.goto(self.url)
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Locked", timeout=15_000)
        self.look("Locked")
        for shown in ("nl_wrong", key):
            self.page.get_by_label("Key").fill(shown)
            self.page.get_by_role("button", name="Unlock").click()
            if shown != key:
                expect(self.page.get_by_role("alert")).to_contain_text("not known")
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Now")
        self.trouble = [one for one in self.trouble if "401" not in one]

    def read_only(self, key):
        """A key that may look sees every page but the one that breaks things, and no button that changes anything."""
        self.go("Member")
        self.page.context.clear_cookies()
        self.page.reload()
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Locked", timeout=15_000)
        self.page.get_by_label("Key").fill(key)
        self.page.get_by_role("button", name="Unlock").click()
        expect(self.page.get_by_text("read only")).to_be_visible()
        # The page that was asked for before the key was there is whole.
        expect(self.page.get_by_role("region", name="Top picks").get_by_role("button").first).to_be_visible()
        expect(self.page.get_by_text("a key is asked for here")).to_have_count(0)
        self.page.evaluate("location.hash = '#/chaos'")
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Now")
        self.trouble = [one for one in self.trouble if "401" not in one]
        expect(self.page.get_by_role("navigation").get_by_role("link", name="Chaos")).to_have_count(0)
        changing = re.compile("^(Verify bytes|Give away|Publish .*again|Drop|Erase.*|Break.*)$")
        for name in PAGES[:-1]:
            self.go(name)
            if name == "Partitions":
                self.page.get_by_role("link", name=re.compile("^p00")).click()
                expect(self.page.get_by_role("heading", name=re.compile("^p00"))).to_be_visible()
            if name == "Dead letters":
                self.page.get_by_role("button", name=re.compile("^poison")).click()
                expect(self.page.locator(".letters code").first).to_contain_text("bait")
            expect(self.page.get_by_role("button", name=changing)).to_have_count(0)

    def now(self):
        """One sentence says how things stand."""
        since = time.monotonic()
        self.page.goto(self.url)
        sentence = self.page.locator(".sentence")
        expect(sentence).to_have_text(re.compile(r"\d+ of \d+ partitions live"), timeout=15_000)
        self.step("first sentence", since)
        expect(self.page.get_by_role("status")).to_have_text("ready", timeout=30_000)

    def play(self):
        """Press play: the rows change, and the milliseconds are shown."""
        self.go("Member")
        row = self.page.get_by_role("region", name="Top picks")
        tile = row.get_by_role("button", name=re.compile("^Play ")).first
        expect(tile).to_be_visible(timeout=15_000)
        played = tile.inner_text().strip()
        since = time.monotonic()
        tile.click()
        done = self.page.get_by_text(re.compile(r"rows anew \d+"))
        expect(done.first).to_be_visible()
        # What was just played is not offered again as something new.
        expect(row.get_by_role("button", name=played, exact=True)).to_have_count(0)
        self.step("play to rows anew", since)
        self.times["as the page says"] = done.first.inner_text().split("acknowledged")[-1].strip()
        self.page.get_by_role("button", name="why").first.click()
        self.elsewhere(row)

    def elsewhere(self, row):
        """What is played elsewhere shows here by itself, also where it was not the first of its row, or another page was shown."""
        publish = """title => fetch('v1/events', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(
            [{ id: 'walk-' + title, type: 'play', member: 'm0', title, at: new Date().toISOString() }]) }).then(answer => answer.ok)"""
        picks = """() => fetch('v1/members/m0/home?limit=8').then(answer => answer.json()).then(home => home.rows.find(one => one.row === 'top_picks').titles)"""
        watched = self.page.get_by_role("complementary").locator("ol").last
        for away in (False, True):
            third = self.page.evaluate(picks)[2]
            title, name = third["title"], third["name"]
            if away:
                self.go("Now")
            if not self.page.evaluate(publish, title):
                self.trouble.append(f"a play of {title} elsewhere is not taken")
            if away:
                self.go("Member")
            expect(row.get_by_role("button", name=f"Play {name}", exact=True)).to_have_count(0)
            expect(watched).to_contain_text(title)

    def break_one(self, fault, name):
        """Break a partition: the stopwatch stops by itself."""
        since = time.monotonic()
        self.page.get_by_role("button", name=re.compile(f": {fault}$")).click()
        seen = self.page.get_by_role("region", name=re.compile(f"^{fault} of p"))
        expect(seen).to_contain_text("over after", timeout=40_000)
        self.step(name, since)
        answers = seen.get_by_text(re.compile("^Answers: ")).inner_text()
        self.times[name + ", answers"] = re.sub(r"\s+", " ", answers.removeprefix("Answers: "))
        if not re.search(r"live(?: at [^→]*)?$", answers):
            self.trouble.append(f"{fault}: the last answer is not live: {answers}")
        return answers

    def prove(self):
        """The log is folded again."""
        since = time.monotonic()
        self.page.get_by_role("button", name="Prove it").click()
        proof = self.page.get_by_text("lost 0, doubled 0")
        expect(proof).to_be_visible(timeout=60_000)
        self.step("proof", since)
        self.times["proof, in words"] = re.sub(r"\s+", " ", self.page.locator(".proof").inner_text())

    def run(self, key, viewer, pid):
        """The sixty seconds, and then every page."""
        if key:
            self.unlock(key)
        self.now()
        self.play()
        self.go("Chaos")
        answers = self.break_one("hang", "hang to live")
        if "store" not in answers:
            self.trouble.append(f"hang: no answer came from the store: {answers}")
        self.prove()
        self.step("altogether", self.started)
        self.break_one("panic", "panic to live")
        self.break_one("poison", "poison to live")
        for name in PAGES:
            self.go(name)
            if name == "Partitions":
                self.page.get_by_role("link", name=re.compile("^p00")).click()
                self.page.get_by_role("button", name="Verify bytes").click()
                expect(self.page.get_by_text("compared byte for byte")).to_be_visible(timeout=30_000)
                expect(self.page.get_by_role("button", name="Give away")).to_be_disabled()
                expect(self.page.get_by_text("there is no other node to give it to")).to_be_visible()
            if name == "Remediations":
                expect(self.page.get_by_role("cell", name="panicked").first).to_be_visible()
                expect(self.page.get_by_text("No traces are recorded here")).to_be_visible()
                self.pin()
            if name == "Dead letters":
                self.page.get_by_role("button", name=re.compile("^poison")).click()
                expect(self.page.get_by_role("button", name="Publish again", exact=True).first).to_be_visible()
                expect(self.page.locator(".letters code").first).to_contain_text("bait")
            if name == "Titles":
                expect(self.page.get_by_role("rowheader", name="all", exact=True)).to_be_visible()
            if name == "Experiments":
                self.variants()
                self.look(name)
                self.differences()
                name = "Experiments that tell"
            if name == "Nodes":
                expect(self.page.get_by_role("region", name="Positions of the sums").get_by_role("rowheader", name="p00")).to_be_visible()
                expect(self.page.get_by_text("This node keeps: it adds what every partition commits")).to_be_visible()
                self.page.get_by_role("button", name="Examine this node").click()
                expect(self.page.get_by_role("cell", name="configuration", exact=True)).to_be_visible(timeout=30_000)
                expect(self.page.get_by_role("cell", name="engine.partitions", exact=True)).to_be_visible()
            if name == "Audit":
                expect(self.page.get_by_role("cell", name="POST /admin/chaos/panic").first).to_be_visible()
            self.page.wait_for_timeout(300)
            self.look(name)
        if pid:
            self.silent(pid)
        self.keyboard()
        if viewer:
            self.read_only(viewer)

    def silent(self, pid):
        """A process that stands still closes no connection: the page says so, and since when, until it goes on."""
        self.go("Now")
        stale = self.page.get_by_role("alert").filter(has_text="has not answered since")
        expect(stale).to_have_count(0)
        os.kill(pid, signal.SIGSTOP)
        try:
            expect(stale).to_be_visible()
            expect(self.page.get_by_role("status")).to_have_text("no answer")
        finally:
            os.kill(pid, signal.SIGCONT)
        expect(stale).to_have_count(0)
        expect(self.page.get_by_role("status")).to_have_text("ready", timeout=30_000)

    def pin(self):
        """What is shown stays as it was, until it is followed again."""
        pinned = self.page.get_by_text(re.compile(r"as of \d\d:\d\d:\d\d UTC"))
        self.page.get_by_role("button", name="Pin", exact=True).click()
        expect(pinned).to_be_visible()
        self.page.get_by_role("button", name="Follow", exact=True).click()
        expect(pinned).to_have_count(0)

    def variants(self):
        """The demo's own experiment: what was measured since it began, and whether that is enough."""
        for name in ("control", "popular", "diverse"):
            expect(self.page.get_by_role("rowheader", name=name, exact=True)).to_be_visible()
        verdict = self.page.locator(".verdict")
        expect(verdict).to_have_text(re.compile("(Not enough yet|than the control)"))
        drawn = self.page.get_by_role("img", name=re.compile("^Differences to the control: popular"))
        since = time.monotonic()
        while drawn.count() == 0 and time.monotonic() - since < 30:
            self.page.get_by_role("button", name="Look again").click()
            self.page.wait_for_timeout(250)
        expect(drawn).to_be_visible()
        self.times["experiment, in words"] = re.sub(r"\s+", " ", verdict.inner_text())

    def differences(self):
        """Variants that differ, as a month of members would make them, whatever the demo's minute has shown."""
        one = {"share": 0.5, "impressions": 90_000, "attributed_plays": 9_000, "quality_plays": 5_000, "sampled_members": 9}
        one |= {"take_rate": 0.1, "interval": {"low": 0.098, "high": 0.102}, "ranking": {}}
        better, unclear = {"low": 0.002, "high": 0.006}, {"low": -0.001, "high": 0.003}
        variants = [one | {"name": "control"}]
        for name, interval in (("better", better), ("unclear", unclear)):
            variants.append(one | {"name": name, "difference": {"take_rate": 0.004, "interval": interval, "p_value": 0.01}})
        ratio = {"chi_square": 30.0, "p_value": 1e-6, "mismatch": True}
        answer = {"experiments": [{"name": "x", "definition": "d", "share": 1.0, "variants": variants, "sample_ratio": ratio}]}
        self.page.route("**/v1/experiments", lambda route: route.fulfill(json=answer))
        self.page.get_by_role("button", name="Look again").click()
        expect(self.page.get_by_role("img", name=re.compile(r"^Differences to the control: better \+0\.40 points"))).to_be_visible()
        expect(self.page.get_by_role("alert")).to_contain_text("not to be trusted")
        expect(self.page.get_by_role("cell", name=re.compile("better than the control"))).to_be_visible()
        expect(self.page.get_by_role("cell", name=re.compile("not enough yet"))).to_be_visible()

    def keyboard(self):
        """Everything can be reached without a mouse, and fits on a phone."""
        self.go("Now")
        self.page.keyboard.press("Tab")
        focused = self.page.evaluate("document.activeElement.matches(':focus-visible')")
        if not focused:
            self.trouble.append("what has the focus cannot be seen")
        self.page.set_viewport_size({"width": 390, "height": 844})
        for name in PAGES:
            self.go(name)
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            if wide > 390:
                self.trouble.append(f"{name} is {wide} px wide on a screen of 390")
        if self.screenshots:
            self.go("Member")
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=self.screenshots / "member-phone.png")


def main():
    parser = argparse.ArgumentParser(description="Walks the console in a browser.")
    parser.add_argument("url")
    parser.add_argument("--key", help="a key of the scope admin")
    parser.add_argument("--viewer", help="a key of the scopes view and query")
    parser.add_argument("--pid", type=int, help="the program's process")
    parser.add_argument("--screenshots", type=pathlib.Path)
    parser.add_argument("--axe", type=pathlib.Path, help="axe.min.js of npm's axe-core")
    parser.add_argument("--dark", action="store_true")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or sys.exit("chromium is not on PATH; on Debian: apt-get install chromium")
    axe = arguments.axe.read_text() if arguments.axe else None
    if arguments.screenshots:
        arguments.screenshots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root, as which containers of CI run.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        scheme = "dark" if arguments.dark else "light"
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
        page.set_default_timeout(15_000)
        walk = Walk(page, arguments.url, axe, arguments.screenshots)
        try:
            walk.run(arguments.key, arguments.viewer, arguments.pid)
        finally:
            browser.close()
    print(json.dumps(walk.times, indent=1, ensure_ascii=False))
    for trouble in walk.trouble:
        print(f"trouble: {trouble}", file=sys.stderr)
    sys.exit(bool(walk.trouble))


if __name__ == "__main__":
    main()
