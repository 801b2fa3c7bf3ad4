"""How a result was made, as text that goes into the file itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from visiongen.datatypes import Provenance

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a real picture changed by a trained machine; it is what other software looks for."""

FORMAT = 1
"""Version of what `as_json` gives and `visiongen.marking.metadata` reads; files from before it carry none."""

_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmp:CreatorTool={software} Iptc4xmpExt:DigitalSourceType={source_type}>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def as_json(provenance: Provenance, **more: Any) -> str:
    """One line of ASCII JSON: the format's version, the fields of `provenance`, the digital source type, and `more`."""
    return json.dumps({"format": FORMAT, **asdict(provenance), "digital_source_type": SOURCE_TYPE, **more}, default=str)


def as_xmp(provenance: Provenance) -> bytes:
    """An XMP packet that marks the picture as synthetic and holds `as_json` as its description."""
    text = _XMP.format(
        software=quoteattr(provenance.software),
        source_type=quoteattr(SOURCE_TYPE),
        text=escape(as_json(provenance)),
    )
    return text.encode()
