"""Models as values: find them in a store, check them, load them, warm them up, predict with them.

`loader`, `model`, `program`, `device`, `warm_up`, `saved_by`, and what opens a format, checks operators or tries out
variants, import TensorFlow; the others do not. What the API may load of them is listed in
tests/contracts/test_import_layers.py.
"""
