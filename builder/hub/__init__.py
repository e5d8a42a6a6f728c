"""The Hub: publishing a dataset's folder, its releases, and what lies between two of them."""
