"""Bundles: the files of a version and the manifest that names them by their digests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from itertools import accumulate

import msgspec

from loopcast.api import (
    BundleFile,
    Digest,
    Files,
    IntegrityError,
    InvalidRecordError,
    Manifest,
    ModelError,
    NotFoundError,
    Version,
)
from loopcast.api.formats import json_bytes
from loopcast.store.artifacts import Artifacts, Parts

BUNDLE_FORMAT = 1
"""The newest bundle format that this package writes and reads."""

SMALL = 2**22
"""Bytes of a bundle up to which it is one file, where many are written: 4 MB."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")


@dataclass(frozen=True)
class Bundle:
    """A version's files, checked against the manifest.

    Attributes
    ----------
    digest
        Of the encoded manifest; its first 16 digits are the version's id.
    files
        Contents by name.
    """

    digest: Digest
    manifest: Manifest
    files: Mapping[str, bytes]


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode a manifest; equal manifests have equal bytes.

    Raises
    ------
    ModelError
        When a hyperparameter is something that JSON cannot hold exactly.
    """
    try:
        plain = msgspec.to_builtins(manifest)
    except TypeError as error:
        raise ModelError(f"a hyperparameter cannot be written as JSON: {error}") from None
    return json_bytes(plain)


def decode_manifest(data: bytes) -> Manifest:
    """Decode a manifest.

    Raises
    ------
    ModelError
        When its bundle format is unknown to this package.
    IntegrityError
        When it is not a manifest.
    """
    try:
        bundle_format = msgspec.json.decode(data, type=_Format).bundle_format
        if bundle_format > BUNDLE_FORMAT:
            raise ModelError(
                f"the bundle has format {bundle_format}, and this loopcast reads up to "
                f"{BUNDLE_FORMAT}; upgrade loopcast"
            )
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, InvalidRecordError) as error:
        raise IntegrityError(f"not the manifest of a bundle: {error}") from None


class _Format(msgspec.Struct):
    bundle_format: int = 1


@dataclass(frozen=True)
class EncodedBundle(Bundle):
    """A bundle that is ready to be stored.

    Attributes
    ----------
    encoded
        The manifest as it is stored.
    """

    encoded: bytes


def encode_bundle(manifest: Manifest, files: Files) -> EncodedBundle:
    """Encode a manifest with the digests of files.

    Parameters
    ----------
    manifest
        With any ``files``, which are replaced.

    Raises
    ------
    ModelError
        For a file name that could leave the bundle, or a value that JSON cannot hold.
    """
    data = encode_manifest(_with_files(manifest, files))
    return EncodedBundle(sha256(data).hexdigest(), decode_manifest(data), files, data)


def write_bundles(artifacts: Artifacts, bundles: Sequence[EncodedBundle]) -> None:
    """Store bundles, thousands at once for a family of segments.

    Small ones of many become one file each, which is there or is not. Of the others, all files
    are stored before the first manifest, so that a manifest never names a file that is not there.

    Raises
    ------
    StoreError
        When the store cannot be written.
    """
    small = [b for b in bundles if len(bundles) > 1 and _size(b.files) <= SMALL]
    large = [b for b in bundles if len(bundles) == 1 or _size(b.files) > SMALL]
    artifacts.put_with_company((b.encoded, _in_order(b.files)) for b in small)
    artifacts.put_many(part for b in large for part in b.files.values())
    artifacts.put_many(b.encoded for b in large)


def _size(files: Files) -> int:
    return sum(map(len, files.values()))


def _in_order(files: Files) -> list[bytes]:
    """Return files as they are kept beside their manifest, in the order of their names."""
    return [files[name] for name in sorted(files)]


def _with_files(manifest: Manifest, files: Files) -> Manifest:
    _check_names(files)
    described = {
        name: BundleFile(sha256=sha256(data).hexdigest(), size=len(data))
        for name, data in files.items()
    }
    return msgspec.structs.replace(manifest, files=described)


@dataclass(frozen=True, eq=False)
class StoredBundle:
    """A bundle as it is stored: its manifest was read, and files are checked as they are taken.

    Attributes
    ----------
    digest
        Of the encoded manifest, which is checked.
    company
        Gives parts of all files, where they are kept beside the manifest; still to be checked.
    artifacts
        Where files are that are kept alone.
    """

    digest: Digest
    manifest: Manifest
    company: Parts | None
    artifacts: Artifacts

    def file(self, name: str) -> bytes | None:
        """Return one file, checked against its digest; ``None`` where there is no such file.

        Raises
        ------
        IntegrityError
            Where it is missing or differs from what the manifest says.
        NotFoundError
            Where the whole bundle is gone since it was opened.
        """
        if name not in self.manifest.files:
            return None
        if self.company is None:
            return self._alone(name)
        data = self.company(self._places[name])
        if not _matches(data, self.manifest.files[name]):
            raise IntegrityError(
                f"file {name} of bundle {self.digest} was changed; it is not used: restore the "
                "store from a backup or train again"
            )
        return data

    @property
    def files(self) -> Files:
        """All files by name, each checked when it is taken, as :meth:`file` does."""
        return _StoredFiles(self)

    @cached_property
    def _places(self) -> dict[str, slice]:
        """Where each file is in the company."""
        sizes = [(name, self.manifest.files[name].size) for name in sorted(self.manifest.files)]
        ends = accumulate(size for _, size in sizes)
        return {name: slice(end - size, end) for (name, size), end in zip(sizes, ends, strict=True)}

    def whole(self) -> Bundle:
        """Return the bundle with all its files, each checked against its digest.

        Raises
        ------
        IntegrityError
            When a file is missing or differs from what the manifest says.
        """
        manifest = self.manifest
        company = self.company(slice(None)) if self.company else None
        _check_names(manifest.files)
        files = (
            {name: self._alone(name) for name in manifest.files}
            if company is None
            else {name: company[place] for name, place in self._places.items()}
        )
        check_files(manifest, files)
        if company is not None and len(company) > _size(files):
            raise IntegrityError(
                f"bundle {self.digest} goes on after the last file of its manifest; it is not used"
            )
        return Bundle(self.digest, manifest, files)

    def _alone(self, name: str) -> bytes:
        """Read a file that is kept alone, under its digest."""
        digest = self.manifest.files[name].sha256
        try:
            return self.artifacts.get(digest)
        except NotFoundError:
            raise IntegrityError(
                f"bundle {self.digest}: file {name} ({digest}) is missing; restore the store "
                "from a backup or train again"
            ) from None


@dataclass(frozen=True, eq=False)
class _StoredFiles(Mapping[str, bytes]):
    """The files of a stored bundle; who takes a few of them reads and checks no others."""

    bundle: StoredBundle

    def __getitem__(self, name: str) -> bytes:
        content = self.bundle.file(name)
        if content is None:
            raise KeyError(name)
        return content

    def __contains__(self, name: object) -> bool:
        return name in self.bundle.manifest.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.bundle.manifest.files)

    def __len__(self) -> int:
        return len(self.bundle.manifest.files)


def open_bundle(artifacts: Artifacts, digest: Digest) -> StoredBundle:
    """Read the manifest of a bundle, for who takes it apart; raises as :func:`read_bundle` does."""
    content, company = artifacts.get_with_company(digest)
    return StoredBundle(digest, decode_manifest(content), company, artifacts)


def find_bundle(
    artifacts: Artifacts, digest: Digest
) -> StoredBundle | IntegrityError | NotFoundError:
    """Read the manifest of a bundle, or return the error that says that it is damaged or gone."""
    try:
        return open_bundle(artifacts, digest)
    except (IntegrityError, NotFoundError) as error:
        return error


def read_bundle(artifacts: Artifacts, digest: Digest) -> Bundle:
    """Read a bundle and check each file against its digest.

    Raises
    ------
    NotFoundError
        When the manifest is not in the store.
    IntegrityError
        When a file is missing or differs from what the manifest says.
    ModelError
        When the bundle format is unknown to this package.
    """
    return open_bundle(artifacts, digest).whole()


def read_file(artifacts: Artifacts, digest: Digest, name: str) -> bytes | None:
    """Return one file of a bundle, checked against its digest; ``None`` where it has no such file.

    Raises
    ------
    NotFoundError, IntegrityError, ModelError
        As :func:`read_bundle`, of the manifest and of this file.
    """
    return open_bundle(artifacts, digest).file(name)


def read_manifest(artifacts: Artifacts, digest: Digest) -> Manifest:
    """Read a manifest alone, checked against its digest."""
    return decode_manifest(artifacts.get(digest))


def read_text(artifacts: Artifacts, version: Version, name: str) -> str:
    """Return a text file of a version's bundle, checked against its digest.

    Raises
    ------
    NotFoundError
        Where the bundle has no such file, or it is no text.
    """
    content = read_file(artifacts, version.manifest, name)
    if content is None:
        names = sorted(read_manifest(artifacts, version.manifest).files)
        raise NotFoundError(f"version {version.id} has no file {name!r}; it has {', '.join(names)}")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise NotFoundError(f"{name} of version {version.id} is no text") from None


def check_files(manifest: Manifest, files: Files) -> None:
    """Check that files are exactly those of a manifest, byte for byte.

    Raises
    ------
    IntegrityError
        Naming what is missing, what is there too much, and what differs.
    """
    missing = sorted(manifest.files.keys() - files.keys())
    extra = sorted(files.keys() - manifest.files.keys())
    differing = sorted(
        name
        for name, expected in manifest.files.items()
        if name in files and not _matches(files[name], expected)
    )
    problems = [
        f"{problem}: {', '.join(names)}"
        for problem, names in [
            ("missing", missing),
            ("not in the manifest", extra),
            ("differing from its digest", differing),
        ]
        if names
    ]
    if problems:
        raise IntegrityError(
            f"the files of a bundle of {manifest.logical_model} are not those of its manifest "
            f"({'; '.join(problems)}); it is not used"
        )


def _matches(data: bytes, expected: BundleFile) -> bool:
    return len(data) == expected.size and sha256(data).hexdigest() == expected.sha256


def _check_names(files: Mapping[str, object]) -> None:
    for name in files:
        if not _FILE_NAME.fullmatch(name):
            raise ModelError(
                f"{name!r} cannot be a file of a bundle; use letters, digits, '_', '-', '.' and "
                "'/' between folders"
            )


def version_of(manifest: Manifest, digest: Digest, created: datetime) -> Version:
    """Return the version that a bundle is; the manifest's first dataset is what it learned from."""
    if not manifest.datasets:
        raise ModelError(f"the manifest of {manifest.logical_model} names no dataset")
    return Version(
        id=digest[:16],
        logical_model=manifest.logical_model,
        segment=manifest.segment,
        template=manifest.template,
        recipe=manifest.recipe,
        manifest=digest,
        dataset=manifest.datasets[0].fingerprint,
        created=created,
    )
