"""What Pydantic refused in a file, in the words of the person who wrote it."""

from __future__ import annotations

from pydantic_core import ErrorDetails


def expected(problem: ErrorDetails, *, mapping: str) -> str:
    """Words for what should have stood there; `mapping` is what the file's format calls one."""
    limits = problem.get("ctx", {})
    kinds = {
        "int_type": "expected a whole number",
        "float_type": "expected a number",
        "string_type": "expected text",
        "list_type": "expected a list",
        "dict_type": f"expected {mapping}",
        "model_type": f"expected {mapping}",
        "finite_number": "expected a finite number",
        "literal_error": f"expected {limits.get('expected', '')}",
        "greater_than": f"expected more than {limits.get('gt', 0):g}",
        "greater_than_equal": f"expected at least {limits.get('ge', '')}",
        "less_than_equal": f"expected at most {limits.get('le', '')}",
    }
    return kinds.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
