"""Fetch the vendored front-end packages again, exactly as the manifest names them.

``python -m tests.support.vendor`` downloads every package of ``static/vendor/manifest.json`` with ``npm pack``
(no install scripts run), copies the files named there, draws ``static/icons.svg`` from the icons named there and
writes the hashes back. To move to another version, change it in the manifest and run this.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parents[2] / "static"
MANIFEST = STATIC / "vendor" / "manifest.json"
SVG = "{http://www.w3.org/2000/svg}"


def read_manifest() -> dict[str, Any]:
    """The manifest: packages with name, version, licence and files, and the sha256 of every file kept."""
    manifest: dict[str, Any] = json.loads(MANIFEST.read_text("utf-8"))
    return manifest


def list_kept_files(manifest: dict[str, Any]) -> list[str]:
    """Paths below ``static/`` of everything the manifest is answerable for."""
    kept = [
        f"vendor/{package['folder']}/{name}" for package in manifest["packages"] for name in package["files"].values()
    ]
    return sorted([*kept, manifest["sprite"]])


def hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch_all() -> None:
    """Download, copy, draw the sprite and record the hashes."""
    manifest = read_manifest()
    with tempfile.TemporaryDirectory() as scratch:
        for package in manifest["packages"]:
            _fetch(package, Path(scratch), manifest)
    manifest["sha256"] = {name: hash_file(STATIC / name) for name in list_kept_files(manifest)}
    MANIFEST.write_text(_as_text(manifest), "utf-8")


def _fetch(package: dict[str, Any], scratch: Path, manifest: dict[str, Any]) -> None:
    folder = scratch / package["folder"]
    folder.mkdir()
    spec = f"{package['name']}@{package['version']}"
    subprocess.run(["npm", "pack", "--ignore-scripts", "--silent", spec], cwd=folder, check=True)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    target = STATIC / "vendor" / package["folder"]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source, name in package["files"].items():
        shutil.copyfile(folder / "package" / source, target / name)
    if "icons" in package:
        _draw_sprite(folder / "package" / "icons", package["icons"], STATIC / manifest["sprite"])


def _draw_sprite(icons: Path, names: list[str], target: Path) -> None:
    """One SVG of ``<symbol id=name>`` elements: colour and size come from where it is used."""
    ElementTree.register_namespace("", SVG.strip("{}"))
    sprite = ElementTree.Element(f"{SVG}svg")
    for name in names:
        drawing = ElementTree.parse(icons / f"{name}.svg").getroot()
        symbol = ElementTree.SubElement(sprite, f"{SVG}symbol", id=name, viewBox=drawing.attrib["viewBox"])
        for key in ("fill", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin"):
            symbol.set(key, drawing.attrib[key])
        for part in drawing:
            part.tail = None
            symbol.append(part)
        symbol.tail = "\n"
    sprite.text = "\n"
    ElementTree.ElementTree(sprite).write(target, encoding="utf-8")


def _as_text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=2) + "\n"


if __name__ == "__main__":
    fetch_all()
