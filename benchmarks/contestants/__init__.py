"""Those who compete: one folder each, with its worker, its producer and the packages of its virtual environment."""
