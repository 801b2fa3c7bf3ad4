"""Content Credentials (C2PA): a signed statement inside the file on how it was made. https://c2pa.org

A file that cannot hold a statement (WebM) has it beside it, under its name with the ending ``.c2pa``, as C2PA asks for.

Needs no network: nothing is fetched, neither when a file is signed nor when one is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visiongen.datatypes import Provenance
from visiongen.errors import MediaError
from visiongen.exporters.provenance import FORMAT, SOURCE_TYPE
from visiongen.marking.certificates import load_credentials, local_chain

SETTINGS_LABEL = "org.visiongen.settings"
MEDIA_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".avi": "video/x-msvideo", ".gif": "image/gif",
    ".webp": "image/webp", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
}  # fmt: skip
"""Ending -> type, of the files that can hold a manifest."""
BESIDE_TYPES = {".webm": "video/webm"}
"""The same of those whose manifest lies beside them."""
_LARGEST_MANIFEST = 64 << 20
_OFFLINE = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}


@dataclass(frozen=True, kw_only=True)
class CredentialFinding:
    """What the Content Credentials of a file say."""

    state: str
    """valid (unchanged since it was signed), own (valid, and signed with this user's certificate) or invalid."""
    signer: str = ""
    problems: tuple[str, ...] = ()
    """Why it is invalid."""
    generator: str = ""
    source_type: str = ""
    """IPTC digital source type."""
    ingredients: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How it was made, if VisionGen 3D made it."""

    @property
    def proves_generation(self) -> bool:
        """It is unchanged and says that a machine made the picture."""
        return self.state != "invalid" and "lgorithmicMedia" in self.source_type


def can_be_signed(path: Path) -> bool:
    """Whether files with this ending hold a manifest, or can have one beside them."""
    return path.suffix.lower() in MEDIA_TYPES | BESIDE_TYPES


def manifest_beside(path: Path) -> Path | None:
    """Where the manifest of a file lies that cannot hold it; None for all others."""
    return path.with_suffix(".c2pa") if path.suffix.lower() in BESIDE_TYPES else None


def belongs_to(manifest: Path, title: str) -> bool:
    """Whether a manifest beside a file was made by VisionGen 3D for a file of this name, though it may be another one now."""
    try:
        import c2pa

        if manifest.stat().st_size > _LARGEST_MANIFEST:
            return False
        # Of nothing it cannot be valid, but it can be read.
        reader = c2pa.Reader("video/webm", _nothing(), manifest.read_bytes(), context=_context())
        document = json.loads(reader.json())
        active = document.get("manifests", {}).get(document.get("active_manifest"), {})
        names = [one.get("name", "") for one in active.get("claim_generator_info") or []]
    except Exception:  # no manifest at all: the library raises its own errors
        return False
    return active.get("title") == title and any(name.startswith("VisionGen 3D") for name in names)


def sign(path: Path, *, title: str, provenance: Provenance, inputs: Mapping[str, Path] | None = None) -> bytes:
    """Signs a finished file, in place: it is replaced by the signed one, or stays as it is.

    Args:
        path: With an ending of `MEDIA_TYPES` or `BESIDE_TYPES`; one of the latter stays as it is.
        title: The name it will have.
        provenance: How it was made; its settings become an assertion.
        inputs: Role in the settings ("portrait", "driving") -> file. Credentials that an input has are kept.
    Returns:
        The manifest; for `manifest_beside`.
    Raises:
        MediaError: It cannot be signed; one sentence.
    """
    credentials = load_credentials()
    signed = path.with_name(f".{path.stem}.signed{path.suffix}")
    try:
        import c2pa

        info = c2pa.C2paSignerInfo(credentials.algorithm.encode(), credentials.chain, credentials.key, None)
        builder = c2pa.Builder(_manifest(provenance, title, path), _context())
        for role in ("portrait", "driving"):
            _add_ingredient(builder, role, provenance.settings.get(role), (inputs or {}).get(role))
        if manifest_beside(path):
            builder.set_no_embed()
        with path.open("rb") as source, signed.open("w+b") as target:
            manifest = builder.sign(c2pa.Signer.from_info(info), _type_of(path), source, target)
        if not manifest_beside(path):
            os.replace(signed, path)
        return bytes(manifest)
    except ImportError as error:
        raise MediaError(f"{title} is not signed: c2pa-python is not installed; pip install c2pa-python") from error
    except Exception as error:  # the library raises its own errors, OSError and, for odd values, others
        text = " ".join(str(error).split())[:200]
        raise MediaError(f"{title} cannot be signed with Content Credentials: {text}") from error
    finally:
        with suppress(OSError):
            signed.unlink(missing_ok=True)


def _context(trusted: bytes | None = None) -> Any:
    import c2pa

    settings: dict[str, Any] = {**_OFFLINE}
    if trusted:
        settings["verify"] = {**_OFFLINE["verify"], "verify_trust": True}
        settings["trust"] = {"user_anchors": trusted.decode(), "trust_anchors": trusted.decode()}
    return c2pa.Context(settings=c2pa.Settings.from_dict(settings))


def _manifest(provenance: Provenance, title: str, path: Path) -> dict[str, Any]:
    name, _, version = provenance.software.rpartition(" ")
    agent = {"name": name, "version": version}
    created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": agent}
    statement = json.loads(json.dumps({"format": FORMAT, "software": provenance.software,
                                       "settings": provenance.settings}, default=str))  # fmt: skip
    return {
        "claim_generator_info": [agent],
        "title": title,
        "format": _type_of(path),
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": SETTINGS_LABEL, "data": statement},
        ],
    }


def _type_of(path: Path) -> str | None:
    return (MEDIA_TYPES | BESIDE_TYPES).get(path.suffix.lower())


def _add_ingredient(builder: Any, role: str, facts: Any, path: Path | None) -> None:
    """An input by name and checksum; with the file at hand, what its own credentials say."""
    import c2pa

    if not isinstance(facts, Mapping):
        return
    described = {"title": str(facts.get("name", role)), "relationship": "inputTo"}
    if "sha256" in facts:
        described["description"] = f"{role}, sha256 {facts['sha256']}"
    kind = MEDIA_TYPES.get(path.suffix.lower()) if path is not None else None
    if kind is not None:
        with suppress(c2pa.C2paError, OSError), path.open("rb") as file:
            builder.add_ingredient(described, kind, file)
            return
    builder.add_ingredient({**described, "format": "application/octet-stream"}, "application/octet-stream", _nothing())


def _nothing() -> Any:
    import io

    return io.BytesIO(b"\0")


def read_credentials(path: Path) -> CredentialFinding | None:
    """The Content Credentials of a file; None where it has none, or is of a kind that has none."""
    kind, beside = _type_of(path), manifest_beside(path)
    if kind is None:
        return None
    try:
        import c2pa

        manifest = None
        if beside is not None:
            if not beside.is_file() or beside.stat().st_size > _LARGEST_MANIFEST:
                return None
            manifest = beside.read_bytes()
        with path.open("rb") as file:
            reader = c2pa.Reader(kind, file, manifest, context=_context(local_chain()))
            state, document = reader.get_validation_state(), json.loads(reader.json())
    except ImportError:
        return None
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror})") from error
    except Exception as error:
        if "ManifestNotFound" in f"{type(error).__name__} {error}":
            return None
        return CredentialFinding(state="invalid", problems=(" ".join(str(error).split())[:200],))
    return _finding(state, document)


def _finding(state: str | None, document: dict[str, Any]) -> CredentialFinding:
    active = document.get("manifests", {}).get(document.get("active_manifest"), {})
    assertions = {one.get("label", ""): one.get("data", {}) for one in active.get("assertions", [])}
    actions = next(
        (data.get("actions", []) for label, data in assertions.items() if label.startswith("c2pa.actions")), []
    )
    statement = assertions.get(SETTINGS_LABEL, {})
    signature = active.get("signature_info", {})
    failures = document.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    problems = tuple(
        one.get("explanation") or one.get("code", "") for one in failures if "untrusted" not in one.get("code", "")
    )
    who = [signature.get("common_name"), signature.get("issuer")]
    generators = active.get("claim_generator_info") or [{}]
    return CredentialFinding(
        state={"Valid": "valid", "Trusted": "own"}.get(state or "", "invalid"),
        signer=", ".join(one for one in who if one),
        problems=problems,
        generator=f"{generators[0].get('name', '')} {generators[0].get('version', '')}".strip(),
        source_type=next((one["digitalSourceType"] for one in actions if one.get("digitalSourceType")), ""),
        ingredients=tuple(_ingredient_text(one) for one in active.get("ingredients", [])),
        settings=statement if isinstance(statement, dict) else {},
    )


def _ingredient_text(ingredient: Mapping[str, Any]) -> str:
    description = ingredient.get("description")
    return f"{ingredient.get('title', '')}{f' ({description})' if description else ''}"
