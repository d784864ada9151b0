"""What leads out of a Keras file: HDF5 links and storage in other files, members of an archive that lie elsewhere.

A model is one file. One that has parts of it elsewhere would make the worker read whatever file it names.
"""

from __future__ import annotations

import stat
import zipfile
from io import BytesIO
from pathlib import PurePosixPath, PureWindowsPath

import h5py

from model_store.errors import LoadError, Untrusted

# A zip member's Unix mode is in the upper half of its attributes (APPNOTE.TXT 4.4.15).
MODE_SHIFT = 16
# Keras does not compress its archives, and weights hardly can be.
MAX_EXPANSION = 100
LARGE_BYTES = 268_435_456


def refuse_hdf5_links(file: h5py.File) -> None:
    """Raise Untrusted where a link or the data of a dataset lies in another file."""
    pending = [file]
    seen = set()
    while pending:
        group = pending.pop()
        # A hard link may lead back to a group above.
        if group.id in seen:
            continue
        seen.add(group.id)
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise Untrusted(_sentence(f"its {where} is a link into the file {link.filename!r}"))
            if isinstance(link, h5py.SoftLink):
                continue
            member = group[name]
            if isinstance(member, h5py.Group):
                pending.append(member)
            elif isinstance(member, h5py.Dataset):
                _refuse_outside_data(where, member)


def _refuse_outside_data(where: str, dataset: h5py.Dataset) -> None:
    if dataset.external:
        raise Untrusted(_sentence(f"the data of its {where} is in the file {dataset.external[0][0]!r}"))
    if dataset.is_virtual:
        raise Untrusted(_sentence(f"its {where} is put together from other files"))


def refuse_zip_links(archive: zipfile.ZipFile) -> None:
    """Raise Untrusted where a member is a link, stands twice, or has a path that leaves the archive."""
    names = set()
    for member in archive.infolist():
        if stat.S_ISLNK(member.external_attr >> MODE_SHIFT):
            raise Untrusted(_sentence(f"its member {member.filename!r} is a symbolic link"))
        if _leaves(member.filename):
            raise Untrusted(_sentence(f"its member {member.filename!r} would lie outside of it"))
        if member.file_size > LARGE_BYTES and member.file_size > MAX_EXPANSION * member.compress_size:
            raise LoadError(f"has a member {member.filename!r} that would unpack to {member.file_size} bytes.")
        if member.filename in names:
            raise LoadError(f"has two members named {member.filename!r}, so it is not clear which one counts.")
        names.add(member.filename)
    for name in names:
        if name.endswith(".h5"):
            with h5py.File(BytesIO(archive.read(name))) as file:
                refuse_hdf5_links(file)


def _leaves(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return bool(posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts)


def _sentence(what: str) -> str:
    return f"does not hold the whole model: {what}. Save the model whole, into one file of its own."
