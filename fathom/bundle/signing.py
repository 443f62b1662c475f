"""A bundle is signed with Ed25519, and asked whether it is: the signature stands beside the manifest, which answers for every other byte.

Source: Bernstein et al., "High-speed high-security signatures", 2012; RFC 8032. Keys are PEM files, as ``openssl genpkey -algorithm ed25519`` writes them.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fathom.bundle import manifest
from fathom.bundle.guard import signature_schema
from fathom.bundle.guard.signature_schema import Signature
from fathom.data.files.writing import cannot_write
from fathom.errors import BundleError, OptionError, require

EXTRA = "sign"
MOST_KEY = 1 << 14  # bytes of a key's file


def new_key(file: str | Path) -> Path:
    """Write a new private key that only its owner may read, and its public key beside it as ``FILE.public``; returns the latter.

    Raises OutputError when one of them is there already, ExtraError without ``cryptography``.
    """
    ed25519, serialization = _libraries()
    private = ed25519.Ed25519PrivateKey.generate()
    own = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    other = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    path = Path(file)
    public = path.with_name(f"{path.name}.public")
    try:
        for name, content, rights in ((path, own, 0o600), (public, other, 0o644)):
            with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights), "wb") as out:
                out.write(content)
    except OSError as error:
        raise cannot_write(path, error) from None
    return public


def sign(files: Mapping[str, bytes], key: str | Path, when: float | None = None) -> dict[str, bytes]:
    """Return the files with a signature by the private key in the file ``key``, dated now or ``when`` (seconds since 1970).

    Raises OptionError when the key is none, ExtraError without ``cryptography``.
    """
    ed25519, serialization = _libraries()
    try:
        private = serialization.load_pem_private_key(_content(key), None)
    except (ValueError, TypeError) as error:
        raise OptionError(
            f"{key} is no private key without a password in PEM ({error}). Make one with: fathom pack --new-key {key}"
        ) from None
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise OptionError(f"{key} is a key of another kind than Ed25519. Make one with: fathom pack --new-key FILE")
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    signed = int(time.time() if when is None else when)
    signature = private.sign(signature_schema.message(files[manifest.NAME], raw, signed))
    written = signature_schema.write(files[manifest.NAME], raw, signed, signature)
    return {**files, manifest.SIGNATURE: written}


def verify(files: Mapping[str, bytes], key: str | Path) -> Signature:
    """Return the signature of a bundle if it is true and by the owner of the public key in the file ``key``.

    Raises BundleError for a bundle that is not signed, or not by this key; OptionError when the key is none; ExtraError without ``cryptography``.
    """
    if manifest.SIGNATURE not in files:
        raise BundleError(
            f"The bundle is not signed, and it should be by the owner of {key}. Ask for the signed one; its owner signs with: fathom pack BUNDLE --sign KEY -o FILE",
            file=manifest.SIGNATURE,
        )
    found = signature_schema.check(files, manifest.SIGNATURE)
    public, raw = _public(key)
    if raw != found.key:
        raise BundleError(
            f"The bundle is signed by another key ({found.key.hex()[:16]}…) than that of {key} ({raw.hex()[:16]}…). Trust that key if you know whose it is, or do not use the bundle.",
            file=manifest.SIGNATURE,
        )
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(found.signature, found.message)
    except InvalidSignature:
        raise BundleError(
            "The bundle's signature is false: it was made for other bytes, or by no one. Do not use the bundle.",
            file=manifest.SIGNATURE,
        ) from None
    return found


def check_no_downgrade(files: Mapping[str, bytes], before: Mapping[str, bytes]) -> None:
    """Raise BundleError when a bundle that would take the place of another is an older one: signed earlier, no longer signed, or of an earlier format."""
    formats = [manifest.entries(each[manifest.NAME], manifest.NAME)[0] for each in (files, before)]
    if formats[0] < formats[1]:
        raise BundleError(
            f"This would be a downgrade: the bundle is of format {formats[0]}, and the one in place of format {formats[1]}. Use a newer one.",
            file=manifest.NAME,
        )
    if manifest.SIGNATURE not in before:
        return
    if manifest.SIGNATURE not in files:
        raise BundleError(
            "This would be a downgrade: the bundle is not signed, and the one in place is. Sign it first.",
            file=manifest.SIGNATURE,
        )
    own, other = (signature_schema.check(each, manifest.SIGNATURE).signed for each in (files, before))
    if own < other:
        raise BundleError(
            f"This would be a downgrade: the bundle was signed {other - own:,} seconds before the one in place. Sign it again if you mean to go back.",
            file=manifest.SIGNATURE,
        )


def _public(key: str | Path) -> tuple[Any, bytes]:
    ed25519, serialization = _libraries()
    try:
        public = serialization.load_pem_public_key(_content(key))
    except ValueError as error:
        raise OptionError(f"{key} is no public key in PEM ({error}). fathom pack --new-key writes one.") from None
    if not isinstance(public, ed25519.Ed25519PublicKey):
        raise OptionError(f"{key} is a key of another kind than Ed25519. fathom pack --new-key writes one.")
    return public, public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _content(key: str | Path) -> bytes:
    try:
        with Path(key).open("rb") as file:
            return file.read(MOST_KEY)
    except OSError as error:
        raise OptionError(f"The key {key} cannot be read ({error.strerror}).") from None


def _libraries() -> tuple[Any, Any]:
    ed25519 = require("cryptography.hazmat.primitives.asymmetric.ed25519", EXTRA)
    return ed25519, require("cryptography.hazmat.primitives.serialization", EXTRA)
