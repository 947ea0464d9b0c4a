"""Pictures of the site, made from a site that runs: `make screenshots`."""
