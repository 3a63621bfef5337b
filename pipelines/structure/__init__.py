"""What each block of text is to its document: roles, levels of headings, what captions and notes belong to.

    page → find_page_roles: roles of regions by the layout model's classes, tags of the file and fonts
         → records, as all regions become them
    records of all pages → DocumentStructure: roles, levels and ties by what the document as a whole shows

The first knows the file, the second knows all pages and what was read. The second looks at records alone, so
that it does the same for scans.
"""

from docai.pipelines.structure.document import DocumentStructure
from docai.pipelines.structure.page_roles import find_page_roles

__all__ = ["DocumentStructure", "find_page_roles"]
