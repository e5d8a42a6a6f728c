"""The plan: every case of a project with its request, before anything is asked."""
