"""The viewer: a result as a page of HTML on which a person looks at what was read, and puts it right.

``data`` is what the page shows, ``pictures`` draws pages, crops and contents, ``page`` writes the HTML with
the scripts and the style beside it, ``opened`` is a result that somebody looks at, and ``server`` serves
results on this machine alone.
"""

from docai.viewer.page import write_view
from docai.viewer.server import ViewServer

__all__ = ["ViewServer", "write_view"]
