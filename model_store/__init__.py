"""Models as values: find them in a store, check them, load them, warm them up, predict with them.

`errors`, `signature`, `spec`, `store`, `pictures`, `detections` and `classes` import no TensorFlow; `loader`,
`model`, `device` and the module of each format do.
"""
