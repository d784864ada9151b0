"""The client's commands, one a file; `client.cli` puts them together."""
