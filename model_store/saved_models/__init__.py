"""SavedModels: folders whose signatures name what goes in and out, opened as programs."""
