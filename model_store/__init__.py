"""Models as values: find them in a store, check them, load them, warm them up, predict with them.

`loader`, `model`, `program`, `device`, and what opens a format or tries out variants, import TensorFlow; the others do
not.
"""
