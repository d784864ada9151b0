"""The sample models of `make models`, and the inputs that the demo sends to them. Never imported by Celeriac itself."""
