"""Standard input, put aside in a temporary file, so that it can be read from any position and checked beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

from client.errors import InputError
from client.input_file import STANDARD_INPUT

_COPIED_BYTES = 1 << 20


class SpooledInput:
    """A copy of standard input on disk, deleted when it is closed.

    Attributes:
        path: Where it is.
        fingerprint: Its size in bytes and its SHA-256: the same command with the same data resumes.
    """

    def __init__(self, stdin: BinaryIO, folder: Path | None) -> None:
        """Copy all of it.

        Args:
            stdin: It is read to its end.
            folder: Where the copy is put; None: the system's folder for temporary files.

        Raises:
            InputError: There is no room for it.
        """
        self._file = NamedTemporaryFile(prefix="celeriac-input-", dir=folder)  # noqa: SIM115
        digest = sha256()
        try:
            while data := stdin.read(_COPIED_BYTES):
                digest.update(data)
                self._file.write(data)
            self._file.flush()
        except OSError as error:
            self._file.close()
            raise InputError(f"Standard input cannot be put aside: {error.strerror or error}.") from None
        except BaseException:
            self._file.close()
            raise
        self.path = Path(self._file.name)
        self.fingerprint: Mapping[str, Any] = {
            "name": STANDARD_INPUT,
            "bytes": self._file.tell(),
            "sha256": digest.hexdigest(),
        }

    def close(self) -> None:
        """Delete the copy."""
        self._file.close()
