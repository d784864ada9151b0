"""Files that Keras 1 and 2 wrote, rebuilt out of layers of Keras 3."""
