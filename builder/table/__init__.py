"""Tables: CSV, JSONL and Parquet read into columns."""
