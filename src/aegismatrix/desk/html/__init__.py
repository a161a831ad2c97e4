"""A report as one self-contained page: no script, no network, no font but the reader's own.

`page.render_page` takes the plain values of a report, so that a file written long ago reads like
one just made.
"""
