"""Networks, one file each: config above, shapes at line ends."""
