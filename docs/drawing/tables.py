"""Writes the tables of this folder: `python docs/drawing/tables.py`. All of it is invented."""

from pathlib import Path

import numpy as np

TABLES = Path(__file__).parent / "tables"


def cities(rng: np.random.Generator) -> list[str]:
    """300 points around 30.5 N 114.3 E, 700 around 31.2 N 121.4 E."""
    points = [
        *rng.normal((30.5, 114.3), 0.01, (300, 2)),
        *rng.normal((31.2, 121.4), 0.02, (700, 2)),
    ]
    return ["lat,lon", *(f"{lat:.6f},{lon:.6f}" for lat, lon in points)]


def orders(rng: np.random.Generator) -> list[str]:
    """600 orders: categories, whole and decimal numbers, dates, values that are missing."""
    lines = ["region,channel,placed,items,amount,refund_asked,waited_days"]
    for _ in range(600):
        region = rng.choice(["华东", "华北", "华南"], p=[0.5, 0.3, 0.2])
        channel = rng.choice(["app", "phone"], p=[0.8, 0.2] if region == "华东" else [0.4, 0.6])
        day = np.datetime64("2026-01-01") + int(rng.beta(2, 1.5) * 89)
        items = 1 + rng.poisson(1.5 if channel == "app" else 0.4)
        amount = round(float(items * rng.lognormal(4.6, 0.5)), 2)
        refund = round(amount * float(rng.choice([0, 0.5, 1], p=[0.6, 0.1, 0.3])), 2)
        waited = "" if rng.random() < 0.1 else rng.poisson(9 if region == "华北" else 4)
        lines.append(f"{region},{channel},{day},{items},{amount},{refund},{waited}")
    return lines


for name, made in (("cities", cities), ("orders", orders)):
    text = "\n".join(made(np.random.default_rng(7))) + "\n"
    (TABLES / f"{name}.csv").write_text(text, encoding="utf-8")
