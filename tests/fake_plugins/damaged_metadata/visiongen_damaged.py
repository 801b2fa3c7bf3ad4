"""Its metadata file is text of another kind."""
