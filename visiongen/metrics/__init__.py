"""Metrics of a generated clip against the real one: pictures (`image`) and landmarks over time (`motion`)."""
