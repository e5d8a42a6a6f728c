"""Engines: who answers a request. Each speaks one protocol and imports its SDK where it is used."""
