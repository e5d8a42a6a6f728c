"""Engines answer requests. An engine asks once, keeps the reply verbatim and classifies
its own errors; it never tries again, never parses an answer and never touches the store.

The checks that `plan` needs (`body`, `problems`, `defaults`) import no SDK; opening one
may. Third parties register a class under the entry point group `builder.engines`.
"""
