"""Pictures of the site, made from a running site: `make screenshots`."""
