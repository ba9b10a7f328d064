#!/usr/bin/env python3
"""Writes what a program is made of, as CycloneDX 1.6 (JSON), and checks it against the standard's own schema.

usage: sbom.py PROGRAM FILE     PROGRAM: a package of the workspace, such as nearline

Of `cargo metadata --locked`: every crate that is linked or runs while it is built, with licence, purl, checksum of
Cargo.lock, and what depends on what. Nothing is compiled. The serial number and the time are left out: the same lock
file gives the same bytes. `.ci/sbom` makes the environment.
"""
import json
import pathlib
import subprocess
import sys
import tomllib

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL


def closure(metadata, root):
    """Ids of all packages that `root` needs, tests' needs left out, with what each needs."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    needs, waiting = {}, [root]
    while waiting:
        package = waiting.pop()
        if package in needs:
            continue
        kinds = lambda dependency: {kind["kind"] for kind in dependency["dep_kinds"]}
        needs[package] = [d["pkg"] for d in nodes[package]["deps"] if kinds(d) - {"dev"}]
        waiting.extend(needs[package])
    return needs


def component(package, checksums, is_root):
    name, version = package["name"], package["version"]
    # Old manifests write "MIT/Apache-2.0".
    licence = (package.get("license") or "").replace("/", " OR ")
    checksum = checksums.get((name, version))
    return Component(
        type=ComponentType.APPLICATION if is_root else ComponentType.LIBRARY,
        name=name,
        version=version,
        description=package.get("description"),
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        purl=PackageURL("cargo", name=name, version=version),
        bom_ref=f"{name}@{version}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
    )


def main():
    program, target = sys.argv[1], pathlib.Path(sys.argv[2])
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text())
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    members = set(metadata["workspace_members"])
    root = next((id for id in members if packages[id]["name"] == program), None)
    if root is None:
        sys.exit(f"{program} is no package of this workspace")
    needs = closure(metadata, root)
    components = {id: component(packages[id], checksums, id == root) for id in needs}
    bom = Bom()
    bom.metadata.component = components[root]
    for id, needed in needs.items():
        if id != root:
            bom.components.add(components[id])
        bom.register_dependency(components[id], [components[other] for other in needed])
    written = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    written.pop("serialNumber", None)
    written["metadata"].pop("timestamp", None)
    text = json.dumps(written, indent=1, sort_keys=True) + "\n"
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem:
        sys.exit(f"{target}: not as the standard wants it: {problem}")
    unknown = [c["name"] for c in written["components"] if not c.get("licenses")]
    if unknown:
        sys.exit(f"no licence is told of: {', '.join(unknown)}")
    target.write_text(text)
    print(f"{target}: {len(written['components'])} components of {program}, as CycloneDX 1.6 wants them")


main()
