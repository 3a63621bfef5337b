"""Pages made of content streams as they are written in a PDF, and what is read of them."""

from __future__ import annotations

from docai.geometry import BBox
from docai.limits import Limits
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.ingest.pdf import PdfFile, PdfPage


def stream(content: str, entries: str = "") -> str:
    """A stream object with further entries of its dictionary."""
    return f"<<{entries}/Length {len(content.encode('latin-1'))}>>stream\n{content}\nendstream"


def pdf_of(
    content: str, resources: str = "", objects: tuple[str, ...] = (), page: str = "", catalog: str = ""
) -> bytes:
    """A page of 200 by 100 points; ``objects`` are numbered from 5."""
    bodies = [
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R/Resources<<{resources}>>{page}>>",
        stream(content),
        *objects,
    ]
    made = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(made))
        made += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(bodies) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Root 1 0 R/Size {size}>>"
    return made + f"{end}\nstartxref\n{len(made)}\n%%EOF".encode("latin-1")


def open_page(data: bytes) -> PdfPage:
    """Its first page, in this process."""
    return PdfFile(data, name="test.pdf", password=None, limits=Limits()).page(1)


def drawn(
    content: str,
    resources: str = "",
    objects: tuple[str, ...] = (),
    page: str = "",
    catalog: str = "",
    bbox: BBox | None = None,
) -> Drawing:
    """The drawing of such a page."""
    return read_drawing(open_page(pdf_of(content, resources, objects, page, catalog)), bbox)
