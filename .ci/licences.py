#!/usr/bin/env python3
"""Holds the licence and the source of every dependency against deny.toml.

A stand-in for `cargo deny check licenses sources` where cargo-deny is not installed: it reads
`cargo metadata`, so that no crate is compiled for it.
"""
import json
import re
import subprocess
import sys
import tomllib

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def is_allowed(expression, allowed):
    """Evaluates an SPDX expression; `A/B` is the old way to write `A OR B`."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek():
        return tokens[position] if position < len(tokens) else None

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1]

    def term():
        if peek() == "(":
            take()
            value = either()
            if peek() != ")":
                raise ValueError("`)` expected")
            take()
            return value
        licence = take()
        if peek() == "WITH":
            take()
            licence += " WITH " + take()
        return licence in allowed

    def both():
        value = term()
        while peek() == "AND":
            take()
            value = term() and value
        return value

    def either():
        value = both()
        while peek() == "OR":
            take()
            value = both() or value
        return value

    value = either()
    if position != len(tokens):
        raise ValueError(f"unexpected {peek()!r}")
    return value


def main():
    with open("deny.toml", "rb") as file:
        licences = tomllib.load(file)["licenses"]
    allowed = set(licences["allow"])
    exceptions = {e.get("crate") or e["name"]: set(e["allow"]) for e in licences.get("exceptions", [])}
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    packages = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["packages"]
    problems = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        source = package["source"]
        if source is not None and source != REGISTRY:
            problems.append(f"{name}: comes from {source}; only crates.io is allowed")
        expression = package["license"]
        if not expression:
            problems.append(f"{name}: names no licence")
            continue
        try:
            fits = is_allowed(expression, allowed | exceptions.get(package["name"], set()))
        except (ValueError, IndexError) as error:
            problems.append(f"{name}: licence {expression!r} cannot be read: {error}")
            continue
        if not fits:
            problems.append(f"{name}: licence {expression!r} is not allowed by deny.toml")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(packages)} packages, {len(problems)} problems")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
