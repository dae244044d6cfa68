"""Bundles: what is written comes back verified, the same inputs give the same id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loopcast.api import (
    BundleFile,
    Dataset,
    IntegrityError,
    Manifest,
    ModelError,
    NotFoundError,
    PluginOrigin,
)
from loopcast.deploy.bundle import (
    check_files,
    decode_manifest,
    encode_bundle,
    encode_manifest,
    open_bundle,
    read_bundle,
    read_file,
    read_manifest,
    read_text,
    version_of,
    write_bundles,
)
from loopcast.store.artifacts import Artifacts

DATASET = Dataset(
    name="data",
    fingerprint="d" * 64,
    origin="data.csv",
    rows=3,
    start=datetime(2026, 1, 1, tzinfo=UTC),
)
FILES = {"model.npz": b"weights", "docs/model.md": b"# What it is", "empty": b""}


def manifest(**changes: Any) -> Manifest:
    plain: dict[str, Any] = {
        "logical_model": "demand",
        "segment": "NSW1",
        "template": "forecasting.gam_arima",
        "plugin": PluginOrigin(plugin="forecasting", package="p", package_version="1.0"),
        "hyperparameters": {"order": [2, 0, 1], "lam": 0.6},
        "recipe": "c" * 64,
        "seed": 7,
        "datasets": (DATASET,),
        "environment": {"numpy": "2.4.6"},
        "files": {},
    }
    return Manifest(**(plain | changes))


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(str(tmp_path))


def written(
    artifacts: Artifacts, bundles: Sequence[tuple[Manifest, dict[str, bytes]]]
) -> list[tuple[Manifest, str]]:
    encoded = [encode_bundle(*bundle) for bundle in bundles]
    write_bundles(artifacts, encoded)
    return [(bundle.manifest, bundle.digest) for bundle in encoded]


def written_alone(
    artifacts: Artifacts, made: Manifest, files: dict[str, bytes]
) -> tuple[Manifest, str]:
    return written(artifacts, [(made, files)])[0]


def stored(tmp_path: Path, digest: str) -> Path:
    [file] = tmp_path.rglob(digest)
    return file


_FILES = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_.\-]{0,8}(/[a-z]{1,4})?", fullmatch=True), st.binary(max_size=50)
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)  # fmt: skip


@given(files=_FILES, hyperparameters=st.dictionaries(st.text(max_size=5), _JSON, max_size=3))
def test_any_bundle_comes_back(files: dict[str, bytes], hyperparameters: dict[str, Any]) -> None:
    artifacts = Artifacts("memory://bundles")
    made = manifest(hyperparameters=hyperparameters)
    written, digest = written_alone(artifacts, made, files)
    bundle = read_bundle(artifacts, digest)
    assert (bundle.manifest, bundle.files, bundle.digest) == (written, files, digest)
    assert replace(written, files={}) == made
    assert written.files.keys() == files.keys()
    reordered = dict(reversed(hyperparameters.items()))
    again = manifest(hyperparameters=reordered)
    assert written_alone(artifacts, again, dict(reversed(files.items()))) == (written, digest)


def test_the_encoding_stays(artifacts: Artifacts) -> None:
    """A change of these bytes would give every trained version a new id."""
    written, digest = written_alone(artifacts, manifest(), {"a": b"x"})
    assert artifacts.get(digest) == encode_manifest(written)
    assert encode_manifest(written) == (
        b'{"bundle_format":1,"datasets":[{"end":null,"fingerprint":"' + b"d" * 64 + b'","imputed":'
        b'0,"name":"data","origin":"data.csv","rows":3,"start":"2026-01-01T00:00:00Z"}],'
        b'"environment":{"numpy":"2.4.6"},"files":{"a":{"sha256":"'
        + sha256(b"x").hexdigest().encode()
        + b'","size":1}},"hyperparameters":{"lam":0.6,"order":[2,0,1]},"logical_model":"demand",'
        b'"plugin":{"package":"p","package_version":"1.0","plugin":"forecasting"},"recipe":"'
        + b"c" * 64
        + b'","seed":7,"segment":"NSW1","template":"forecasting.gam_arima"}'
    )


def test_a_family_at_once(artifacts: Artifacts) -> None:
    bundles = [(manifest(segment=f"m{i}"), {"model": str(i).encode()}) for i in range(5)]
    many = written(artifacts, bundles)
    assert many == [written_alone(artifacts, *bundle) for bundle in bundles]
    for (_, digest), (made, files) in zip(many, bundles, strict=True):
        assert read_bundle(artifacts, digest).files == files
        assert read_manifest(artifacts, digest).segment == made.segment


def test_small_bundles_of_a_family_are_a_file_each(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopcast.deploy.bundle.SMALL", 100)
    bundles = [(manifest(segment=f"m{i}"), FILES | {"more": b"x" * i * 100}) for i in range(3)]
    many = written(artifacts, bundles)
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    large = {sha256(data).hexdigest() for _, files in bundles[1:] for data in files.values()}
    assert names == large | {digest for _, digest in many}
    for (made, digest), (_, files) in zip(many, bundles, strict=True):
        assert read_bundle(artifacts, digest).files == files
        assert {name: read_file(artifacts, digest, name) for name in files} == files
        assert dict(open_bundle(artifacts, digest).files) == files
        assert "absent" not in open_bundle(artifacts, digest).files
        assert read_file(artifacts, digest, "absent") is None
        assert read_manifest(artifacts, digest) == made
    assert written(artifacts, bundles) == many


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"weights" * 9, b"Weights" * 9),
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:-40],
    ],
    ids=["changed", "shorter", "longer", "much shorter"],
)
def test_damage_to_a_bundle_in_one_file_is_found(
    artifacts: Artifacts, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    files = {"a": b"first", "weights.npz": b"weights" * 9, "z": b"last"}
    [(_, digest), _] = written(artifacts, [(manifest(segment=s), files) for s in "ab"])
    file = stored(tmp_path, digest)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(IntegrityError, match=r"are not those of its manifest|goes on after"):
        read_bundle(artifacts, digest)
    assert open_bundle(artifacts, digest).files["a"] == b"first"
    if b"weights" * 9 not in file.read_bytes():
        with pytest.raises(IntegrityError, match=r"file weights\.npz of bundle .* was changed"):
            read_file(artifacts, digest, "weights.npz")


def test_a_text_of_a_bundle_is_read_alone(artifacts: Artifacts) -> None:
    written, digest = written_alone(artifacts, manifest(), FILES | {"weights": b"\xff\xfe"})
    version = version_of(written, digest, datetime(2026, 1, 1, tzinfo=UTC))
    assert read_text(artifacts, version, "docs/model.md") == "# What it is"
    with pytest.raises(NotFoundError, match=r"no file 'model\.md'; it has docs/model\.md, empty"):
        read_text(artifacts, version, "model.md")
    with pytest.raises(NotFoundError, match=r"weights of version .* is no text"):
        read_text(artifacts, version, "weights")


def test_a_version_is_its_manifest(artifacts: Artifacts) -> None:
    written, digest = written_alone(artifacts, manifest(), FILES)
    version = version_of(written, digest, datetime(2026, 2, 1, tzinfo=UTC))
    assert (version.id, version.manifest) == (digest[:16], digest)
    assert (version.dataset, version.segment) == (DATASET.fingerprint, "NSW1")
    with pytest.raises(ModelError, match="the manifest of demand names no dataset"):
        version_of(manifest(datasets=()), digest, datetime(2026, 2, 1, tzinfo=UTC))


class TestDamage:
    def test_a_changed_file(self, artifacts: Artifacts, tmp_path: Path) -> None:
        _, digest = written_alone(artifacts, manifest(), FILES)
        stored(tmp_path, sha256(b"weights").hexdigest()).write_bytes(b"Weights")
        with pytest.raises(IntegrityError, match=r"was changed.*restore the file"):
            read_bundle(artifacts, digest)

    def test_a_changed_manifest(self, artifacts: Artifacts, tmp_path: Path) -> None:
        _, digest = written_alone(artifacts, manifest(), FILES)
        file = stored(tmp_path, digest)
        file.write_bytes(file.read_bytes().replace(b'"seed":7', b'"seed":8'))
        with pytest.raises(IntegrityError, match=f"artifact {digest}.* was changed"):
            read_bundle(artifacts, digest)

    def test_a_missing_file(self, artifacts: Artifacts, tmp_path: Path) -> None:
        _, digest = written_alone(artifacts, manifest(), FILES)
        stored(tmp_path, sha256(b"weights").hexdigest()).unlink()
        with pytest.raises(IntegrityError, match=r"file model\.npz \(.*\) is missing; restore"):
            read_bundle(artifacts, digest)

    def test_a_wrong_size(self, artifacts: Artifacts) -> None:
        wrong = BundleFile(sha256=artifacts.put(b"weights"), size=8)
        digest = artifacts.put(encode_manifest(manifest(files={"model.npz": wrong})))
        with pytest.raises(IntegrityError, match=r"differing from its digest: model\.npz"):
            read_bundle(artifacts, digest)

    def test_files_that_came_another_way(self, artifacts: Artifacts) -> None:
        written, _ = written_alone(artifacts, manifest(), FILES)
        check_files(written, FILES)
        other = {"model.npz": b"changed", "more": b"", "empty": b""}
        with pytest.raises(
            IntegrityError,
            match=r"\(missing: docs/model\.md; not in the manifest: more; "
            r"differing from its digest: model\.npz\)",
        ):
            check_files(written, other)

    def test_nothing_there(self, artifacts: Artifacts) -> None:
        with pytest.raises(NotFoundError):
            read_bundle(artifacts, "0" * 64)


class TestRefused:
    def test_a_format_of_the_future(self, artifacts: Artifacts) -> None:
        data = encode_manifest(manifest()).replace(b'"bundle_format":1', b'"bundle_format":2,"x":1')
        digest = artifacts.put(data)
        with pytest.raises(ModelError, match="has format 2, and this loopcast reads up to 1"):
            read_bundle(artifacts, digest)

    @pytest.mark.parametrize("data", [b"weights", b"{}", b"[]", b'{"bundle_format":"x"}', b"\xff"])
    def test_what_is_no_manifest(self, data: bytes) -> None:
        with pytest.raises(IntegrityError, match="not the manifest of a bundle"):
            decode_manifest(data)

    @pytest.mark.parametrize(
        "name", ["", "/etc/passwd", "../up", "a/../b", ".hidden", "a\\b", "a//b"]
    )
    def test_names_that_could_leave_the_bundle(self, artifacts: Artifacts, name: str) -> None:
        with pytest.raises(ModelError, match="cannot be a file of a bundle"):
            written_alone(artifacts, manifest(), {name: b""})
        file = BundleFile(sha256=artifacts.put(b""), size=0)
        digest = artifacts.put(encode_manifest(manifest(files={name: file})))
        with pytest.raises(ModelError, match="cannot be a file of a bundle"):
            read_bundle(artifacts, digest)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
    def test_hyperparameters_that_json_cannot_hold(
        self, artifacts: Artifacts, tmp_path: Path, value: object
    ) -> None:
        with pytest.raises(ModelError, match="cannot be written as JSON"):
            written_alone(artifacts, manifest(hyperparameters={"x": value}), FILES)
        assert list(tmp_path.iterdir()) == []
