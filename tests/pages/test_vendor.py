"""The vendored front-end is byte for byte what the manifest says, and complete with its licences."""

from tests.support.vendor import STATIC, hash_file, list_kept_files, read_manifest


def test_every_vendored_file_has_the_hash_in_the_manifest() -> None:
    manifest = read_manifest()
    assert {name: hash_file(STATIC / name) for name in list_kept_files(manifest)} == manifest["sha256"]


def test_nothing_lies_in_the_vendor_folder_that_the_manifest_does_not_name() -> None:
    manifest = read_manifest()
    found = {str(path.relative_to(STATIC)) for path in (STATIC / "vendor").rglob("*") if path.is_file()}
    assert found - {"vendor/manifest.json"} == set(list_kept_files(manifest)) - {manifest["sprite"]}


def test_every_package_keeps_its_licence() -> None:
    for package in read_manifest()["packages"]:
        assert (STATIC / "vendor" / package["folder"] / "LICENSE").read_text("utf-8").strip()
