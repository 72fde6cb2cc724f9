"""Signs the sealed head of a ledger with a person's SSH key, and says whose signature it has.

`head.json.sig` is a signature in OpenSSH's armour, and behind it the head that it is of: so a head
that has moved on since is told from one that was changed. Stock OpenSSH takes the file as it is:
ssh-keygen -Y verify -f ALLOWED -I WHO -n agentcli-ledger -s head.json.sig < head.json
"""

import os
import subprocess
import tempfile
from pathlib import Path

import msgspec

from agentcli.errors import InputError, LedgerError, MissingFileError, UnavailableError
from agentcli.ledger.seal import HEAD, HEAD_BYTES, Head, read_head
from agentcli.ledger.vault import write_private

NAMESPACE = "agentcli-ledger"
SIGNATURE = f"{HEAD}.sig"
END = b"-----END SSH SIGNATURE-----\n"
MOST_BYTES = 1 << 16
LIMIT_S = 20


class SignatureError(Exception):
    """It is none, or not by anyone who may sign. Says why."""


def sign(folder: Path, key: Path, count: int) -> None:
    """Sign the head of a run. ssh-keygen asks for a passphrase by itself.

    count: how many records it has to seal. A head may say less after a power cut.
    Raises MissingFileError, InputError where the head or the key will not do, UnavailableError.
    """
    if not key.is_file():
        raise MissingFileError(f"{key}: no such key")
    path = folder / HEAD
    sealed = read_head(path)
    if sealed is None or sealed.count != count:
        hint = f"It is written anew by: agentcli resume {folder.name}"
        raise InputError(f"{path}: it does not seal all of the {count} records", hint=hint)
    head = path.read_bytes()
    words = ["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE]
    ended = keygen(words, head, limit_s=None)
    if ended.returncode or not ended.stdout.endswith(END):
        said = ended.stderr.decode("utf-8", "replace").strip()
        raise InputError(f"{key}: it does not sign: {said or 'ssh-keygen failed'}")
    write_private(folder / SIGNATURE, ended.stdout + head)


def read_signed(folder: Path) -> tuple[bytes, bytes] | None:
    """Return the signature of a run and the head that it is of; None where there is none.

    Raises SignatureError.
    """
    try:
        with (folder / SIGNATURE).open("rb") as file:
            armour, end, head = file.read(MOST_BYTES).partition(END)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SignatureError(f"{SIGNATURE}: {error.strerror}") from error
    if not end or not 0 < len(head) <= HEAD_BYTES:
        raise SignatureError(f"{SIGNATURE} is no signature of a head")
    return armour + end, head


def signer_of(armour: bytes, head: bytes, signers: Path) -> tuple[str, Head]:
    """Return who signed a head, as the file of allowed signers calls them, and the head.

    Raises SignatureError, MissingFileError, UnavailableError.
    """
    if not signers.is_file():
        raise MissingFileError(f"{signers}: no such file of allowed signers")
    try:
        with tempfile.NamedTemporaryFile(prefix="agentcli-") as file:
            file.write(armour)
            file.flush()
            where = ["-s", file.name, "-f", str(signers)]
            found = keygen(["-Y", "find-principals", *where], b"")
            if found.returncode or not found.stdout.strip():
                raise SignatureError(f"signed, but by nobody in {signers}")
            who = found.stdout.decode("utf-8", "replace").splitlines()[0]
            words = ["-Y", "verify", "-I", who, "-n", NAMESPACE, *where]
            if keygen(words, head).returncode:
                raise SignatureError(f"signed by {who}, but not this")
        return who, msgspec.json.decode(head, type=Head)
    except OSError as error:
        raise LedgerError(f"no temporary file: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SignatureError(f"{SIGNATURE} is of something else") from error


def keygen(
    words: list[str], data: bytes, limit_s: int | None = LIMIT_S
) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            ["ssh-keygen", *words],
            input=data,
            capture_output=True,
            timeout=limit_s,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        hint = "Install OpenSSH's client, 8.2 or later."
        raise UnavailableError("ssh-keygen is not here", hint=hint) from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError("ssh-keygen does not come to an end") from error
