"""One file a resource; each has a `router` that `api.web.app` includes."""
