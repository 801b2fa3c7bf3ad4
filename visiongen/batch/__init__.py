"""Many animations from one manifest: read and checked before anything starts, done by warm workers, resumable."""
