"""A small HTTP service: jobs are submitted, followed, fetched and deleted. It keeps them in memory and in one folder."""
