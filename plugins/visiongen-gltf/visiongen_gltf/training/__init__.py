"""How the shipped blendshape weights were made: `collect` teacher data, then `fit`."""
