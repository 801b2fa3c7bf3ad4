"""Says of a result that it was made by a machine: visibly, invisibly, and signed."""
