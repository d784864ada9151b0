"""Keras files, `.h5` and `.keras`: what they describe is checked, built with Keras 3 and made a program."""
