"""Models as values: find them in a store, check them, load them, warm them up, predict with them.

`loader`, `model`, `program`, `device` and the module of each format import TensorFlow; the others do not.
"""
