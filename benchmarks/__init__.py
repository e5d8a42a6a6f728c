"""What a row, a plan and an export cost. `make bench` writes docs/performance.md."""
