"""What `signature.json` says, and that it says it of this manifest; whether the signature is true is asked of `fathom.bundle.signing`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fathom.bundle import manifest
from fathom.bundle.guard import schema
from fathom.bundle.guard.strict_json import dump, parse
from fathom.errors import BundleError

FORMAT = 1
_FIELDS = {
    "format": schema.one_of([FORMAT]),
    "manifest": schema.pattern("[0-9a-f]{64}", "a SHA-256"),
    "signed": schema.whole(0, 1 << 40),
    "key": schema.pattern("[0-9a-f]{64}", "an Ed25519 key"),
    "signature": schema.pattern("[0-9a-f]{128}", "an Ed25519 signature"),
    "check": schema.pattern("[0-9a-f]{64}", "a SHA-256"),
}


@dataclass(frozen=True)
class Signature:
    """Who signed a manifest and when: ``key`` is the public key, ``signed`` in seconds since 1970, ``message`` the bytes that were signed."""

    key: bytes
    signed: int
    signature: bytes
    message: bytes


def message(manifest_content: bytes, key: bytes, signed: int) -> bytes:
    """Return the bytes that are signed: what the manifest is, by whom and when."""
    return dump(_said(hashlib.sha256(manifest_content).hexdigest(), key.hex(), signed))


def write(manifest_content: bytes, key: bytes, signed: int, signature: bytes) -> bytes:
    """Return `signature.json`."""
    said = {
        **_said(hashlib.sha256(manifest_content).hexdigest(), key.hex(), signed),
        "signature": signature.hex(),
    }
    return dump({**said, "check": hashlib.sha256(dump(said)).hexdigest()})


def check(files: Mapping[str, bytes], place: str) -> Signature:
    """Return what a bundle's signature says. Raises BundleError when it is damaged or that of another manifest."""
    content = files[manifest.SIGNATURE]
    values = parse(content, place)
    schema.record(_FIELDS)(values, place)
    said = {name: value for name, value in values.items() if name != "check"}
    if dump(values) != content or hashlib.sha256(dump(said)).hexdigest() != values["check"]:
        raise BundleError(f"{place} was changed after it was written. Copy the bundle again, whole.", file=place)
    if values["manifest"] != hashlib.sha256(files[manifest.NAME]).hexdigest():
        raise BundleError(
            f"{place} signs another bundle: its manifest is not this one's. Sign the bundle again with fathom pack --sign.",
            file=place,
        )
    key, signed = bytes.fromhex(values["key"]), values["signed"]
    return Signature(key, signed, bytes.fromhex(values["signature"]), message(files[manifest.NAME], key, signed))


def _said(digest: str, key: str, signed: int) -> dict[str, Any]:
    return {"format": FORMAT, "manifest": digest, "signed": signed, "key": key}
