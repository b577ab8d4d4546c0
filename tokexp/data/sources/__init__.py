"""Reads documents, one after another, from files of several formats, from folders of them and from datasets.

Nothing is held whole: a file of any size is read with the memory that its longest document takes, or the largest pages
of a Parquet file. What is wrong with a source is one InputError, which names the file and the line or row.
"""

from tokexp.data.sources.document import Document, Fields, Skipped
from tokexp.data.sources.files import fingerprint, read_documents, source_files
from tokexp.data.sources.hub import read_dataset
from tokexp.data.sources.lines import looks_like_json_lines

__all__ = [
    "Document",
    "Fields",
    "Skipped",
    "fingerprint",
    "looks_like_json_lines",
    "read_dataset",
    "read_documents",
    "source_files",
]
