"""The routes of the JSON API, one file a family. A file has ``router``; `igtool.serve.app` includes it."""
