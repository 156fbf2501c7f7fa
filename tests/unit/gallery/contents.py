"""All that a gallery holds, for comparing one with another, and exports with changed members."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable

from core.gallery import Gallery


def everything(gallery: Gallery) -> list[tuple]:
    return [
        (
            identity.name,
            identity.note,
            identity.enrolled_at,
            stored.space,
            stored.space.encoder_name,
            stored.vector.tobytes(),
            stored.kind,
            stored.probe_px,
            stored.size_px,
            stored.image_sha256,
            stored.crop,
            stored.source,
            stored.added_at,
            stored.recognisability,
        )
        for identity in gallery.identities()
        for stored in gallery.templates(identity.id)
    ]


def rebuilt(content: bytes, change: Callable[[dict[str, bytes]], None], *, resign: bool = True) -> bytes:
    """The file with its members changed; the manifest's checksums follow unless `resign` is False."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    manifest = json.loads(members["manifest.json"])
    if resign and isinstance(manifest, dict) and isinstance(manifest.get("members"), dict):
        for name in manifest["members"]:
            if name in members:
                sums = {"sha256": hashlib.sha256(members[name]).hexdigest(), "bytes": len(members[name])}
                manifest["members"][name] = sums
        members["manifest.json"] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()
