"""Samplers draw columns: from a small reference table, or as declared.

The plug point is `protocol.Sampler`; built-ins and others enter through the entry point
group `builder.samplers`.
"""
