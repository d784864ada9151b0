"""What a user installs beside their own code: an HTTP client and the command `celeriac`."""
